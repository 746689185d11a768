"""Twenty at once on payments: one credit, one delivery; whatever meets the payment, one end."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kameng.config.audit import find_breaches
from kameng.core.database import fetch
from kameng.core.ids import new_token
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import site_account_amount, wallet_amount
from kameng.orders import errors, store
from kameng.orders.models import Order
from kameng.orders.rules import Settlement, State
from kameng.orders.services import giving_back, paying
from kameng.orders.services.closing import expire_orders
from kameng.payments.models import GatewayRefund, Payment, Purpose, TopUp
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import Confirmation, PaidStatus
from kameng.payments.services import confirming
from kameng.payments.services.confirming import Reply
from kameng.payments.services.paying import start_top_up
from kameng.payments.statements import Statement
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.circle import PASSING, meets_a_circle
from tests.concurrency.guards import MEET_TWO, meetings, without_guard
from tests.concurrency.shop import (
    Shop,
    cancel,
    connect_gateway,
    count,
    fresh,
    make_buyers,
    make_due,
    notify,
    of_kind,
    open_shop,
    order,
    payment_of,
    price_of,
)

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
ROUNDS = 3
SALES = "select count(*) from ledger_transfer where code = 30"
RECEIPTS = "select count(*) from ledger_transfer where code = 20"
SOLD_TO = "select count(*) from inventory_cardkey where state = 2 and order_id = %s"
SENT_BACK = "select coalesce(sum(amount), 0) from payments_gatewayrefund where payment_id = %s"
RESERVED = "select count(*) from inventory_reservation"
# What the payment's lock and its unique proof prevent together.
TWICE = (
    ("where payment_no = p_payment_no for no key update", "where payment_no = p_payment_no"),
    ("    if p.state in (2, 4) then", f"{MEET_TWO}    if p.state in (2, 4) then"),
    ("p_source, p_digest, p_note);", "p_source, p_digest, p_note) on conflict do nothing;"),
)


def test_one_callback_a_hundred_times_is_one_credit_and_one_delivery(
    shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)

    replies = [r for _ in range(5) for r in run_parallel(20, lambda _i: notify(shop, payment))]

    assert all(isinstance(r, Reply) and r.accepted for r in replies), replies
    assert {(r.status, r.body) for r in replies} == {(200, b"success")}
    assert fresh(shop, placed).state == State.DELIVERED
    assert count(RECEIPTS) == count(SALES) == count(SOLD_TO, placed.order_id) == 1
    assert count("select count(*) from payments_proof") == 1


def test_control_without_the_lock_on_the_payment_a_callback_counts_twice(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)

    with meetings(), without_guard("payments_confirm", *TWICE):
        run_parallel(8, lambda _i: notify(shop, payment))

    assert count(RECEIPTS) > 1


def test_cancel_against_pay_ends_delivered_and_nobody_waits_in_a_circle(
    shop: Shop, run_parallel: Parallel
) -> None:
    for _round in range(ROUNDS):
        placed = order(shop)
        payment = payment_of(shop, placed)

        def act(index: int, placed: Any = placed, payment: Any = payment) -> Any:
            return notify(shop, payment) if index % 2 else cancel(shop, placed)

        outcomes = run_parallel(20, act)

        assert Counter(map(type, outcomes)) in (
            {Reply: 10, errors.NotAllowedNow: 10},
            {Reply: 10, errors.NotAllowedNow: 9, type(None): 1},
        )
        assert all(r.accepted for r in of_kind(outcomes, Reply))
        assert fresh(shop, placed).state == State.DELIVERED
        assert count(SOLD_TO, placed.order_id) == 1
        assert count(f"{SALES} and reference_id = %s", placed.order_id) == 1


def test_control_without_the_look_at_the_state_a_paid_order_is_cancelled(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    """In the race above it hangs on luck who is first: here it is who pays."""
    placed = order(shop)
    payment = payment_of(shop, placed)
    paid = threading.Event()

    def act(index: int) -> Any:
        if index % 2:
            reply = notify(shop, payment)
            paid.set()
            return reply
        paid.wait(60)
        return cancel(shop, placed)

    with without_guard(
        "orders_close", ("where id = p_order and state = 1 and", "where id = p_order and")
    ):
        run_parallel(20, act)

    assert find_breaches()


def test_control_waiting_for_the_payment_under_the_order_is_a_circle(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    """With the guard in place no round has one: see the same race in `test_mixed_operations`."""
    with without_guard("payments_give_up", PASSING):
        assert meets_a_circle(shop, run_parallel, "orders_close")


def test_expiry_against_pay_delivers_once_and_keeps_no_reservation(
    shop: Shop, run_parallel: Parallel
) -> None:
    for _round in range(ROUNDS):
        placed = order(shop)
        payment = payment_of(shop, placed)
        make_due(shop, placed)

        def act(index: int, payment: Any = payment) -> Any:
            return notify(shop, payment) if index % 2 else expire_orders()

        outcomes = run_parallel(20, act)

        assert Counter(map(type, outcomes)) == {Reply: 10, int: 10}
        assert all(r.accepted for r in of_kind(outcomes, Reply))
        assert fresh(shop, placed).state == State.DELIVERED
        assert count(RESERVED) == 0
        assert count(SOLD_TO, placed.order_id) == 1


def test_control_without_the_look_at_the_state_a_paid_order_expires(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    """Expiry has seen the order unpaid when the money settles it, and writes after that."""
    unpaid = "select 1 from orders_order where state = 1 and id = any (%L)"
    paid = f"perform test_await(format('select not exists ({unpaid})', due));"
    edits = (
        ("limit p_limit for no key update skip locked", "limit p_limit"),
        ("where id = any (due) and state = 1;", "where id = any (due);"),
        (
            "    update orders_order set state = 5",
            f"{MEET_TWO}    {paid}\n    update orders_order set state = 5",
        ),
    )
    settling = ("    select * into o from", f"{MEET_TWO}    select * into o from")
    placed = order(shop)
    payment = payment_of(shop, placed)
    make_due(shop, placed)

    def act(index: int) -> Any:
        return notify(shop, payment) if index % 2 else expire_orders()

    with (
        meetings(),
        without_guard("orders_expire", *edits),
        without_guard("orders_settle", settling),
    ):
        run_parallel(2, act)

    assert find_breaches()


def test_parallel_cancels_release_once(shop: Shop, run_parallel: Parallel) -> None:
    placed = order(shop, quantity=2)

    outcomes = run_parallel(20, lambda _i: cancel(shop, placed))

    assert Counter(map(type, outcomes)) == {type(None): 1, errors.NotAllowedNow: 19}
    assert fresh(shop, placed).path == [State.AWAITING_PAYMENT, State.CANCELLED]
    assert count("select count(*) from core_event where kind = 'orders.closed'") == 1
    assert count("select count(*) from inventory_cardkey where state = 0") == 12


def test_wallet_against_gateway_is_one_sale_and_the_other_money_goes_back(
    shop: Shop, run_parallel: Parallel
) -> None:
    price = price_of(shop)
    for _round in range(ROUNDS):
        (buyer,) = make_buyers(shop.site, 1, amount=price)
        placed = order(shop, customer=buyer)
        payment = payment_of(shop, placed)

        def act(index: int, placed: Any = placed, payment: Any = payment, who: Any = buyer) -> Any:
            if index % 2:
                return notify(shop, payment)
            with site_scope(shop.site.id):
                unpaid = Order.objects.get(id=placed.order_id)
                return paying.pay_from_wallet(order=unpaid, customer_id=who.id)

        outcomes = run_parallel(20, act)

        by_wallet = len(of_kind(outcomes, Settlement))
        assert by_wallet <= 1
        assert fresh(shop, placed).state == State.DELIVERED
        assert fresh(shop, placed).paid_by == (1 if by_wallet else 2)
        back = "select count(*) from payments_gatewayrefund where payment_id = %s"
        assert count(back, payment.id) == by_wallet
        with site_scope(shop.site.id):
            assert wallet_amount(buyer.id) == (0 if by_wallet else price)


def test_two_gateways_paid_at_once_deliver_once_and_send_the_second_back(
    shop: Shop, main_site: Site, run_parallel: Parallel
) -> None:
    other = connect_gateway(main_site)
    for _round in range(ROUNDS):
        placed = order(shop)
        payments = [payment_of(shop, placed), _open_at(shop, placed, other)]

        replies = run_parallel(20, lambda i, payments=payments: notify(shop, payments[i % 2]))

        assert all(r.accepted for r in replies)
        done = fresh(shop, placed)
        assert done.state == State.DELIVERED
        assert count(SOLD_TO, done.id) == 1
        assert count(f"{SALES} and reference_id = %s", done.id) == 1
        assert count(f"{RECEIPTS} and reference_id = %s", done.id) == 2
        second = next(p for p in payments if p.id != done.payment_id)
        sent_back = (
            "select coalesce(sum(amount), 0) from payments_gatewayrefund where payment_id = %s"
        )
        assert count(sent_back, second.id) == done.total_amount
        assert count(sent_back, done.payment_id) == 0


def test_control_without_the_lock_on_the_order_both_payments_buy_it(
    wrecked_db: None, shop: Shop, main_site: Site, run_parallel: Parallel
) -> None:
    edits = (
        ("where id = p_order for no key update;", "where id = p_order;"),
        ("    if o.state not in", f"{MEET_TWO}    if o.state not in"),
    )
    placed = order(shop)
    payments = [payment_of(shop, placed), _open_at(shop, placed, connect_gateway(main_site))]

    with meetings(), without_guard("orders_settle", *edits):
        run_parallel(8, lambda i: notify(shop, payments[i % 2]))

    assert count(f"{SALES} and reference_id = %s", placed.order_id) == 2


def test_one_number_of_the_gateway_pays_one_of_two_orders(
    shop: Shop, run_parallel: Parallel
) -> None:
    for number in range(ROUNDS):
        first, second = order(shop), order(shop)
        payments = [payment_of(shop, first), payment_of(shop, second)]

        replies = run_parallel(
            20,
            lambda i, payments=payments, number=number: notify(
                shop, payments[i % 2], external_no=f"SAME{number}"
            ),
        )

        assert Counter(r.accepted for r in replies) == {True: 10, False: 10}
        states = sorted((fresh(shop, first).state, fresh(shop, second).state))
        assert states == [State.AWAITING_PAYMENT, State.DELIVERED]


def test_a_late_payment_is_delivered_once_while_there_is_stock(
    shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop, quantity=2)
    payment = payment_of(shop, placed)
    make_due(shop, placed)
    expire_orders()

    replies = run_parallel(20, lambda _i: notify(shop, payment))

    assert all(r.accepted for r in replies)
    assert fresh(shop, placed).path == [
        State.AWAITING_PAYMENT,
        State.EXPIRED,
        State.AWAITING_DELIVERY,
        State.DELIVERED,
    ]
    assert count(SOLD_TO, placed.order_id) == 2


def test_a_late_payment_without_stock_goes_back_once(
    main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=2)
    late = order(shop, quantity=2)
    payment = payment_of(shop, late)
    make_due(shop, late)
    expire_orders()
    notify(shop, payment_of(shop, order(shop)))

    replies = run_parallel(20, lambda _i: notify(shop, payment))

    assert all(r.accepted for r in replies)
    assert fresh(shop, late).state == State.REFUNDING
    assert count("select count(*) from payments_gatewayrefund") == 1
    assert count("select count(*) from ledger_transfer where code = 40") == 1
    assert count(SOLD_TO, late.order_id) == 0


def test_control_without_lock_and_limit_a_late_payment_goes_back_twice(
    wrecked_db: None,
    main_site: Site,
    site_a: Site,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = open_shop(main_site, site_a, keys=1)
    late = order(shop)
    payment = payment_of(shop, late)
    make_due(shop, late)
    expire_orders()
    notify(shop, payment_of(shop, order(shop)))
    monkeypatch.setattr(giving_back, "request_refund", _refund_without_looking)

    with meetings(), without_guard("payments_confirm", *TWICE):
        run_parallel(8, lambda _i: notify(shop, payment))

    assert count("select count(*) from payments_gatewayrefund") > 1
    assert any(line.startswith("I5") for line in find_breaches())


@pytest.fixture
def trusting_query(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway, when asked, says that everything was paid in full."""

    def query(_self: object, _config: object, payment_no: str) -> Confirmation:
        amount = count("select amount from payments_payment where payment_no = %s", payment_no)
        return Confirmation(
            payment_no=payment_no,
            external_no=f"EXT{payment_no}",
            amount=Amount(amount),
            status=PaidStatus.PAID,
            paid_at=None,
            payer="",
            raw_digest="00" * 32,
        )

    monkeypatch.setattr(EpayProvider, "query", query)


def test_a_top_up_is_credited_once(
    shop: Shop, run_parallel: Parallel, trusting_query: None
) -> None:
    payment, customer = _top_up(shop, 500_000)

    replies = run_parallel(20, lambda _i: notify(shop, payment))

    assert all(r.accepted for r in replies)
    with site_scope(shop.site.id):
        assert wallet_amount(customer.id) == 500_000
    fee = payment.fee_amount
    assert fee == 3_000
    with site_scope(shop.site.id) as view:
        assert site_account_amount(AccountKind.GATEWAY_FEES, owner_id=payment.gateway_id) == fee
        assert site_account_amount(AccountKind.SALES, owner_id=view.main_id) == -fee
        assert site_account_amount(AccountKind.ORDER_SUSPENSE, owner_id=view.site_id) == 0


def test_control_without_the_marks_a_top_up_is_credited_again(
    wrecked_db: None,
    shop: Shop,
    run_parallel: Parallel,
    trusting_query: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment, customer = _top_up(shop, 500_000)
    monkeypatch.setattr(
        confirming, "credit_top_up", _credit_without_looking(confirming.credit_top_up)
    )

    with meetings(), without_guard("payments_confirm", *TWICE):
        run_parallel(8, lambda _i: notify(shop, payment))

    with site_scope(shop.site.id):
        assert wallet_amount(customer.id) > 500_000


def test_one_top_up_key_twenty_times_is_one_top_up(shop: Shop, run_parallel: Parallel) -> None:
    (customer,) = make_buyers(shop.site, 1, amount=0)

    def start(_index: int) -> Any:
        with site_scope(shop.site.id):
            return start_top_up(
                customer_id=customer.id, amount=10_000, choice=shop.choice, idempotency_key="same"
            )

    outcomes = run_parallel(20, start)

    assert len({(top_up.id, payment.id) for top_up, payment in outcomes}) == 1
    assert count("select count(*) from payments_payment") == 1


def _refund_without_looking(*, payment: Payment, amount: int, reason: str) -> None:
    GatewayRefund.objects.create(
        site_id=payment.site_id,
        payment_id=payment.id,
        refund_no=new_token(),
        purpose=payment.purpose,
        subject_id=payment.subject_id,
        amount=amount,
        reason=reason,
    )


def _credit_without_looking(credit: Callable[..., bool]) -> Callable[..., bool]:
    def again(done: Any, *, gateway_id: int) -> bool:
        TopUp.objects.filter(id=done.paid_for).update(credited_at=None)
        return credit(done, gateway_id=gateway_id)

    return again


def _top_up(shop: Shop, amount: int) -> tuple[Payment, Any]:
    (customer,) = make_buyers(shop.site, 1, amount=0)
    with site_scope(shop.site.id):
        _top_up, payment = start_top_up(
            customer_id=customer.id, amount=amount, choice=shop.choice, idempotency_key="first"
        )
    return payment, customer


def _open_at(shop: Shop, placed: Any, choice: Any) -> Payment:
    """Open a second payment of an order at another gateway, as a buyer who changes his mind."""
    with site_scope(shop.site.id):
        payment = paying._open_another(placed.order_id, choice)
    assert payment.purpose == Purpose.ORDER
    return payment


def _plain(shop: Shop, payment: Payment) -> Statement:
    return Statement(
        payment_no=payment.payment_no,
        gateway_id=shop.choice.gateway_id,
        external_no=f"EXT{payment.payment_no}",
        amount=payment.amount,
        source="callback",
        raw_digest=b"x" * 32,
    )


def _confirm_shuffled(
    shop: Shop, payments: list[Payment], run_parallel: Parallel, *, threads: int
) -> list[Any]:
    """Let threads confirm the same payments, each as one batch in an order of its own."""
    statements = [_plain(shop, payment) for payment in payments]

    def confirm(index: int) -> int:
        mine = random.Random(index).sample(statements, len(statements))
        rows = fetch(
            store.CONFIRM,
            store.confirm_columns([store.Confirmable(each) for each in mine]),
            scoped=False,
        )
        return sum(row[0] for row in rows)

    return run_parallel(threads, confirm)


def test_batches_of_the_same_callbacks_confirm_each_payment_once(
    shop: Shop, run_parallel: Parallel
) -> None:
    payments = [payment_of(shop, order(shop)) for _ in range(12)]

    counts = _confirm_shuffled(shop, payments, run_parallel, threads=20)

    assert all(isinstance(each, int) for each in counts), counts
    assert sum(counts) == 12
    assert count(SALES) == count(RECEIPTS) == 12


def test_a_callback_by_both_ways_at_once_is_one_credit(shop: Shop, run_parallel: Parallel) -> None:
    for _ in range(ROUNDS):
        payment = payment_of(shop, order(shop))

        def tell(index: int, payment: Payment = payment) -> Any:
            if index % 2:
                return notify(shop, payment)
            return _confirm_alone(shop, payment)

        answers = run_parallel(20, tell)

        assert all(isinstance(each, Reply | bool) for each in answers), answers
        assert {each.body for each in answers if isinstance(each, Reply)} == {b"success"}
        assert len([each for each in answers if each is True]) <= 1
    assert count(SALES) == count(RECEIPTS) == ROUNDS


def _confirm_alone(shop: Shop, payment: Payment) -> bool:
    statement = _plain(shop, payment)
    return bool(
        fetch(store.CONFIRM, store.confirm_columns([store.Confirmable(statement)]), scoped=False)[
            0
        ][0]
    )


def test_control_without_their_locks_batches_confirm_twice(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    payment = payment_of(shop, order(shop))
    no_payment_lock = (
        "     where p.state = 1 and p.purpose + 0 = 1 and p.completes_id is null\n",
        "     where p.purpose = 1\n",
    )
    no_order_lock = (
        "    if plain is null then",
        f"{MEET_TWO}    plain := array[1];\n    if plain is null then",
    )
    no_stock_check = ("    if ready <> cardinality(p_order) then", "    if false then")
    not_proved_once = (
        "as t(id, site, digest);\nend",
        "as t(id, site, digest) on conflict do nothing;\nend",
    )

    with (
        meetings(),
        without_guard(
            "payments_lock_plain",
            no_payment_lock,
            (" for no key update of p", ""),
            ("o.external_no = t.external", "false"),
        ),
        without_guard("orders_confirm", no_order_lock, (" for no key update) o", ") o")),
        without_guard("orders_settle_plain", no_stock_check),
        without_guard("payments_mark_plain", not_proved_once),
    ):
        answers = run_parallel(2, lambda _index: _confirm_alone(shop, payment))

    assert answers == [True, True], answers
    assert count(RECEIPTS) == 2
