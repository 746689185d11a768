"""Ten thousand sub-sites on one installation: what each costs as their number grows.

Run beside the stack as a program. Sites are opened by the product's own service until 100, 1 000 …
exist; at each number the same things are timed: opening one more, finding a site by its host,
reading it, forming the prices of its whole shelf from nothing, its front page over HTTP from a
cold cache, the owner's list of sites (its first page, one in its middle, a search, the switcher).
Flat means that the last column is near one. Every tenth site has a mark-up of its own and every
hundredth hides a product, as operators do; no row is copied.
"""

import argparse
import http.client
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session

PRODUCTS = 200
SAMPLE = 60
SEED = 20_261_128


def main() -> None:
    """Open, time and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--port", type=int, required=True)
    wanted = parser.parse_args()
    with database_session(find_home()):
        import django

        django.setup()
        from kameng.core.scope import platform_scope

        with platform_scope("sites that are measured"):
            report = measure(wanted.sites, port=wanted.port)
    json.dump(report, sys.stdout)


def measure(most: int, *, port: int) -> dict[str, Any]:
    """Return milliseconds at each number of sites, and the last beside the first."""
    plan_id, products = _prepare()
    draw = random.Random(SEED)
    steps = [count for count in (100, 1_000, 10_000, 100_000) if count < most] + [most]
    opened: list[int] = []
    rows: dict[int, dict[str, float]] = {}
    for count in steps:
        spent = [_timed(lambda: opened.append(_open(len(opened), plan_id))) for _ in range(SAMPLE)]
        while len(opened) < count:
            opened.append(_open(len(opened), plan_id))
        _dress(opened, products)
        figures = _figures(opened, draw, port=port)
        rows[count] = {"open_ms": statistics.median(spent), **figures}
    names = list(rows[steps[0]])
    report: dict[str, Any] = {"sites": most, "products": PRODUCTS}
    for name in names:
        report[name] = round(rows[most][name], 3)
        report[f"{name.removesuffix('_ms')}_grown"] = round(
            rows[most][name] / max(rows[steps[0]][name], 0.001), 2
        )
    report["bytes_a_site"] = _bytes_of_tables() // most
    return report


def _prepare() -> tuple[int, list[int]]:
    from bench.shop import build
    from kameng.accounts.services.staff import NewUser, insert_user
    from kameng.core.audit import SYSTEM
    from kameng.tenancy.models import Plan, Site

    if not Site.objects.exists():
        build(customers=0, products=PRODUCTS, keys=1, sites=0)
    insert_user(
        NewUser(login="bench-owner", display_name="Owner", encoded="!", is_platform=False),
        actor=SYSTEM,
    )
    from kameng.catalog.models import Product

    products = list(Product.unscoped.order_by("id").values_list("id", flat=True)[:PRODUCTS])
    return Plan.objects.order_by("id")[0].id, products


def _open(number: int, plan_id: int) -> int:
    from kameng.accounts.services.opening import Opening, open_sub_site
    from kameng.core.audit import SYSTEM

    slug = f"shop{number:06d}"
    opening = Opening(
        slug=slug,
        name=f"第{number}家店",
        host=f"{slug}.localhost",
        plan_id=plan_id,
        owner_login="bench-owner",
    )
    return int(open_sub_site(opening, actor=SYSTEM).id)


def _dress(opened: list[int], products: list[int]) -> None:
    """Give some sites what operators change: a mark-up, a product that is not shown."""
    from kameng.catalog.models import Listing, PriceRule

    marked = set(PriceRule.unscoped.values_list("site_id", flat=True))
    hiding = set(Listing.unscoped.values_list("site_id", flat=True))
    PriceRule.unscoped.bulk_create(
        PriceRule(site_id=site_id, kind="rate", rate_bps=1_500)
        for site_id in opened[::10]
        if site_id not in marked
    )
    Listing.unscoped.bulk_create(
        Listing(site_id=site_id, product_id=products[0], is_listed=False)
        for site_id in opened[::100]
        if site_id not in hiding
    )


def _figures(opened: list[int], draw: random.Random, *, port: int) -> dict[str, float]:
    from kameng.catalog.selectors import get_catalogue
    from kameng.tenancy import store
    from kameng.tenancy.models import Site
    from kameng.tenancy.selectors import get_site_view, site_scope

    def catalogue(site_id: int) -> None:
        with site_scope(site_id) as view:
            assert get_catalogue(view).products

    chosen = draw.sample(opened, SAMPLE)
    slugs = dict(Site.objects.filter(id__in=chosen).values_list("id", "slug"))
    catalogue(chosen[0])  # the goods themselves, which all sites share
    return {
        "host_ms": _each(chosen, lambda one: store.find_way(f"{slugs[one]}.localhost")),
        "site_ms": _each(chosen, get_site_view),
        "prices_ms": _each(chosen[1:], catalogue),
        "front_page_ms": _each(chosen, lambda one: _fetch(port, f"{slugs[one]}.localhost")),
        **_figures_of_lists(chosen, slugs),
    }


def _figures_of_lists(chosen: list[int], slugs: dict[int, str]) -> dict[str, float]:
    """Time the owner's list: its first page, one in its middle, a search, the site switcher."""
    from kameng.tenancy.site_lists import SiteFilter, list_sites_filtered, list_sites_newest

    every = SiteFilter()
    return {
        "list_ms": _each(chosen[:20], lambda _one: list_sites_filtered(every)),
        "later_page_ms": _each(chosen[:20], lambda one: list_sites_filtered(every, after_id=one)),
        "search_ms": _each(chosen[:20], lambda one: _search(slugs[one])),
        "switcher_ms": _each(chosen[:20], lambda _one: list_sites_newest()),
    }


def _search(slug: str) -> None:
    from kameng.tenancy.site_lists import SiteFilter, list_sites_filtered

    found = list_sites_filtered(SiteFilter(text=slug))
    assert [row.slug for row in found.rows] == [slug]


def _fetch(port: int, host: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/", headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{host} answered {answer.status}")


def _each(values: Any, act: Callable[[Any], Any]) -> float:
    return statistics.median(_timed(lambda one=value: act(one)) for value in values)


def _timed(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def _bytes_of_tables() -> int:
    """Return what the rows that grow with sites take, indexes included."""
    from kameng.core.database import fetch_one

    tables = ("tenancy_site", "tenancy_domain", "accounts_siterole", "catalog_pricerule")
    row = fetch_one(
        "select sum(pg_total_relation_size(t::regclass)) from unnest(%s::text[]) t",
        (list(tables),),
    )
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
