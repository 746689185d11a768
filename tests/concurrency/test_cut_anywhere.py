"""Operations cut off at each of their exchanges with the database, then repeated: once, whole.

The random kills of `tests/kill` hit the whole system; these hit every single place. That a cut
deed sometimes stands already and sometimes not is asserted too: a cut that never bites proves
nothing, and the control shows what a repeat without its key would do there.
"""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kameng.catalog.models import ImportState, Product
from kameng.catalog.selectors import get_import
from kameng.config.wiring import AFTER_COMMIT
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.core.events import consume
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardBatch, CardKey
from kameng.inventory.services.importing import (
    KeyImport,
    confirm_key_import,
    run_key_import,
    start_key_paste,
)
from kameng.ledger.selectors import prepaid_balance, wallet_amount
from kameng.orders import errors
from kameng.orders.rules import State
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.waiting import deliver_waiting
from kameng.payments.models import GatewayRefund, RefundState
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import RefundOutcome, RefundRequest, RefundStatus
from kameng.payments.services.prepaying import adjust_prepaid, book_prepaid
from kameng.payments.services.refunding import ask_due_refunds
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.cutting import Cut, cut, cut_everywhere
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    connect_gateway,
    count,
    fresh,
    make_buyers,
    make_due,
    notify,
    open_shop,
    order,
    payment_of,
    price_of,
    refund,
)

KEYS_OF = "select count(*) from inventory_cardkey where state = %s and order_id = %s"
RESERVED, SOLD = 1, 2
_numbers = itertools.count(1)


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    """As for races, with keys enough for every cut."""
    return open_shop(main_site, site_a, keys=400)


@dataclass(kw_only=True)
class Placing:
    """A customer buys from the wallet, or holds keys to pay later; repeats with the same key."""

    shop: Shop
    by_wallet: bool
    key: str = field(default_factory=lambda: f"cut-{next(_numbers)}")
    placed: list[PlacedOrder] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.price = price_of(self.shop)
        (self.customer,) = make_buyers(self.shop.site, 1, amount=self.price * 2)

    def act(self) -> None:
        self.placed.append(
            order(self.shop, customer=self.customer, by_wallet=self.by_wallet, key=self.key)
        )

    def stands(self) -> bool:
        return self._orders() == 1

    def check(self) -> None:
        assert self._orders() == 1
        (placed,) = {(each.order_id, each.order_no) for each in self.placed}
        assert count(KEYS_OF, SOLD if self.by_wallet else RESERVED, placed[0]) == 1
        with site_scope(self.shop.site.id):
            assert wallet_amount(self.customer.id) == self.price * (1 if self.by_wallet else 2)
        payments = count("select count(*) from payments_payment where subject_id = %s", placed[0])
        assert payments == (0 if self.by_wallet else 1)

    def _orders(self) -> int:
        return count("select count(*) from orders_order where customer_id = %s", self.customer.id)


@pytest.mark.parametrize("by_wallet", [True, False])
def test_an_order_cut_off_anywhere_is_placed_once(shop: Shop, by_wallet: bool) -> None:
    stood = cut_everywhere(lambda: Placing(shop=shop, by_wallet=by_wallet))

    assert set(stood) == {True, False}


def test_control_a_repeat_with_another_key_buys_again(shop: Shop) -> None:
    """Where the order stood already, nothing but its key keeps the repeat from being another."""
    doubled = 0
    for at in range(1, 20):
        deed = Placing(shop=shop, by_wallet=True)
        if not cut(deed.act, at=at, is_answered=True):
            break
        stood = deed.stands()
        deed.key += "-other"
        deed.act()
        doubled += stood and deed._orders() == 2

    assert doubled >= 1


@dataclass(kw_only=True)
class Paying:
    """A gateway says that an order was paid; it says so again until it hears yes."""

    shop: Shop

    def __post_init__(self) -> None:
        self.placed = order(self.shop)
        self.payment = payment_of(self.shop, self.placed)

    def act(self) -> None:
        assert notify(self.shop, self.payment).accepted

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).state == State.DELIVERED

    def check(self) -> None:
        assert self.stands()
        assert count(KEYS_OF, SOLD, self.placed.order_id) == 1
        for code in (20, 30):
            assert count(POSTED, self.placed.order_id, code) == 1


POSTED = (
    "select count(*) from ledger_transfer where reference_kind = 1 and reference_id = %s"
    " and code = %s"
)


def test_a_callback_cut_off_anywhere_delivers_once(shop: Shop) -> None:
    stood = cut_everywhere(lambda: Paying(shop=shop))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class GivingUp:
    """An unpaid order is cancelled by staff, or its time is over."""

    shop: Shop
    give_up: Callable[[Shop, PlacedOrder], None]
    end: State

    def __post_init__(self) -> None:
        self.placed = order(self.shop)

    def act(self) -> None:
        self.give_up(self.shop, self.placed)

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).state == self.end

    def check(self) -> None:
        assert self.stands()
        assert count("select count(*) from inventory_cardkey where order_id = %s",
                     self.placed.order_id) == 0  # fmt: skip
        assert count(CLOSED, self.placed.order_id) == 1


CLOSED = "select count(*) from core_event where kind = 'orders.closed' and subject_id = %s"


def _cancel(shop: Shop, placed: PlacedOrder) -> None:
    try:
        cancel(shop, placed)
    except errors.NotAllowedNow:
        assert fresh(shop, placed).state == State.CANCELLED


def _expire(shop: Shop, placed: PlacedOrder) -> None:
    if fresh(shop, placed).state == State.AWAITING_PAYMENT:
        make_due(shop, placed)
    with platform_scope("a test expires"):
        expire_orders()


@pytest.mark.parametrize(("give_up", "end"), [(_cancel, State.CANCELLED), (_expire, State.EXPIRED)])
def test_an_order_given_up_and_cut_off_anywhere_lets_go_once(
    shop: Shop, give_up: Callable[[Shop, PlacedOrder], None], end: State
) -> None:
    stood = cut_everywhere(lambda: GivingUp(shop=shop, give_up=give_up, end=end))

    assert set(stood) == {True, False}


PART = 30_000


@dataclass(kw_only=True)
class MixedPaying:
    """The gateway says that the rest of an order was paid, which a wallet pays a part of."""

    shop: Shop
    is_late: bool

    def __post_init__(self) -> None:
        (self.customer,) = make_buyers(self.shop.site, 1, amount=PART)
        self.placed = order(self.shop, customer=self.customer, wallet_part=PART)
        self.payment = payment_of(self.shop, self.placed)
        if self.is_late:
            cancel(self.shop, self.placed)

    def act(self) -> None:
        assert notify(self.shop, self.payment).accepted

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).state == State.DELIVERED

    def check(self) -> None:
        assert self.stands()
        taken, back = (count(POSTED, self.placed.order_id, code) for code in (36, 37))
        assert (taken, back) == ((2, 1) if self.is_late else (1, 0))
        with site_scope(self.shop.site.id):
            assert wallet_amount(self.customer.id) == 0


@pytest.mark.parametrize("is_late", [False, True])
def test_a_mixed_payment_cut_off_anywhere_takes_the_wallets_part_once(
    shop: Shop, is_late: bool
) -> None:
    stood = cut_everywhere(lambda: MixedPaying(shop=shop, is_late=is_late))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class MixedGivingUp:
    """An unpaid order with a wallet's part is cancelled."""

    shop: Shop

    def __post_init__(self) -> None:
        (self.customer,) = make_buyers(self.shop.site, 1, amount=PART)
        self.placed = order(self.shop, customer=self.customer, wallet_part=PART)

    def act(self) -> None:
        _cancel(self.shop, self.placed)

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).state == State.CANCELLED

    def check(self) -> None:
        assert self.stands()
        assert count(POSTED, self.placed.order_id, 37) == 1
        with site_scope(self.shop.site.id):
            assert wallet_amount(self.customer.id) == PART


def test_a_mixed_order_given_up_and_cut_off_anywhere_gives_back_once(shop: Shop) -> None:
    stood = cut_everywhere(lambda: MixedGivingUp(shop=shop))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class Prepaying:
    """The main site's staff book a transfer, and what waits for it goes out; once a key."""

    shop: Shop
    key: str = field(default_factory=lambda: f"cut-{next(_numbers)}")

    def __post_init__(self) -> None:
        site_id = self.shop.site.id
        with site_scope(site_id):
            self.before = prepaid_balance(site_id).posted_amount
            adjust_prepaid(site_id=site_id, amount=WHOLESALE, reason="x", actor=STAFF)
        self.placed = order(self.shop)
        with site_scope(site_id):
            adjust_prepaid(site_id=site_id, amount=-WHOLESALE, reason="x", actor=STAFF)
        notify(self.shop, payment_of(self.shop, self.placed))
        assert fresh(self.shop, self.placed).awaits_prepaid

    def act(self) -> None:
        site_id = self.shop.site.id
        with site_scope(site_id):
            book_prepaid(
                site_id=site_id,
                amount=WHOLESALE,
                reason="转账",
                idempotency_key=self.key,
                actor=STAFF,
            )
            deliver_waiting(site_id)

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).state == State.DELIVERED

    def check(self) -> None:
        assert self.stands()
        assert count(POSTED, self.placed.order_id, 34) == 1
        assert count(KEYS_OF, SOLD, self.placed.order_id) == 1
        with site_scope(self.shop.site.id):
            left = prepaid_balance(self.shop.site.id).posted_amount
        assert left == self.before


WHOLESALE = 99_000  # of one piece


def test_a_prepayment_cut_off_anywhere_counts_once_and_delivers_once(
    main_site: Site, site_a: Site
) -> None:
    plain = open_shop(main_site, site_a, keys=400)
    Site.objects.filter(id=site_a.id).update(settlement_way=SettlementWay.PREPAID)
    own = Shop(site=site_a, variant=plain.variant, choice=connect_gateway(site_a))

    stood = cut_everywhere(lambda: Prepaying(shop=own))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class Refunding:
    """Staff send money back; the worker asks the gateway until the outcome is known."""

    shop: Shop
    given: Counter[str]  # what the gateway paid out, by refund number: a number pays once

    def __post_init__(self) -> None:
        self.placed = order(self.shop)
        assert notify(self.shop, payment_of(self.shop, self.placed)).accepted
        self.total = fresh(self.shop, self.placed).total_amount
        self.given.clear()

    def act(self) -> None:
        refund(self.shop, self.placed, key="cut")
        with site_scope(self.shop.site.id):  # as time passes
            GatewayRefund.objects.filter(state=RefundState.WAITING).update(
                next_attempt_at=clock.now() - dt.timedelta(seconds=1)
            )
        ask_due_refunds()

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).state == State.REFUNDED

    def check(self) -> None:
        assert self.stands()
        assert list(self.given.values()) == [self.total]
        assert count(POSTED, self.placed.order_id, 40) == 1
        assert count(POSTED, self.placed.order_id, 51) == 1


def test_a_refund_cut_off_anywhere_pays_out_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: Counter[str] = Counter()

    def look(_self: Any, _config: Any, request: RefundRequest) -> RefundOutcome:
        done = request.refund_no in given
        return RefundOutcome(status=RefundStatus.DONE if done else RefundStatus.UNKNOWN)

    def give_back(_self: Any, _config: Any, request: RefundRequest) -> RefundOutcome:
        given[request.refund_no] += request.amount
        return RefundOutcome(status=RefundStatus.DONE)

    monkeypatch.setattr(EpayProvider, "query_refund", look)
    monkeypatch.setattr(EpayProvider, "refund", give_back)

    stood = cut_everywhere(lambda: Refunding(shop=shop, given=given))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class Counting:
    """The worker adds a sale to its product's counter."""

    shop: Shop

    def __post_init__(self) -> None:
        self.consumer = next(each for each in AFTER_COMMIT if each.name == "orders.count_sales")
        (customer,) = make_buyers(self.shop.site, 1, amount=price_of(self.shop))
        self.before = self._sold()
        order(self.shop, customer=customer, by_wallet=True)

    def act(self) -> None:
        kinds = [event.KIND for event in self.consumer.events]
        consume(self.consumer.name, kinds, self.consumer.handler)

    def stands(self) -> bool:
        return self._sold() == self.before + 1

    def check(self) -> None:
        assert self.stands()

    def _sold(self) -> int:
        with platform_scope("a test counts"):
            product = Product.unscoped.get(id=self.shop.variant.product_id)
        return int(product.sold_count)


def test_a_reaction_cut_off_anywhere_happens_once(shop: Shop) -> None:
    stood = cut_everywhere(lambda: Counting(shop=shop))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class Importing:
    """Staff let an import run, which is short and runs at once; a worker looks after it later."""

    shop: Shop

    def __post_init__(self) -> None:
        self.stem = f"CUT{next(_numbers):04d}"
        with site_scope(self.shop.variant.site_id):
            wanted = KeyImport(variant_id=self.shop.variant.id, label=self.stem)
            text = "\n".join(f"{self.stem}-{line}----P{line}" for line in range(5))
            self.job_id = start_key_paste(text, wanted=wanted, actor=SYSTEM).id

    def act(self) -> None:
        with site_scope(self.shop.variant.site_id):
            if get_import(self.job_id).state == ImportState.DRAFT:
                confirm_key_import(self.job_id, actor=SYSTEM)
            run_key_import(self.job_id)  # what the worker does a minute later

    def stands(self) -> bool:
        return self._keys() == 5

    def check(self) -> None:
        with site_scope(self.shop.variant.site_id):
            job = get_import(self.job_id)
            assert job.state == ImportState.DONE
            assert (job.done_count, job.created_count, job.problem_count) == (5, 5, 0)
            assert CardBatch.objects.get(label=self.stem).key_count == self._keys() == 5
        assert count(NETS, self.job_id) == 1

    def _keys(self) -> int:
        with site_scope(self.shop.variant.site_id):
            batches = CardBatch.objects.filter(label=self.stem)
            found: int = CardKey.objects.filter(batch_id__in=batches.values("id")).count()
        return found


NETS = (
    "select count(*) from procrastinate_jobs where task_name = 'inventory.import_keys'"
    " and (args->>'job_id')::bigint = %s"
)


def test_an_import_cut_off_anywhere_stores_each_key_once(shop: Shop) -> None:
    stood = cut_everywhere(lambda: Importing(shop=shop))

    assert set(stood) == {True, False}


def test_a_dead_process_does_nothing_more(shop: Shop) -> None:
    """The instrument itself: after the cut neither a rollback nor a new connection goes out."""
    tried: list[type[BaseException]] = []

    def act() -> None:
        try:
            price_of(shop)
            order(shop)
        except Cut:
            for _again in range(3):
                try:
                    order(shop)
                except BaseException as fault:
                    tried.append(type(fault))
            raise

    assert cut(act, at=1, is_answered=True)
    assert tried == [Cut] * 3
    assert count("select count(*) from orders_order") == 0
