"""Yuan as text and fen as integers; the simulator's own reading, as strict as a real gateway's."""

import re

_YUAN = re.compile(r"(0|[1-9][0-9]{0,7})(?:\.([0-9]{1,2}))?", re.ASCII)


def parse_fen(text: str) -> int:
    """Return fen; raise ValueError unless the text is yuan with at most two decimals, above 0."""
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError("money")
    fen = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    if fen <= 0:
        raise ValueError("money")
    return fen


def format_fen(fen: int) -> str:
    """Return yuan with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"
