"""Tables that people upload (CSV, TSV, TXT, XLSX, XLS) as rows of clean cells.

Owns encoding, delimiter, quotes with line breaks inside them, the heading row and the bounds.
Promises that an odd line never stops the rest: it becomes a row with a `problem`, every physical
line belongs to some row, and only a file that is no table at all raises, `TableUnreadable`.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from kameng.core.decoding import (
    REPLACEMENT,
    detect_encoding,
    fold_width,
    strip_invisible,
)
from kameng.core.problems import Problem, gettext_noop
from kameng.core.workbook import Workbook, WorkbookRefused, read_workbook

MAX_BYTES: Final = 32 << 20
MAX_ROWS: Final = 1_048_576
MAX_COLUMNS: Final = 100
MAX_CELL_CHARS: Final = 8_000
MAX_LINES_IN_CELL: Final = 200
WORKBOOK: Final = "workbook"
"""Stands in `Table.delimiter` for a workbook, whose cells need none."""

DELIMITERS: Final = ("\t", ",", ";", "|", "｜", "，", "；")
_SAMPLE_RECORDS: Final = 60
_SAMPLE_CHARS: Final = 1 << 16
_HEADING_ROWS: Final = 10
_HEADING_CHARS: Final = 24
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FOREIGN: Final = (
    b"%PDF-",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
)

PROBLEM_TEXT: Final = {
    "empty_file": gettext_noop("文件是空的，请检查后重新选择。"),
    "file_too_large": gettext_noop("文件超过 %(limit_mib)s MiB，请拆成几个文件再导入。"),
    "not_a_table": gettext_noop("这不是表格或文本文件，请选择 TXT、CSV 或 XLSX 文件。"),
    "html_table": gettext_noop("这是网页格式的表格，请用 Excel 或 WPS 打开后另存为 XLSX 再导入。"),
    "too_many_rows": gettext_noop("行数超过 %(limit)s，请拆成几个文件再导入。"),
    "workbook_unreadable": gettext_noop("这个工作簿已损坏或格式不支持，请另存为 XLSX 后重试。"),
    "workbook_locked": gettext_noop("这个工作簿有密码，请去掉密码后重试。"),
    "workbook_too_large": gettext_noop("这个工作簿展开后过大，请只保留需要的行和列，另存后重试。"),
    "more_sheets": gettext_noop("工作簿里有 %(count)s 个工作表，只读取了“%(sheet)s”。"),
    "undecodable": gettext_noop("这一行有无法识别的字符，请检查文件的编码。"),
    "above_heading": gettext_noop("表头上方的文字，已跳过。"),
    "too_many_columns": gettext_noop("这一行有 %(count)s 列，只读取前 %(limit)s 列。"),
    "cell_too_long": gettext_noop("第 %(column)s 列的内容超过 %(limit)s 个字，已截断。"),
    "open_quote": gettext_noop("这一行的引号没有成对，已把引号当作普通文字。"),
    "rounded_number": gettext_noop(
        "这一行有超过 15 位的数字，表格软件已把末尾改成 0，请把该列设为文本后重新填写。"
    ),
}


class TableUnreadable(Exception):
    """The file is no table that can be read; `problem` says why and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record; a blank line has no cells, `line_count` physical lines belong to it."""

    line_no: int
    cells: tuple[str, ...]
    line_count: int = 1
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """An uploaded table: what was found out about it, and its rows as often as wanted."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    header_line_no: int
    problems: tuple[Problem, ...]
    source: Callable[[], Iterator[Row]]

    @property
    def rows(self) -> Iterator[Row]:
        """Every row but the heading, from the start, blank ones too."""
        for row in self.source():
            if row.line_no == self.header_line_no:
                continue
            if row.line_no < self.header_line_no and row.cells:
                yield Row(
                    line_no=row.line_no,
                    cells=row.cells,
                    line_count=row.line_count,
                    problem=Problem(code="above_heading"),
                )
            else:
                yield row

    def sample(self, count: int = 200) -> list[Row]:
        """Return the first rows that have cells and no problem."""
        good = (row for row in self.rows if row.cells and row.problem is None)
        return list(islice(good, count))


def read_table(data: bytes, *, filename: str = "") -> Table:
    """Open a table of any of the kinds above; raise `TableUnreadable` when it is none.

    The content decides what it is; the name only tells text that ends in .xls from a workbook.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise _unreadable("empty_file")
    if len(data) > MAX_BYTES:
        raise _unreadable("file_too_large", limit_mib=MAX_BYTES >> 20)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", _OLE)):
        return _open_workbook(data)
    if data.startswith(_FOREIGN):
        raise _unreadable("not_a_table")
    encoding = detect_encoding(data)
    text = data.decode(encoding, "replace")
    _check_text(text, filename)
    return table_of_text(text, encoding=encoding)


def table_of_text(text: str, *, encoding: str = "utf-8") -> Table:
    """Open a table from text, as pasted into a field."""
    delimiter = guess_delimiter(text)

    def source() -> Iterator[Row]:
        return _text_rows(text, delimiter)

    return _with_heading(source, encoding=encoding, delimiter=delimiter, problems=())


def guess_delimiter(text: str) -> str:
    """Return the delimiter that cuts the first lines most evenly, or "" for a single column."""
    best, best_score = "", 0
    text = text[:_SAMPLE_CHARS]
    for delimiter in DELIMITERS:
        records = (cells for _, cells, _, _ in _records(text, delimiter) if any(cells))
        counts = Counter(map(len, islice(records, _SAMPLE_RECORDS)))
        total = counts.total()
        counts.pop(1, None)
        if not counts:
            continue
        width, even_count = max(counts.items(), key=lambda item: (item[1], item[0]))
        # Half of the lines must agree, else the sign belongs to the texts and not to the table.
        score = even_count * 100 + min(width, MAX_COLUMNS)
        if even_count * 2 >= total and score > best_score:
            best, best_score = delimiter, score
    return best


def _unreadable(code: str, **params: object) -> TableUnreadable:
    return TableUnreadable(Problem(code=code, params=params))


def _check_text(text: str, filename: str) -> None:
    start = text[:4000]
    odd = sum(1 for sign in start if sign == REPLACEMENT or (sign < " " and sign not in "\t\r\n\0"))
    if odd * 10 > len(start) or start.count("\0") * 2 > len(start):
        raise _unreadable("not_a_table")
    head = start[:1000].lstrip("\ufeff \t\r\n").lower()
    if head.startswith(("<!doctype", "<html", "<?xml", "<table")):
        is_page = "html" in head or "<table" in head or filename.lower().endswith(".xls")
        raise _unreadable("html_table" if is_page else "not_a_table")
    if text.count("\n") > MAX_ROWS or text.count("\r") > MAX_ROWS:
        raise _unreadable("too_many_rows", limit=MAX_ROWS)


def _open_workbook(data: bytes) -> Table:
    try:
        book = read_workbook(data, row_limit=MAX_ROWS, column_limit=16_384)
    except WorkbookRefused as refused:
        raise _unreadable(refused.code) from None
    problems: tuple[Problem, ...] = ()
    if book.sheet_count > 1:
        params: dict[str, object] = {"count": book.sheet_count, "sheet": book.sheet}
        problems = (Problem(code="more_sheets", params=params),)

    def source() -> Iterator[Row]:
        return _workbook_rows(book)

    return _with_heading(source, encoding=WORKBOOK, delimiter=WORKBOOK, problems=problems)


def _workbook_rows(book: Workbook) -> Iterator[Row]:
    for row in book.rows():
        problem = Problem(code="rounded_number") if row.is_rounded else None
        yield _row(list(row.cells), line_no=row.line_no, line_count=1, problem=problem)


def _with_heading(
    source: Callable[[], Iterator[Row]],
    *,
    encoding: str,
    delimiter: str,
    problems: tuple[Problem, ...],
) -> Table:
    heading = Row(line_no=0, cells=())
    for row in islice((row for row in source() if row.cells), _HEADING_ROWS):
        filled = [cell for cell in row.cells if cell]
        if all(_may_be_heading(cell) for cell in filled) and len(set(filled)) == len(filled):
            if len(filled) > 1:
                heading = row
                break
        elif len(filled) > 1:
            break
    return Table(
        encoding=encoding,
        delimiter=delimiter,
        header=heading.cells,
        header_line_no=heading.line_no,
        problems=problems,
        source=source,
    )


def _may_be_heading(cell: str) -> bool:
    digits = sum(map(str.isdecimal, fold_width(cell)))
    return len(cell) <= _HEADING_CHARS and "\n" not in cell and digits * 3 <= len(cell)


def _lines(text: str) -> Iterator[str]:
    """Cut at line feed, carriage return or both, and at nothing else."""
    return (line.rstrip("\n") for line in io.StringIO(text, newline=None))


def _text_rows(text: str, delimiter: str) -> Iterator[Row]:
    for line_no, cells, line_count, is_open in _records(text, delimiter):
        problem = Problem(code="open_quote") if is_open else None
        yield _row(cells, line_no=line_no, line_count=line_count, problem=problem)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str], int, bool]]:
    """Yield line number, cells, number of lines, and whether a quote never closed."""
    lines = _lines(text)
    ahead: list[str] = []
    line_no = 1
    while True:
        line = ahead.pop(0) if ahead else next(lines, None)
        if line is None:
            return
        cells, is_open = _cut(line, delimiter)
        taken = 0
        if is_open:
            cells, taken = _join_lines(line, delimiter, ahead=ahead, lines=lines)
            del ahead[:taken]
        yield line_no, cells, taken + 1, bool(is_open and not taken)
        line_no += taken + 1


def _join_lines(
    first: str, delimiter: str, *, ahead: list[str], lines: Iterator[str]
) -> tuple[list[str], int]:
    """Add lines until the open quote closes; a quote that never does is a plain character."""
    record = first
    for taken in range(1, MAX_LINES_IN_CELL + 1):
        if len(ahead) < taken:
            following = next(lines, None)
            if following is None:
                break
            ahead.append(following)
        record += "\n" + ahead[taken - 1]
        if '"' not in ahead[taken - 1]:
            continue
        cells, is_open = _cut(record, delimiter)
        if not is_open:
            return cells, taken
        if is_open == _BROKEN or len(record) > 4 * MAX_CELL_CHARS:
            break
    return first.split(delimiter) if delimiter else [first], 0


_OPEN: Final = 1
_BROKEN: Final = 2


def _cut(record: str, delimiter: str) -> tuple[list[str], int]:
    """Cut a record into cells; the second part says whether a quote is open, or wrongly closed."""
    if not delimiter:
        return [record], 0
    if '"' not in record:
        return record.split(delimiter), 0
    cells: list[str] = []
    position, end = 0, len(record)
    while position <= end:
        if not record.startswith('"', position):
            stop = record.find(delimiter, position)
            stop = end if stop < 0 else stop
            cells.append(record[position:stop])
            position = stop + len(delimiter)
            continue
        stop = position + 1
        while True:
            stop = record.find('"', stop)
            if stop < 0:
                return cells, _OPEN
            if not record.startswith('""', stop):
                break
            stop += 2
        if stop + 1 < end and not record.startswith(delimiter, stop + 1):
            return record.split(delimiter), _BROKEN
        cells.append(record[position + 1 : stop].replace('""', '"'))
        position = stop + 1 + len(delimiter)
    return cells, 0


def _row(cells: list[str], *, line_no: int, line_count: int, problem: Problem | None) -> Row:
    count = len(cells)
    if count > MAX_COLUMNS:
        cells = cells[:MAX_COLUMNS]
    clean: list[str] = []
    for column, cell in enumerate(cells, start=1):
        text = strip_invisible(cell).strip()
        if len(text) > MAX_CELL_CHARS:
            text = text[:MAX_CELL_CHARS]
            params: dict[str, object] = {"column": column, "limit": MAX_CELL_CHARS}
            problem = problem or Problem(code="cell_too_long", params=params)
        if REPLACEMENT in text:
            problem = problem or Problem(code="undecodable")
        clean.append(text)
    while clean and not clean[-1]:
        clean.pop()
    if count > MAX_COLUMNS and len(clean) == MAX_COLUMNS:
        params = {"count": count, "limit": MAX_COLUMNS}
        problem = problem or Problem(code="too_many_columns", params=params)
    return Row(line_no=line_no, cells=tuple(clean), line_count=line_count, problem=problem)
