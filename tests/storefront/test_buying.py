"""The checkout: what it shows, what it places, what it refuses without changing anything."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.ledger.selectors import wallet_amount
from kameng.orders.models import Order, OrderState
from kameng.orders.selectors import read_answers, read_contact
from kameng.payments.models import Gateway, Payment
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests import factories
from tests.people import Buyer
from tests.storefront.conftest import CONTACT, Goods

ClientFor = Callable[..., Client]
JSON = {"HTTP_ACCEPT": "application/json"}
DUE = "<span data-due-text>"


@pytest.fixture
def rich(mei: Buyer) -> Buyer:
    """Mei with 100 yuan."""
    factories.fund_wallet(mei.customer, 1_000_000)
    return mei


def orders_of(site: Site) -> list[Order]:
    with site_scope(site.id):
        return list(Order.objects.order_by("id"))


def test_the_checkout_shows_price_consent_and_ways_to_pay(
    site_a: Site, rich: Buyer, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> None:
    page = client_for(site_a, rich).get(f"/checkout/?variant={cards.variant.id}&quantity=2")

    text = page.content.decode()
    assert page.status_code == 200
    assert f"支付 {DUE}¥20.00<" in text
    assert "卡密一经查看，不支持无理由退换" in text
    assert "余额 ¥100.00" in text
    assert "支付宝" in text
    assert 'name="shown_total" value="20.00"' in text
    assert page["Cache-Control"] == "no-store"


def test_a_wallet_purchase_delivers_at_once(
    site_a: Site, rich: Buyer, cards: Goods, client_for: ClientFor, unsold: Callable[[], int]
) -> None:
    client = client_for(site_a, rich)

    answer = client.post("/checkout/", cards.order())
    page = client.get(answer["Location"])

    order = orders_of(site_a)[0]
    assert answer.status_code == 303
    assert answer["Location"].startswith(f"/o/{order.order_no}/?t=")
    assert order.state == OrderState.DELIVERED
    assert cards.keys[0].split("----")[0] in page.content.decode()
    assert cards.keys[0].split("----")[1] in page.content.decode()
    assert unsold() == 19
    with site_scope(site_a.id):
        assert wallet_amount(rich.customer.id) == 900_000


def test_the_same_key_gives_the_same_order(
    site_a: Site, rich: Buyer, cards: Goods, client_for: ClientFor, unsold: Callable[[], int]
) -> None:
    client = client_for(site_a, rich)
    wish = cards.order()

    first = client.post("/checkout/", wish)
    second = client.post("/checkout/", wish)

    assert first["Location"] == second["Location"]
    assert len(orders_of(site_a)) == 1
    assert unsold() == 19


def test_the_same_key_with_another_content_is_refused_with_a_fresh_key(
    site_a: Site, rich: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    client = client_for(site_a, rich)
    wish = cards.order()
    client.post("/checkout/", wish)

    again = client.post("/checkout/", {**wish, "quantity": "2", "shown_total": "20.00"})

    assert again.status_code == 409
    assert wish["idempotency_key"] not in again.content.decode()
    assert len(orders_of(site_a)) == 1


def test_a_program_gets_json(
    site_a: Site, rich: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    client = client_for(site_a, rich)
    wish = cards.order()

    first = client.post("/checkout/", wish, **JSON)
    second = client.post("/checkout/", wish, **JSON)
    refused = client.post("/checkout/", cards.order(quantity="0"), **JSON)

    order = orders_of(site_a)[0]
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert first.json()["order_no"] == order.order_no
    assert first.json()["state"] == "delivered"
    assert first.json()["url"].startswith(f"/o/{order.order_no}/?t=")
    assert refused.status_code == 400
    assert refused.json()["code"] == "quantity_invalid"


def test_a_guest_pays_by_gateway(
    site_a: Site, cards: Goods, gateway: Gateway, client_for: ClientFor, unsold: Callable[[], int]
) -> None:
    answer = client_for(site_a).post("/checkout/", cards.order(pay=str(gateway.id)))

    order = orders_of(site_a)[0]
    assert answer.status_code == 303
    assert answer["Location"].startswith(f"/pay/{order.order_no}/?t=")
    assert order.state == OrderState.AWAITING_PAYMENT
    assert unsold() == 19  # held until it expires
    with site_scope(site_a.id):
        assert read_contact(order) == CONTACT
        assert Payment.objects.get().gateway_id == gateway.id


def test_answers_of_the_product_go_into_the_order(
    site_a: Site, rich: Buyer, service: Goods, client_for: ClientFor
) -> None:
    wish = service.order(field_account="13800138000", field_region="联通")

    answer = client_for(site_a, rich).post("/checkout/", wish)

    assert answer.status_code == 303
    order = orders_of(site_a)[0]
    assert order.state == OrderState.AWAITING_DELIVERY
    with site_scope(site_a.id):
        assert read_answers(order) == {"account": "13800138000", "region": "联通"}


def test_a_refusal_keeps_everything_typed(
    site_a: Site, rich: Buyer, service: Goods, client_for: ClientFor
) -> None:
    wish = service.order(field_account="1380013", field_region="电信", contact="x@example.com")

    page = client_for(site_a, rich).post("/checkout/", wish)

    text = page.content.decode()
    assert page.status_code == 400
    assert "“手机号”填写不正确" in text
    assert 'value="1380013"' in text
    assert "<option selected>电信</option>" in text
    assert 'value="x@example.com"' in text
    assert wish["idempotency_key"] in text
    assert not orders_of(site_a)


BAD_INPUT = [
    ({"variant": ""}, 400),
    ({"variant": "abc"}, 400),
    ({"variant": "-1"}, 400),
    ({"variant": "１"}, 400),
    ({"variant": "9" * 40}, 400),
    ({"variant": "999999999"}, 404),
    ({"quantity": ""}, 400),
    ({"quantity": "0"}, 400),
    ({"quantity": "-1"}, 400),
    ({"quantity": "1.5"}, 400),
    ({"quantity": "２"}, 400),
    ({"quantity": "101"}, 400),
    ({"quantity": "9" * 18}, 400),
    ({"quantity": "9" * 300}, 400),
    ({"quantity": "😀"}, 400),
    ({"quantity": "1\x00"}, 400),
    ({"shown_total": "9.99"}, 409),
    ({"shown_total": "abc"}, 400),
    ({"shown_total": "-10.00"}, 400),
    ({"shown_total": "１０"}, 400),
    ({"shown_total": "10.001"}, 400),
    ({"idempotency_key": ""}, 400),
    ({"idempotency_key": "x"}, 400),
    ({"idempotency_key": "k" * 500}, 400),
    ({"idempotency_key": "键键键键键键键键"}, 400),
    ({"pay": ""}, 400),
    ({"pay": "cash"}, 400),
    ({"pay": "999999"}, 400),
    ({"pay": "-1"}, 400),
    ({"pay": "9" * 30}, 400),
    ({"agree": ""}, 400),
    ({"agree": "yes"}, 400),
    ({"contact": "nobody"}, 400),
    ({"contact": "12345678901"}, 400),
    ({"contact": "a@b"}, 400),
    ({"contact": "x" * 300 + "@example.com"}, 400),
    ({"contact": "😀@example.com"}, 400),
    ({"contact": "a\nb@example.com"}, 400),
    ({"field_account": "1"}, 400),
    ({"field_" + "x" * 200: "1"}, 400),
]


@pytest.mark.parametrize(("changes", "status"), BAD_INPUT)
def test_bad_input_is_refused_and_changes_nothing(
    changes: dict[str, str],
    status: int,
    site_a: Site,
    rich: Buyer,
    cards: Goods,
    gateway: Gateway,
    client_for: ClientFor,
    unsold: Callable[[], int],
) -> None:
    client = client_for(site_a, rich)

    page = client.post("/checkout/", cards.order(**changes))
    answer = client.post("/checkout/", cards.order(**changes), **JSON)

    assert page.status_code == answer.status_code == status
    assert answer.json()["message"]
    assert not orders_of(site_a)
    assert unsold() == 20
    with site_scope(site_a.id):
        assert wallet_amount(rich.customer.id) == 1_000_000


@pytest.mark.parametrize("contact", ["", "x", "@", "138001380001"])
def test_a_guest_needs_a_contact(
    contact: str, site_a: Site, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> None:
    wish = cards.order(pay=str(gateway.id), contact=contact)

    page = client_for(site_a).post("/checkout/", wish)

    assert page.status_code == 400
    assert "请填写正确的邮箱或手机号" in page.content.decode()
    assert not orders_of(site_a)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" 138 0013-8000 ", "13800138000"),
        ("+8613800138000", "13800138000"),
        ("１３８００１３８０００", "13800138000"),
        ("Guest@Example.COM", "guest@example.com"),
    ],
)
def test_a_contact_is_kept_in_one_form(
    typed: str, stored: str, site_a: Site, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> None:
    wish = cards.order(pay=str(gateway.id), contact=typed)

    assert client_for(site_a).post("/checkout/", wish).status_code == 303
    with site_scope(site_a.id):
        assert read_contact(Order.objects.get()) == stored


def test_a_guest_has_no_wallet(
    site_a: Site, cards: Goods, client_for: ClientFor, unsold: Callable[[], int]
) -> None:
    page = client_for(site_a).post("/checkout/", cards.order())

    assert page.status_code == 401
    assert unsold() == 20


def test_an_empty_wallet_is_refused(
    site_a: Site, mei: Buyer, cards: Goods, client_for: ClientFor, unsold: Callable[[], int]
) -> None:
    page = client_for(site_a, mei).post("/checkout/", cards.order())

    assert page.status_code == 402
    assert "余额不足" in page.content.decode()
    assert unsold() == 20


def test_more_than_there_is_is_refused(
    site_a: Site, rich: Buyer, main_site: Site, client_for: ClientFor
) -> None:
    product = factories.make_product(main_site, title="只有一张")
    variant = factories.make_variant(product)
    factories.make_card_keys(variant, 1)
    goods = Goods(product=product, variant=variant)

    page = client_for(site_a, rich).post(
        "/checkout/", goods.order(quantity="2", shown_total="20.00")
    )

    assert page.status_code == 409
    assert "库存不足，您没有被扣款" in page.content.decode()
    assert not orders_of(site_a)


def test_a_gateway_that_the_site_hides_is_refused(
    site_a: Site, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> None:
    Site.objects.filter(id=site_a.id).update(settings={"hidden_gateway_ids": [gateway.id]})

    page = client_for(site_a).post("/checkout/", cards.order(pay=str(gateway.id)))

    assert page.status_code == 400
    assert not orders_of(site_a)


def test_a_site_without_guest_checkout_leads_to_sign_in(
    site_a: Site, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> None:
    Site.objects.filter(id=site_a.id).update(settings={"guest_checkout": False})
    client = client_for(site_a)

    shown = client.get(f"/checkout/?variant={cards.variant.id}&quantity=1")
    placed = client.post("/checkout/", cards.order(pay=str(gateway.id)))

    assert shown.status_code == 303
    assert shown["Location"].startswith("/sign-in/?next=%2Fcheckout%2F")
    assert placed.status_code == 401
    assert not orders_of(site_a)


def test_what_a_form_may_not_say_is_ignored(
    site_a: Site, rich: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    """TEN-07: nothing but the named fields is read."""
    extra = {"price": "0.01", "site_id": "1", "state": "3", "customer_id": "1", "total": "0"}

    client_for(site_a, rich).post("/checkout/", {**cards.order(), **extra})

    order = orders_of(site_a)[0]
    assert order.total_amount == 100_000
    assert order.customer_id == rich.customer.id
    assert order.site_id == site_a.id


def test_a_form_without_its_token_is_refused(
    site_a: Site, rich: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    client = client_for(site_a, rich)
    client.handler.enforce_csrf_checks = True

    page = client.post("/checkout/", cards.order())

    assert page.status_code == 403
    assert not orders_of(site_a)


def test_one_person_holds_only_so_much_unpaid(
    site_a: Site, mei: Buyer, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> None:
    client = client_for(site_a, mei)

    pages = [client.post("/checkout/", cards.order(pay=str(gateway.id))) for _ in range(6)]

    assert [page.status_code for page in pages] == [303] * 5 + [429]
    assert "一个人未付款时能占用的库存有限" in pages[-1].content.decode()
    assert len(orders_of(site_a)) == 5


def test_prices_are_those_of_the_site(
    site_a: Site, site_b: Site, rich: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    from kameng.catalog.models import PriceRule
    from kameng.tenancy.services import bump_catalogue_version

    with site_scope(site_b.id):
        PriceRule.objects.create(site_id=site_b.id, kind="rate", rate_bps=5000)
        bump_catalogue_version(site_b.id)

    path = f"/checkout/?variant={cards.variant.id}&quantity=1"
    assert f"支付 {DUE}¥10.00<" in client_for(site_a).get(path).content.decode()
    assert f"支付 {DUE}¥14.85<" in client_for(site_b).get(path).content.decode()
    assert get_site_view(site_a.id).catalogue_version == 1
