"""Pages by key, never by number: the same cost on page one thousand as on the first.

A list is read newest first with one row more than a page shows; the id of the last row shown is
the key of the next page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from django.http import HttpRequest

from kameng.web.forms import find_whole

PARAMETER = "before"
PAGE_SIZE = 30


class Row(Protocol):
    """Anything with an id."""

    @property
    def id(self) -> int:
        """The key."""


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[R]):
    """The rows of one page and the addresses of its neighbours (empty: there is none)."""

    rows: Sequence[R]
    newer_url: str = ""
    older_url: str = ""


def paginate(
    request: HttpRequest,
    read: Callable[[int | None, int], Sequence[R]],
    *,
    size: int = PAGE_SIZE,
) -> Page[R]:
    """Return one page of `read(before_id, limit)`; other parameters of the query are kept."""
    before_id = find_whole(request, PARAMETER)
    rows = list(read(before_id, size + 1))
    query = request.GET.copy()
    query.pop(PARAMETER, None)
    newer_url = older_url = ""
    if before_id is not None:
        newer_url = f"?{query.urlencode()}" if query else request.path
    if len(rows) > size:
        rows = rows[:size]
        query[PARAMETER] = str(rows[-1].id)
        older_url = f"?{query.urlencode()}"
    return Page(rows=rows, newer_url=newer_url, older_url=older_url)
