"""A picture with 256 colours: a third of the bytes of a screenshot, without an image library.

Reads the PNG that a browser writes (8 bit, RGB or RGBA, not interlaced), chooses colours by median
cut and writes an indexed PNG. Pure Python on the standard library.
"""

import math
import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
Colour = tuple[int, int, int]
Box = list[tuple[Colour, int]]


def shrink(data: bytes) -> bytes:
    """Return the same picture as an indexed PNG."""
    width, height, pixels = _read(data)
    counts = Counter(pixels)
    palette, index = _choose(counts)
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        rows += bytes(index[pixel] for pixel in pixels[y * width : (y + 1) * width])
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", head),
            _chunk(b"PLTE", b"".join(bytes(colour) for colour in palette)),
            _chunk(b"IDAT", zlib.compress(bytes(rows), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _read(data: bytes) -> tuple[int, int, list[Colour]]:
    if not data.startswith(SIGNATURE):
        raise ValueError("this is no PNG")
    parts: dict[bytes, bytes] = {}
    for kind, body in _chunks(data):
        parts[kind] = parts.get(kind, b"") + body
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    if depth != 8 or colour not in {2, 6} or interlace:
        raise ValueError("only 8 bit RGB or RGBA, not interlaced")
    size = 3 if colour == 2 else 4
    raw = zlib.decompress(parts[b"IDAT"])
    stride = width * size
    pixels: list[Colour] = []
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        row = bytearray(raw[start + 1 : start + 1 + stride])
        _unfilter(row, above, kind=raw[start], size=size)
        pixels += zip(row[0::size], row[1::size], row[2::size], strict=True)
        above = row
    return width, height, pixels


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += length + 12


def _unfilter(row: bytearray, above: bytearray, *, kind: int, size: int) -> None:
    for i in range(len(row)):
        left = row[i - size] if i >= size else 0
        corner = above[i - size] if i >= size else 0
        if kind == 1:
            row[i] = (row[i] + left) & 255
        elif kind == 2:
            row[i] = (row[i] + above[i]) & 255
        elif kind == 3:
            row[i] = (row[i] + (left + above[i]) // 2) & 255
        elif kind == 4:
            row[i] = (row[i] + _paeth(left, above[i], corner)) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    distances = (abs(guess - left), abs(guess - up), abs(guess - corner))
    return (left, up, corner)[distances.index(min(distances))]


def _choose(counts: Counter[Colour]) -> tuple[list[Colour], dict[Colour, int]]:
    """Return at most 256 colours, and which of them stands for each colour of the picture."""
    boxes: list[Box] = [list(counts.items())]
    while len(boxes) < COLOURS:
        spread = [(_spread(box), number) for number, box in enumerate(boxes)]
        (width, channel), number = max(spread)
        if width == 0:
            break
        box = sorted(boxes.pop(number), key=lambda item: item[0][channel])
        half, seen, cut = sum(count for _, count in box) // 2, 0, 1
        for cut in range(1, len(box)):
            seen += box[cut - 1][1]
            if seen >= half:
                break
        boxes += [box[:cut], box[cut:]]
    palette, index = [], {}
    for number, box in enumerate(boxes):
        weight = sum(count for _, count in box)
        mean = [sum(colour[c] * count for colour, count in box) // weight for c in range(3)]
        palette.append((mean[0], mean[1], mean[2]))
        index.update({colour: number for colour, _ in box})
    return palette, index


def _spread(box: Box) -> tuple[int, int]:
    """Return the widest channel of a box, weighed by how much of the picture it is."""
    widths = [max(c[0][i] for c in box) - min(c[0][i] for c in box) for i in range(3)]
    channel = widths.index(max(widths))
    pixels = sum(count for _, count in box)
    return widths[channel] ** 2 * math.isqrt(pixels), channel
