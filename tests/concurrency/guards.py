"""Negative controls: take one guard out of a SQL function of this test database, then put it back.

A race test whose control does not go wrong proves nothing.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from kameng.config.migrate import APPS
from kameng.core.sqlfiles import FUNCTION, sql_files


@contextmanager
def without_guard(function: str, *edits: tuple[str, str]) -> Iterator[None]:
    """Replace pieces of a function's body for the block; each piece must be there."""
    text = _function_text(function)
    weak = text
    for old, new in edits:
        assert old in weak, f"the guard {old!r} is not in {function}"
        weak = weak.replace(old, new)
    _install(weak)
    try:
        yield
    finally:
        _install(text)


def _function_text(function: str) -> str:
    for _app, _name, text in sql_files(APPS):
        for part in re.split(r"(?=create or replace function )", text):
            found = FUNCTION.match(part)
            if found and found.group(1) == function:
                return part
    raise AssertionError(f"no function {function}")


def _install(text: str) -> None:
    """Replace in place: owner, rights and callers stay as they are."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(text)
