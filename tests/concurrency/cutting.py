"""A process that dies at one exchange with the database, as `kill -9` would have it.

`cut` lets a deed run until its n-th exchange and ends it there: before the statement was sent, or
after its answer came (a COMMIT that stands, of which nobody was told). What the server sees is the
same as when the process is killed: a line that ends. Whatever the deed would still do on its way
out (roll back, connect anew) is refused, because a dead process does nothing more.

`cut_everywhere` does that at each exchange of a deed in turn, until one comes to its end.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from unittest import mock

import psycopg
from django.db import connections

EXCHANGES_MAX = 200  # a deed with more has lost its way


class Cut(BaseException):
    """The process is dead: nothing may catch this and go on."""


class Deed(Protocol):
    """What is cut off and then repeated, as its buyer, gateway or worker would."""

    def act(self) -> None:
        """Do it, or do it again."""

    def stands(self) -> bool:
        """Tell whether its effect is in the database."""

    def check(self) -> None:
        """Assert that it happened once and whole, after it was cut off and repeated."""


def cut_everywhere(make: Callable[[], Deed]) -> Counter[bool]:
    """Cut a fresh deed off at each exchange, repeat it and check it.

    Returns how often its effect stood already when it was repeated (True) and how often not.
    """
    stood: Counter[bool] = Counter()
    for number in itertools.count(1):
        assert number <= EXCHANGES_MAX
        for is_answered in (False, True):
            deed = make()
            if not cut(deed.act, at=number, is_answered=is_answered):
                deed.check()
                return stood
            stood[deed.stands()] += 1
            deed.act()
            deed.check()
    raise AssertionError


def cut(act: Callable[[], object], *, at: int, is_answered: bool) -> bool:
    """Do something until its `at`-th exchange; return whether it had as many."""
    try:
        with _dying(at, is_answered=is_answered) as wire:
            act()
    except BaseException:
        if not wire.is_dead:
            raise
    finally:
        if wire.is_dead:
            _forget_connection()
    return wire.is_dead


class _Wire:
    def __init__(self) -> None:
        self.count = 0
        self.is_dead = False


@contextmanager
def _dying(at: int, *, is_answered: bool) -> Iterator[_Wire]:
    wire = _Wire()
    wait = psycopg.Connection.wait

    def waiting(line: Any, *args: Any, **named: Any) -> Any:
        if wire.is_dead:
            raise Cut
        wire.count += 1
        is_last = wire.count == at
        if is_last and not is_answered:
            _die(wire, line)
        answer = wait(line, *args, **named)
        if is_last:
            _die(wire, line)
        return answer

    with mock.patch.object(psycopg.Connection, "wait", waiting):
        yield wire


def _die(wire: _Wire, line: Any) -> None:
    wire.is_dead = True
    line.pgconn.finish()
    raise Cut


def _forget_connection() -> None:
    """Let the next process begin with a connection of its own."""
    del connections["default"]
