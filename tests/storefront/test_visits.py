"""Visits: who counts, once a day, from where, without a query and without a trace of the person."""

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kameng.core import clock
from kameng.insight.models import DaySalt, OrderSource, SalesTotal, Source, SourceTotal, Visitor
from kameng.insight.services.rolling import forget_visitors, roll_up
from kameng.insight.services.visiting import (
    CHECKOUT,
    PAGE,
    PRODUCT,
    Seen,
    flush_visits,
    forget_waiting,
    note_visit,
)
from kameng.insight.sources import SourceWords, find_source
from kameng.orders.models import Order
from kameng.storefront import visits
from kameng.storefront.visits import COOKIE, crowd
from kameng.tenancy.models import Site
from kameng.tenancy.scoping import platform_scope
from tests.concurrency.shop import Shop, open_shop, order
from tests.people import Staff

ClientFor = Callable[..., Client]
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36"


@pytest.fixture(autouse=True)
def _nothing_waits() -> Iterator[None]:
    forget_waiting()
    crowd.forget()
    yield
    forget_waiting()
    crowd.forget()


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    found = open_shop(main_site, site_a, keys=5)
    roll_up(steps=1)
    return found


def look(client: Client, path: str = "/", **headers: str) -> int:
    return client.get(path, headers={"User-Agent": BROWSER} | headers).status_code


def visitors(site: Site, *, span: int = 1) -> tuple[int, int, int]:
    """Visitors, those who saw a product, those who came to checkout, over all days."""
    with platform_scope("test"):
        rows = SalesTotal.unscoped.filter(site_id=site.id, span=span, grain=2)
        found = rows.values_list("visitor_count", "product_count", "checkout_count")
        return tuple(map(sum, zip(*found, strict=True))) if found else (0, 0, 0)  # type: ignore[return-value]


def test_a_browser_is_one_visitor_a_day_whatever_it_opens(
    shop: Shop, main_site: Site, client_for: ClientFor
) -> None:
    first, second = client_for(shop.site), client_for(shop.site)
    product = f"/p/{shop.variant.product_id}/"
    for path in ("/", product, "/", "/help/"):
        assert look(first, path) == 200
    look(second)
    flush_visits()
    look(first, product)

    flush_visits()

    assert visitors(shop.site) == (2, 1, 0)
    assert visitors(main_site, span=2) == (2, 1, 0)
    assert first.cookies[COOKIE]["httponly"]
    assert first.cookies[COOKIE]["expires"] == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"DNT": "1"},
        {"Sec-GPC": "1"},
        {"User-Agent": "Mozilla/5.0 (compatible; Baiduspider/2.0)"},
        {"User-Agent": "curl/8.5"},
        {"User-Agent": ""},
        {"Sec-Purpose": "prefetch"},
    ],
)
def test_who_is_no_visitor_gets_no_cookie(
    shop: Shop, client_for: ClientFor, headers: dict[str, str]
) -> None:
    client = client_for(shop.site)

    assert look(client, **headers) == 200

    assert COOKIE not in client.cookies
    assert flush_visits() == 0


def test_staff_are_no_visitors(shop: Shop, lin: Staff, client_for: ClientFor) -> None:
    look(client_for(shop.site, lin))

    assert flush_visits() == 0


def test_what_is_not_shown_whole_is_no_visit(shop: Shop, client_for: ClientFor) -> None:
    client = client_for(shop.site)

    assert look(client, "/p/99999999/") == 404
    assert look(client, "/suggest/?q=a") == 200

    assert flush_visits() == 0


def test_counting_asks_no_query(shop: Shop, client_for: ClientFor) -> None:
    plain, counted = client_for(shop.site), client_for(shop.site)
    look(plain, DNT="1")

    with CaptureQueriesContext(connection) as without:
        look(plain, DNT="1")
    with CaptureQueriesContext(connection) as with_visit:
        look(counted)

    assert len(with_visit) == len(without)


def test_the_first_source_of_the_day_counts(shop: Shop, client_for: ClientFor) -> None:
    client, direct = client_for(shop.site), client_for(shop.site)
    look(client, "/?utm_source=WeChat&utm_medium=group&utm_campaign=春节")
    look(client, Referer="https://www.baidu.com/s?wd=secret")
    look(direct, Referer="http://a.localhost/help/")
    flush_visits()

    with platform_scope("test"):
        totals = dict(
            SourceTotal.unscoped.filter(site_id=shop.site.id, span=1, grain=1).values_list(
                "source_key", "visitor_count"
            )
        )
        named = Source.unscoped.get(site_id=shop.site.id)
    assert totals == {named.source_key: 1, 1: 1}
    assert (named.kind, named.host, named.medium, named.campaign) == (
        "campaign",
        "wechat",
        "group",
        "春节",
    )


def test_an_order_comes_from_its_buyers_source(shop: Shop) -> None:
    placed = order(shop)
    now = clock.now()
    with platform_scope("test"):
        order_no = Order.unscoped.get(id=placed.order_id).order_no
    words = SourceWords(kind="search", host="baidu.com")
    common = {"site_id": shop.site.id, "at": now, "visitor": "a" * 12}
    note_visit(Seen(step=PAGE, source=words, **common))  # type: ignore[arg-type]
    note_visit(Seen(step=PAGE | PRODUCT | CHECKOUT, order_no=order_no, **common))  # type: ignore[arg-type]
    flush_visits()

    with platform_scope("test"):
        found = OrderSource.unscoped.get(site_id=shop.site.id)
    assert (found.order_id, found.source_key) == (placed.order_id, words.key)
    assert visitors(shop.site) == (1, 1, 1)


def test_a_day_takes_so_many_sources_and_the_rest_is_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kameng.insight.services.visiting.SOURCES_A_DAY", 3)
    for number in range(6):
        words = SourceWords(kind="campaign", campaign=f"c{number}")
        note_visit(
            Seen(
                site_id=shop.site.id,
                at=clock.now(),
                visitor=f"{number:012}",
                step=PAGE,
                source=words,
            )
        )

    flush_visits()

    with platform_scope("test"):
        assert Source.unscoped.filter(site_id=shop.site.id).count() == 3
        other = SourceTotal.unscoped.get(site_id=shop.site.id, span=1, grain=1, source_key=2)
    assert other.visitor_count == 3


def test_visitors_of_past_days_are_forgotten_with_their_salt(shop: Shop) -> None:
    now = clock.now()
    for days in (0, 5):
        seen = Seen(
            site_id=shop.site.id,
            at=now - dt.timedelta(days=days),
            visitor="a" * 12,
            step=PAGE,
        )
        note_visit(seen)
    flush_visits()
    with platform_scope("test"):
        digests = {bytes(row.digest) for row in Visitor.unscoped.all()}

    gone = forget_visitors()

    assert len(digests) == 2  # the same cookie, another salt
    assert gone == 1
    assert DaySalt.objects.count() == 1
    assert visitors(shop.site)[0] == 2


@pytest.mark.parametrize(
    ("referrer", "query", "kind", "host"),
    [
        ("https://www.baidu.com/s?wd=x", "", "search", "baidu.com"),
        ("https://tieba.baidu.com/p/1", "", "social", "tieba.baidu.com"),
        ("https://mp.weixin.qq.com/s/abc", "", "social", "mp.weixin.qq.com"),
        ("https://blog.example.com/", "", "site", "blog.example.com"),
        ("", "utm_source=SMS", "campaign", "sms"),
        ("https://www.baidu.com/", "utm_campaign=x", "campaign", ""),
    ],
)
def test_sources_are_told_apart(referrer: str, query: str, kind: str, host: str) -> None:
    found = find_source(referrer=referrer, query=query, own_host="a.localhost")

    assert found is not None
    assert (found.kind, found.host) == (kind, host)


@pytest.mark.parametrize(
    "referrer", ["", "http://a.localhost/c/1/", "about:blank", "http://[bad", "javascript:alert(1)"]
)
def test_nowhere_else_is_no_source(referrer: str) -> None:
    assert find_source(referrer=referrer, query="q=1", own_host="a.localhost") is None


def test_sources_are_short_and_hold_no_signs() -> None:
    found = find_source(
        referrer="", query="utm_source=" + "a" * 900 + "&utm_campaign=%00b%0Ac", own_host=""
    )

    assert found is not None
    assert (len(found.host), found.campaign) == (80, "bc")
    assert 2 < found.key < 1 << 63


def test_cookies_that_are_made_up_count_as_one_crowd(
    shop: Shop, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One machine that calls itself a new visitor each time; another address counts as ever."""
    monkeypatch.setattr(visits, "AN_HOUR", 5)
    flood, other = client_for(shop.site), client_for(shop.site)
    for number in range(12):
        flood.cookies[COOKIE] = f"made-up-{number:04d}"
        assert look(flood) == 200
    flood.cookies[COOKIE] = "made-up-0000"  # one who was counted goes on
    assert look(flood, f"/p/{shop.variant.product_id}/") == 200
    assert other.get("/", headers={"User-Agent": BROWSER}, REMOTE_ADDR="192.0.2.99").content
    flush_visits()

    assert visitors(shop.site) == (6, 1, 0)


def test_a_crowd_is_counted_anew_each_hour_and_forgotten_when_it_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(visits, "AN_HOUR", 2)
    monkeypatch.setattr(visits, "KEPT_MOST", 4)

    assert [crowd.admit("a", f"v{n}", hour=1) for n in (1, 2, 3, 1)] == [True, True, False, True]
    assert crowd.admit("a", "v3", hour=2)
    assert [crowd.admit(name, "v", hour=2) for name in "bcde"] == [True] * 4
    assert len(crowd._known) == 1
