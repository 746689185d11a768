"""Card keys out of text and tables as shop owners paste and upload them.

Owns the formats of a line, the cleaning of characters that nobody sees, and the doubles inside
one import. Promises that each line is a key, part of the key on the next line, or an explained
problem, as a stream: memory grows by at most 56 bytes a key, whatever the size of the file.
Nothing here is ever logged: what it reads is secret.
"""

import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple

from kameng.core.decoding import REPLACEMENT, decode_blocks, fold_width, strip_invisible
from kameng.core.problems import gettext_noop
from kameng.core.tabular import Table

MAX_KEY_BYTES: Final = 2_000
_MAX_LINE_CHARS: Final = 1 << 16
_PAGE_CHARS: Final = 1 << 17

PROBLEM_TEXT: Final = {
    "blank_line": gettext_noop("空行，已跳过。"),
    "heading": gettext_noop("这一行是表头，已跳过。"),
    "summary_line": gettext_noop("这一行是合计，不是卡密，已跳过。"),
    "no_content": gettext_noop("这一行只有分隔符，已跳过。"),
    "duplicate": gettext_noop("与第 %(first_line_no)s 行重复，只导入一次。"),
    "hidden_duplicate": gettext_noop(
        "去掉看不见的字符后与第 %(first_line_no)s 行重复，只导入一次。"
    ),
    "too_long": gettext_noop("超过 %(limit)s 字节，请检查是否少了换行。"),
    "undecodable": gettext_noop("有无法识别的字符，请检查文件的编码。"),
    "rounded_by_spreadsheet": gettext_noop(
        "数字被表格软件改写（科学计数或末位变 0），请把该列设为文本后重新导出。"
    ),
    "secret_missing": gettext_noop("只有卡号，没有密码。"),
    "open_quote": gettext_noop(
        "引号没有成对，看不出单元格到哪里结束。引号就是卡密内容的话，请把格式选成“整行就是一张卡”。"
    ),
    "columns_left_out": gettext_noop("这些列不算卡密的内容，没有读取：%(names)s。"),
    "number_missing": gettext_noop("不是所选的格式，没有找到卡号与密码之间的分隔符。"),
    "invisible_removed": gettext_noop("已去掉看不见的字符。"),
    "width_folded": gettext_noop("已把全角字符改为半角。"),
}


class KeyFormat(StrEnum):
    """How a line is written; AUTO looks at each line anew, since owners mix them in one file."""

    AUTO = "auto"
    PLAIN = "plain"
    DASHES = "dashes"
    BAR = "bar"
    TAB = "tab"
    COMMA = "comma"
    SPACE = "space"
    LABELLED = "labelled"


# Named tuples, not dataclasses: a million of them are made in two seconds instead of five.
class ParsedKey(NamedTuple):
    """A key ready to be stored; `normal_form` is what a digest for doubles is taken of."""

    line_no: int
    number: str
    secret: str
    normal_form: bytes
    notes: tuple[str, ...] = ()


class KeyProblem(NamedTuple):
    """A line that gives no key, and why."""

    line_no: int
    code: str
    params: dict[str, object]


class DuplicateFinder:
    """Remembers where each key was first seen, in 24 to 32 bytes of memory a key.

    An open table of ordinals over arrays of 96-bit digests (of ten million keys, two share one in
    one import of 10^15): a dict of the same would take some 180 bytes a key, which a million keys
    make 180 MB. The digest is the interpreter's own keyed SipHash over two texts; it lives as long
    as the process, costs a fifth of BLAKE2, and the database decides on what was imported before.
    """

    def __init__(self) -> None:
        self._heads = array("q")
        self._tails = array("I")
        self._line_nos = array("I")
        self._slots = array("I", bytes(4 << 16))
        self._mask = len(self._slots) - 1

    def first_line_no(self, normal_form: bytes, line_no: int) -> int:
        """Return the line that had this key before, or 0 after remembering this one."""
        head, tail = hash(normal_form), hash(normal_form + b"\x00") & 0xFFFFFFFF
        slots, mask = self._slots, self._mask
        slot = head & mask
        while ordinal := slots[slot]:
            if self._heads[ordinal - 1] == head and self._tails[ordinal - 1] == tail:
                return self._line_nos[ordinal - 1]
            slot = (slot + 1) & mask
        self._heads.append(head)
        self._tails.append(tail)
        self._line_nos.append(line_no)
        count = len(self._line_nos)
        slots[slot] = count
        if count * 2 > mask:
            self._grow()
        return 0

    def _grow(self) -> None:
        # Twofold: fourfold would spare a tenth of the time, and cost a third more memory.
        slots = array("I", bytes(len(self._slots) * 2 * 4))
        mask = len(slots) - 1
        for ordinal, head in enumerate(self._heads, start=1):
            slot = head & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = ordinal
        self._slots, self._mask = slots, mask


_Parts = tuple[str, str, str, str]
_Scanned = tuple[int, _Parts]
"""Line number; number before dashes, number behind its label, secret; else the whole line."""


def parse_keys(
    source: Iterable[bytes] | str, *, fmt: KeyFormat = KeyFormat.AUTO
) -> Iterator[ParsedKey | KeyProblem]:
    """Yield a key or a problem for every line of a pasted text or of a file's chunks."""
    texts = (source,) if isinstance(source, str) else decode_blocks(source)
    lines = _scanned(texts, _SCAN if fmt is KeyFormat.AUTO else _SCAN_WHOLE)
    return _parse_lines(_whole_cells(lines) if fmt in _QUOTING else lines, fmt)


def parse_key_table(table: Table) -> Iterator[ParsedKey | KeyProblem]:
    """Yield a key or a problem for every row.

    Where a heading names the columns, they are taken and the others left out; else one column is a
    secret, and of two the first is the number.
    """
    return _parse_lines(_table_lines(table), KeyFormat.AUTO)


def normal_form_of(number: str, secret: str) -> bytes:
    """Return the bytes that two writings of one key have in common; case is kept, it may matter."""
    text = f"{number}\x1f{secret}" if number else secret
    if text.isascii():
        return text.encode()
    return fold_width(strip_invisible(text.replace("\x1f", "\n"))).replace("\n", "\x1f").encode()


def _pages(texts: Iterable[str]) -> Iterator[str]:
    """Cut a stream at line ends of any kind into pages of whole lines, each line ending in LF."""
    held = ""
    for block in texts:
        for start in range(0, len(block), _PAGE_CHARS):
            text = held + block[start : start + _PAGE_CHARS]
            held = ""
            if text.endswith("\r"):
                text, held = text[:-1], "\r"
            if "\r" in text:
                text = text.replace("\r\n", "\n").replace("\r", "\n")
            end = text.rfind("\n") + 1
            # The tail of a line far too long is let go: the line is refused anyway.
            held = text[end : end + _MAX_LINE_CHARS] + held
            if end:
                yield text[:end]
    if held.rstrip("\r"):
        yield held.rstrip("\r") + "\n"


def _scanned(texts: Iterable[str], scan: re.Pattern[str]) -> Iterator[_Scanned]:
    return enumerate(chain.from_iterable(map(scan.findall, _pages(texts))), start=1)


def _whole_cells(lines: Iterator[_Scanned]) -> Iterator[_Scanned]:
    """Join the lines of a quoted cell with line ends in it, as spreadsheet programs write CSV.

    A quote that does not close soon, or closes amid a text, is marked; the lines behind it stand
    for themselves.
    """
    held: deque[_Scanned] = deque()
    while (line := held.popleft() if held else next(lines, None)) is not None:
        odd_line = line[1][3]
        if '"' not in odd_line or not _opens_cell(odd_line):
            yield line
            continue
        taken = 0
        while taken < _MAX_CELL_LINES and len(odd_line) <= MAX_KEY_BYTES:
            if taken == len(held):
                following = next(lines, None)
                if following is None:
                    break
                held.append(following)
            odd_line += f" {held[taken][1][3] or _whole_line(*held[taken][1][:3])}"
            taken += 1
            if '"' in held[taken - 1][1][3] and not _opens_cell(odd_line):
                break
        if not _QUOTED_ROW.fullmatch(odd_line):
            odd_line, taken = _OPEN_MARK, 0
        for _ in range(taken):
            held.popleft()
        yield line[0], ("", "", "", odd_line)


def _opens_cell(text: str) -> bool:
    return len(text) <= 2 * MAX_KEY_BYTES and _OPEN_CELL.search(text) is not None


def _table_lines(table: Table) -> Iterator[_Scanned]:
    columns = find_columns(table.header)
    heading = "\t".join(filter(None, table.header))
    is_headed = columns is not None or _HEADING.fullmatch(fold_width(heading)) is not None
    if heading:
        yield table.header_line_no, ("", "", "", _HEADING_MARK if is_headed else heading)
    for row in table.rows:
        if row.problem is not None and row.problem.code == "rounded_number":
            yield row.line_no, ("", "", "", _ROUNDED_MARK)
        elif row.problem is not None and row.problem.code == "above_heading" and is_headed:
            yield row.line_no, ("", "", "", _ABOVE_MARK)
        else:
            cells = [cell.replace("\n", " ") for cell in row.cells]
            yield row.line_no, _take_columns(cells, columns)


class KeyColumns(NamedTuple):
    """Where a heading says that things stand: `more` belongs to the key, `left_out` does not."""

    number: int | None
    secret: int
    more: tuple[int, ...]
    left_out: tuple[str, ...]


def find_columns(header: Sequence[str]) -> KeyColumns | None:
    """Return what a heading says of its columns, or None when it does not name that of the key."""
    texts = [fold_width(cell).strip() for cell in header]
    owned = [place for place, text in enumerate(texts) if text and not _OWNERS_CELL.fullmatch(text)]
    secret = next((place for place in owned if _KEY_CELL.fullmatch(texts[place])), None)
    number = next((place for place in owned if _NUMBER_CELL.fullmatch(texts[place])), None)
    if secret is None or (number is None and not _CHINESE.search(texts[secret])):
        return None  # an English word alone may as well be a key
    return KeyColumns(
        number=number,
        secret=secret,
        more=tuple(place for place in owned if place not in (number, secret)),
        left_out=tuple(text for text in texts if _OWNERS_CELL.fullmatch(text)),
    )


def _take_columns(cells: list[str], columns: KeyColumns | None) -> _Parts:
    line = "\t".join(filter(None, cells))
    if columns is None or _SUMMARY.fullmatch(fold_width(line).replace("\t", " ")):
        return "", "", "", line
    cells += [""] * (columns.secret + 1 - len(cells))
    number = _tidy(cells[columns.number].strip()) if columns.number is not None else ""
    secret = _tidy(cells[columns.secret].strip())
    if not secret:
        return "", "", "", f"卡号:{number}" if number else ""
    if _ROUNDED.fullmatch(number) or _ROUNDED.fullmatch(secret):
        return "", "", "", _ROUNDED_MARK
    more = (cells[place] for place in columns.more if place < len(cells))
    return number, "", "\t".join((secret, *filter(None, more))), ""


# A control character cannot come out of a cleaned cell, so this can only be our own mark.
_ROUNDED_MARK: Final = "\x02rounded"
_OPEN_MARK: Final = "\x02open"
_ABOVE_MARK: Final = "\x02above"
_HEADING_MARK: Final = "\x02heading"
_MARKS: Final = {
    _ROUNDED_MARK: "rounded_by_spreadsheet",
    _OPEN_MARK: "open_quote",
    _ABOVE_MARK: "above_heading",
    _HEADING_MARK: "heading",
}
_MAX_CELL_LINES: Final = 20
# Cells as CSV quotes them: a quote is doubled, and ends the cell before a delimiter only.
_QUOTING: Final = frozenset((KeyFormat.AUTO, KeyFormat.COMMA, KeyFormat.TAB))
_OPEN_CELL: Final = re.compile(r'(?:^|[,;\t])[ ]*+"(?:[^"]|"")*+$')
_CELL: Final = r'(?:"(?:[^"]|"")*+"|[^",;\t]*+)'
_QUOTED_ROW: Final = re.compile(rf"\s*({_CELL})\s*(?:[,;\t]\s*({_CELL})\s*(?:[,;\t]\s*)*+)?")
# Nearly every line is a key alone, behind dashes or behind 卡号 and 密码: one search of a whole
# page cuts them without a call for each; any other line comes out whole, as the last group.
_SCAN: Final = re.compile(
    r"(?:([A-Za-z0-9][A-Za-z0-9_.@]*+)----|卡号[:\uff1a](\d++) 密码[:\uff1a])?"
    r"([A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+)\n|(.*)\n"
)
_SCAN_WHOLE: Final = re.compile(r"()()()(.*)\n")
_CUTS: Final = {
    KeyFormat.DASHES: re.compile(r"\s*(?:-{3,}|[—–]{2,})\s*"),
    KeyFormat.BAR: re.compile(r"\s*\|\s*"),
    KeyFormat.TAB: re.compile(r"\s*\t\s*"),
    KeyFormat.COMMA: re.compile(r"\s*,\s*"),
    KeyFormat.SPACE: re.compile(r"\s+"),
}
_NUMBER_LABEL: Final = (
    r"(?:(?:充值)?卡\s*号码?|[账帐]\s*[号户]|用户名|序号|"
    r"card\s*(?:no\.?|number)?|account|user(?:\s*name)?)"
)
_KEY_LABEL: Final = (
    r"(?:(?:卡\s*)?密\s*[码碼]|卡\s*密|口\s*令|(?:兑换|激活|充值|提取|授权|注册)码|序列号|"
    r"cd-?key|cdk|key|code|secret|password|passwd|pwd|pass|pin)"
)
_LABELLED: Final = re.compile(
    rf"(?:[^:]{{0,20}}[\s\])】、.])??"
    rf"(?:{_NUMBER_LABEL}\s*:\s*(?P<number>\S.{{0,199}}?))?[\s,;|/]*"
    rf"(?:(?<![a-z0-9]){_KEY_LABEL}\s*:\s*(?P<secret>\S.*))?",
    re.IGNORECASE,
)
_KEY_CELL: Final = re.compile(_KEY_LABEL, re.IGNORECASE)
_NUMBER_CELL: Final = re.compile(_NUMBER_LABEL, re.IGNORECASE)
_OWNERS_CELL: Final = re.compile(  # what an owner keeps beside a key for himself
    r"序号|编号|no\.?|备注|状态|面值|规格|商品(?:名称)?|名称|数量|批次|"
    r"(?:进货?|成本|售|单)?价格?|成本|金额|供应商|渠道|来源|(?:进货|入库|导入)?(?:日期|时间)|price|cost|qty|quantity|remarks?|status",
    re.IGNORECASE,
)
_HAS_LABEL: Final = re.compile(rf"(?:{_NUMBER_LABEL}|{_KEY_LABEL})\s*:", re.IGNORECASE)
_HEADING: Final = re.compile(
    rf"(?:(?:编号|面值|备注|状态|{_NUMBER_LABEL}|{_KEY_LABEL})(?:[\s,;|—-]+|$)){{1,6}}",
    re.IGNORECASE,
)
_SUMMARY: Final = re.compile(r"(?:合计|总计|总数|小计|共计?)[\s:]*\d*\s*[张条个组]?")
_ROUNDED: Final = re.compile(r"\d(?:\.\d+)?E\+\d{2}", re.IGNORECASE)
_CARD_NUMBER: Final = re.compile(r"(?=.*[\d@])[\w.@+-]{4,64}", re.ASCII)
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")

_Found = tuple[str, str, tuple[str, ...]]
"""Number, secret, notes."""


def _parse_lines(lines: Iterable[_Scanned], fmt: KeyFormat) -> Iterator[ParsedKey | KeyProblem]:
    first_line_no = DuplicateFinder().first_line_no
    reader = _LineReader(fmt)
    notes: tuple[str, ...]
    for line_no, (before_dashes, labelled, secret, odd_line) in lines:
        if secret and len(secret) <= MAX_KEY_BYTES and not reader.has_pending:
            number, notes = before_dashes or labelled, ()
            text = f"{number}\x1f{secret}" if number else secret
            normal_form = text.encode() if text.isascii() else normal_form_of(number, secret)
        else:
            line = odd_line or _whole_line(before_dashes, labelled, secret)
            found = reader.read(line_no, line)
            yield from reader.take_problems()
            if found is None:
                continue
            number, secret, notes = found
            normal_form = normal_form_of(number, secret)
        first = first_line_no(normal_form, line_no)
        if first:
            code = "hidden_duplicate" if notes else "duplicate"
            yield KeyProblem(line_no, code, {"first_line_no": first})
        else:
            yield ParsedKey(line_no, number, secret, normal_form, notes)
    reader.end()
    yield from reader.take_problems()


def _whole_line(before_dashes: str, labelled: str, secret: str) -> str:
    if labelled:
        return f"卡号:{labelled} 密码:{secret}"
    return f"{before_dashes}----{secret}" if before_dashes else secret


class _LineReader:
    """Reads the lines that are not plain; a number alone waits for the secret on the next line."""

    def __init__(self, fmt: KeyFormat) -> None:
        self._fmt = fmt
        self._pending: tuple[int, str] | None = None
        self._problems: list[KeyProblem] = []

    @property
    def has_pending(self) -> bool:
        return self._pending is not None

    def take_problems(self) -> list[KeyProblem]:
        problems, self._problems = self._problems, []
        return problems

    def end(self) -> None:
        """Give up the number whose secret did not come."""
        if self._pending is not None:
            self._problems.append(KeyProblem(self._pending[0], "secret_missing", {}))
            self._pending = None

    def read(self, line_no: int, line: str) -> _Found | None:
        """Return the key of the line, or None after noting the problem or the number alone."""
        clean = strip_invisible(line)
        notes: tuple[str, ...] = ("invisible_removed",) if len(clean) != len(line) else ()
        clean = clean.strip()
        text = fold_width(clean)
        problem = _line_problem(line, text)
        if problem is None:
            parts = [clean[start:stop] for start, stop in self._find_spans(text)]
            number, secret = map(_tidy, parts)
            if number + secret != "".join(parts) and not "".join(parts).isascii():
                notes += ("width_folded",)
            if _ROUNDED.fullmatch(number) or _ROUNDED.fullmatch(secret):
                problem = "rounded_by_spreadsheet"
            elif secret:
                return self._complete(clean, (number, secret, notes))
            elif number and _HAS_LABEL.search(text):
                self.end()
                self._pending = (line_no, number)
                return None
            else:
                problem = "secret_missing" if number else "number_missing"
        self.end()
        params: dict[str, object] = {"limit": MAX_KEY_BYTES} if problem == "too_long" else {}
        self._problems.append(KeyProblem(line_no, problem, params))
        return None

    def _complete(self, clean: str, found: _Found) -> _Found:
        number, secret, notes = found
        if self._pending is not None and not number and _HAS_LABEL.search(fold_width(clean)):
            number, self._pending = self._pending[1], None
        self.end()
        return number, secret, notes

    def _find_spans(self, text: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return where number and secret stand in the line; nothing is an empty span."""
        nothing, whole = (0, 0), (0, len(text))
        if self._fmt is KeyFormat.PLAIN:
            return nothing, whole
        if self._fmt in (KeyFormat.AUTO, KeyFormat.LABELLED) and _HAS_LABEL.search(text):
            match = _LABELLED.fullmatch(text)
            if match is not None and (match["number"] or match["secret"]):
                return _span(match, "number"), _span(match, "secret")
        if '"' in text and self._fmt in _QUOTING:
            row = _QUOTED_ROW.fullmatch(text)
            if row is not None:
                return (row.span(1), row.span(2)) if row[2] else (nothing, row.span(1))
        if self._fmt is KeyFormat.AUTO:
            cut = _guess_cut(text)
            return cut if cut is not None else (nothing, whole)
        pattern = _CUTS.get(self._fmt)
        match = pattern.search(text) if pattern is not None else None
        return (
            (nothing, nothing) if match is None else ((0, match.start()), (match.end(), whole[1]))
        )


def _span(match: re.Match[str], group: str) -> tuple[int, int]:
    return match.span(group) if match[group] else (0, 0)


def _guess_cut(text: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the spans of number and secret when the line shows two parts, else None."""
    if "://" in text:
        return None
    for fmt, pattern in _CUTS.items():
        found = list(pattern.finditer(text))
        if not found:
            continue
        # Commas and blanks also stand inside sentences and groups of digits.
        if fmt in (KeyFormat.COMMA, KeyFormat.SPACE) and (
            len(found) > 1 or not _CARD_NUMBER.fullmatch(text[: found[0].start()].strip('"'))
        ):
            continue
        return (0, found[0].start()), (found[0].end(), len(text))
    return None


def _line_problem(line: str, text: str) -> str | None:
    if line in _MARKS:
        return _MARKS[line]
    if not text:
        return "blank_line"
    if REPLACEMENT in line:
        return "undecodable"
    if len(text) > MAX_KEY_BYTES or len(text.encode(errors="replace")) > MAX_KEY_BYTES:
        return "too_long"
    if not any(sign.isalnum() for sign in text):
        return "no_content"
    if _HEADING.fullmatch(text):
        return "heading"
    if _SUMMARY.fullmatch(text):
        return "summary_line"
    return None


def _tidy(part: str) -> str:
    """Drop quotes around a cell; fold width unless the part is a sentence in Chinese."""
    if len(part) > 1 and part[0] == part[-1] == '"':
        part = part[1:-1].replace('""', '"').strip()
    return part if _CHINESE.search(part) else fold_width(part)
