"""From an uploaded file to keys ready to be stored: parsed, digested and encrypted in frames.

Runs beside the process that writes to the database (`sealing_child`), or inside it for a few lines.
Promises frames of bounded size in the order of the file, the same ones each time the same file is
read, so that an import can go on where it ended. Needs no database.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kameng.catalog.uploads import read_upload
from kameng.core.crypto import binding, digester, encrypter
from kameng.core.problems import Problem
from kameng.core.tabular import MAX_BYTES, Table, TableUnreadable, read_table
from kameng.inventory.keytext import join_key, mask_key
from kameng.inventory.parsing import (
    KeyFormat,
    KeyProblem,
    ParsedKey,
    find_columns,
    parse_key_table,
    parse_keys,
)

MAX_FRAME_RECORDS: Final = 40_000
MAX_FRAME_PROBLEMS: Final = 500
MAX_SAMPLES: Final = 8
DUPLICATES: Final = frozenset(("duplicate", "hidden_duplicate"))
TABLE_NAME: Final = "card_key"
_SAMPLE_BYTES: Final = 1 << 16
_WORKBOOK_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """Where an upload lies, whose it is, and how its lines are written."""

    path: str
    site_id: int
    fmt: KeyFormat


@dataclass(slots=True, kw_only=True)
class KeyFrame:
    """A stretch of the file: keys in parallel lists, problems, and how many records it covers."""

    record_count: int = 0
    ids: list[int] = field(default_factory=list)
    line_nos: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    problems: list[dict[str, Any]] = field(default_factory=list)
    samples: list[list[str]] = field(default_factory=list)
    file_problems: list[dict[str, Any]] = field(default_factory=list)  # in a dry run
    is_last: bool = False

    @property
    def duplicate_count(self) -> int:
        """How many lines repeat an earlier line of the file."""
        return sum(self.counts[code] for code in DUPLICATES)

    @property
    def problem_count(self) -> int:
        """How many lines give no key for another reason."""
        return self.counts.total() - self.duplicate_count


def digest_domain(site_id: int) -> str:
    """Return the domain of key digests: keys are told apart within one site."""
    return f"card_key:{site_id}"


def key_place(site_id: int, key_id: int) -> bytes:
    """Return the place that a stored key is bound to."""
    return binding(site_id, TABLE_NAME, key_id)


Records = Iterator[ParsedKey | KeyProblem]


def read_records(source: KeyFile) -> tuple[Records, tuple[Problem, ...]]:
    """Return a key or a problem for each line, and what is odd about the file as a whole.

    Raises `TableUnreadable` when it is no such file.
    """
    chunks = read_upload(Path(source.path), site_id=source.site_id)
    head = next(chunks, b"")
    if head.startswith(_WORKBOOK_STARTS):
        return _read_table(_open_table(head, chunks, Path(source.path).name))
    sample = read_table(head[:_SAMPLE_BYTES])  # refuses what is no text, before a line is read
    if source.fmt is KeyFormat.AUTO and len(sample.header) > 2 and find_columns(sample.header):
        return _read_table(_open_table(head, chunks, Path(source.path).name))
    return parse_keys(_chain(head, chunks), fmt=source.fmt), ()


def _read_table(table: Table) -> tuple[Records, tuple[Problem, ...]]:
    columns, problems = find_columns(table.header), table.problems
    if columns is not None and columns.left_out:
        names: dict[str, object] = {"names": "、".join(columns.left_out)}
        problems = (*problems, Problem(code="columns_left_out", params=names))
    return parse_key_table(table), problems


def seal_frame(records: Records, *, site_id: int, ids: Sequence[int]) -> KeyFrame:
    """Return the next frame with at most as many encrypted keys as there are ids."""
    frame = KeyFrame()
    digest, encrypt, free = digester(domain=digest_domain(site_id)), encrypter(), iter(ids)
    for record in islice(records, MAX_FRAME_RECORDS):
        frame.record_count += 1
        if type(record) is ParsedKey:
            line = join_key(record.number, record.secret).encode()
            key_id = next(free)
            frame.ids.append(key_id)
            frame.line_nos.append(record.line_no)
            frame.digests.append(digest(record.normal_form))
            frame.secrets.append(encrypt(line, key_place(site_id, key_id)))
            if record.notes:
                _note(frame, record)
            if len(frame.secrets) == len(ids):
                return frame
        else:
            _note(frame, record)
    frame.is_last = frame.record_count < MAX_FRAME_RECORDS
    return frame


def check_frame(records: Records, *, site_id: int, limit: int) -> KeyFrame:
    """Return the next frame of a dry run: digests without secrets, and what was cleaned."""
    frame = KeyFrame()
    digest = digester(domain=digest_domain(site_id))
    for record in islice(records, limit):
        frame.record_count += 1
        if type(record) is ParsedKey:
            frame.line_nos.append(record.line_no)
            frame.digests.append(digest(record.normal_form))
            if record.number:
                frame.notes["with_number"] += 1
            if len(frame.samples) < MAX_SAMPLES:
                masked = mask_key(join_key(record.number, record.secret))
                frame.samples.append([str(record.line_no), masked])
            if record.notes:
                _note(frame, record)
        else:
            _note(frame, record)
    frame.is_last = frame.record_count < limit
    return frame


def skip_records(records: Records, *, count: int) -> None:
    """Read over what an earlier run has stored already."""
    next(islice(records, count, count), None)


def describe_file(frame: KeyFrame, problems: Iterable[Problem]) -> None:
    """Put what is odd about the file as a whole into a frame."""
    frame.file_problems = [{"code": each.code, "params": each.params} for each in problems]


def _note(frame: KeyFrame, record: ParsedKey | KeyProblem) -> None:
    if isinstance(record, KeyProblem):
        frame.counts[record.code] += 1
        problems = [{"line": record.line_no, "code": record.code, "params": record.params}]
    else:
        frame.notes.update(record.notes)
        problems = [
            {"line": record.line_no, "code": code, "params": {}, "is_kept": True}
            for code in record.notes
        ]
    if len(frame.problems) < MAX_FRAME_PROBLEMS:
        frame.problems += problems


def _open_table(head: bytes, chunks: Iterator[bytes], name: str) -> Table:
    data = bytearray(head)
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_BYTES:
            limit: dict[str, object] = {"limit_mib": MAX_BYTES >> 20}
            raise TableUnreadable(Problem(code="file_too_large", params=limit))
    return read_table(bytes(data), filename=name)


def _chain(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks
