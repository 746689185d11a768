"""Lists of sites by page: whole in both directions, found by parts of names, by an index."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kameng.core import clock
from kameng.core.database import fetch
from kameng.tenancy import site_lists
from kameng.tenancy.models import Site
from kameng.tenancy.site_lists import (
    SiteFilter,
    SitePage,
    list_sites_filtered,
    list_sites_newest,
    search,
)
from tests.factories import make_sub_site

DAY = dt.timedelta(days=1)


def walk(wanted: SiteFilter, *, limit: int) -> list[list[int]]:
    """Go through all pages forwards."""
    pages, page = [], list_sites_filtered(wanted, limit=limit)
    while True:
        pages.append([row.id for row in page.rows])
        if page.older_id is None:
            return pages
        page = list_sites_filtered(wanted, after_id=page.older_id, limit=limit)


def walk_back(wanted: SiteFilter, last: list[int], *, limit: int) -> list[list[int]]:
    """Go from a page to those before it."""
    pages = [last]
    page = list_sites_filtered(wanted, before_id=last[0], limit=limit)
    while True:
        pages.insert(0, [row.id for row in page.rows])
        if page.newer_id is None:
            return pages
        page = list_sites_filtered(wanted, before_id=page.newer_id, limit=limit)


def make_family(count: int) -> list[Site]:
    """Make sub-sites; every third of them has two children, opened last."""
    sites = [make_sub_site(name=f"小店{number}") for number in range(count)]
    for upline in sites[::3]:
        for _turn in range(2):
            child = make_sub_site(name="下级")
            Site.objects.filter(id=child.id).update(upline=upline)
    return sites


def test_pages_hold_every_site_once_and_lead_back(main_site: Site) -> None:
    sites = make_family(7)

    pages = walk(SiteFilter(), limit=3)
    seen = [site_id for page in pages for site_id in page]
    assert seen[0] == main_site.id
    assert sorted(seen) == sorted(Site.objects.values_list("id", flat=True))
    for upline in sites[::3]:
        place = seen.index(upline.id)
        below = list(Site.objects.filter(upline=upline).order_by("-id"))
        assert seen[place + 1 : place + 3] == [child.id for child in below]
    assert walk_back(SiteFilter(), pages[-1], limit=3) == pages


def test_pages_by_end_hold_every_site_once_and_lead_back(main_site: Site) -> None:
    sites = [make_sub_site() for _number in range(7)]
    for number, site in enumerate(sites):
        ends_at = clock.now() + (number // 3 + 1) * DAY  # three of them at the same moment
        Site.objects.filter(id=site.id).update(expires_at=ends_at, lapses_at=ends_at)

    pages = walk(SiteFilter(view="ending"), limit=2)
    assert [site_id for page in pages for site_id in page] == [site.id for site in sites]
    assert walk_back(SiteFilter(view="ending"), pages[-1], limit=2) == pages


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("数码", {"星河数码", "数码港"}),
        ("港", {"数码港"}),
        ("GAME", {"Game 100%"}),
        ("0%", {"Game 100%"}),
        ("_", set()),
        ("lemon-2", {"柠檬"}),
        ("星港", set()),
        ("  ", {"星河数码", "数码港", "Game 100%", "柠檬", "主"}),
    ],
)
def test_sites_are_found_by_parts_of_name_and_slug(
    main_site: Site, text: str, names: set[str]
) -> None:
    Site.objects.filter(id=main_site.id).update(name="主")
    for name, slug in (
        ("星河数码", "xh"),
        ("数码港", "sm"),
        ("Game 100%", "g1"),
        ("柠檬", "lemon-2"),
    ):
        make_sub_site(name=name, slug=slug)

    assert {row.name for row in list_sites_filtered(SiteFilter(text=text)).rows} == names
    assert {row.name for row in list_sites_newest(text=text)} == names


def test_a_count_ends_at_its_bound(main_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    make_family(3)

    page = list_sites_filtered(SiteFilter())
    assert (page.count, page.is_counted) == (6, True)
    monkeypatch.setattr(site_lists, "COUNTED_MOST", 5)
    page = list_sites_filtered(SiteFilter())
    assert (page.count, page.is_counted) == (5, False)


def test_a_place_that_is_none_is_the_first_page(main_site: Site, site_a: Site) -> None:
    assert rows_of(list_sites_filtered(SiteFilter(), after_id=999_999)) == [main_site.id, site_a.id]
    assert rows_of(list_sites_filtered(SiteFilter(view="over"), before_id=site_a.id)) == []


def rows_of(page: SitePage) -> list[int]:
    """Return the ids of a page."""
    return [row.id for row in page.rows]


@pytest.mark.parametrize(
    ("wanted", "off", "index"),
    [
        (SiteFilter(), "enable_sort", "tenancy_by_family"),
        (SiteFilter(view="ending"), "enable_sort", "tenancy_by_end"),
        (SiteFilter(view="suspended"), "enable_indexscan", "tenancy_suspended"),
        (SiteFilter(view="suspended"), "enable_indexscan", "tenancy_by_lapse"),
    ],
)
def test_an_index_can_serve_every_view(
    main_site: Site, wanted: SiteFilter, off: str, index: str
) -> None:
    start = make_sub_site()
    ends_at = clock.now() + DAY
    Site.objects.filter(id=start.id).update(expires_at=ends_at, lapses_at=ends_at)
    for setting in ("enable_seqscan", off):  # there are few rows, and no statistics
        fetch("select set_config(%s, 'off', true)", [setting])

    with CaptureQueriesContext(connection) as asked:
        list_sites_filtered(wanted, after_id=start.id)
    paged = next(each["sql"] for each in asked if "LEFT OUTER JOIN" in each["sql"])
    plan_text = "\n".join(str(row[0]) for row in fetch("explain " + paged.replace("%", "%%")))
    assert index in plan_text


def test_an_index_can_serve_a_search(main_site: Site) -> None:
    fetch("select set_config('enable_seqscan', 'off', true)")

    assert "tenancy_by_gram" in search(Site.objects.order_by(), "店1234").explain()
