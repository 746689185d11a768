"""Negative controls: take one guard out of a SQL function of this test database, then put it back.

A race test whose control does not go wrong proves nothing, and a control that goes wrong by luck is
red on a slow machine. So its callers do not hope to overlap: they meet, in SQL (`meetings`) or in
Python (`Meeting`), at the place where the guard would have kept them apart. Who waits alone goes on
after `PATIENCE` seconds: were the guard there, nothing would go wrong and the control would fail.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from kameng.config.migrate import APPS
from kameng.core.sqlfiles import FUNCTION, sql_files

PATIENCE = 5  # below `lock_timeout`: who waits for a lock of someone who waits here gets it
MEET_TWO = "    perform test_meet(2);\n"
MEETINGS = f"""
create sequence test_arrivals;
create function test_await(question text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    until timestamptz := clock_timestamp() + interval '{PATIENCE} seconds';
    answer boolean;
begin
    loop
        execute question into answer;
        exit when answer or clock_timestamp() > until;
        perform pg_sleep(0.002);
    end loop;
end $$;
create function test_meet(parties int) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform nextval('test_arrivals');
    perform test_await(format('select last_value >= %s from test_arrivals', parties));
end $$;
grant execute on function test_await(text), test_meet(int) to public;
"""
NO_MEETINGS = """
drop function test_meet(int);
drop function test_await(text);
drop sequence test_arrivals;
"""


class Meeting:
    """A place where callers wait until `parties` of them have come; who comes later passes."""

    def __init__(self, parties: int, *, patience: float = PATIENCE) -> None:
        self._parties = parties
        self._patience = patience
        self._arrived = 0
        self._change = threading.Condition()

    def arrive(self) -> None:
        """Wait for the others, but no longer than the patience lasts."""
        with self._change:
            self._arrived += 1
            self._change.notify_all()
            self._change.wait_for(lambda: self._arrived >= self._parties, self._patience)


@contextmanager
def meetings() -> Iterator[None]:
    """Let edits of functions say `perform test_meet(n)`, or `test_await('select …')` for a fact.

    As in a `Meeting`, the first n wait for each other and whoever comes later passes.
    """
    _install(MEETINGS)
    try:
        yield
    finally:
        _install(NO_MEETINGS)


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
