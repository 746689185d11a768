"""Pages by key: every row once, in order, with the rest of the query kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import pytest
from django.test import RequestFactory

from kameng.web.pagination import Page, paginate


@dataclass(frozen=True)
class Item:
    id: int


ROWS = [Item(number) for number in range(25, 0, -1)]


def read(before_id: int | None, limit: int) -> Sequence[Item]:
    return [row for row in ROWS if before_id is None or row.id < before_id][:limit]


def page(query: str, size: int = 10) -> Page[Item]:
    return paginate(RequestFactory().get(f"/orders?{query}"), read, size=size)


def test_walking_the_pages_meets_every_row_once() -> None:
    met: list[int] = []
    query = "state=paid"
    while True:
        found = page(query)
        met += [row.id for row in found.rows]
        if not found.older_url:
            break
        query = found.older_url.removeprefix("?")
        assert parse_qs(query)["state"] == ["paid"]

    assert met == list(range(25, 0, -1))


def test_the_first_page_has_no_newer_and_the_last_no_older() -> None:
    first, last = page(""), page("before=6")

    assert (first.newer_url, first.older_url) == ("", "?before=16")
    assert (last.newer_url, last.older_url) == ("/orders", "")
    assert page("x=1&before=6").newer_url == "?x=1"


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=", "before=１", "before=1e9"])
def test_an_odd_key_shows_the_first_page(query: str) -> None:
    assert page(query).rows == ROWS[:10]


def test_an_exact_page_has_no_empty_follower() -> None:
    assert page("", size=25).older_url == ""
