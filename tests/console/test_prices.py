"""Mark-up rules in the back office: saved, previewed, deleted, each for one site."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from kameng.catalog.models import PriceRule
from kameng.catalog.selectors import get_catalogue
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests import people
from tests.concurrency.shop import Shop, price_of
from tests.console.conftest import Desk
from tests.console.pages import address, text_of
from tests.factories import make_product, make_variant

ClientFor = Callable[..., Client]
RATE = {"kind": "rate", "rate_bps": "20", "amount": "", "ending": "fen", "cap_bps": ""}


def price_on(site: Site, variant_id: int) -> int:
    """Return the price of a variant in a site's shop now."""
    with site_scope(site.id):
        found = get_catalogue(get_site_view(site.id)).find_variant(variant_id)
    assert found is not None
    return int(found[1].unit.price_amount)


def test_a_rule_moves_the_prices_of_its_site_alone(
    main_site: Site, site_a: Site, site_b: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    variant = make_variant(make_product(main_site), cost_amount=90_000, list_amount=100_000)

    response = client_for(site_a, lin).post(address(site_a, "price_rule"), RATE)

    assert response.status_code == 303
    assert price_on(site_a, variant.id) == 118_800
    assert price_on(site_b, variant.id) == 100_000
    assert price_on(main_site, variant.id) == 100_000


def test_the_preview_tells_the_new_price_and_saves_nothing(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site)
    variant = make_variant(product, cost_amount=90_000, list_amount=100_000)
    url = address(site_a, "preview_rule", query=f"product={product.id}")

    text = text_of(client_for(site_a, lin).post(url, RATE | {"ending": "end_99"}))

    assert "主站供货价 ¥9.90" in text
    assert "¥10.00 ¥11.99" in text
    assert "¥9.00" not in text
    assert price_on(site_a, variant.id) == 100_000
    with site_scope(site_a.id):
        assert PriceRule.objects.count() == 0


def test_a_fixed_price_under_the_floor_becomes_the_floor_and_the_preview_says_so(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    variant = make_variant(make_product(main_site), cost_amount=90_000, list_amount=100_000)
    query = f"variant={variant.id}"
    form = {"kind": "fixed", "rate_bps": "", "amount": "1", "ending": "fen", "cap_bps": ""}
    client = client_for(site_a, lin)

    text = text_of(client.post(address(site_a, "preview_rule", query=query), form))
    client.post(address(site_a, "price_rule", query=query), form)

    assert "低于底价，提高到底价 9.90 元" in text
    assert "1 个等于底价，没有利润" in text
    assert price_on(site_a, variant.id) == 99_000


@pytest.mark.parametrize(
    "changes",
    [
        {"rate_bps": ""},
        {"rate_bps": "-1"},
        {"rate_bps": "８"},
        {"rate_bps": "1.234"},
        {"rate_bps": "99999"},
        {"kind": "free"},
        {"kind": ""},
        {"kind": "fixed", "amount": ""},
        {"kind": "fixed", "amount": "0"},
        {"kind": "amount", "amount": "99999999999"},
        {"ending": "end_7"},
        {"cap_bps": "0"},
        {"cap_bps": "x"},
    ],
)
def test_bad_figures_are_refused_and_no_rule_is_made(
    changes: dict[str, str], main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    make_variant(make_product(main_site))
    client = client_for(site_a, lin)

    response = client.post(address(site_a, "price_rule"), RATE | changes)
    preview = client.post(address(site_a, "preview_rule"), RATE | changes)

    assert response.status_code == 400
    assert preview.status_code == 200
    with site_scope(site_a.id):
        assert PriceRule.objects.count() == 0


def test_a_rule_on_goods_that_are_not_there_is_not_found(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)

    for query in ("product=987654", "variant=987654", "category=987654"):
        assert client.get(address(site_a, "price_rule", query=query)).status_code == 404
        answer = client.post(address(site_a, "price_rule", query=query), RATE)
        assert answer.status_code == 404


def test_a_rule_of_another_site_cannot_be_deleted(
    main_site: Site,
    site_a: Site,
    site_b: Site,
    lin: people.Staff,
    wei: people.Staff,
    client_for: ClientFor,
) -> None:
    variant = make_variant(make_product(main_site), cost_amount=90_000, list_amount=100_000)
    client_for(site_a, lin).post(address(site_a, "price_rule"), RATE)
    with site_scope(site_a.id):
        rule_id = PriceRule.objects.get().id

    foreign = client_for(site_b, wei).post(address(site_b, "remove_rule", rule_id))
    by_get = client_for(site_a, lin).get(address(site_a, "remove_rule", rule_id))

    assert (foreign.status_code, by_get.status_code) == (404, 405)
    assert price_on(site_a, variant.id) == 118_800

    own = client_for(site_a, lin).post(address(site_a, "remove_rule", rule_id))
    assert own.status_code == 303
    assert price_on(site_a, variant.id) == 100_000


def test_a_rule_is_deleted_after_a_word_about_what_follows(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    make_variant(make_product(main_site), cost_amount=90_000, list_amount=100_000)
    client = client_for(site_a, lin)
    client.post(address(site_a, "price_rule"), RATE)
    with site_scope(site_a.id):
        url = address(site_a, "remove_rule", PriceRule.objects.get().id)

    listed = client.get(address(site_a, "prices")).content.decode()
    page = client.get(address(site_a, "price_rule")).content.decode()

    assert url not in listed
    assert url in page.split("<dialog")[-1]
    assert "它管着 1 个规格" in page


def test_a_change_is_undone_with_one_press(desk: Desk, shop: Shop) -> None:
    saved = desk.post("prices/rule/", kind="rate", rate_bps="50", ending="fen")
    assert saved.status_code == 303
    query = parse_qs(urlsplit(saved["Location"]).query)
    listed = desk.client.get(saved["Location"])
    assert "撤销刚才的改动" in text_of(listed)
    assert "撤销刚才的改动" in text_of(desk.get("prices/")), "also after looking elsewhere"
    price = price_of(shop)

    back = desk.post("prices/undo/", undo=query["undo"][0])

    assert back.status_code == 303
    assert price_of(shop) != price
    with site_scope(shop.site.id):
        assert not PriceRule.objects.exists()
    assert "撤销刚才的改动" not in text_of(desk.get("prices/"))
    again = desk.client.get(desk.post("prices/undo/", undo=query["undo"][0])["Location"])
    assert "又改过了" in text_of(again)


def test_an_undo_of_another_site_does_nothing(
    desk: Desk, shop: Shop, desk_of: Callable[..., Desk], wei: people.Staff, site_b: Site
) -> None:
    saved = desk.post("prices/rule/", kind="rate", rate_bps="50", ending="fen")
    query = parse_qs(urlsplit(saved["Location"]).query)
    other = desk_of(wei, site_b)
    other.post("prices/rule/", kind="rate", rate_bps="50", ending="fen")

    for token in (query["undo"][0], "x" * 3000, ""):
        assert other.post("prices/undo/", undo=token).status_code == 303
    with site_scope(site_b.id):
        assert PriceRule.objects.count() == 1
    shown = other.get("prices/", undo=query["undo"][0]).content.decode()
    assert query["undo"][0] not in shown, "its own change is offered, not another shop's"
