"""Pages: by number for lists of goods, by the site they begin at for lists of sites."""

from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from kameng.console.forms.fields import read_id
from kameng.tenancy.site_lists import SiteFilter, SitePage, list_sites_filtered

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


def read_site_page(request: HttpRequest, wanted: SiteFilter, *, size: int) -> SitePage:
    """Return the page of sites that an address names by where it begins."""
    return list_sites_filtered(
        wanted,
        after_id=read_id(request.GET.get("after")),
        before_id=read_id(request.GET.get("before")),
        limit=size,
    )


def page_urls(request: HttpRequest, page: SitePage) -> dict[str, str]:
    """Return the addresses of the neighbours of a page of sites; empty where there is none."""
    return {
        "newer_url": _site_url(request, "before", page.newer_id),
        "older_url": _site_url(request, "after", page.older_id),
    }


def _site_url(request: HttpRequest, name: str, site_id: int | None) -> str:
    if site_id is None:
        return ""
    query = request.GET.copy()
    query.pop("after", None)
    query.pop("before", None)
    query[name] = str(site_id)
    return f"?{query.urlencode()}"
