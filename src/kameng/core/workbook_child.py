"""Reads one workbook in a process of its own: `python workbook_child.py <path> <rows> <columns>`.

A workbook of a few bytes can ask for any amount of memory or time, so the reader runs under limits
of the operating system and its death harms nobody. Standard output: a JSON array about the sheet,
then one a row: [line number, cells as texts, whether a number lost digits]. Leaves with 3 when the
workbook is beyond the bounds, with 4 when it is none, with 5 when it is locked by a password.
"""

import datetime
import json
import resource
import sys
from collections.abc import Iterable, Iterator

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

MEMORY_BYTES = 768 << 20
CPU_SECONDS = 60
OUTPUT_BYTES = 512 << 20
SAFE_DIGITS = 15
"""A spreadsheet keeps no more digits of a number: what was typed after them is lost."""
TOO_LARGE = 3
NOT_A_WORKBOOK = 4
LOCKED = 5


def main(path: str, row_limit: int, column_limit: int) -> int:
    """Write the rows of the first sheet that has any; return the exit status."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        book = CalamineWorkbook.from_path(path)
        sheet = next((sheet for sheet in _sheets(book) if sheet.height), None)
    except PasswordError:
        return LOCKED
    except MemoryError:
        return TOO_LARGE
    except (CalamineError, OSError, ValueError):
        return NOT_A_WORKBOOK
    _write([[sheet.name if sheet else "", len(book.sheet_names)]])
    if sheet is None:
        return 0
    if sheet.total_height > row_limit or sheet.total_width > column_limit:
        return TOO_LARGE
    _write(_rows(sheet))
    return 0


def text_of(cell: object) -> str:
    """Return what a person sees in the cell, numbers without an exponent."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return str(cell)
    text = format(cell, f".{SAFE_DIGITS}g")
    if "e+" in text:
        return format(cell, ".0f")
    return format(cell, ".15f").rstrip("0") if "e-" in text else text


def _sheets(book: CalamineWorkbook) -> Iterator[CalamineSheet]:
    return (book.get_sheet_by_name(name) for name in book.sheet_names)


def _rows(sheet: CalamineSheet) -> Iterator[list[object]]:
    for line_no, cells in enumerate(sheet.iter_rows(), start=1):
        texts = [text_of(cell) for cell in cells]
        is_rounded = any(
            not isinstance(cell, str) and len(text) > SAFE_DIGITS and text.isdecimal()
            for cell, text in zip(cells, texts, strict=True)
        )
        yield [line_no, texts, is_rounded]


def _write(items: Iterable[list[object]]) -> None:
    for item in items:
        sys.stdout.write(json.dumps(item, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
