"""Workbooks (XLSX, XLS, ODS) as rows of texts, read in a child process under limits.

Owns the bounds that hold before a workbook is opened and what the child's end means. Promises
that a hostile workbook costs at most the child's limits and ends as `WorkbookRefused`.
"""

import io
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from kameng.core import workbook_child

MAX_UNPACKED_BYTES: Final = 256 << 20
MAX_PARTS: Final = 2_000
_TIMEOUT_SECONDS: Final = 90
_PIECE_BYTES: Final = 1 << 20
_LOCAL_HEADER_BYTES: Final = 30
_CHILD: Final = Path(workbook_child.__file__)
_REFUSALS: Final = {
    workbook_child.NOT_A_WORKBOOK: "workbook_unreadable",
    workbook_child.LOCKED: "workbook_locked",
}


class WorkbookRefused(Exception):
    """The workbook is none, is locked, or is beyond the bounds; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookRow:
    """One row of the sheet; `is_rounded` says that a number in it lost digits in the program."""

    line_no: int
    cells: tuple[str, ...]
    is_rounded: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workbook:
    """The first sheet that has any row, kept in an unnamed temporary file."""

    sheet: str
    sheet_count: int
    output: IO[bytes]

    def rows(self) -> Iterator[WorkbookRow]:
        """Read the rows from the start; only one reader at a time."""
        self.output.seek(0)
        self.output.readline()
        for line in self.output:
            line_no, cells, is_rounded = json.loads(line)
            yield WorkbookRow(line_no=line_no, cells=tuple(cells), is_rounded=is_rounded)


def read_workbook(data: bytes, *, row_limit: int, column_limit: int) -> Workbook:
    """Read a workbook in a child process; raise `WorkbookRefused` when it cannot be used."""
    if data.startswith(b"PK"):
        _check_archive(data)
    output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the workbook
    with tempfile.NamedTemporaryFile(suffix=".workbook") as source:
        source.write(data)
        source.flush()
        arguments = [source.name, str(row_limit), str(column_limit)]
        try:
            ended = subprocess.run(
                [sys.executable, "-P", str(_CHILD), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorkbookRefused("workbook_too_large") from None
    if ended.returncode:
        # Killed by its limits or out of memory: whatever else it was, it was too much.
        raise WorkbookRefused(_REFUSALS.get(ended.returncode, "workbook_too_large"))
    output.seek(0)
    sheet, sheet_count = json.loads(output.readline())
    return Workbook(sheet=sheet, sheet_count=sheet_count, output=output)


def _check_archive(data: bytes) -> None:
    """Unpack every part piece by piece, because the sizes that an archive states may be lies."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError):
        raise WorkbookRefused("workbook_unreadable") from None
    if len(parts) > MAX_PARTS:
        raise WorkbookRefused("workbook_too_large")
    left = MAX_UNPACKED_BYTES
    for part in parts:
        left -= _unpacked_bytes(data, part, limit=left)
        if left <= 0:
            raise WorkbookRefused("workbook_too_large")


def _unpacked_bytes(data: bytes, part: zipfile.ZipInfo, *, limit: int) -> int:
    start = part.header_offset
    names = data[start + 26 : start + _LOCAL_HEADER_BYTES]
    if part.flag_bits & 1:
        raise WorkbookRefused("workbook_locked")
    if len(names) < 4 or part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise WorkbookRefused("workbook_unreadable")
    start += _LOCAL_HEADER_BYTES + int.from_bytes(names[:2], "little")
    start += int.from_bytes(names[2:], "little")
    packed = data[start : start + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        return len(packed)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    try:
        while packed and total <= limit:
            total += len(inflate.decompress(packed, _PIECE_BYTES))
            packed = inflate.unconsumed_tail
    except zlib.error:
        raise WorkbookRefused("workbook_unreadable") from None
    return total
