"""A key as text: how number and secret stand on one line, and how little of it a list may show.

What is stored encrypted is this line, so that whoever opens it can show it as it is. Pure.
"""

from typing import Final

JOINT: Final = "----"  # how the trade writes card number and secret
SHOWN_CHARS: Final = 4
MASK: Final = "****"


def join_key(number: str, secret: str) -> str:
    """Return the line that is stored, shown and copied."""
    return f"{number}{JOINT}{secret}" if number else secret


def mask_key(line: str) -> str:
    """Return what a list shows: the number's or secret's end, never half of a short one."""
    number, joint, secret = line.partition(JOINT)
    if not joint:
        number, secret = "", line
    hidden = _masked(secret)
    return f"{_masked(number)}{JOINT}{hidden}" if number else hidden


def _masked(text: str) -> str:
    return MASK + text[-SHOWN_CHARS:] if len(text) >= 3 * SHOWN_CHARS else MASK
