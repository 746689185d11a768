"""Pages by number, for lists of goods: bounded, with the addresses of the neighbours."""

from dataclasses import dataclass

from django.http import QueryDict

from kameng.console.forms.fields import read_id

MAX_PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where a page stands in its list."""

    number: int
    size: int
    total_count: int
    query: str = ""  # the other filters of the address, encoded

    @property
    def newer_url(self) -> str:
        """Return the address of the page before, empty on the first one."""
        return self._url(self.number - 1) if self.number > 1 else ""

    @property
    def older_url(self) -> str:
        """Return the address of the page after, empty on the last one."""
        return self._url(self.number + 1) if self.number * self.size < self.total_count else ""

    def _url(self, number: int) -> str:
        return f"?{self.query}&page={number}" if self.query else f"?page={number}"


def read_page(query: QueryDict, *, size: int, total_count: int) -> Page:
    """Return the page that an address names; what makes no sense is the first one."""
    others = query.copy()
    others.pop("page", None)
    return Page(
        number=read_number(query), size=size, total_count=total_count, query=others.urlencode()
    )


def read_number(query: QueryDict) -> int:
    """Return the number of the page asked for."""
    return min(read_id(query.get("page")) or 1, MAX_PAGE)
