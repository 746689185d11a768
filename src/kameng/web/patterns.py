"""Patterns of input fields as browsers read them: the `v` mode of JavaScript.

An operator's pattern is one of Python's, checked by `catalog.inputs`. Browsers refuse some of what
Python takes (`[a-z._-]`, `\\@`) and then check nothing at all. What cannot be said to them is left
to the server, which checks every answer anyway.
"""

import re
from typing import Final

_PART: Final = re.compile(r"\\.|\[\^?(?:\\.|[^\]\\])+\]|.", re.DOTALL)
_BOUNDS: Final = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_ITEM: Final = re.compile(r"\\.|.", re.DOTALL)
_SYNTAX: Final = frozenset(r"^$\.*+?()[]{}|/")
_RESERVED: Final = _SYNTAX | frozenset("-!#%&,:;<=>@`~")
# Python's kinds of signs know all scripts, JavaScript's only ASCII.
_KINDS: Final = {"d": r"\p{Nd}", "D": r"\P{Nd}", "w": r"\p{L}\p{N}_", "s": r"\s", "S": r"\S"}


def for_browser(pattern: str) -> str:
    """Return a pattern as a `pattern` attribute takes it, or an empty text when it cannot be."""
    bare = _BOUNDS.sub("", re.sub(r"\\.|\[\^?(?:\\.|[^\]\\])+\]", "", pattern, flags=re.DOTALL))
    if "{" in bare or "}" in bare:
        return ""
    told = [_tell_class(part) if part[0] == "[" else _tell(part) for part in _PART.findall(pattern)]
    return "" if None in told else "".join(part or "" for part in told)


def _tell(part: str, *, is_in_class: bool = False) -> str | None:
    """Return one sign or escape, or None for an escape that means something in Python alone."""
    if part[0] != "\\":
        return f"\\{part}" if is_in_class and part in _RESERVED else part
    sign = part[1:]
    if sign in _KINDS:
        return _KINDS[sign] if is_in_class or sign != "w" else f"[{_KINDS[sign]}]"
    if sign.isalnum():
        return None
    return f"\\{sign}" if sign in (_RESERVED if is_in_class else _SYNTAX) else sign


def _tell_class(part: str) -> str | None:
    """Return a class of signs; a `-` between two of them is a range, any other is itself."""
    negation = "^" if part[1] == "^" else ""
    items = _ITEM.findall(part[1 + len(negation) : -1])
    told: list[str] = []
    is_open = False  # a sign stands before, which a range may begin with
    for at, item in enumerate(items):
        if item == "-" and is_open and at + 1 < len(items):
            told.append("-")
            is_open = False
            continue
        said = _tell(item, is_in_class=True)
        if said is None:
            return None
        is_open = not (told and told[-1] == "-") and item[1:] not in _KINDS
        told.append(said)
    return f"[{negation}{''.join(told)}]"
