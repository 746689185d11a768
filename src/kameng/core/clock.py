"""The one clock. Aware UTC everywhere; tests replace it with `time_machine`.

A block may stand at another moment (`standing_at`): the demo writes its history so. It moves what
Python stamps in this thread; PostgreSQL's `now()` goes on.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_moment: ContextVar[dt.datetime | None] = ContextVar("kameng_moment", default=None)


def now() -> dt.datetime:
    """Return the present moment, aware, in UTC."""
    return _moment.get() or dt.datetime.now(dt.UTC)


@contextmanager
def standing_at(moment: dt.datetime) -> Iterator[None]:
    """Let `now` answer `moment` in this block."""
    token = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(token)
