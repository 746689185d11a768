"""Twenty at once on payments: one credit, one delivery, one refund; each with its control."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.orders.models import Order, RefundTo
from kameng.orders.rules import State
from kameng.orders.services.closing import cancel_order, expire_orders
from kameng.orders.services.refunding import refund_order
from kameng.payments.services.confirming import Reply
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import without_guard
from tests.concurrency.shop import (
    STAFF,
    Shop,
    count,
    fresh,
    notify,
    order,
    payment_of,
)

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
ROUNDS = 3
SALES = "select count(*) from ledger_transfer where code = 30"
RECEIPTS = "select count(*) from ledger_transfer where code = 20"


def test_one_callback_a_hundred_times_is_one_credit_and_one_delivery(
    committed_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)

    replies = [r for _ in range(5) for r in run_parallel(20, lambda _i: notify(shop, payment))]

    assert all(isinstance(r, Reply) and r.accepted for r in replies), replies
    assert fresh(shop, placed).state == State.DELIVERED
    assert count(RECEIPTS) == 1
    assert count(SALES) == 1
    assert count("select count(*) from inventory_cardkey where state = 2") == 1
    assert count("select count(*) from payments_proof") == 1


def test_control_without_the_lock_on_the_payment_a_callback_counts_twice(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    edits = (
        ("where payment_no = p_payment_no for no key update", "where payment_no = p_payment_no"),
        ("    if p.state in (2, 4) then", "    perform pg_sleep(0.1);\n    if p.state in (2, 4) then"),
        ("insert into payments_proof (payment_id, site_id, source, raw_digest, note)\n"
         "    values (p.id, p.site_id, p_source, p_digest, p_note);",
         "insert into payments_proof (payment_id, site_id, source, raw_digest, note)\n"
         "    values (p.id, p.site_id, p_source, p_digest, p_note) on conflict do nothing;"),
    )  # fmt: skip
    placed = order(shop)
    payment = payment_of(shop, placed)

    with without_guard("payments_confirm", *edits):
        run_parallel(8, lambda _i: notify(shop, payment))

    assert count(RECEIPTS) > 1


def test_cancel_against_pay_ends_in_delivery_or_refund_never_both(
    committed_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    for _round in range(ROUNDS):
        placed = order(shop)
        payment = payment_of(shop, placed)

        def act(index: int, placed: Any = placed, payment: Any = payment) -> Any:
            if index % 2:
                return notify(shop, payment)
            with site_scope(shop.site.id):
                return cancel_order(order=Order.objects.get(id=placed.order_id), actor=STAFF)

        run_parallel(20, act)

        done = fresh(shop, placed)
        assert done.state == State.DELIVERED
        assert (
            count(
                "select count(*) from inventory_cardkey where order_id = %s and state = 2", done.id
            )
            == 1
        )
        assert count(f"{SALES} and reference_id = %s", done.id) == 1


def test_expiry_against_pay_delivers_once_and_keeps_no_reservation(
    committed_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    for _round in range(ROUNDS):
        placed = order(shop)
        payment = payment_of(shop, placed)
        with site_scope(shop.site.id):
            Order.objects.filter(id=placed.order_id).update(expires_at="2020-01-01T00:00:00Z")

        def act(index: int, payment: Any = payment) -> Any:
            return notify(shop, payment) if index % 2 else expire_orders()

        run_parallel(20, act)

        done = fresh(shop, placed)
        assert done.state == State.DELIVERED
        assert count("select count(*) from inventory_reservation") == 0
        assert (
            count(
                "select count(*) from inventory_cardkey where order_id = %s and state = 2", done.id
            )
            == 1
        )


def test_parallel_cancels_release_once(
    committed_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop, quantity=2)

    def cancel(_index: int) -> Any:
        with site_scope(shop.site.id):
            return cancel_order(order=Order.objects.get(id=placed.order_id), actor=STAFF)

    outcomes = run_parallel(20, cancel)

    assert outcomes.count(None) == 1
    assert fresh(shop, placed).path == [1, 4]
    assert count("select count(*) from core_event where kind = 'orders.closed'") == 1
    assert count("select count(*) from inventory_cardkey where state = 0") == 12


def test_refunds_at_once_never_exceed_the_payment(
    committed_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    total = fresh(shop, placed).total_amount

    def refund(index: int) -> Any:
        with site_scope(shop.site.id):
            return refund_order(
                order_id=placed.order_id,
                amount=total,
                refund_to=RefundTo.SOURCE,
                reason="不要了",
                idempotency_key=f"r{index}",
                actor=STAFF,
            )

    outcomes = run_parallel(20, refund)

    assert sum(not isinstance(o, Exception) for o in outcomes) == 1, outcomes
    assert fresh(shop, placed).refunded_amount == total
    assert count("select coalesce(sum(amount), 0)::bigint from payments_gatewayrefund") == total
    assert count("select count(*) from ledger_transfer where code = 40") == 1


def test_control_without_the_lock_on_the_order_refunds_exceed_the_payment(
    wrecked_db: None, shop: Shop, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kameng.orders.services import refunding

    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    total = fresh(shop, placed).total_amount
    monkeypatch.setattr(refunding, "lock_order", lambda order_id: Order.objects.get(id=order_id))
    monkeypatch.setattr(refunding, "_mark_refunding", lambda order, amount: None)
    monkeypatch.setattr(refunding, "_ask_source", lambda order, refund: None)

    def refund(index: int) -> Any:
        with site_scope(shop.site.id):
            return refund_order(
                order_id=placed.order_id,
                amount=total,
                refund_to=RefundTo.SOURCE,
                reason="不要了",
                idempotency_key=f"r{index}",
                actor=STAFF,
            )

    run_parallel(8, refund)

    assert count("select count(*) from ledger_transfer where code = 40") > 1


def test_the_same_refund_key_gives_the_first_refund_again(
    committed_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))

    def refund(_index: int) -> Any:
        with site_scope(shop.site.id):
            return refund_order(
                order_id=placed.order_id,
                amount=10_000,
                refund_to=RefundTo.SOURCE,
                reason="部分退款",
                idempotency_key="same",
                actor=STAFF,
            ).id

    monkey = run_parallel(20, refund)

    # 易支付 v1 knows whole refunds only: the part is refused for all, and nothing has moved.
    assert all(isinstance(o, Exception) for o in monkey)
    assert fresh(shop, placed).refunded_amount == 0
    assert count("select count(*) from ledger_transfer where code = 40") == 0
