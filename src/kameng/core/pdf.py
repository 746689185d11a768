"""A table as a PDF: A4, a heading, facts, rows over as many pages as it takes. No dependency.

Text is set in two fonts that every reader of PDF brings or stands in for: Helvetica for ASCII, and
STSong-Light (Adobe-GB1) for Chinese, so that a file is a few KB and no font has to be shipped; see
docs/adr/0025. Promises that a text too wide for its column is cut, never set over its neighbour.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

POINT: Final = 1000
"""Lengths are whole thousandths of a point."""
WIDTH, HEIGHT, MARGIN = 595 * POINT, 842 * POINT, 42 * POINT
LINE: Final = 16 * POINT
SIZE: Final = 8 * POINT + 500
SMALL: Final = 7 * POINT + 500
HEAD_SIZE: Final = 15 * POINT
GUTTER: Final = 6 * POINT
BLACK, GRAY = 0, 4  # tenths of white
_ASCII_WIDTHS: Final = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
    *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
    *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
    *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
)
_WIDE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfColumn:
    """A column: its heading, its part of the width, and whether its cells end at the right."""

    label: str
    share: int
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfTable:
    """What is printed: a title, facts as (name, value), columns and rows of texts, a foot line."""

    title: str
    facts: Sequence[tuple[str, str]]
    columns: Sequence[PdfColumn]
    rows: Iterable[Sequence[str]]
    foot: str = ""


@dataclass(slots=True)
class _Page:
    parts: list[str] = field(default_factory=list)

    def text(self, x: int, y: int, text: str, *, size: int = SIZE, gray: int = BLACK) -> None:
        """Set a text with its foot at (x, y)."""
        shown = "".join(_runs(text, size))
        self.parts.append(f"BT 0.{gray} g 1 0 0 1 {_points(x)} {_points(y)} Tm {shown} ET")

    def line(self, y: int) -> None:
        """Draw a thin line across the page."""
        ends = f"{_points(MARGIN)} {_points(y)} m {_points(WIDTH - MARGIN)} {_points(y)} l S"
        self.parts.append(f"0.8 G 0.5 w {ends}")


def _points(length: int) -> str:
    return f"{length // POINT}.{length % POINT:03d}"


def write_pdf(table: PdfTable) -> bytes:
    """Return the table as a PDF."""
    pages: list[_Page] = []
    y = 0
    for row in table.rows:
        if not pages or y < MARGIN + 2 * LINE:
            page, y = _open_page(table, is_first=not pages)
            pages.append(page)
        _row(pages[-1], table.columns, row, y)
        y -= LINE
    if not pages:
        pages.append(_open_page(table, is_first=True)[0])
    for number, page in enumerate(pages, start=1):
        page.line(MARGIN + LINE)
        page.text(MARGIN, MARGIN, table.foot, size=SMALL, gray=GRAY)
        label = f"{number} / {len(pages)}"
        page.text(WIDTH - MARGIN - width_of(label, SMALL), MARGIN, label, size=SMALL, gray=GRAY)
    return _assemble(pages, title=table.title)


def _open_page(table: PdfTable, *, is_first: bool) -> tuple[_Page, int]:
    page, y = _Page(), HEIGHT - MARGIN - HEAD_SIZE
    if is_first:
        page.text(MARGIN, y, table.title, size=HEAD_SIZE)
        y -= LINE + LINE * 6 // 10
        for index, (name, value) in enumerate(table.facts):
            x = MARGIN + (index % 2) * (WIDTH - 2 * MARGIN) // 2
            page.text(x, y, name, gray=GRAY)
            page.text(x + 84 * POINT, y, cut(value, 166 * POINT))
            if index % 2 or index == len(table.facts) - 1:
                y -= LINE
        y -= LINE // 2
    _row(page, table.columns, [column.label for column in table.columns], y, gray=GRAY)
    page.line(y - 5 * POINT)
    return page, y - LINE - 3 * POINT


def _row(
    page: _Page, columns: Sequence[PdfColumn], cells: Sequence[str], y: int, gray: int = BLACK
) -> None:
    x, whole = MARGIN, sum(column.share for column in columns)
    for column, cell in zip(columns, cells, strict=True):
        room = (WIDTH - 2 * MARGIN) * column.share // whole
        text = cut(cell, room - GUTTER)
        page.text(
            x + (room - GUTTER - width_of(text) if column.is_number else 0), y, text, gray=gray
        )
        x += room


def width_of(text: str, size: int = SIZE) -> int:
    """Return the width of a text in thousandths of a point."""
    return sum(_width(sign) for sign in text) * size // 1000


def cut(text: str, room: int, size: int = SIZE) -> str:
    """Return the text, or as much of it as has room, with three dots."""
    if width_of(text, size) <= room:
        return text
    while text and width_of(text + "...", size) > room:
        text = text[:-1]
    return text + "..."


def _width(sign: str) -> int:
    return _ASCII_WIDTHS[ord(sign) - 32] if " " <= sign <= "~" else _WIDE


def _runs(text: str, size: int) -> Iterator[str]:
    """Yield the operators that set a text, font by font."""
    clean = "".join(sign if sign.isprintable() else " " for sign in text)
    for is_ascii, signs in groupby(clean, key=lambda sign: " " <= sign <= "~"):
        run = "".join(signs)
        if is_ascii:
            plain = run.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            yield f"/F1 {_points(size)} Tf ({plain}) Tj "
        else:
            yield f"/F2 {_points(size)} Tf <{run.encode('utf-16-be', 'replace').hex()}> Tj "


HELVETICA: Final = (
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
)
SONG: Final = (
    "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UTF16-H"
    " /DescendantFonts [5 0 R] >>"
)
SONG_GLYPHS: Final = (
    "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000"
    " /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >>"
    " /FontDescriptor 6 0 R >>"
)
SONG_SHAPE: Final = (
    "<< /Type /FontDescriptor /FontName /STSong-Light /Flags 4 /FontBBox [-25 -254 1000 880]"
    " /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>"
)
FONTS: Final = (HELVETICA, SONG, SONG_GLYPHS, SONG_SHAPE)


def _assemble(pages: Sequence[_Page], *, title: str) -> bytes:
    """Return the file: catalogue, tree, fonts, information, then two objects a page."""
    first = 8
    kids = " ".join(f"{first + 2 * index} 0 R" for index in range(len(pages)))
    heading = ("\ufeff" + title).encode("utf-16-be").hex()
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(font.encode() for font in FONTS),
        f"<< /Title <{heading}> /Producer (Kameng) >>".encode(),
    ]
    for index, page in enumerate(pages):
        stream = zlib.compress("\n".join(page.parts).encode("ascii"))
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH // POINT} {HEIGHT // POINT}]"
            f" /Contents {first + 2 * index + 1} 0 R"
            " /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>".encode()
        )
        head = f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode()
        objects.append(head + stream + b"\nendstream")
    out, offsets = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 7 0 R >>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())
