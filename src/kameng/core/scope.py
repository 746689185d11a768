"""Which site this piece of work belongs to. Nothing set means nothing may be read.

The scope lives in a context variable; the database backend (`core.postgres`) repeats it to
PostgreSQL before each statement, where row-level security checks it a second time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be touched: one site (and `reads`: it and its ancestors), or the platform."""

    site_id: int | None = None
    reads: tuple[int, ...] = ()
    reason: str = ""

    @property
    def is_platform(self) -> bool:
        """Tell whether every site is in view; `reason` says why."""
        return bool(self.reason)


NO_SCOPE = Scope()
_current: ContextVar[Scope] = ContextVar("kameng_scope", default=NO_SCOPE)


class ScopeMissing(RuntimeError):
    """A query on tenant-owned rows ran outside any scope: a defect, never a user's error."""


def current_scope() -> Scope:
    """Return the scope in force (`NO_SCOPE` when none)."""
    return _current.get()


def require_site_id() -> int:
    """Return the site in force; raise `ScopeMissing` when there is none."""
    site_id = _current.get().site_id
    if site_id is None:
        raise ScopeMissing("no site scope is open")
    return site_id


@contextmanager
def open_scope(scope: Scope) -> Iterator[Scope]:
    """Put `scope` in force for the block."""
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)


@contextmanager
def platform_scope(reason: str) -> Iterator[Scope]:
    """See every site for the block. The reason is required: it is what a reviewer greps for."""
    if not reason:
        raise ValueError("a platform scope needs a reason")
    with open_scope(Scope(reason=reason)) as scope:
        yield scope
