"""The words of a PDF that Chromium wrote, sheet by sheet: enough of the format to read its own."""

import re
import unicodedata
import zlib
from collections.abc import Iterator

OBJECT = re.compile(rb"(?m)^(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
LENGTH = re.compile(rb"/Length (\d+)")
NAME = re.compile(rb"/(\w+) (\d+) 0 R")
DRAWN = re.compile(rb"/(\w+) [\d.]+ Tf|/(\w+) Do|<([0-9A-Fa-f]+)>(?=[^<>]*?T[jJ])")
BLOCK = re.compile(rb"beginbf(char|range)\n(.*?)endbf", re.DOTALL)
HEX = re.compile(rb"<([0-9A-Fa-f]+)>")


def read_sheets(pdf: bytes) -> list[str]:
    """Return the words of each sheet, in the order in which they were drawn, without spaces."""
    objects = {int(number): body for number, body in OBJECT.findall(pdf)}
    fonts = {number: dict(_glyphs(body, objects)) for number, body in objects.items()}
    pages = [body for body in objects.values() if re.search(rb"/Type /Page\b", body)]
    words = ("".join(_words(page, objects, fonts)) for page in pages)
    return [unicodedata.normalize("NFKC", each) for each in words]  # fonts name radicals for signs


def _stream(body: bytes) -> bytes:
    head, _, rest = body.partition(b"stream\n")
    length = LENGTH.search(head)
    data = rest[: int(length[1])] if length else b""
    return zlib.decompress(data) if b"/FlateDecode" in head else data


def _glyphs(body: bytes, objects: dict[int, bytes]) -> Iterator[tuple[int, str]]:
    """Yield what each glyph of a font stands for, by its ToUnicode map."""
    named = re.search(rb"/ToUnicode (\d+) 0 R", body)
    if named is None:
        return
    for kind, rows in BLOCK.findall(_stream(objects[int(named[1])])):
        for row in rows.splitlines():
            parts = [part.decode() for part in HEX.findall(row)]
            if kind == b"char" and len(parts) == 2:
                yield int(parts[0], 16), bytes.fromhex(parts[1]).decode("utf-16-be")
            elif kind == b"range" and len(parts) == 3:
                first, last, text = (int(part, 16) for part in parts)
                for number in range(first, last + 1):
                    yield number, chr(text + number - first)


def _words(
    page: bytes, objects: dict[int, bytes], fonts: dict[int, dict[int, str]]
) -> Iterator[str]:
    """Yield the letters of a page, or of a form that a page places, as drawn."""
    content = re.search(rb"/Contents (\d+) 0 R", page)
    drawn = _stream(objects[int(content[1])] if content else page)
    names = {key: _named(page, key) for key in (b"Font", b"XObject")}
    font, digits = {}, 4
    for name, form, glyphs in DRAWN.findall(drawn):
        if name:
            number = names[b"Font"][name]
            font = fonts[number]
            digits = 2 if b"/Type3" in objects[number] else 4
        elif form and b"/Form" in objects[names[b"XObject"][form]]:
            yield from _words(objects[names[b"XObject"][form]], objects, fonts)
        for at in range(0, len(glyphs), digits):
            yield font.get(int(glyphs[at : at + digits], 16), "").strip()


def _named(page: bytes, kind: bytes) -> dict[bytes, int]:
    listed = re.search(rb"/%s <<(.*?)>>" % kind, page, re.DOTALL)
    return {name: int(number) for name, number in NAME.findall(listed[1] if listed else b"")}
