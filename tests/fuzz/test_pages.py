"""Every page and every form of every page, with hostile values: a clear answer, never a fault.

Pages are found from the table of URLs, forms by reading the pages, so nothing is left out by hand.
"""

import random
from collections.abc import Callable

import pytest
from django.http.response import HttpResponseBase
from django.test import Client

from kameng.tenancy.models import Site
from tests import people
from tests.fuzz.forms import EVIL, Form, read_forms
from tests.matrix.world import World, build_world, fill, routes

Browse = Callable[..., Client]
SEED = 20261122
PER_FORM = 12
LEAVES = {"console:sign_out", "storefront:sign_out", "console:end_session"}
QUERIES = ("q", "page", "before", "t", "variant", "quantity", "from", "until", "state", "sort")


@pytest.fixture
def world(committed_db: None, main_site: Site, site_a: Site, site_b: Site) -> World:
    return build_world(main_site, site_a, site_b)


def browsers(world: World, client_for: Browse) -> list[tuple[str, Client, str]]:
    lin = people.make_lin(world.site_a)
    ada = people.make_ada()
    mei = people.Buyer(customer=world.customer, login="canary-a@example.com")
    found = [
        ("a guest", client_for(world.site_a), world.site_a.slug),
        ("Mei", client_for(world.site_a, mei), world.site_a.slug),
        ("Lin", client_for(world.site_a, lin), world.site_a.slug),
        ("Ada", client_for(world.main, ada), world.main.slug),
    ]
    for _who, browser, _slug in found:
        browser.raise_request_exception = False
    return found


def check(response: HttpResponseBase, what: str, faults: list[str]) -> str:
    body = b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined]
    text = body.decode("utf-8", "replace")
    if response.status_code >= 500 or "Traceback (most recent" in text:
        faults.append(f"{what}: {response.status_code}")
    return text


def test_hostile_addresses_and_queries_get_a_clear_answer(world: World, client_for: Browse) -> None:
    faults: list[str] = []
    draw = random.Random(SEED)

    for who, browser, slug in browsers(world, client_for):
        for name, pattern, names in routes():
            if name in LEAVES:
                continue
            path = fill(pattern, {**world.ids, "site_slug": slug})
            evil = draw.choice(EVIL)
            queries = dict.fromkeys(QUERIES, evil)
            check(browser.get(path, queries), f"{who}: GET {name} {evil[:30]!r}", faults)
            for parameter in names:
                odd = {
                    **world.ids,
                    "site_slug": slug,
                    parameter: draw.choice(("0", "99999999", "x")),
                }
                check(browser.get(fill(pattern, odd)), f"{who}: GET {fill(pattern, odd)}", faults)
            huge = {
                **world.ids,
                "site_slug": slug,
                **{n: "9" * 30 for n in names if n.endswith("_id")},
            }
            check(browser.get(fill(pattern, huge)), f"{who}: GET {fill(pattern, huge)}", faults)

    assert not faults, "\n".join(faults)


def test_hostile_values_in_every_form_get_a_clear_answer(world: World, client_for: Browse) -> None:
    faults: list[str] = []
    draw = random.Random(SEED)
    sent = 0

    for who, browser, slug in browsers(world, client_for):
        for name, pattern, _names in routes():
            if name in LEAVES:
                continue
            path = fill(pattern, {**world.ids, "site_slug": slug})
            text = check(browser.get(path), f"{who}: GET {path}", faults)
            for form in read_forms(text, path=path):
                if "sign-out" in form.action:
                    continue
                sent += _attack(browser, form, who, draw=draw, faults=faults)

    assert sent > 1000
    assert not faults, "\n".join(faults)


def _attack(
    browser: Client, form: Form, who: str, *, draw: random.Random, faults: list[str]
) -> int:
    """Send one form with each field spoilt in turn, with all spoilt, with none at all."""
    cases = [{}, {name: draw.choice(EVIL) for name in form.values}]
    for name in draw.sample(sorted(form.values), min(PER_FORM, len(form.values))):
        cases.append({**form.values, name: draw.choice(EVIL)})
        cases.append({key: value for key, value in form.values.items() if key != name})
    for values in cases:
        send = browser.post if form.method == "post" else browser.get
        response = send(form.action, values)
        spoilt = {k: v[:40] for k, v in values.items() if form.values.get(k) != v}
        check(response, f"{who}: {form.method} {form.action} {spoilt}", faults)
    return len(cases)


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"%00=%00", b"a=%ff%fe", b"a" * 3_000_000, b"&" * 5000, b'{"a":', b"\xff" * 100],
    ids=["empty", "nul", "nul form", "bad utf-8", "huge", "fields", "json", "bytes"],
)
@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "",
    ],  # fmt: skip
)
def test_hostile_bodies_get_a_clear_answer(
    body: bytes, content_type: str, committed_db: None, site_a: Site, client_for: Browse
) -> None:
    browser = client_for(site_a)
    browser.raise_request_exception = False

    for path in (
        "/checkout/",
        "/sign-in/",
        "/register/",
        "/lookup/",
        "/notify/1/",
        "/console/sign-in/",
    ):
        response = browser.post(path, body, content_type=content_type)

        assert response.status_code < 500, (path, response.status_code)
