"""A short payment whose buyer is asked for the rest: settled once by both payments, or undone."""

import datetime as dt

import pytest

from kameng.accounts.models import Customer
from kameng.config.audit import find_breaches
from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import wallet_amount
from kameng.orders.errors import NotAllowedNow, NotEnoughMoney
from kameng.orders.models import OrderRefund, OrderRefundState
from kameng.orders.rules import State
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.paying import choose_attempt
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.refunding import settle_refused_refund
from kameng.orders.services.shortfalls import (
    ask_rest,
    choose_rest,
    end_shortfalls,
    find_rest,
    pay_rest_from_wallet,
)
from kameng.payments.errors import (
    PaymentClosed,
    PaymentDisputed,
    ShortfallOver,
    ShortfallRefused,
)
from kameng.payments.models import (
    GatewayRefund,
    Payment,
    PaymentState,
    RefundState,
    Shortfall,
    ShortfallState,
)
from kameng.payments.providers.port import RefundStatus
from kameng.payments.selectors import PayChoice, list_mismatched
from kameng.payments.services.accepting import SurplusWish, accept_short, accept_surplus
from kameng.payments.services.deciding import give_back_mismatched, note_returned_by_hand
from kameng.payments.services.disputing import Complaint, close_dispute, file_dispute
from kameng.payments.services.refunding import ask_refund
from kameng.payments.services.shortfalls import ShortfallWish
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    connect_gateway,
    fresh,
    make_due,
    notify,
    order,
    payment_of,
    refund,
)
from tests.factories import fund_wallet, make_customer
from tests.payments.filling import YUAN, RefundDesk, ask_gateways, balance
from tests.payments.shorting import (
    HOUR,
    ask,
    first_of,
    let_time_pass,
    open_rest,
    pay_short,
)


@pytest.fixture
def mei(any_db: None, shop: Shop, desk: RefundDesk) -> Customer:
    """A customer; the gateways can give back parts."""
    return make_customer(shop.site)


@pytest.fixture
def other(shop: Shop) -> PayChoice:
    """A second gateway of the main site."""
    return connect_gateway(shop.site.parent)


def suspended(shop: Shop) -> int:
    return balance(AccountKind.ORDER_SUSPENSE, shop.site.id)


def state_of_wish(shop: Shop) -> list[int]:
    with site_scope(shop.site.id):
        return list(Shortfall.objects.order_by("id").values_list("state", flat=True))


def refunds_of(shop: Shop, placed: PlacedOrder) -> list[OrderRefund]:
    with site_scope(shop.site.id):
        return list(OrderRefund.objects.filter(order_id=placed.order_id).order_by("id"))


def sent_back(shop: Shop) -> list[tuple[int, int]]:
    """Return (payment, amount) of everything that gateways were asked to give back."""
    with site_scope(shop.site.id):
        return list(GatewayRefund.objects.order_by("id").values_list("payment_id", "amount"))


def test_the_rest_settles_the_order_once_with_both_payments(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    wish = ask(shop, placed)
    rest = open_rest(shop, placed, other)

    notify(shop, rest)
    notify(shop, rest)  # a repeat changes nothing

    found, first = fresh(shop, placed), first_of(shop, placed)
    assert wish.missing_amount == rest.amount == 3 * YUAN
    assert found.state == State.DELIVERED
    assert (found.payment_id, found.first_payment_id) == (rest.id, first.id)
    assert found.first_amount == first.received_amount == found.total_amount - 3 * YUAN
    assert (first.state, first.completed_amount) == (PaymentState.CONFIRMED, 3 * YUAN)
    assert found.fee_amount == first.fee_amount + rest.fee_amount
    assert balance(AccountKind.GATEWAY_FEES, first.gateway_id) == first.fee_amount > 0
    assert balance(AccountKind.GATEWAY_FEES, rest.gateway_id) == rest.fee_amount
    assert suspended(shop) == 0
    assert state_of_wish(shop) == [ShortfallState.PAID]
    assert find_breaches() == []
    with site_scope(shop.site.id):
        assert list_mismatched() == []


def test_the_fee_of_a_short_payment_is_that_of_what_came(shop: Shop, mei: Customer) -> None:
    placed = pay_short(shop, mei)
    before = first_of(shop, placed)
    ask(shop, placed)

    after = first_of(shop, placed)
    assert before.received_amount is not None
    wanted = round(before.fee_amount * before.received_amount / before.amount / 100) * 100
    assert after.fee_amount == wanted < before.fee_amount


def test_a_whole_refund_goes_back_by_both_payments(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    rest = open_rest(shop, placed, other)
    notify(shop, rest)
    first = first_of(shop, placed)

    made = refund(shop, placed, key="whole")
    again = refund(shop, placed, key="whole", amount=fresh(shop, placed).total_amount)

    assert again.id == made.id
    assert sent_back(shop) == [(rest.id, 3 * YUAN), (first.id, first.received_amount)]
    ask_gateways(shop)
    assert fresh(shop, placed).state == State.REFUNDED
    assert suspended(shop) == 0
    for payment in (first, rest):
        assert balance(AccountKind.GATEWAY_FEES, payment.gateway_id) == 0
        assert balance(AccountKind.GATEWAY_CLEARING, payment.gateway_id) == 0
    assert find_breaches() == []


def test_parts_go_back_by_the_later_payment_first(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    rest = open_rest(shop, placed, other)
    notify(shop, rest)
    first = first_of(shop, placed)

    refund(shop, placed, key="one", amount=YUAN)
    refund(shop, placed, key="two", amount=5 * YUAN)
    refund(shop, placed, key="wallet", amount=YUAN, to_wallet=True)
    refund(shop, placed, key="rest")

    left = fresh(shop, placed).total_amount - 7 * YUAN
    assert sent_back(shop) == [
        (rest.id, YUAN),
        (rest.id, 2 * YUAN),
        (first.id, 3 * YUAN),
        (first.id, left),
    ]
    ask_gateways(shop)
    assert fresh(shop, placed).state == State.REFUNDED
    assert find_breaches() == []


def test_a_refused_half_of_a_refund_is_decided_alone(
    shop: Shop, mei: Customer, other: PayChoice, desk: RefundDesk
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    rest = open_rest(shop, placed, other)
    notify(shop, rest)
    refund(shop, placed, key="whole")
    last, first = refunds_of(shop, placed)

    desk.status = RefundStatus.REFUSED
    with site_scope(shop.site.id):
        ask_refund(GatewayRefund.objects.get(refund_no=first.refund_no).id)
    desk.status = RefundStatus.DONE
    ask_gateways(shop)

    assert [each.state for each in refunds_of(shop, placed)] == [
        OrderRefundState.DONE,
        OrderRefundState.REFUSED,
    ]
    assert fresh(shop, placed).state == State.REFUNDING
    with site_scope(shop.site.id):
        settle_refused_refund(refund_id=first.id, way="again", reason="再试", actor=STAFF)
    assert sent_back(shop)[-1] == (first_of(shop, placed).id, first.amount)
    ask_gateways(shop)
    assert fresh(shop, placed).state == State.REFUNDED
    assert find_breaches() == []


def test_the_rest_from_the_wallet(shop: Shop, mei: Customer) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    with site_scope(shop.site.id):
        with pytest.raises(NotEnoughMoney):
            pay_rest_from_wallet(order=fresh(shop, placed))
        assert state_of_wish(shop) == [ShortfallState.OPEN]
    fund_wallet(mei, 5 * YUAN)

    with site_scope(shop.site.id):
        pay_rest_from_wallet(order=fresh(shop, placed))
        with pytest.raises(NotAllowedNow):
            pay_rest_from_wallet(order=fresh(shop, placed))
        assert wallet_amount(mei.id) == 2 * YUAN

    found = fresh(shop, placed)
    assert (found.state, found.wallet_amount) == (State.DELIVERED, 3 * YUAN)
    assert found.payment_id == first_of(shop, placed).id
    assert find_breaches() == []
    refund(shop, placed, key="whole")
    ask_gateways(shop)
    with site_scope(shop.site.id):
        assert wallet_amount(mei.id) == 5 * YUAN
    assert suspended(shop) == 0
    assert find_breaches() == []


def test_beside_a_part_of_the_wallet(shop: Shop, mei: Customer, other: PayChoice) -> None:
    fund_wallet(mei, 10 * YUAN)
    placed = pay_short(shop, mei, 1 * YUAN, wallet_part=2 * YUAN)
    ask(shop, placed)
    make_due(shop, placed)
    with platform_scope("expire"):
        expire_orders()  # the wallet's part went back meanwhile: it is taken again
    notify(shop, open_rest(shop, placed, other))

    found = fresh(shop, placed)
    assert (found.state, found.wallet_amount) == (State.DELIVERED, 2 * YUAN)
    refund(shop, placed, key="whole")
    ask_gateways(shop)
    with site_scope(shop.site.id):
        assert wallet_amount(mei.id) == 10 * YUAN
    assert suspended(shop) == 0
    assert find_breaches() == []


def test_no_surcharge_is_asked_for_and_the_shop_bears_the_fees(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    dear = Shop(
        site=shop.site,
        variant=shop.variant,
        choice=connect_gateway(shop.site.parent, by_buyer=True),
    )
    placed = pay_short(dear, mei, 3 * YUAN)
    first = first_of(shop, placed)
    assert first.surcharge_amount > 0

    wish = ask(shop, placed)
    assert wish.missing_amount == 3 * YUAN - first.surcharge_amount
    rest = open_rest(shop, placed, dear.choice)
    notify(shop, rest)

    found = fresh(shop, placed)
    assert (found.state, found.surcharge_amount) == (State.DELIVERED, 0)
    assert found.first_amount + rest.amount == found.total_amount
    assert find_breaches() == []
    refund(shop, placed, key="whole")
    ask_gateways(shop)
    assert suspended(shop) == 0
    assert find_breaches() == []


def test_a_late_rest_takes_stock_anew_or_all_goes_back(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    make_due(shop, placed)
    with platform_scope("expire"):
        expire_orders()
    ask(shop, placed)
    rest = open_rest(shop, placed, other)
    fund_wallet(mei, 500 * YUAN)
    order(shop, customer=mei, quantity=12, by_wallet=True)  # buys all there is

    notify(shop, rest)

    found = fresh(shop, placed)
    assert found.state == State.REFUNDING
    assert [amount for _id, amount in sent_back(shop)] == [3 * YUAN, found.first_amount]
    ask_gateways(shop)
    assert fresh(shop, placed).state == State.REFUNDED
    assert find_breaches() == []


def test_what_nobody_completes_in_time_goes_back(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    rest = open_rest(shop, placed, other)
    assert end_shortfalls() == 0
    let_time_pass(shop)

    assert end_shortfalls() == 1
    assert end_shortfalls() == 0

    first = first_of(shop, placed)
    assert state_of_wish(shop) == [ShortfallState.EXPIRED]
    assert sent_back(shop) == [(first.id, first.received_amount)]
    with site_scope(shop.site.id):
        rest.refresh_from_db()
        assert rest.expires_at <= clock.now()
        with pytest.raises(NotAllowedNow):
            choose_rest(order=fresh(shop, placed), choice=other)
    notify(shop, rest)  # too late: it completes nothing any more, so it goes back too
    ask_gateways(shop)
    assert fresh(shop, placed).state == State.AWAITING_PAYMENT
    assert suspended(shop) == 0
    assert find_breaches() == []


def test_an_attempt_of_the_last_moment_is_waited_for(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    rest = open_rest(shop, placed, other)
    with site_scope(shop.site.id):
        Shortfall.objects.update(expires_at=clock.now() - dt.timedelta(seconds=10))

    assert end_shortfalls() == 0
    notify(shop, rest)

    assert fresh(shop, placed).state == State.DELIVERED


def test_without_a_way_back_it_goes_to_the_wallet_and_of_a_guest_to_staff(
    shop: Shop, mei: Customer, desk: RefundDesk
) -> None:
    placed, guests = pay_short(shop, mei), pay_short(shop, None)
    ask(shop, placed)
    ask(shop, guests)
    desk.supports_refund = False
    let_time_pass(shop)

    assert end_shortfalls() == 2

    with site_scope(shop.site.id):
        assert wallet_amount(mei.id) == first_of(shop, placed).received_amount
        assert [each.subject_id for each in list_mismatched()] == [guests.order_id]
    assert find_breaches() == []
    ask(shop, guests)  # staff may ask again


@pytest.mark.parametrize("how", ["accepted", "returned", "by hand"])
def test_what_staff_decide_meanwhile_ends_the_wish(
    how: str, shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    rest, first = open_rest(shop, placed, other), first_of(shop, placed)
    with site_scope(shop.site.id):
        if how == "accepted":
            accept_short(payment_id=first.id, reason="算了", actor=STAFF)
        elif how == "returned":
            give_back_mismatched(payment_id=first.id, reason="退", actor=STAFF)
        else:
            note_returned_by_hand(payment_id=first.id, reason="退", actor=STAFF)
        assert state_of_wish(shop) == [ShortfallState.ENDED]
        assert find_rest(fresh(shop, placed)) is None

    notify(shop, rest)

    wanted = State.DELIVERED if how == "accepted" else State.AWAITING_PAYMENT
    assert fresh(shop, placed).state == wanted
    ask_gateways(shop)
    assert suspended(shop) == 0
    assert find_breaches() == []


def test_an_order_that_is_paid_otherwise_or_given_up_gives_the_first_part_back(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    one, two = pay_short(shop, mei), pay_short(shop, mei)
    for placed in (one, two):
        ask(shop, placed)
    with site_scope(shop.site.id):
        whole = choose_attempt(order=fresh(shop, one), choice=other)
    notify(shop, whole)
    cancel(shop, two)

    assert end_shortfalls() == 2

    assert state_of_wish(shop) == [ShortfallState.ENDED] * 2
    ask_gateways(shop)
    assert fresh(shop, one).state == State.DELIVERED
    assert suspended(shop) == 0
    assert find_breaches() == []


def test_a_rest_of_another_amount_waits_for_staff_and_may_be_taken(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    short, much = pay_short(shop, mei), pay_short(shop, mei)
    for placed, difference in ((short, -YUAN), (much, YUAN)):
        ask(shop, placed)
        rest = open_rest(shop, placed, other)
        notify(shop, rest, amount=rest.amount + difference)
        assert fresh(shop, placed).state == State.AWAITING_PAYMENT
    with site_scope(shop.site.id):
        with pytest.raises(ShortfallRefused):
            ask_rest(
                payment_id=payment_of(shop, short).id,
                wish=ShortfallWish(hold_seconds=HOUR, reason="还少"),
                actor=STAFF,
            )
        accept_short(payment_id=payment_of(shop, short).id, reason="算了", actor=STAFF)
        accept_surplus(
            payment_id=payment_of(shop, much).id,
            wish=SurplusWish(way="source", reason="多了"),
            actor=STAFF,
        )

    assert fresh(shop, short).state == fresh(shop, much).state == State.DELIVERED
    ask_gateways(shop)
    assert suspended(shop) == 0
    assert find_breaches() == []


def test_who_may_not_be_asked(shop: Shop, mei: Customer, other: PayChoice) -> None:
    paid = order(shop, customer=mei)
    notify(shop, payment_of(shop, paid))
    over = order(shop, customer=mei)
    notify(shop, payment_of(shop, over), amount=payment_of(shop, over).amount + YUAN)
    twice = pay_short(shop, mei)
    ask(shop, twice)

    with pytest.raises(PaymentClosed):
        ask(shop, paid)
    for placed in (over, twice):
        with pytest.raises(ShortfallRefused):
            ask(shop, placed)
    elsewhere = pay_short(shop, mei)
    with site_scope(shop.site.id):
        notify(shop, choose_attempt(order=fresh(shop, elsewhere), choice=other))
    with pytest.raises(ShortfallRefused):
        ask(shop, elsewhere)


def test_a_dispute_about_the_first_part_stops_everything(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    rest, first = open_rest(shop, placed, other), first_of(shop, placed)
    complaint = Complaint(
        dispute_no="D1", amount=YUAN, held_amount=YUAN, reason="不是我", answer_by=None
    )
    with site_scope(shop.site.id):
        dispute = file_dispute(payment_id=first.id, complaint=complaint, actor=STAFF)

    notify(shop, rest)  # pays for nothing: the first part is not to be had

    assert fresh(shop, placed).state == State.AWAITING_PAYMENT
    assert sent_back(shop) == [(rest.id, rest.amount)]
    let_time_pass(shop)
    assert end_shortfalls() == 1  # nothing goes back while it is disputed: staff decide
    assert len(sent_back(shop)) == 1
    with site_scope(shop.site.id):
        close_dispute(dispute_id=dispute.id, is_lost=False, reason="胜诉", actor=STAFF)
        assert [each.id for each in list_mismatched()] == [first.id]
    ask_gateways(shop)
    assert find_breaches() == []


def test_a_dispute_of_either_payment_stops_refunds(
    shop: Shop, mei: Customer, other: PayChoice
) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    notify(shop, open_rest(shop, placed, other))
    complaint = Complaint(
        dispute_no="D1", amount=YUAN, held_amount=YUAN, reason="不是我", answer_by=None
    )
    with site_scope(shop.site.id):
        file_dispute(payment_id=first_of(shop, placed).id, complaint=complaint, actor=STAFF)
    with pytest.raises(PaymentDisputed):
        refund(shop, placed, key="whole")
    assert sent_back(shop) == []


def test_a_wish_that_is_over_takes_no_attempt(shop: Shop, mei: Customer, other: PayChoice) -> None:
    placed = pay_short(shop, mei)
    ask(shop, placed)
    with site_scope(shop.site.id):
        held = fresh(shop, placed)
        let_time_pass(shop)
        with pytest.raises((ShortfallOver, NotAllowedNow)):
            choose_rest(order=held, choice=other)
        assert Payment.objects.filter(completes__isnull=False).count() == 0
        assert GatewayRefund.objects.filter(state=RefundState.WAITING).count() == 0
