"""The order of the apps holds in SQL too: what an import linter sees in Python, this sees there.

A function in `<app>/sql/*.sql` is named `<app>_…`, touches only tables named `<app>_…`, and calls
only functions of its own app and of lower ones.
"""

import pathlib
import re
from collections.abc import Iterator

from tools.layers import read_heights

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
TEXT = re.compile(r"'(?:[^']|'')*'")
DEFINED = re.compile(r"\bcreate\s+(?:or\s+replace\s+)?function\s+(?:public\.)?(\w+)", re.IGNORECASE)
NAMED_QUERY = re.compile(
    r"(?:\bwith(?:\s+recursive)?|,)\s+(\w+)(?:\s*\([^()]*\))?\s+as\s+"
    r"(?:not\s+)?(?:materialized\s+)?\(",
    re.IGNORECASE,
)
TABLE = re.compile(
    r"\b(?:from|join|into|update|using|table|truncate|on)\s+(?:only\s+)?(?:public\.)?(\w+)(\s*\()?",
    re.IGNORECASE,
)
LISTED = re.compile(r"\bfrom\s+((?:\w+(?:\s+(?:as\s+)?\w+)?\s*,\s*)+\w+)", re.IGNORECASE)
CALL = re.compile(r"(?<!\w)(\w+)\s*\(")
INSERT = re.compile(r"\binto\s+(?:public\.)?(\w+)", re.IGNORECASE)


def list_breaches(package: pathlib.Path) -> Iterator[str]:
    """Yield `file: what is wrong` for each SQL file that leaves its place in the order."""
    for path in sorted(package.glob("*/sql/*.sql")):
        app = path.relative_to(package).parts[0]
        text = path.read_text(encoding="utf-8")
        for what in sorted(set(_breaches(text, app=app))):
            yield f"{app}/sql/{path.name}: {what}"


def _breaches(text: str, *, app: str) -> Iterator[str]:
    heights = read_heights()
    if app not in heights:
        yield f"{app} has no place in the order of the apps"
        return
    plain = TEXT.sub("''", COMMENT.sub(" ", text))
    for name in DEFINED.findall(plain):
        if _owner(name, heights=heights) != app:
            yield f"function {name} is not named {app}_…"
    local = {name.lower() for name in NAMED_QUERY.findall(plain)}
    for name in _tables(plain) - local:
        owner = _owner(name, heights=heights)
        if owner not in (None, app):
            yield f"touches {name}, a table of {owner}"
    for name in _calls(plain) - local:
        owner = _owner(name, heights=heights)
        if owner not in (None, app) and heights[str(owner)] >= heights[app]:
            yield f"calls {name} of {owner}, which does not stand lower"


def _tables(plain: str) -> set[str]:
    named = {
        name.lower()
        for name, bracket in TABLE.findall(plain)
        if not bracket or name.lower() in {each.lower() for each in INSERT.findall(plain)}
    }
    for listed in LISTED.findall(plain):
        named |= {part.split()[0].lower() for part in listed.split(",")}
    return named


def _calls(plain: str) -> set[str]:
    inserted = {name.lower() for name in INSERT.findall(plain)}
    return {name.lower() for name in CALL.findall(plain)} - inserted


def _owner(name: str, *, heights: dict[str, int]) -> str | None:
    app = name.lower().split("_", 1)[0]
    return app if app in heights and "_" in name else None
