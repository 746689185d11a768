"""Refunds: each side gives back exactly its own part, to the wallet, the source or by hand."""

import pytest

from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.store import balance_of
from kameng.orders import errors
from kameng.orders.models import Note, OrderRefund, RefundTo
from kameng.orders.rules import State
from kameng.orders.services.refunding import RefundWish, refund_order
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
    price_of,
    refund,
)


def _balances(shop: Shop, main: Site) -> list[int]:
    kinds = AccountKind
    return [
        balance_of(account_id(kinds.SALES, main.id)),
        balance_of(account_id(kinds.SITE_MARGIN, shop.site.id)),
        balance_of(account_id(kinds.ORDER_SUSPENSE, shop.site.id)),
    ]


def test_parts_of_any_size_add_up_to_the_sale(shop: Shop, main_site: Site) -> None:
    price = price_of(shop)
    (mei,) = make_buyers(shop.site, 1, amount=price)
    placed = order(shop, customer=mei, by_wallet=True)

    left = price
    for number, part in enumerate([100, 33_300, 12_300, 700]):
        refund(shop, placed, key=f"r{number}", amount=part, to_wallet=True)
        left -= part
        sales, margin, suspense = _balances(shop, main_site)
        assert (sales + margin, suspense) == (left, 0)
        assert min(sales, margin) >= 0
    refund(shop, placed, key="rest", to_wallet=True)

    assert _balances(shop, main_site) == [0, 0, 0]
    assert fresh(shop, placed).path == [1, 2, 3, 6, 7]
    with site_scope(shop.site.id):
        assert wallet_amount(mei.id) == price
        parts = OrderRefund.objects.values_list("own_amount", "margin_amount", "fee_amount")
        assert sum(map(sum, parts)) == price


@pytest.mark.parametrize("amount", [0, -100, 1, 50, 10**12])
def test_an_amount_that_is_too_large_or_no_whole_fen_is_refused(shop: Shop, amount: int) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=price_of(shop))
    placed = order(shop, customer=mei, by_wallet=True)

    with pytest.raises(errors.RefundTooLarge):
        refund(shop, placed, key="r", amount=amount, to_wallet=True)

    assert fresh(shop, placed).refunded_amount == 0


def test_money_goes_only_where_there_is_a_way(shop: Shop) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=price_of(shop))
    by_wallet, by_guest = order(shop, customer=mei, by_wallet=True), order(shop)
    notify(shop, payment_of(shop, by_guest))

    with pytest.raises(errors.RefundRouteMissing):
        refund(shop, by_wallet, key="r")
    with pytest.raises(errors.RefundRouteMissing):
        refund(shop, by_guest, key="r", to_wallet=True)

    assert count("select count(*) from orders_orderrefund") == 0


def test_what_staff_paid_by_hand_is_in_the_books(shop: Shop, main_site: Site) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    total = fresh(shop, placed).total_amount
    wish = RefundWish(
        amount=None, refund_to=RefundTo.HAND, reason="微信转账退回", idempotency_key="hand"
    )

    with site_scope(shop.site.id):
        refund_order(order_id=placed.order_id, wish=wish, actor=STAFF)

    assert fresh(shop, placed).state == State.REFUNDED
    assert balance_of(account_id(AccountKind.ADJUSTMENTS, shop.site.id)) == total
    assert _balances(shop, main_site)[2] == 0
    with platform_scope("a test reads the audit log"):
        entry = AuditEntry.objects.get(action="order.refunded")
    assert entry.detail == {"amount": total, "to": "HAND", "reason": "微信转账退回"}


@pytest.mark.parametrize("state", ["unpaid", "cancelled", "refunded"])
def test_only_a_paid_order_is_refunded(shop: Shop, state: str) -> None:
    from tests.concurrency.shop import cancel

    placed = order(shop)
    if state == "cancelled":
        cancel(shop, placed)
    if state == "refunded":
        notify(shop, payment_of(shop, placed))
        refund(shop, placed, key="first")

    with pytest.raises(errors.NotAllowedNow):
        refund(shop, placed, key="r")


def test_another_sites_order_is_not_refunded(shop: Shop, site_b: Site) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    wish = RefundWish(amount=None, refund_to=RefundTo.SOURCE, reason="x", idempotency_key="r")

    with site_scope(site_b.id), pytest.raises(errors.OrderNotFound):
        refund_order(order_id=placed.order_id, wish=wish, actor=STAFF)

    assert fresh(shop, placed).state == State.DELIVERED


def test_money_that_finds_no_way_back_is_told_to_staff(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway without refunds, a guest without wallet: a person must see it."""
    from kameng.orders.services.closing import expire_orders
    from kameng.payments.providers.epay.provider import EpayProvider
    from tests.concurrency.shop import make_due

    monkeypatch.setattr(EpayProvider, "supports_refund", False)
    late = order(shop, quantity=3)
    make_due(shop, late)
    with platform_scope("a test expires orders"):
        expire_orders()
    (buyer,) = make_buyers(shop.site, 1, amount=10**6)
    order(shop, customer=buyer, by_wallet=True, quantity=5)

    assert notify(shop, payment_of(shop, late)).accepted

    assert fresh(shop, late).state == State.AWAITING_DELIVERY
    with site_scope(shop.site.id):
        kinds = set(Note.objects.filter(order_id=late.order_id).values_list("kind", flat=True))
    assert {"late_payment", "late_unrefundable"} <= kinds
