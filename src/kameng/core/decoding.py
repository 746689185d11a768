"""Bytes that people upload, as text: which encoding, and no invisible characters.

Owns the guess between UTF-8, UTF-16, UTF-32 and GB18030, for a whole file and for a stream in
blocks of bounded size. Promises that no input raises: what cannot be decoded becomes U+FFFD,
which the parsers report by line.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

BLOCK_BYTES: Final = 1 << 18
REPLACEMENT: Final = "\ufffd"

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES: Final = 4096

# Soft hyphen, joiners, directional marks, byte order marks inside a text, and all controls but
# tab and line feed: none of them can be seen, each of them makes two equal texts differ.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]"
)
_BLANKS: Final = dict.fromkeys(map(ord, "\u00a0\u1680\u202f\u205f\u3000\u2028\u2029\u0085"), " ")
_BLANKS.update(dict.fromkeys(range(0x2000, 0x200B), " "))
_HALF_WIDTH: Final = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | _BLANKS


def detect_encoding(data: bytes) -> str:
    """Return the name of the codec that reads `data` with the least damage."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    wide = _wide_encoding(data[:_SAMPLE_BYTES])
    if wide:
        return wide
    for name in ("utf-8", "gb18030"):
        # Not final: a block may end inside a character.
        if not _is_broken(data, name):
            return name
    damage = {
        name: data.decode(name, "replace").count(REPLACEMENT) for name in ("utf-8", "gb18030")
    }
    return min(damage, key=lambda name: damage[name])


def decode_blocks(chunks: Iterable[bytes]) -> Iterator[str]:
    """Decode a stream in blocks of bounded size; the encoding is settled by its first odd byte.

    A long start of plain ASCII says nothing about what follows, so the choice waits for the first
    block with another byte in it.
    """
    decoder: codecs.IncrementalDecoder | None = None
    for number, block in enumerate(_blocks(chunks)):
        if decoder is None:
            if block.isascii() and not (number == 0 and b"\0" in block):
                yield block.decode("ascii")
                continue
            decoder = codecs.getincrementaldecoder(detect_encoding(block))("replace")
        yield decoder.decode(block)
    if decoder is not None:
        yield decoder.decode(b"", True)  # noqa: FBT003 - the codec's own signature


def strip_invisible(text: str) -> str:
    """Return the text without characters that nobody can see; blanks of all kinds become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub("", text.translate(_BLANKS))


def fold_width(text: str) -> str:
    """Return the text with full-width letters, digits, signs and blanks as their ASCII twins."""
    return text if text.isascii() else text.translate(_HALF_WIDTH)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= BLOCK_BYTES:
            yield bytes(held[:BLOCK_BYTES])
            del held[:BLOCK_BYTES]
    if held:
        yield bytes(held)


def _wide_encoding(sample: bytes) -> str | None:
    """Recognise UTF-16 without a mark: Latin text has a zero in every second byte."""
    pairs = len(sample) // 2
    if pairs < 2 or b"\0" not in sample:
        return None
    if sample[1::2].count(0) * 10 >= pairs * 4 and sample[::2].count(0) * 20 < pairs:
        return "utf-16-le"
    if sample[::2].count(0) * 10 >= pairs * 4 and sample[1::2].count(0) * 20 < pairs:
        return "utf-16-be"
    return None


def _is_broken(data: bytes, name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)("strict").decode(data)
    except UnicodeDecodeError:
        return True
    return False
