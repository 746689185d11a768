"""Goods to the buyer and the repairs: by hand, from stock, swapped, sent again."""

import pytest

from kameng.catalog.models import DeliveryKind
from kameng.core.audit import Actor
from kameng.core.models import AuditEntry, EventRow
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey, KeyState
from kameng.orders import errors
from kameng.orders.models import Delivery, Note
from kameng.orders.rules import State
from kameng.orders.services.delivering import (
    collect_goods,
    deliver_by_hand,
    deliver_from_stock,
    mark_used,
    replace_cards,
    resend_goods,
    write_note,
)
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    count,
    fresh,
    make_buyers,
    notify,
    order,
    payment_of,
    refund,
)
from tests.factories import make_card_keys, make_product, make_variant

LIN = Actor(kind="user", actor_id=1, name="Lin")


def _sold(shop: Shop, quantity: int = 2):  # type: ignore[no-untyped-def]
    placed = order(shop, quantity=quantity)
    notify(shop, payment_of(shop, placed))
    return placed


def _texts(shop: Shop, placed, *, by_buyer: bool = False) -> list[str]:  # type: ignore[no-untyped-def]
    with site_scope(shop.site.id):
        return [goods.text for goods in collect_goods(fresh(shop, placed), by_buyer=by_buyer)]


def test_the_buyers_first_look_is_the_hand_over(shop: Shop) -> None:
    placed = _sold(shop)

    assert len(_texts(shop, placed)) == 2
    assert fresh(shop, placed).revealed_at is None
    first = _texts(shop, placed, by_buyer=True)
    looked_at = fresh(shop, placed).revealed_at
    assert looked_at is not None
    assert _texts(shop, placed, by_buyer=True) == first
    assert fresh(shop, placed).revealed_at == looked_at


def test_goods_never_appear_in_a_repr(shop: Shop) -> None:
    placed = _sold(shop)
    with site_scope(shop.site.id):
        goods = collect_goods(fresh(shop, placed), by_buyer=False)

    assert all(each.text not in repr(goods) for each in goods)


def test_an_unpaid_and_a_refunded_order_show_nothing(shop: Shop) -> None:
    unpaid, gone = order(shop), _sold(shop)
    refund(shop, gone, key="r")

    assert _texts(shop, unpaid, by_buyer=True) == []
    assert _texts(shop, gone, by_buyer=True) == []
    assert fresh(shop, gone).revealed_at is None


@pytest.mark.parametrize(("seen", "state"), [(False, KeyState.UNSOLD), (True, KeyState.FAULTY)])
def test_keys_of_a_refund_are_sold_again_only_if_nobody_saw_them(
    shop: Shop, seen: bool, state: KeyState
) -> None:
    placed = _sold(shop)
    if seen:
        _texts(shop, placed, by_buyer=True)

    refund(shop, placed, key="r")

    with site_scope(shop.variant.site_id):
        assert CardKey.objects.filter(state=state).count() == (2 if seen else 6)


def test_a_faulty_key_is_swapped_for_the_next_one_and_never_sold_again(shop: Shop) -> None:
    placed = _sold(shop)
    with site_scope(shop.site.id):
        first, second = collect_goods(fresh(shop, placed), by_buyer=False)

        replace_cards(order_id=placed.order_id, key_id=first.key_id or 0, reason="无效", actor=LIN)

        now = collect_goods(fresh(shop, placed), by_buyer=False)
        assert {goods.text for goods in now} & {first.text, second.text} == {second.text}
        assert len(now) == 2
        with pytest.raises(errors.KeyNotReplaceable):  # not this order's any more
            replace_cards(
                order_id=placed.order_id, key_id=first.key_id or 0, reason="无效", actor=LIN
            )
    with site_scope(shop.variant.site_id):
        assert CardKey.objects.get(id=first.key_id).state == KeyState.FAULTY


def test_without_stock_a_swap_changes_nothing(shop: Shop) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=10**6)
    placed = order(shop, customer=buyer, by_wallet=True, quantity=6)
    before = _texts(shop, placed)
    with site_scope(shop.site.id):
        key_id = collect_goods(fresh(shop, placed), by_buyer=False)[0].key_id or 0
        with pytest.raises(errors.KeyNotReplaceable):
            replace_cards(order_id=placed.order_id, key_id=key_id, reason="无效", actor=LIN)
        assert not Note.objects.filter(kind="key_replaced").exists()

    assert _texts(shop, placed) == before


def test_another_orders_key_cannot_be_swapped(shop: Shop) -> None:
    mine, other = _sold(shop), _sold(shop)
    with site_scope(shop.site.id):
        key_id = collect_goods(fresh(shop, other), by_buyer=False)[0].key_id or 0
        with pytest.raises(errors.KeyNotReplaceable):
            replace_cards(order_id=mine.order_id, key_id=key_id, reason="无效", actor=LIN)
        with pytest.raises(errors.KeyNotReplaceable):
            mark_used(order=fresh(shop, mine), key_id=key_id, is_used=True)


def test_a_service_is_delivered_by_hand_once_and_added_to(shop: Shop, main_site: Site) -> None:
    service = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    (buyer,) = make_buyers(shop.site, 1, amount=10**6)
    placed = order(shop, customer=buyer, by_wallet=True, variant_id=service.id)
    with site_scope(shop.site.id):
        for text in ("已充值到账", "补充说明"):
            deliver_by_hand(order_id=placed.order_id, content=text, actor=LIN)
        kept = [bytes(row.content_cipher) for row in Delivery.objects.all()]
        assert all("已充值".encode() not in cipher for cipher in kept)

    assert _texts(shop, placed) == ["已充值到账", "补充说明"]
    assert fresh(shop, placed).path == [1, 2, 3]
    with platform_scope("a test reads logs"):
        assert EventRow.objects.filter(kind="orders.delivered").count() == 1
        assert AuditEntry.objects.filter(action="order.delivered_by_hand").count() == 2


def test_nothing_is_delivered_by_hand_for_an_unpaid_or_refunded_order(shop: Shop) -> None:
    unpaid, gone = order(shop), _sold(shop)
    refund(shop, gone, key="r")

    with site_scope(shop.site.id):
        for placed in (unpaid, gone):
            with pytest.raises(errors.NotAllowedNow):
                deliver_by_hand(order_id=placed.order_id, content="给", actor=LIN)
            with pytest.raises(errors.NotAllowedNow):
                resend_goods(order_id=placed.order_id, actor=LIN)
        assert not Delivery.objects.exists()


def test_an_order_that_waits_for_keys_gets_them_when_there_are_some(shop: Shop) -> None:
    placed = order(shop, quantity=3)
    payment = payment_of(shop, placed)
    with site_scope(shop.variant.site_id):
        CardKey.objects.update(state=KeyState.WITHDRAWN, order_id=None)
    # Paid while its keys are gone and the gateway cannot give the money back by itself.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kameng.orders.handlers.give_back_late", lambda event: None)
        notify(shop, payment)
    assert fresh(shop, placed).state == State.AWAITING_DELIVERY
    with site_scope(shop.site.id), pytest.raises(errors.OutOfStock):
        deliver_from_stock(order_id=placed.order_id, actor=STAFF)

    make_card_keys(shop.variant, 5)
    with site_scope(shop.site.id):
        deliver_from_stock(order_id=placed.order_id, actor=STAFF)
        with pytest.raises(errors.NotAllowedNow):
            deliver_from_stock(order_id=placed.order_id, actor=STAFF)

    assert fresh(shop, placed).state == State.DELIVERED
    assert count("select count(*) from inventory_cardkey where state = 2") == 3


def test_used_marks_come_and_go(shop: Shop) -> None:
    placed = _sold(shop)
    with site_scope(shop.site.id):
        row = fresh(shop, placed)
        key_id = collect_goods(row, by_buyer=False)[0].key_id or 0
        for _ in range(2):
            mark_used(order=row, key_id=key_id, is_used=True)
        assert [bool(g.used_at) for g in collect_goods(row, by_buyer=False)] == [True, False]
        mark_used(order=row, key_id=key_id, is_used=False)
        assert not any(g.used_at for g in collect_goods(row, by_buyer=False))


def test_another_site_repairs_nothing(shop: Shop, site_b: Site) -> None:
    placed = _sold(shop)

    with site_scope(site_b.id):
        for act in (
            lambda: resend_goods(order_id=placed.order_id, actor=LIN),
            lambda: write_note(order_id=placed.order_id, text="x", actor=LIN),
            lambda: deliver_by_hand(order_id=placed.order_id, content="x", actor=LIN),
            lambda: replace_cards(order_id=placed.order_id, key_id=1, reason="x", actor=LIN),
        ):
            with pytest.raises(errors.OrderNotFound):
                act()
