"""Shops whose operator takes the buyers' money and pays wholesale from a prepaid balance."""

import pytest

from kameng.config.audit import find_breaches
from kameng.core.events import consume
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.errors import PrepaidShort
from kameng.ledger.selectors import list_prepaid_lines, prepaid_balance, wallet_amount
from kameng.ledger.store import balance_of
from kameng.messaging.models import Email
from kameng.orders import errors
from kameng.orders.models import Note, Order
from kameng.orders.rules import State
from kameng.orders.services.delivering import deliver_by_hand, deliver_from_stock
from kameng.orders.services.settling import switch_settlement
from kameng.orders.services.waiting import deliver_waiting, deliver_waiting_everywhere
from kameng.payments.errors import PrepaidKeyReused, PrepaidReasonMissing
from kameng.payments.models import PrepaidIn
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import Confirmation, PaidStatus
from kameng.payments.services.prepaying import (
    adjust_prepaid,
    book_prepaid,
    set_credit_line,
    start_prepaid,
)
from kameng.payments.services.watching import watch_prepaid
from kameng.pricing.money import Amount
from kameng.tenancy.errors import SettlementWayInvalid
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    connect_gateway,
    count,
    fresh,
    make_buyers,
    notify,
    open_shop,
    order,
    payment_of,
    price_of,
    refund,
)
from tests.factories import make_role, make_staff


def make_prepaid(site: Site) -> None:
    Site.objects.filter(id=site.id).update(settlement_way=SettlementWay.PREPAID)


@pytest.fixture
def shop(db: None, main_site: Site, site_a: Site) -> Shop:
    """Site A takes its buyers' money itself and has paid nothing in yet."""
    shop = open_shop(main_site, site_a, keys=6)
    make_prepaid(site_a)
    return Shop(site=site_a, variant=shop.variant, choice=connect_gateway(site_a))


def book(shop: Shop, amount: int, key: str = "k") -> PrepaidIn:
    with site_scope(shop.site.id):
        return book_prepaid(
            site_id=shop.site.id,
            amount=amount,
            reason="转账 8841",
            idempotency_key=key,
            actor=STAFF,
        )


def left(shop: Shop) -> int:
    with site_scope(shop.site.id):
        return prepaid_balance(shop.site.id).posted_amount


def account(kind: AccountKind, owner_id: int) -> int:
    return balance_of(account_id(kind, owner_id))


def test_a_sale_takes_the_wholesale_price_and_leaves_the_rest_to_the_operator(
    shop: Shop, main_site: Site
) -> None:
    book(shop, 1_000_000)
    placed = order(shop)
    payment = payment_of(shop, placed)

    assert notify(shop, payment).accepted

    found = fresh(shop, placed)
    assert (found.state, found.settlement_way) == (State.DELIVERED, SettlementWay.PREPAID)
    assert left(shop) == 1_000_000 - found.wholesale_amount
    assert account(AccountKind.SALES, main_site.id) == found.wholesale_amount
    takings = account(AccountKind.SITE_TAKINGS, shop.site.id)
    assert takings == found.total_amount - payment.fee_amount
    assert account(AccountKind.SITE_MARGIN, shop.site.id) == 0

    refund(shop, placed, key="r")
    assert left(shop) == 1_000_000
    assert account(AccountKind.SALES, main_site.id) == 0
    assert account(AccountKind.SITE_TAKINGS, shop.site.id) == 0
    assert find_breaches() == []


def test_a_wallet_order_is_the_operators_money_too(shop: Shop) -> None:
    book(shop, 1_000_000)
    price = price_of(shop)
    (mei,) = make_buyers(shop.site, 1, amount=price)

    placed = order(shop, customer=mei, by_wallet=True)

    found = fresh(shop, placed)
    assert account(AccountKind.SITE_TAKINGS, shop.site.id) == price
    assert left(shop) == 1_000_000 - found.wholesale_amount
    refund(shop, placed, key="r", to_wallet=True)
    with site_scope(shop.site.id):
        assert wallet_amount(mei.id) == price
    assert left(shop) == 1_000_000
    assert find_breaches() == []


@pytest.mark.parametrize("by_wallet", [True, False])
def test_a_short_balance_refuses_the_order_up_front_and_changes_nothing(
    shop: Shop, by_wallet: bool
) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=10**7)

    with pytest.raises(errors.ShopPaused):
        order(shop, customer=mei, by_wallet=by_wallet)

    with site_scope(shop.site.id):
        assert not Order.objects.exists()
        assert wallet_amount(mei.id) == 10**7
    assert count("select count(*) from inventory_cardkey where state <> 0") == 0


def _two_waiting(shop: Shop) -> list[Order]:
    """Two orders are paid when the balance covers neither; they keep what they hold."""
    wholesale = fresh_wholesale(shop)
    book(shop, wholesale)
    placed = [order(shop), order(shop)]
    with site_scope(shop.site.id):
        adjust_prepaid(site_id=shop.site.id, amount=-wholesale, reason="更正", actor=STAFF)
    for each in placed:
        assert notify(shop, payment_of(shop, each)).accepted
    return [fresh(shop, each) for each in placed]


def fresh_wholesale(shop: Shop) -> int:
    """What one piece costs the shop, in whole fen above it."""
    return -(-100_353 // 100) * 100


def test_paid_orders_wait_with_their_keys_and_go_out_in_turn(shop: Shop) -> None:
    waiting = _two_waiting(shop)

    for each in waiting:
        assert (each.state, each.awaits_prepaid) == (State.AWAITING_DELIVERY, True)
        assert count("select count(*) from inventory_cardkey where order_id = %s and state = 1",
                     each.id) == 1  # fmt: skip
        with site_scope(shop.site.id), pytest.raises(errors.AwaitsPrepaid):
            deliver_from_stock(order_id=each.id, actor=STAFF)
        with site_scope(shop.site.id), pytest.raises(errors.AwaitsPrepaid):
            deliver_by_hand(order_id=each.id, content="x", actor=STAFF)
    with site_scope(shop.site.id):
        assert deliver_waiting(shop.site.id) == 0
        assert Note.objects.filter(kind="awaits_prepaid").count() == 2
    assert find_breaches() == []

    book(shop, fresh_wholesale(shop), key="second")
    with platform_scope("a test delivers"):
        assert deliver_waiting_everywhere() == 1
    states = [each.state for each in _in_turn(_again(waiting))]
    assert states == [State.DELIVERED, State.AWAITING_DELIVERY]

    book(shop, fresh_wholesale(shop), key="third")
    with site_scope(shop.site.id):
        assert deliver_waiting(shop.site.id) == 1
    assert {order_.state for order_ in _again(waiting)} == {State.DELIVERED}
    assert find_breaches() == []


def _in_turn(orders: list[Order]) -> list[Order]:
    return sorted(orders, key=lambda each: (each.paid_at, each.id))


def _again(orders: list[Order]) -> list[Order]:
    with platform_scope("a test looks"):
        return list(Order.unscoped.filter(id__in=[each.id for each in orders]))


def test_a_waiting_order_can_be_refunded_whole_and_only_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EpayProvider, "supports_partial_refund", True)
    first, _second = _two_waiting(shop)
    with site_scope(shop.site.id), pytest.raises(errors.RefundWholeOnly):
        refund_of(shop, first, amount=100)

    with site_scope(shop.site.id):
        refund_of(shop, first, amount=None)

    assert count("select count(*) from inventory_cardkey where order_id = %s", first.id) == 0
    assert left(shop) == 0
    assert find_breaches() == []


def refund_of(shop: Shop, found: Order, *, amount: int | None) -> None:
    from kameng.orders.models import RefundTo
    from kameng.orders.services.refunding import RefundWish, refund_order

    wish = RefundWish(
        amount=amount, refund_to=RefundTo.SOURCE, reason="等不及", idempotency_key="w"
    )
    refund_order(order_id=found.id, wish=wish, actor=STAFF)


def test_a_payment_into_the_balance_credits_once_and_wakes_who_waits(
    shop: Shop, main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = _two_waiting(shop)
    choice = connect_gateway(main_site)
    with site_scope(shop.site.id):
        paid_in, payment = start_prepaid(
            site_id=shop.site.id, amount=5_000_000, choice=choice, idempotency_key="p", actor=STAFF
        )
        again, same = start_prepaid(
            site_id=shop.site.id, amount=5_000_000, choice=choice, idempotency_key="p", actor=STAFF
        )
        assert (again.id, same.id) == (paid_in.id, payment.id)
        with pytest.raises(PrepaidKeyReused):
            start_prepaid(
                site_id=shop.site.id, amount=100_000, choice=choice, idempotency_key="p",
                actor=STAFF,
            )  # fmt: skip
    monkeypatch.setattr(
        EpayProvider,
        "query",
        lambda _self, _config, payment_no, **_: Confirmation(
            payment_no=payment_no,
            external_no=f"EXT{payment_no}",
            amount=Amount(5_000_000),
            status=PaidStatus.PAID,
            paid_at=None,
            payer="",
            raw_digest="00" * 32,
        ),
    )

    for _ in range(3):
        assert notify(shop, payment).accepted

    assert left(shop) == 5_000_000
    jobs = "select count(*) from procrastinate_jobs where task_name = 'orders.deliver_waiting'"
    before = count(jobs)
    from kameng.config.wiring import AFTER_COMMIT

    consumer = next(each for each in AFTER_COMMIT if each.name == "orders.deliver_prepaid")
    consume(consumer.name, [event.KIND for event in consumer.events], consumer.handler)
    assert count(jobs) >= before  # events are read once they are older than every transaction
    with platform_scope("as the job does"):
        assert deliver_waiting_everywhere([shop.site.id]) == 2
    assert {each.state for each in _again(waiting)} == {State.DELIVERED}
    assert find_breaches() == []


def test_a_booking_counts_once_and_a_correction_keeps_to_the_credit_line(shop: Shop) -> None:
    first = book(shop, 100_000)
    assert book(shop, 100_000).id == first.id
    with pytest.raises(PrepaidKeyReused):
        book(shop, 200_000)
    with site_scope(shop.site.id):
        with pytest.raises(PrepaidShort):
            adjust_prepaid(site_id=shop.site.id, amount=-100_100, reason="x", actor=STAFF)
        with pytest.raises(PrepaidReasonMissing):
            adjust_prepaid(site_id=shop.site.id, amount=100, reason=" ", actor=STAFF)
        set_credit_line(site_id=shop.site.id, amount=100, reason="信任", actor=STAFF)
        adjust_prepaid(site_id=shop.site.id, amount=-100_100, reason="x", actor=STAFF)
        with pytest.raises(PrepaidShort):
            set_credit_line(site_id=shop.site.id, amount=0, reason="不再", actor=STAFF)
        lines = list_prepaid_lines(shop.site.id)
        assert [(line.amount, line.balance_amount) for line in lines] == [
            (-100_100, -100),
            (100_000, 100_000),
        ]
        older = list_prepaid_lines(shop.site.id, before_id=lines[0].transfer_id)
        assert [(line.amount, line.balance_amount) for line in older] == [(100_000, 100_000)]
    assert find_breaches() == []


def test_the_owner_is_told_once_a_crossing(shop: Shop) -> None:
    make_role(make_staff(login="lin@example.com"), shop.site)
    book(shop, 2_000_000)
    assert watch_prepaid() == 0
    with site_scope(shop.site.id):
        adjust_prepaid(site_id=shop.site.id, amount=-1_500_000, reason="x", actor=STAFF)

    assert [watch_prepaid(), watch_prepaid()] == [1, 0]
    book(shop, 3_000_000, key="more")
    assert watch_prepaid() == 0
    with site_scope(shop.site.id):
        adjust_prepaid(site_id=shop.site.id, amount=-3_000_000, reason="x", actor=STAFF)
    assert [watch_prepaid(), watch_prepaid()] == [1, 0]

    with platform_scope("a test counts"):
        assert Email.unscoped.filter(site_id=shop.site.id).count() == 2


def test_the_way_changes_only_while_nobody_is_owed_and_old_orders_keep_theirs(
    db: None, main_site: Site, site_a: Site
) -> None:
    shop = open_shop(main_site, site_a, keys=6)
    claimed = order(shop)
    (mei,) = make_buyers(site_a, 1, amount=100)
    with site_scope(site_a.id), pytest.raises(SettlementWayInvalid):
        _switch(site_a, SettlementWay.PREPAID)
    with site_scope(main_site.id), pytest.raises(SettlementWayInvalid):
        _switch(main_site, SettlementWay.PREPAID)
    with site_scope(site_a.id):
        from kameng.ledger.services import adjust_wallet

        adjust_wallet(site_id=site_a.id, customer_id=mei.id, amount=-100, reason="x", actor=STAFF)
        _switch(site_a, SettlementWay.PREPAID)
    own = Shop(site=site_a, variant=shop.variant, choice=connect_gateway(site_a))
    book(own, 10**7)
    prepaid = order(own)
    with site_scope(site_a.id):
        from kameng.orders.services import paying

        with pytest.raises(errors.GatewayUnavailable):
            paying._open_another(claimed.order_id, own.choice)
        _switch(site_a, SettlementWay.CLAIM)

    notify(shop, payment_of(shop, claimed))
    notify(own, payment_of(own, prepaid))

    ways = [fresh(shop, each).settlement_way for each in (claimed, prepaid)]
    assert ways == [SettlementWay.CLAIM, SettlementWay.PREPAID]
    assert account(AccountKind.SITE_MARGIN, site_a.id) > 0
    assert account(AccountKind.SITE_TAKINGS, site_a.id) > 0
    assert find_breaches() == []
    cancelled = order(shop)
    cancel(shop, cancelled)


def _switch(site: Site, way: SettlementWay) -> None:
    switch_settlement(site_id=site.id, way=way, reason="约定", actor=STAFF)
