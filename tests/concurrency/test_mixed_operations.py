"""A thousand random operations in twenty threads: no circle of locks, no breach, no raw fault."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kameng.catalog.models import DeliveryKind, Variant
from kameng.core.errors import Refusal
from kameng.core.scope import platform_scope
from kameng.inventory.models import StockLevel
from kameng.ledger.services import adjust_wallet, roll_up_balances
from kameng.orders.models import Order, OrderRefund, OrderRefundState
from kameng.orders.rules import State
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.paying import pay_from_wallet
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.refunding import settle_refused_refund
from kameng.payments.models import GatewayRefund, Purpose
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import RefundOutcome, RefundStatus
from kameng.payments.selectors import find_open_payment
from kameng.payments.services.confirming import Reply
from kameng.payments.services.refunding import ask_refund
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.circle import PASSING, meets_a_circle, race_with_first_locks
from tests.concurrency.guards import without_guard
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    fresh,
    make_buyers,
    make_due,
    notify,
    open_shop,
    order,
    refund,
)
from tests.factories import make_card_keys, make_product, make_variant

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
THREADS, STEPS = 20, 50


class Market:
    """What the threads act on: two card goods, two counted services, four buyers, open orders."""

    def __init__(self, main: Site, site: Site) -> None:
        self.shop: Shop = open_shop(main, site, keys=150)
        other = make_variant(make_product(main))
        make_card_keys(other, 150)
        self.variants: list[Variant] = [self.shop.variant, other]
        service = make_product(main, delivery_kind=DeliveryKind.MANUAL)
        for _ in range(2):
            variant = make_variant(service)
            self.variants.append(variant)
            with site_scope(main.id):
                StockLevel.objects.create(
                    site_id=main.id, variant_id=variant.id, available_count=60
                )
        self.buyers = make_buyers(site, 4, amount=3_000_000)
        self.placed: list[PlacedOrder] = []

    def act(self, dice: random.Random) -> str:
        """Do one random thing; return what it was."""
        acts = [self._place] * 5 + [self._notify] * 3 + [self._refund] * 2
        acts += [self._cancel, self._expire, self._pay, self._adjust, self._ask, self._settle]
        act = dice.choice(acts)
        act(dice)
        return act.__name__

    def _some(self, dice: random.Random) -> PlacedOrder:
        recent = self.placed[-30:]
        return dice.choice(recent) if recent else self._place(dice)

    def _place(self, dice: random.Random) -> PlacedOrder:
        placed = order(
            self.shop,
            customer=dice.choice(self.buyers) if dice.random() < 0.8 else None,
            by_wallet=dice.random() < 0.5,
            quantity=dice.choice([1, 1, 2]),
            variant_id=dice.choice(self.variants).id,
        )
        self.placed.append(placed)
        return placed

    def _notify(self, dice: random.Random) -> None:
        placed = self._some(dice)
        with site_scope(self.shop.site.id):
            payment = find_open_payment(Purpose.ORDER, paid_for=placed.order_id)
        if payment is not None:
            notify(self.shop, payment)

    def _cancel(self, dice: random.Random) -> None:
        cancel(self.shop, self._some(dice))

    def _expire(self, dice: random.Random) -> None:
        for _ in range(3):
            placed = self._some(dice)
            with site_scope(self.shop.site.id):
                if Order.objects.get(id=placed.order_id).state == 1:
                    make_due(self.shop, placed)
        expire_orders()

    def _pay(self, dice: random.Random) -> None:
        placed = self._some(dice)
        with site_scope(self.shop.site.id):
            unpaid = Order.objects.get(id=placed.order_id)
            pay_from_wallet(order=unpaid, customer_id=unpaid.customer_id or 0)

    def _refund(self, dice: random.Random) -> None:
        amount = dice.choice([None, None, 10_000, 20_000])
        refund(
            self.shop,
            self._some(dice),
            key=str(dice.random()),
            amount=amount,
            to_wallet=dice.random() < 0.5,
        )

    def _ask(self, dice: random.Random) -> None:
        with site_scope(self.shop.site.id):
            asked = GatewayRefund.objects.order_by("-id").values_list("id", flat=True)[:5]
            if asked:
                ask_refund(dice.choice(list(asked)))

    def _settle(self, dice: random.Random) -> None:
        with site_scope(self.shop.site.id):
            refused = OrderRefund.objects.filter(state=OrderRefundState.REFUSED)
            found = refused.order_by("-id").first()
            if found is not None:
                way = dice.choice(["again", "wallet", "hand"])
                settle_refused_refund(refund_id=found.id, way=way, reason="测试", actor=STAFF)

    def _adjust(self, dice: random.Random) -> None:
        with site_scope(self.shop.site.id):
            adjust_wallet(
                site_id=self.shop.site.id,
                customer_id=dice.choice(self.buyers).id,
                amount=dice.choice([50_000, -70_000]),
                reason="测试",
                actor=STAFF,
            )


@pytest.fixture
def market(main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch) -> Market:
    dice = random.Random(7)
    answers = [RefundStatus.DONE, RefundStatus.REFUSED, RefundStatus.UNKNOWN]
    monkeypatch.setattr(
        EpayProvider, "refund", lambda *_: RefundOutcome(status=dice.choice(answers))
    )
    monkeypatch.setattr(
        EpayProvider, "query_refund", lambda *_: RefundOutcome(status=RefundStatus.UNKNOWN)
    )
    return Market(main_site, site_a)


def _rush(market: Market, run_parallel: Parallel, *, steps: int) -> Counter[str]:
    """Let the threads act; return how often each thing was done, and each fault that came."""

    def work(index: int) -> Counter[str]:
        dice, seen = random.Random(index), Counter[str]()
        for _ in range(steps):
            try:
                seen[market.act(dice)] += 1
            except Refusal:
                seen["refused"] += 1
            except Exception as fault:
                seen[f"fault {type(fault).__name__}: {fault}"[:200]] += 1
        return seen

    total = Counter[str]()
    for seen in run_parallel(THREADS, work):
        assert isinstance(seen, Counter), seen
        total += seen
    return total


def test_a_thousand_crossed_operations_neither_circle_nor_break_anything(
    market: Market, run_parallel: Parallel
) -> None:
    seen = _rush(market, run_parallel, steps=STEPS)

    assert {name: n for name, n in seen.items() if name.startswith("fault")} == {}
    assert sum(seen.values()) == THREADS * STEPS
    assert all(seen[f"_{act}"] for act in ("place", "notify", "refund", "cancel", "expire", "ask"))
    with platform_scope("roll up"):
        roll_up_balances()


@pytest.mark.parametrize("closing", ["orders_close", "orders_expire"])
def test_who_confirms_and_who_gives_up_pass_each_other_with_their_first_locks(
    closing: str, market: Market, run_parallel: Parallel
) -> None:
    for placed, (given_up, reply) in race_with_first_locks(market.shop, run_parallel, closing):
        assert given_up in (None, 1)  # cancelled, or one order expired: it was held first
        assert isinstance(reply, Reply)
        assert reply.accepted
        assert fresh(market.shop, placed).path == [
            State.AWAITING_PAYMENT,
            State.CANCELLED if closing == "orders_close" else State.EXPIRED,
            State.AWAITING_DELIVERY,
            State.DELIVERED,
        ]


@pytest.mark.parametrize("closing", ["orders_close", "orders_expire"])
def test_control_locks_in_another_order_end_in_a_circle(
    closing: str, wrecked_db: None, market: Market, run_parallel: Parallel
) -> None:
    """The race above, but waiting for the payment: with the guard there no round has a circle."""
    with without_guard("payments_give_up", PASSING):
        assert meets_a_circle(market.shop, run_parallel, closing)
