"""Prices of many face values at once: all or none, by the owner alone."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.catalog.models import Variant
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.console.pages import address, text_of
from tests.factories import make_product, make_variant

ClientFor = Callable[..., Client]


@pytest.fixture
def variants(main_site: Site) -> list[Variant]:
    """Two face values of 9 and 10 yuan."""
    product = make_product(main_site)
    return [make_variant(product), make_variant(product)]


def prices(site: Site) -> list[tuple[int, int]]:
    """Return cost and list price of every face value of a site."""
    with site_scope(site.id):
        return list(Variant.objects.order_by("id").values_list("cost_amount", "list_amount"))


def table(variants: list[Variant], *amounts: str) -> dict[str, str]:
    """Return the table as a browser sends it: cost and list price of each in turn."""
    names = [f"{name}-{each.id}" for each in variants for name in ("cost", "list")]
    return dict(zip(names, amounts, strict=True))


def test_what_differs_is_changed_and_named_in_the_log(
    main_site: Site, ada: people.Staff, variants: list[Variant], client_for: ClientFor
) -> None:
    form = table(variants, "9", "10", "8.5", "9.9999")

    response = client_for(main_site, ada).post(address(main_site, "price_table"), form)

    assert response.status_code == 303
    assert prices(main_site) == [(90_000, 100_000), (85_000, 99_999)]
    with platform_scope("read the log in a test"):
        (entry,) = list_entries(site_id=main_site.id, action="prices.changed")
    assert [step["after"]["variant_id"] for step in entry.detail["changes"]] == [variants[1].id]


@pytest.mark.parametrize(
    "amounts",
    [
        ("9", "10", "8", "７"),
        ("9", "10", "8", "7.99"),
        ("9", "10", "-1", "7"),
        ("9", "10", "", "7"),
        ("9", "10", "8", "0"),
        ("9", "10", "8", "99999999999"),
    ],
)
def test_one_bad_price_keeps_all_as_they_are(
    amounts: tuple[str, ...],
    main_site: Site,
    ada: people.Staff,
    variants: list[Variant],
    client_for: ClientFor,
) -> None:
    form = table(variants, "7", "7", *amounts[2:])

    response = client_for(main_site, ada).post(address(main_site, "price_table"), form)

    assert response.status_code == 400
    assert "标红" in text_of(response)
    assert prices(main_site) == [(90_000, 100_000)] * 2


def test_a_sub_site_has_no_such_table(
    main_site: Site, site_a: Site, lin: people.Staff, variants: list[Variant], client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)

    assert client.get(address(site_a, "price_table")).status_code == 403
    form = table(variants, "0", "1", "0", "1")
    assert client.post(address(site_a, "price_table"), form).status_code == 403
    assert prices(main_site) == [(90_000, 100_000)] * 2


def test_the_table_saves_the_page_that_was_shown(
    main_site: Site, ada: people.Staff, variants: list[Variant], client_for: ClientFor
) -> None:
    make_variant(make_product(main_site, title="别的商品"))
    client = client_for(main_site, ada)
    url = address(main_site, "price_table", query="q=别的商品")
    with site_scope(main_site.id):
        other = Variant.objects.latest("id")

    page = client.get(url).content.decode()
    action = page.split("data-guard data-unsaved")[0].rsplit('action="', 1)[1].split('"')[0]
    client.post(address(main_site, "price_table") + action, table([other], "1", "2"))

    assert prices(main_site)[-1] == (10_000, 20_000)
    assert prices(main_site)[:2] == [(90_000, 100_000)] * 2
