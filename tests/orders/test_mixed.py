"""Orders that wallet and gateway pay together, and fees that the buyer bears."""

import pytest

from kameng.config.audit import find_breaches
from kameng.core.database import fetch
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.store import balance_of
from kameng.orders import errors, store
from kameng.orders.models import Order, OrderRefund, OrderRefundState, RefundTo
from kameng.orders.rules import State
from kameng.orders.services import paying
from kameng.orders.services.paying import pay_from_wallet
from kameng.orders.services.refunding import settle_refused_refund
from kameng.payments.models import GatewayRefund, Payment, PaymentState, RefundState
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import RefundOutcome, RefundStatus
from kameng.payments.services.refunding import ask_refund
from kameng.payments.statements import Statement
from kameng.pricing.margins import charge_terms
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    connect_gateway,
    fresh,
    make_buyers,
    notify,
    open_shop,
    order,
    payment_of,
    price_of,
    refund,
)

PART = 30_000


@pytest.fixture
def shop(db: None, main_site: Site, site_a: Site) -> Shop:
    return open_shop(main_site, site_a, keys=5)


def held(shop: Shop, customer_id: int) -> int:
    with site_scope(shop.site.id):
        return wallet_amount(customer_id)


def suspense(shop: Shop) -> int:
    return balance_of(account_id(AccountKind.ORDER_SUSPENSE, shop.site.id))


def outside(shop: Shop) -> int:
    return balance_of(account_id(AccountKind.ADJUSTMENTS, shop.site.id))


def test_the_wallets_part_is_held_and_the_gateway_asks_for_the_rest(shop: Shop) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=PART + 500)
    price = price_of(shop)

    placed = order(shop, customer=mei, wallet_part=PART)

    assert held(shop, mei.id) == 500
    assert suspense(shop) == PART
    payment = payment_of(shop, placed)
    assert (payment.amount, payment.surcharge_amount) == (price - PART, 0)
    assert payment.fee_amount == shop.choice.fee_for(price - PART)
    assert notify(shop, payment).accepted
    found = fresh(shop, placed)
    assert (found.state, found.wallet_amount) == (State.DELIVERED, PART)
    assert suspense(shop) == 0
    assert find_breaches() == []


@pytest.mark.parametrize("part", [1, 99, -100, 10**9])
def test_a_part_that_leaves_nothing_or_is_no_whole_fen_is_refused(shop: Shop, part: int) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=10**10)

    with pytest.raises(errors.TotalMismatch):
        order(shop, customer=mei, wallet_part=part)

    with site_scope(shop.site.id):
        assert not Order.objects.exists()


def test_a_part_that_the_wallet_does_not_cover_changes_nothing(shop: Shop) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=PART - 100)

    with pytest.raises(errors.NotEnoughMoney):
        order(shop, customer=mei, wallet_part=PART)
    with pytest.raises(errors.SignInNeeded):
        order(shop, wallet_part=PART)

    assert held(shop, mei.id) == PART - 100
    with site_scope(shop.site.id):
        assert not Order.objects.exists()


def test_giving_up_gives_the_part_back_once_and_a_late_payment_takes_it_again(shop: Shop) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=PART)
    placed = order(shop, customer=mei, wallet_part=PART)
    cancel(shop, placed)
    with pytest.raises(errors.NotAllowedNow):
        cancel(shop, placed)
    assert (held(shop, mei.id), suspense(shop)) == (PART, 0)

    assert notify(shop, payment_of(shop, placed)).accepted

    assert fresh(shop, placed).state == State.DELIVERED
    assert (held(shop, mei.id), suspense(shop)) == (0, 0)
    assert find_breaches() == []


def test_a_late_payment_whose_part_was_spent_goes_back_and_the_order_stays_closed(
    shop: Shop,
) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=price_of(shop))
    placed = order(shop, customer=mei, wallet_part=PART)
    cancel(shop, placed)
    order(shop, customer=mei, by_wallet=True)
    payment = payment_of(shop, placed)

    assert notify(shop, payment).accepted

    assert fresh(shop, placed).state == State.CANCELLED
    with site_scope(shop.site.id):
        back = GatewayRefund.objects.get(payment_id=payment.id)
        assert (back.amount, Payment.objects.get(id=payment.id).state) == (
            payment.amount,
            PaymentState.CONFIRMED,
        )
    assert suspense(shop) == payment.amount
    assert find_breaches() == []


def test_the_buyer_may_change_his_mind_about_the_part_as_often_as_he_likes(shop: Shop) -> None:
    price = price_of(shop)
    (mei,) = make_buyers(shop.site, 1, amount=price)
    placed = order(shop, customer=mei)
    first = payment_of(shop, placed)
    with site_scope(shop.site.id):
        for part in (PART, PART + 100, 0, PART):
            paying._open_another(placed.order_id, shop.choice, wallet_part=part)
            assert payment_of(shop, placed).amount == price - part
            assert wallet_amount(mei.id) == price - part
    # The first payment was for the whole: what the wallet holds is not needed then.
    assert notify(shop, first).accepted
    found = fresh(shop, placed)
    assert (found.state, found.wallet_amount) == (State.DELIVERED, 0)
    assert held(shop, mei.id) == price
    assert find_breaches() == []


def test_what_is_held_counts_when_the_wallet_pays_the_whole_after_all(shop: Shop) -> None:
    price = price_of(shop)
    (mei,) = make_buyers(shop.site, 1, amount=price)
    placed = order(shop, customer=mei, wallet_part=PART)

    with site_scope(shop.site.id):
        pay_from_wallet(order=fresh(shop, placed), customer_id=mei.id)

    assert fresh(shop, placed).state == State.DELIVERED
    assert (held(shop, mei.id), suspense(shop)) == (0, 0)
    assert find_breaches() == []


def test_callbacks_of_mixed_and_dear_payments_are_settled_in_one_batch(
    shop: Shop, main_site: Site
) -> None:
    dear = Shop(
        site=shop.site, variant=shop.variant, choice=connect_gateway(main_site, by_buyer=True)
    )
    (mei,) = make_buyers(shop.site, 1, amount=PART)
    placed = [order(shop, customer=mei, wallet_part=PART), order(dear), order(shop)]
    payments = [payment_of(shop, each) for each in placed]
    said = [
        Statement(
            payment_no=payment.payment_no,
            gateway_id=payment.gateway_id,
            external_no=f"E{payment.payment_no}",
            amount=payment.amount,
            source="callback",
            raw_digest=b"0" * 32,
            note="",
        )
        for payment in payments
    ]

    done = fetch(
        store.CONFIRM,
        store.confirm_columns([store.Confirmable(each) for each in said]),
        scoped=False,
    )

    assert [row[0] for row in done] == [True, True, True]
    assert {fresh(shop, each).state for each in placed} == {State.DELIVERED}
    assert find_breaches() == []


def test_a_refund_goes_to_the_source_first_and_what_is_more_to_the_wallet(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EpayProvider, "supports_partial_refund", True)
    monkeypatch.setattr(EpayProvider, "refund", lambda *_: RefundOutcome(status=RefundStatus.DONE))
    price = price_of(shop)
    (mei,) = make_buyers(shop.site, 1, amount=PART)
    placed = order(shop, customer=mei, wallet_part=PART)
    notify(shop, payment_of(shop, placed))
    rest = price - PART

    first = refund(shop, placed, key="a", amount=rest - 1_000)
    second = refund(shop, placed, key="b", amount=3_000)
    third = refund(shop, placed, key="c")

    assert [(each.rest_amount, each.wallet_amount) for each in (first, second, third)] == [
        (rest - 1_000, 0),
        (1_000, 2_000),
        (0, PART - 2_000),
    ]
    assert third.refund_to == RefundTo.WALLET
    assert held(shop, mei.id) == PART
    with site_scope(shop.site.id):
        for back in GatewayRefund.objects.order_by("id"):
            ask_refund(back.id)
        assert sum(GatewayRefund.objects.values_list("amount", flat=True)) == rest
        assert set(OrderRefund.objects.values_list("state", flat=True)) == {OrderRefundState.DONE}
    assert fresh(shop, placed).state == State.REFUNDED
    assert suspense(shop) == 0
    assert find_breaches() == []


def test_of_a_refund_that_the_gateway_refused_its_part_alone_is_paid_by_hand(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = RefundOutcome(status=RefundStatus.REFUSED, reason="BALANCE_SHORT")
    monkeypatch.setattr(EpayProvider, "refund", lambda *_: refused)
    (mei,) = make_buyers(shop.site, 1, amount=PART)
    placed = order(shop, customer=mei, wallet_part=PART)
    notify(shop, payment_of(shop, placed))
    back, before = refund(shop, placed, key="all"), outside(shop)
    with site_scope(shop.site.id):
        ask_refund(GatewayRefund.objects.get().id)

        settle_refused_refund(refund_id=back.id, way="hand", reason="已转账", actor=STAFF)

        back.refresh_from_db()
    assert (back.refund_to, back.state) == (RefundTo.HAND, OrderRefundState.DONE)
    assert back.wallet_amount == held(shop, mei.id) == PART
    assert back.rest_amount == price_of(shop) - PART
    assert outside(shop) - before == back.rest_amount
    assert suspense(shop) == 0
    assert find_breaches() == []

    with site_scope(shop.site.id):  # without a refusal the wallet gets nothing beside a hand
        GatewayRefund.objects.update(state=RefundState.DONE)
    assert any(breach.startswith("I5: order") for breach in find_breaches())


def test_a_fee_that_the_buyer_bears_leaves_every_part_of_the_sale_whole(
    db: None, main_site: Site, site_a: Site
) -> None:
    plain = open_shop(main_site, site_a, keys=5)
    shop = Shop(
        site=site_a, variant=plain.variant, choice=connect_gateway(main_site, by_buyer=True)
    )
    price = price_of(shop)
    placed = order(shop)
    payment = payment_of(shop, placed)
    assert payment.amount == price + payment.surcharge_amount > price

    assert notify(shop, payment).accepted

    found = fresh(shop, placed)
    assert (found.state, found.fee_amount) == (State.DELIVERED, 0)
    assert found.surcharge_amount == payment.surcharge_amount
    assert found.surcharge_fee_amount == payment.fee_amount <= payment.surcharge_amount
    margin = balance_of(account_id(AccountKind.SITE_MARGIN, site_a.id))
    assert margin == found.total_amount - found.wholesale_amount
    fees = balance_of(account_id(AccountKind.GATEWAY_FEES, shop.choice.gateway_id))
    assert fees == payment.fee_amount
    assert find_breaches() == []

    back = refund(shop, placed, key="all")
    assert (back.surcharge_amount, back.rest_amount) == (
        found.surcharge_amount,
        payment.amount,
    )
    assert find_breaches() == []


def test_parts_of_a_refund_take_the_surcharge_along_to_the_fen(
    db: None, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EpayProvider, "supports_partial_refund", True)
    plain = open_shop(main_site, site_a, keys=20)
    shop = Shop(
        site=site_a, variant=plain.variant, choice=connect_gateway(main_site, by_buyer=True)
    )
    placed = order(shop, quantity=5)
    notify(shop, payment_of(shop, placed))
    found = fresh(shop, placed)
    sums, given, step = [], 0, 33_300
    while given < found.total_amount:
        amount = min(step, found.total_amount - given)
        sums.append(refund(shop, placed, key=str(given), amount=amount).surcharge_amount)
        given += amount
        assert sum(sums) == (
            found.surcharge_amount
            if given == found.total_amount
            else found.surcharge_amount * given // found.total_amount // 100 * 100
        )
    assert min(sums) >= 0
    assert find_breaches() == []


@pytest.mark.parametrize("rate_bps", [1, 38, 60, 250, 2000])
def test_a_surcharge_is_never_below_the_fee_and_less_than_a_fen_above_what_it_must_be(
    rate_bps: int,
) -> None:
    for rest in (100, 9_900, 10_000, 104_100, 999_900, 12_345_600):
        terms = charge_terms(Amount(rest), rate_bps=rate_bps, by_buyer=True)

        assert terms.amount == rest + terms.surcharge_amount
        assert terms.fee_amount <= terms.surcharge_amount
        assert terms.amount * (10_000 - rate_bps) >= rest * 10_000
        assert (terms.amount - 100) * (10_000 - rate_bps) < rest * 10_000
