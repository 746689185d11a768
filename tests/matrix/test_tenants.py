"""Every route × every outsider × the ids of another site: nothing of it is shown, nothing moves.

Generated from the table of URLs and the catalogue of tables, so that a new page or table is in it
from its first day.
"""

import hashlib
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import ProgrammingError, connection
from django.http.response import HttpResponseBase
from django.test import Client

from kameng.accounts.models import Role
from kameng.config.security import kameng_tables
from kameng.core.scope import Scope, open_scope, platform_scope
from kameng.tenancy.models import Site
from tests import people
from tests.matrix.world import CANARIES, World, build_world, fill, routes

OPEN_TO_ALL = {"storefront:register", "storefront:sign_in", "storefront:lookup"}
# Written by anyone's visit, or by the outsider's own acts on his own site.
UNWATCHED = {
    "accounts_session",
    "accounts_onetimecode",
    "payments_rejectedcallback",  # the log of forged callbacks, which some of these requests are
}
Browse = Callable[..., Client]


@pytest.fixture
def world(committed_db: None, main_site: Site, site_a: Site, site_b: Site) -> World:
    return build_world(main_site, site_a, site_b)


def outsiders(world: World, client_for: Browse) -> Iterator[tuple[str, Client, str]]:
    """Yield (who, browser, slug to put in console paths) for everyone who must see nothing of A."""
    wei = people.make_wei(world.site_b)
    service = people.make_operator(world.site_b, login="svc", name="Svc", role=Role.SERVICE)
    bo = people.Buyer(customer=world.outsider, login="outsider@example.com")
    a, b = world.site_a.slug, world.site_b.slug
    yield "a guest of A", client_for(world.site_a), a
    yield "a guest of B", client_for(world.site_b), a
    yield "a customer of B", client_for(world.site_b, bo), a
    yield "Wei with B's address and A's ids", client_for(world.site_b, wei), b
    yield "Wei with A's address on B's host", client_for(world.site_b, wei), a
    yield "Wei's service staff", client_for(world.site_b, service), b
    main = client_for(world.main)
    people.sign_in(main, site=world.main, person=wei)
    yield "Wei on the main site's host", main, a
    foreign = client_for(world.site_a)
    foreign.cookies[settings.SESSION_COOKIE] = (
        client_for(world.site_b, wei).cookies[settings.SESSION_COOKIE].value
    )
    yield "Wei's session on A's host", foreign, a
    foreign = client_for(world.site_a)
    foreign.cookies[settings.SESSION_COOKIE] = (
        client_for(world.site_b, bo).cookies[settings.SESSION_COOKIE].value
    )
    yield "a session of B on A's host", foreign, a


def shown(response: HttpResponseBase) -> str:
    body = b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined]
    headers = " ".join(f"{k}: {v}" for k, v in response.items())
    return headers + body.decode("utf-8", "replace")


def fingerprint(site_id: int) -> dict[str, str]:
    """Return a digest of every row of a site, table by table."""
    prints = {}
    with platform_scope("a test compares a site with itself"), connection.cursor() as cursor:
        for table, has_site, _shared in kameng_tables():
            if has_site and table not in UNWATCHED:
                cursor.execute(
                    f"select coalesce(string_agg(t::text, chr(10) order by t::text), '')"
                    f" from {table} t where site_id = %s",
                    (site_id,),
                )
                prints[table] = hashlib.sha256(cursor.fetchone()[0].encode()).hexdigest()
    return prints


def test_no_route_shows_or_moves_anything_of_another_site(world: World, client_for: Browse) -> None:
    before = fingerprint(world.site_a.id), fingerprint(world.main.id)
    leaks, faults, count = [], [], 0

    for who, browser, slug in outsiders(world, client_for):
        browser.raise_request_exception = False
        for name, pattern, _names in routes():
            values = {**world.ids, "site_slug": slug}
            for order_no in {world.ids["order_no"], world.ids["open_order_no"]}:
                path = fill(pattern, {**values, "order_no": order_no})
                for method in ("get", "post"):
                    if method == "post" and name in OPEN_TO_ALL:
                        continue
                    response = getattr(browser, method)(path)
                    count += 1
                    text = shown(response)
                    if any(canary in text for canary in CANARIES):
                        leaks.append(f"{who}: {method} {path} ({response.status_code})")
                    if response.status_code >= 500 and not path.startswith("/healthz"):
                        faults.append(f"{who}: {method} {path} ({response.status_code})")

    assert not leaks, "\n".join(leaks)
    assert not faults, "\n".join(faults)
    assert count > 2000
    after = fingerprint(world.site_a.id), fingerprint(world.main.id)
    moved = [
        table
        for old, new in zip(before, after, strict=True)
        for table in old
        if old[table] != new[table]
    ]
    assert not moved


def test_the_matrix_would_notice_because_the_owner_sees_the_canaries(
    world: World, client_for: Browse
) -> None:
    """The control: the same requests by A's own operator and customer do show the strings."""
    lin = people.make_lin(world.site_a)
    mei = people.Buyer(customer=world.customer, login="canary-a@example.com")
    seen = set()

    for browser in (client_for(world.site_a, lin), client_for(world.site_a, mei)):
        for name, pattern, _names in routes():
            text = shown(browser.get(fill(pattern, world.ids)))
            if any(canary in text for canary in CANARIES):
                seen.add(name)

    shown_to_them = {"storefront:order", "storefront:messages", "console:order"}
    shown_to_them |= {"console:customer", "console:dispute", "console:approvals"}
    shown_to_them |= {"console:design", "console:page_frame", "console:edit_page"}
    shown_to_them |= {"console:list_pictures", "console:domain"}
    assert shown_to_them <= seen


@pytest.mark.parametrize(
    ("table", "shared"),
    [(table, shared) for table, has_site, shared in kameng_tables() if has_site],
)
def test_a_table_gives_another_site_nothing(
    table: str,
    shared: bool,
    committed_db: None,
    site_a: Site,
    site_b: Site,
) -> None:
    """By raw SQL as the application role: no scope, an empty one, another site's."""
    for scope in (Scope(), Scope(site_id=site_b.id, reads=(site_b.id,))):
        with open_scope(scope), connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table} where site_id = %s", (site_a.id,))
            assert cursor.fetchone()[0] == 0
    del shared


def test_writing_into_another_site_is_refused_by_the_database(
    committed_db: None, site_a: Site, site_b: Site
) -> None:
    scope = Scope(site_id=site_b.id, reads=(site_b.id,))

    with (
        open_scope(scope),
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError) as caught,
    ):
        cursor.execute(
            "insert into orders_note (site_id, order_id, kind, text, actor_name)"
            " values (%s, 1, 'x', '', '')",
            (site_a.id,),
        )

    assert isinstance(caught.value.__cause__, psycopg.errors.InsufficientPrivilege)
