"""Top-ups: the bonus that was promised, and a wallet that never holds more than its cap."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from kameng.accounts.models import Customer
from kameng.accounts.services.marking import mark_named
from kameng.core import clock
from kameng.ledger.accounts import AccountKind
from kameng.ledger.services import adjust_wallet
from kameng.payments.errors import (
    BonusRuleInvalid,
    PaymentClosed,
    TopUpKeyReused,
    WalletFull,
)
from kameng.payments.models import Bonus, GatewayRefund, Payment, PaymentState, RefundState
from kameng.payments.selectors import list_mismatched
from kameng.payments.services import crediting, paying
from kameng.payments.services.bonuses import end_bonus_rule, list_tiers_for
from kameng.payments.services.crediting import room_of
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import STAFF, Shop, count, of_kind
from tests.factories import make_customer
from tests.payments.filling import (
    YUAN,
    Purse,
    RefundDesk,
    ask_gateways,
    balance,
    give,
    pay,
    set_rules,
)

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
BONUSES = "select count(*) from ledger_transfer where code = 12"


def test_a_top_up_brings_the_bonus_of_its_tier_in_the_same_moment(purse: Purse) -> None:
    give(purse.shop, min_amount=100 * YUAN, bonus_bps=500)

    top_up = purse.fill(200 * YUAN)

    assert (top_up.bonus_amount, purse.held) == (10 * YUAN, 210 * YUAN)
    assert balance(AccountKind.GIFTS, purse.shop.site.id) == -10 * YUAN
    assert balance(AccountKind.ORDER_SUSPENSE, purse.shop.site.id) == 0
    assert count("select count(distinct xid) from ledger_transfer where code in (10, 12)") == 1


def test_a_repeated_confirmation_brings_no_second_bonus(purse: Purse) -> None:
    give(purse.shop, min_amount=YUAN, bonus_amount=YUAN)
    top_up, payment = purse.begin(100 * YUAN)
    for _time in range(3):
        pay(payment)

    assert purse.held == 101 * YUAN
    with site_scope(purse.shop.site.id):
        assert Bonus.objects.filter(top_up_id=top_up.id).count() == 1


def test_what_was_promised_is_kept_when_the_rule_ends(purse: Purse) -> None:
    rule_id = give(purse.shop, min_amount=YUAN, bonus_amount=YUAN)
    _top_up, payment = purse.begin(100 * YUAN)
    with site_scope(purse.shop.site.id):
        end_bonus_rule(rule_id, actor=STAFF)
        assert list_tiers_for(purse.customer.id) == []
    pay(payment)

    assert purse.held == 101 * YUAN


def test_a_rule_outside_its_days_gives_nothing(purse: Purse) -> None:
    now = clock.now()
    give(
        purse.shop,
        min_amount=YUAN,
        bonus_amount=YUAN,
        starts_at=now + dt.timedelta(days=1),
        ends_at=now + dt.timedelta(days=2),
    )
    assert purse.begin(10 * YUAN)[0].bonus_amount == 0
    with time_machine.travel(now + dt.timedelta(days=1, hours=1), tick=False):
        assert purse.begin(10 * YUAN)[0].bonus_amount == YUAN
    with time_machine.travel(now + dt.timedelta(days=2), tick=False):
        assert purse.begin(10 * YUAN)[0].bonus_amount == 0


def test_a_rule_for_the_first_time_gives_once_a_customer(purse: Purse, shop: Shop) -> None:
    give(shop, min_amount=YUAN, bonus_amount=YUAN, is_once=True)
    _one, first = purse.begin(10 * YUAN)
    _two, second = purse.begin(10 * YUAN)  # promised too: the first is not paid yet
    pay(first)
    pay(second)
    assert purse.held == 21 * YUAN

    purse.fill(10 * YUAN)
    assert purse.held == 31 * YUAN
    other = Purse(shop=shop, customer=make_customer(shop.site))
    other.fill(10 * YUAN)
    assert other.held == 11 * YUAN


@pytest.mark.parametrize(
    "terms",
    [
        {"min_amount": 0, "bonus_amount": YUAN},
        {"min_amount": YUAN},
        {"min_amount": YUAN, "bonus_amount": YUAN, "bonus_bps": 100},
        {"min_amount": YUAN, "bonus_amount": 50},
        {"min_amount": YUAN, "bonus_bps": 10_001},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    any_db: None, shop: Shop, terms: dict[str, int]
) -> None:
    with pytest.raises(BonusRuleInvalid):
        give(shop, **terms)


def test_an_unnamed_customer_holds_less_than_a_named_one(any_db: None, shop: Shop) -> None:
    purse = Purse(shop=shop, customer=make_customer(shop.site))
    with pytest.raises(WalletFull):
        purse.begin(1000 * YUAN + 100)
    purse.fill(1000 * YUAN)
    with pytest.raises(WalletFull):
        purse.begin(YUAN)

    with site_scope(shop.site.id):
        mark_named(purse.customer.id, is_named=True, reason="看过身份证", actor=STAFF)
    purse.fill(4000 * YUAN)
    with pytest.raises(WalletFull):
        purse.begin(YUAN)


def test_a_shop_may_lower_the_cap(purse: Purse) -> None:
    set_rules(purse.shop, named_cap_amount=200 * YUAN)
    purse.begin(150 * YUAN)
    with pytest.raises(WalletFull):
        purse.begin(51 * YUAN)


def test_what_is_being_paid_and_its_bonus_count_and_what_expired_does_not(purse: Purse) -> None:
    give(purse.shop, min_amount=1000 * YUAN, bonus_amount=100 * YUAN)
    purse.begin(4000 * YUAN, key="first-key-1")
    with site_scope(purse.shop.site.id):
        assert room_of(purse.customer.id, is_named=True) == 900 * YUAN
    assert purse.begin(4000 * YUAN, key="first-key-1")[0].amount == 4000 * YUAN  # the same again
    with pytest.raises(TopUpKeyReused):
        purse.begin(3000 * YUAN, key="first-key-1")
    with pytest.raises(WalletFull):
        purse.begin(1000 * YUAN)

    later = clock.now() + dt.timedelta(seconds=paying.TOP_UP_SECONDS + 1)
    with time_machine.travel(later, tick=False):
        purse.begin(4000 * YUAN)


def test_a_late_payment_above_the_cap_goes_back_to_its_source(
    purse: Purse, desk: RefundDesk
) -> None:
    top_up, late = purse.begin(4000 * YUAN)
    with site_scope(purse.shop.site.id):
        Payment.objects.filter(id=late.id).update(state=PaymentState.CLOSED)
    purse.fill(4000 * YUAN)

    pay(late)

    assert purse.held == 4000 * YUAN
    assert purse.fresh(top_up).credited_at is None
    ask_gateways(purse.shop)
    with site_scope(purse.shop.site.id):
        (refund,) = GatewayRefund.objects.all()
        assert (refund.amount, refund.state) == (4000 * YUAN, RefundState.DONE)
        assert list_mismatched() == []
    assert balance(AccountKind.ORDER_SUSPENSE, purse.shop.site.id) == 0


def test_another_attempt_of_a_top_up_needs_its_room_again(purse: Purse) -> None:
    top_up, first = purse.begin(3000 * YUAN)
    with site_scope(purse.shop.site.id):
        again = paying.reopen_top_up(top_up_id=top_up.id, choice=purse.shop.choice)
        assert again.id == first.id  # an open one at the same account is kept
        Payment.objects.filter(id=first.id).update(state=PaymentState.CLOSED)
        second = paying.reopen_top_up(top_up_id=top_up.id, choice=purse.shop.choice)
        assert room_of(purse.customer.id, is_named=True) == 2000 * YUAN  # it counts once
        Payment.objects.filter(id=second.id).update(state=PaymentState.CLOSED)
    purse.begin(2001 * YUAN)

    with site_scope(purse.shop.site.id), pytest.raises(WalletFull):
        paying.reopen_top_up(top_up_id=top_up.id, choice=purse.shop.choice)
    with site_scope(purse.shop.site.id):
        assert Payment.objects.filter(subject_id=top_up.id).count() == 2


def test_a_top_up_that_goes_back_gets_no_other_attempt(purse: Purse, desk: RefundDesk) -> None:
    top_up, late = purse.begin(4000 * YUAN)
    with site_scope(purse.shop.site.id):
        Payment.objects.filter(id=late.id).update(state=PaymentState.CLOSED)
    purse.fill(4000 * YUAN)
    pay(late)

    with site_scope(purse.shop.site.id), pytest.raises(PaymentClosed):
        paying.reopen_top_up(top_up_id=top_up.id, choice=purse.shop.choice)


def test_where_the_gateway_cannot_a_person_decides(purse: Purse, desk: RefundDesk) -> None:
    desk.supports_refund = False
    _top_up, payment = purse.begin(4000 * YUAN)
    with site_scope(purse.shop.site.id):
        adjust_wallet(
            site_id=purse.shop.site.id,
            customer_id=purse.customer.id,
            amount=2000 * YUAN,
            reason="补偿",
            actor=STAFF,
        )
    pay(payment)

    assert purse.held == 2000 * YUAN
    with site_scope(purse.shop.site.id):
        assert [row.id for row in list_mismatched()] == [payment.id]


def test_a_bonus_that_finds_no_room_is_left_out(purse: Purse) -> None:
    give(purse.shop, min_amount=YUAN, bonus_amount=100 * YUAN)
    _top_up, payment = purse.begin(4900 * YUAN)
    with site_scope(purse.shop.site.id):
        adjust_wallet(
            site_id=purse.shop.site.id,
            customer_id=purse.customer.id,
            amount=50 * YUAN,
            reason="补偿",
            actor=STAFF,
        )
    pay(payment)

    assert purse.held == 4950 * YUAN


def test_twenty_top_ups_begun_at_once_stay_below_the_cap(
    purse: Purse, run_parallel: Parallel
) -> None:
    outcomes = run_parallel(20, lambda _i: purse.begin(1000 * YUAN))

    assert len(of_kind(outcomes, WalletFull)) == 15
    assert count("select count(*) from payments_topup") == 5


def test_control_without_the_customers_lock_they_pass_the_cap(
    wrecked_db: None, purse: Purse, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both count before either has written its own."""
    both = Meeting(2)
    monkeypatch.setattr(paying, "lock_customer", lambda _customer_id: None)

    def count_together(_customer_id: int) -> Customer:
        both.arrive()
        return purse.customer

    monkeypatch.setattr(crediting, "lock_customer", count_together)
    with site_scope(purse.shop.site.id):
        purse.customer.refresh_from_db()
    outcomes = run_parallel(2, lambda _i: purse.begin(4000 * YUAN))

    assert of_kind(outcomes, WalletFull) == []
    assert count("select sum(amount) from payments_topup") > 5000 * YUAN


def test_twenty_first_top_ups_at_once_bring_one_bonus(purse: Purse, run_parallel: Parallel) -> None:
    give(purse.shop, min_amount=YUAN, bonus_amount=YUAN, is_once=True)
    opened = [purse.begin(10 * YUAN)[1] for _time in range(20)]

    run_parallel(20, lambda i: pay(opened[i]))

    assert purse.held == 201 * YUAN
    assert count(BONUSES) == 1


def test_control_without_the_unique_rule_they_bring_two(
    wrecked_db: None, purse: Purse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule whose bonuses do not say that they are given once has nothing to stop the second."""
    give(purse.shop, min_amount=YUAN, bonus_amount=YUAN, is_once=True)
    opened = [purse.begin(10 * YUAN)[1] for _time in range(2)]
    real = Bonus.objects.create
    monkeypatch.setattr(
        Bonus.objects, "create", lambda **values: real(**{**values, "is_once": False})
    )
    for payment in opened:
        pay(payment)

    assert count(BONUSES) == 2
