"""Texts that go into spreadsheets: none of them may be taken for a formula."""

from typing import Final

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def disarm(text: str) -> str:
    """Return a text that no spreadsheet program takes for a formula."""
    return f"'{text}" if text.startswith(_RISKY) else text
