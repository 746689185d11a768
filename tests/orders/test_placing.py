"""Placing asks the server for everything that matters and refuses without a trace."""

import dataclasses
from typing import Any

import pytest

from kameng.catalog.errors import InputInvalid, InputMissing, QuantityInvalid, VariantNotFound
from kameng.catalog.models import DeliveryKind, Product
from kameng.core.crypto import CipherBroken, binding, decrypt_text
from kameng.inventory.models import StockLevel
from kameng.orders import errors
from kameng.orders.models import Order
from kameng.orders.rules import State
from kameng.orders.selectors import read_answers, read_contact
from kameng.orders.services.placing import Buyer, Wish, place_order
from kameng.payments.models import Payment
from kameng.risk import services as risk
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, count, make_buyers, order, price_of
from tests.factories import make_product, make_variant

GUEST = Buyer(customer_id=None, contact="mei@example.com", ip="192.0.2.1", actor="guest:mei")


def try_placing(shop: Shop, *, buyer: Buyer = GUEST, **changes: Any) -> Any:
    wish = Wish(
        variant_id=shop.variant.id,
        quantity=1,
        answers={},
        shown_amount=None,
        idempotency_key="k",
        choice=shop.choice,
    )
    risk.forget_windows()
    with site_scope(shop.site.id) as view:
        clearance = risk.assess_checkout(site_id=view.site_id, actor=buyer.actor, ip=buyer.ip)
        return place_order(
            view=view, buyer=buyer, wish=dataclasses.replace(wish, **changes), clearance=clearance
        )


def assert_nothing_happened() -> None:
    assert count("select count(*) from orders_order") == 0
    assert count("select count(*) from inventory_cardkey where state <> 0") == 0
    assert count("select count(*) from payments_payment") == 0


@pytest.mark.parametrize("quantity", [0, -1, 2**31, 2**63])
def test_an_odd_quantity_is_refused(shop: Shop, quantity: int) -> None:
    with pytest.raises(QuantityInvalid):
        try_placing(shop, quantity=quantity)

    assert_nothing_happened()


@pytest.mark.parametrize("variant_id", [0, -1, 2**63 - 1])
def test_a_variant_that_is_not_sold_here_is_not_found(shop: Shop, variant_id: int) -> None:
    with pytest.raises(VariantNotFound):
        try_placing(shop, variant_id=variant_id)

    assert_nothing_happened()


def test_a_product_taken_off_the_shelf_is_not_found(shop: Shop, main_site: Site) -> None:
    hidden = make_variant(make_product(main_site, is_listed=False))

    with pytest.raises(VariantNotFound):
        try_placing(shop, variant_id=hidden.id)


@pytest.mark.parametrize("difference", [-100, 100, -(10**6)])
def test_another_price_than_was_shown_is_refused(shop: Shop, difference: int) -> None:
    shown = price_of(shop) + difference

    with pytest.raises(errors.TotalMismatch) as refused:
        try_placing(shop, shown_amount=shown)

    assert "11.00" in refused.value.text() or "10.00" in refused.value.text()
    assert_nothing_happened()


def test_a_guest_needs_a_contact_and_has_no_wallet(shop: Shop) -> None:
    with pytest.raises(errors.ContactInvalid):
        try_placing(shop, buyer=dataclasses.replace(GUEST, contact=""))
    with pytest.raises(errors.SignInNeeded):
        try_placing(shop, choice=None)

    assert_nothing_happened()


def test_a_clearance_of_someone_else_is_a_defect_and_refused(shop: Shop) -> None:
    with site_scope(shop.site.id) as view:
        clearance = risk.assess_checkout(site_id=view.site_id, actor="guest:tom", ip="192.0.2.1")
        wish = Wish(
            variant_id=shop.variant.id,
            quantity=1,
            answers={},
            shown_amount=None,
            idempotency_key="k",
            choice=shop.choice,
        )
        with pytest.raises(PermissionError):
            place_order(view=view, buyer=GUEST, wish=wish, clearance=clearance)


def test_answers_are_checked_and_kept_as_noise(shop: Shop) -> None:
    with site_scope(shop.variant.site_id):
        Product.objects.filter(id=shop.variant.product_id).update(
            input_fields=[{"name": "phone", "label": "手机号", "kind": "phone"}]
        )
    with pytest.raises(InputMissing):
        try_placing(shop)
    with pytest.raises(InputInvalid):
        try_placing(shop, answers={"phone": "1380013800"})
    assert_nothing_happened()

    placed = try_placing(shop, answers={"phone": "１３８００１３８０００"})  # as phones type it

    with site_scope(shop.site.id):
        row = Order.objects.get(id=placed.order_id)
        assert read_answers(row) == {"phone": "13800138000"}
        assert read_contact(row) == "mei@example.com"
        assert b"13800138000" not in bytes(row.inputs_cipher or b"")
        assert b"mei@" not in bytes(row.contact_cipher or b"")
        # Bound to their place: moved to another order they do not open.
        with pytest.raises(CipherBroken):
            decrypt_text(bytes(row.contact_cipher or b""), binding(row.site_id, "order", "other"))


def test_an_open_order_holds_its_keys_and_has_one_payment(shop: Shop) -> None:
    placed = try_placing(shop, quantity=2)

    with site_scope(shop.site.id):
        row = Order.objects.get(id=placed.order_id)
        payment = Payment.objects.get()
    assert (row.state, row.path) == (State.AWAITING_PAYMENT, [1])
    assert row.expires_at is not None
    assert (payment.amount, payment.expires_at) == (row.total_amount, row.expires_at)
    assert payment.payment_no == placed.payment_no
    assert count("select count(*) from inventory_cardkey where state = 1") == 2


def test_a_service_with_a_level_is_counted_and_one_without_is_not(
    shop: Shop, main_site: Site
) -> None:
    service = make_product(main_site, delivery_kind=DeliveryKind.MANUAL)
    counted, free = make_variant(service), make_variant(service)
    with site_scope(main_site.id):
        StockLevel.objects.create(site_id=main_site.id, variant_id=counted.id, available_count=2)
    (buyer,) = make_buyers(shop.site, 1, amount=10**7)

    order(shop, customer=buyer, by_wallet=True, variant_id=counted.id, quantity=2)
    with pytest.raises(errors.OutOfStock):
        order(shop, customer=buyer, by_wallet=True, variant_id=counted.id)
    for _ in range(3):
        placed = order(shop, customer=buyer, by_wallet=True, variant_id=free.id)

    assert placed.state == State.AWAITING_DELIVERY
    with site_scope(main_site.id):
        assert StockLevel.objects.get().available_count == 0


def test_keys_are_sold_in_the_order_they_came(shop: Shop) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=10**7)

    placed = [order(shop, customer=buyer, by_wallet=True, quantity=n) for n in (1, 2, 1)]

    for number, (first, last) in zip(placed, [(1, 1), (2, 3), (4, 4)], strict=True):
        ids = (
            "select {}(r) from (select order_id, row_number() over (order by id) r"
            " from inventory_cardkey) k where order_id = %s"
        )
        assert count(ids.format("min"), number.order_id) == first
        assert count(ids.format("max"), number.order_id) == last
