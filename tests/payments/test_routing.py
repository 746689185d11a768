"""Another account when one cannot, never two that may both be paid, and rest for who fails."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from kameng.catalog.selectors import forget_catalogues
from kameng.core import clock
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.orders.models import Order
from kameng.orders.services.paying import begin_payment
from kameng.payments import errors
from kameng.payments.models import Gateway, GatewayDay, Payment, PaymentState, Purpose
from kameng.payments.providers.port import PaidStatus, ProviderRefused, ProviderUncertain
from kameng.payments.rules import FAULTS_IN_A_ROW, REST_WAITS_SECONDS, cap_day
from kameng.payments.selectors import get_pay_choice, list_pay_choices
from kameng.payments.services import paying
from kameng.payments.services.gateways import wake_gateway
from kameng.payments.services.paying import Payer
from kameng.payments.services.querying import query_due_payments
from kameng.payments.services.resting import note_answer, note_fault, probe_resting_gateways
from kameng.payments.services.routing import Opened
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.concurrency.shop import STAFF, Shop, order
from tests.factories import make_card_keys, make_product, make_variant
from tests.payments import fakes
from tests.payments.fakes import World, make_account

NOW = clock.now
REFUSED = ProviderRefused("account_closed", "商户已停用")
BROKEN = ProviderUncertain("bad_reply")
SILENT = ProviderUncertain("timeout")


@pytest.fixture(autouse=True)
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The accounts of these tests, which do as they are told."""
    monkeypatch.setattr(paying, "in_transaction_of_request", lambda: False)
    with fakes.fake_gateways(monkeypatch) as running:
        yield running


@pytest.fixture
def pair(main_site: Site) -> tuple[Gateway, Gateway]:
    """Two accounts of one way; the second stands by."""
    first = make_account(main_site, "one")
    return first, make_account(main_site, "two", way_id=first.id, name="二号", weight=0)


def payer(device: Any = "pc", **ids: str) -> Payer:
    return Payer(
        client_ip="192.0.2.1",
        device=device,
        notify_url="http://lin.localhost/notify/",
        return_url="http://lin.localhost/back/",
        payer_ids={int(key[1:]): value for key, value in ids.items()},
    )


def place(main: Site, site: Site, way: Gateway) -> Order:
    forget_catalogues()
    variant = make_variant(make_product(main, title="测试点卡"))
    make_card_keys(variant, 5)
    view = get_site_view(site.id)
    choice = get_pay_choice(view, gateway_id=way.id, amount=100_000)
    placed = order(Shop(site=site, variant=variant, choice=choice))
    with site_scope(site.id):
        found: Order = Order.objects.get(id=placed.order_id)
    return found


def pay(order: Order, way: Gateway | None = None, **who: Any) -> Opened:
    view = get_site_view(order.site_id)
    choice = None
    if way is not None:
        choice = get_pay_choice(view, gateway_id=way.id, amount=order.total_amount)
    with site_scope(order.site_id):
        return begin_payment(order=order, view=view, payer=payer(**who), choice=choice)


def attempts(order: Order) -> list[tuple[int, int]]:
    with site_scope(order.site_id):
        rows = Payment.objects.filter(purpose=Purpose.ORDER, subject_id=order.id).order_by("id")
        return [(row.gateway_id, row.state) for row in rows]


def gateway(row: Gateway) -> Gateway:
    with site_scope(row.site_id):
        found: Gateway = Gateway.objects.get(id=row.id)
    return found


OPEN, CLOSED = PaymentState.OPEN, PaymentState.CLOSED


def test_an_account_that_refuses_clearly_gives_its_place_to_another(
    world: World, main_site: Site, site_a: Site, pair: tuple[Gateway, Gateway]
) -> None:
    first, second = pair
    order = place(main_site, site_a, first)
    world.answers["create", "one"] = REFUSED

    opened = pay(order)

    assert opened.instruction.url == "https://pay.example.com/two/"
    assert opened.payment.gateway_id == second.id
    assert attempts(order) == [(first.id, CLOSED), (second.id, OPEN)]
    assert world.requests[0].payment_no != world.requests[1].payment_no
    assert pay(order).instruction == opened.instruction  # told once, shown again
    assert world.count("create", "two") == 1


def test_when_every_account_refuses_the_order_is_still_there(
    world: World, main_site: Site, site_a: Site, pair: tuple[Gateway, Gateway]
) -> None:
    first, second = pair
    other = make_account(main_site, "three", name="支付宝")
    order = place(main_site, site_a, first)
    world.answers |= {("create", "one"): REFUSED, ("create", "two"): REFUSED}

    with pytest.raises(errors.AccountUnable) as refused:
        pay(order)

    assert "没有被扣款" in refused.value.text()
    assert attempts(order) == [(first.id, CLOSED), (second.id, CLOSED)]
    assert pay(order, other).payment.gateway_id == other.id


@pytest.mark.parametrize(
    ("known", "closing", "moves"),
    [
        (PaidStatus.NOT_FOUND, None, True),
        (PaidStatus.CLOSED, None, True),
        (PaidStatus.PENDING, PaidStatus.CLOSED, True),
        (PaidStatus.PENDING, PaidStatus.PENDING, False),  # it cannot close: it might be paid
        (PaidStatus.PAID, PaidStatus.PAID, False),
        (SILENT, None, False),
        (REFUSED, None, False),
    ],
)
def test_an_uncertain_opening_moves_on_only_when_it_can_be_paid_nowhere_else(
    world: World,
    main_site: Site,
    site_a: Site,
    pair: tuple[Gateway, Gateway],
    known: Any,
    closing: PaidStatus | None,
    moves: bool,
) -> None:
    first, second = pair
    order = place(main_site, site_a, first)
    world.answers |= {
        ("create", "one"): BROKEN,
        ("query", "one"): known,
        ("close", "one"): closing,
    }

    if moves:
        assert pay(order).payment.gateway_id == second.id
        assert attempts(order) == [(first.id, CLOSED), (second.id, OPEN)]
    else:
        with pytest.raises(errors.GatewayAway):
            pay(order)
        assert attempts(order) == [(first.id, OPEN)]
        assert world.count("create", "two") == 0


def test_a_silent_account_is_not_asked_twice_while_the_buyer_waits(
    world: World, main_site: Site, site_a: Site, pair: tuple[Gateway, Gateway]
) -> None:
    order = place(main_site, site_a, pair[0])
    world.answers["create", "one"] = SILENT

    with pytest.raises(errors.GatewayAway):
        pay(order)

    assert world.calls == [("create", "one")]


def test_choosing_anew_leaves_an_attempt_that_told_nothing_to_the_worker(
    world: World, main_site: Site, site_a: Site, pair: tuple[Gateway, Gateway]
) -> None:
    """Nobody has its address, but only its gateway can say that it cannot be paid."""
    first, _second = pair
    other = make_account(main_site, "three", name="支付宝")
    order = place(main_site, site_a, first)
    world.answers["create", "one"] = SILENT
    with pytest.raises(errors.GatewayAway):
        pay(order)

    pay(order, other)
    world.answers["query", "one"] = PaidStatus.NOT_FOUND
    with site_scope(site_a.id):
        left = Payment.objects.get(gateway_id=first.id)
        assert left.next_query_at is not None
        assert max(left.next_query_at, left.expires_at) <= NOW()
        Payment.objects.filter(id=left.id).update(next_query_at=NOW() - dt.timedelta(minutes=1))
    query_due_payments()

    assert attempts(order) == [(first.id, CLOSED), (other.id, OPEN)]
    assert world.count("close", "one") == 1


def test_an_account_that_fails_in_a_row_rests_and_is_left_out(
    world: World, main_site: Site, site_a: Site, pair: tuple[Gateway, Gateway]
) -> None:
    first, second = pair
    world.answers["create", "one"] = REFUSED
    for _number in range(FAULTS_IN_A_ROW):
        pay(place(main_site, site_a, first))

    rested = gateway(first)
    [choice] = list_pay_choices(get_site_view(site_a.id), amount=100_000)

    assert rested.rests_until is not None
    assert (rested.rest_count, rested.fault_code) == (1, "account_closed")
    assert (choice.gateway_id, choice.way_key) == (second.id, first.id)
    with platform_scope("a test reads the audit log"):
        assert AuditEntry.objects.filter(action="gateway.rested").count() == 1


def test_an_attempt_at_a_resting_account_moves_without_asking_it(
    world: World, main_site: Site, site_a: Site, pair: tuple[Gateway, Gateway]
) -> None:
    first, second = pair
    order = place(main_site, site_a, first)
    with site_scope(main_site.id):
        Gateway.objects.filter(id=first.id).update(rests_until=NOW() + dt.timedelta(minutes=1))

    assert pay(order).payment.gateway_id == second.id
    assert world.count("create", "one") == 0


def test_an_answer_between_failures_ends_the_row(main_site: Site) -> None:
    row = make_account(main_site)
    for _round in range(2):
        for _number in range(FAULTS_IN_A_ROW - 1):
            note_fault(row, code="bad_reply")
        note_answer(row, opened=True)

    assert (gateway(row).fault_count, gateway(row).rests_until) == (0, None)


@pytest.mark.parametrize("code", ["busy", "bad_amount", "unknown_method"])
def test_what_is_no_fault_of_the_account_is_not_counted(main_site: Site, code: str) -> None:
    row = make_account(main_site)
    for _number in range(FAULTS_IN_A_ROW):
        note_fault(row, code=code)

    assert (gateway(row).fault_count, gateway(row).rests_until) == (0, None)


def test_refusals_of_one_persons_id_do_not_put_an_account_to_rest(
    world: World, main_site: Site, site_a: Site
) -> None:
    """Else one buyer could shut a way for everybody."""
    way = make_account(main_site, method="jsapi")
    world.answers["create", "one"] = ProviderRefused("PARAM_ERROR")
    for _number in range(FAULTS_IN_A_ROW):
        order = place(main_site, site_a, way)
        with pytest.raises(errors.AccountUnable):
            pay(order, device="wechat", **{f"g{way.id}": "openid"})

    assert gateway(way).fault_count == 0


def rest(row: Gateway) -> None:
    for _number in range(FAULTS_IN_A_ROW):
        note_fault(row, code="bad_reply")


def end_rest(row: Gateway) -> None:
    with site_scope(row.site_id):
        Gateway.objects.filter(id=row.id).update(rests_until=NOW() - dt.timedelta(minutes=1))


def seconds_left(row: Gateway) -> int:
    until = gateway(row).rests_until
    assert until is not None
    return round((until - NOW()).total_seconds())


def test_a_rest_grows_until_a_payment_was_opened(world: World, main_site: Site) -> None:
    row = make_account(main_site)
    world.answers["check", "one"] = SILENT
    rest(row)
    waits = [seconds_left(row)]
    for _number in range(len(REST_WAITS_SECONDS)):
        end_rest(row)
        assert probe_resting_gateways() == 1
        waits.append(seconds_left(row))

    grown = [*REST_WAITS_SECONDS, REST_WAITS_SECONDS[-1]]
    assert all(abs(wait - due) <= 120 for wait, due in zip(waits, grown, strict=True))
    assert waits == sorted(waits)

    world.answers["check", "one"] = None
    end_rest(row)
    probe_resting_gateways()
    well = gateway(row)
    assert (well.rests_until, well.fault_count) == (None, 0)
    assert well.rest_count == len(grown)  # answering a question is not opening a payment
    note_answer(well, opened=True)
    assert gateway(row).rest_count == 0


def test_a_rest_that_is_not_over_is_not_probed(world: World, main_site: Site) -> None:
    rest(make_account(main_site))

    assert probe_resting_gateways() == 0
    assert world.calls == []


def test_a_person_wakes_an_account(main_site: Site, site_a: Site) -> None:
    row = make_account(main_site)
    rest(row)
    assert list_pay_choices(get_site_view(site_a.id)) == []

    with site_scope(main_site.id):
        wake_gateway(gateway_id=row.id, actor=STAFF)

    assert [each.gateway_id for each in list_pay_choices(get_site_view(site_a.id))] == [row.id]
    with site_scope(site_a.id), pytest.raises(errors.GatewayNotFound):
        wake_gateway(gateway_id=row.id, actor=STAFF)  # not the sub-site's


def test_failing_queries_put_an_account_to_rest(
    world: World, main_site: Site, site_a: Site
) -> None:
    way = make_account(main_site)
    orders = [place(main_site, site_a, way) for _number in range(FAULTS_IN_A_ROW)]
    world.answers["query", "one"] = ProviderUncertain("bad_status")
    with site_scope(site_a.id):
        Payment.objects.update(next_query_at=NOW() - dt.timedelta(minutes=1))

    query_due_payments()

    assert gateway(way).rests_until is not None
    assert len(orders) == FAULTS_IN_A_ROW


def used(row: Gateway) -> tuple[int, int]:
    with site_scope(row.site_id):
        day = GatewayDay.objects.filter(gateway_id=row.id, day=cap_day(NOW())).first()
    return (day.opened_amount, day.opened_count) if day else (0, 0)


def test_a_full_cap_gives_the_place_to_another_account(
    world: World, main_site: Site, site_a: Site
) -> None:
    first = make_account(main_site, "one", daily_cap_amount=250_000)
    second = make_account(main_site, "two", way_id=first.id, name="二号", weight=0)
    orders = [place(main_site, site_a, first) for _number in range(3)]

    took = [pay(order).payment.gateway_id for order in orders]

    assert took == [first.id, first.id, second.id]
    assert used(first) == (200_000, 2)
    assert used(second) == (0, 0)  # no cap, no count
    assert world.count("create", "one") == 2
    view = get_site_view(site_a.id)  # the next buyer is led to the second at once
    assert get_pay_choice(view, gateway_id=first.id, amount=100_000).gateway_id == second.id


def test_an_attempt_that_was_given_up_gives_its_part_back(
    world: World, main_site: Site, site_a: Site
) -> None:
    way = make_account(main_site, daily_cap_amount=250_000)
    order = place(main_site, site_a, way)
    opened = pay(order)
    pay(order)  # shown again: claimed once
    assert used(way) == (100_000, 1)

    with site_scope(site_a.id):
        past = NOW() - dt.timedelta(minutes=1)
        Payment.objects.filter(id=opened.payment.id).update(expires_at=past, next_query_at=past)
    query_due_payments()

    assert attempts(order) == [(way.id, CLOSED)]
    assert used(way) == (0, 0)


def test_a_refused_opening_holds_nothing_of_the_cap(
    world: World, main_site: Site, site_a: Site
) -> None:
    way = make_account(main_site, daily_cap_amount=250_000)
    order = place(main_site, site_a, way)
    world.answers["create", "one"] = REFUSED

    with pytest.raises(errors.AccountUnable):
        pay(order)

    assert used(way) == (0, 0)


def test_a_way_of_another_device_is_not_asked(world: World, main_site: Site, site_a: Site) -> None:
    way = make_account(main_site, method="h5")
    order = place(main_site, site_a, way)

    with pytest.raises(errors.WrongDevice):
        pay(order, device="pc")
    assert world.calls == []
    assert attempts(order) == [(way.id, OPEN)]


def test_who_pays_is_told_to_his_gateway_alone(world: World, main_site: Site, site_a: Site) -> None:
    way = make_account(main_site, method="jsapi")
    other = make_account(main_site, "two", method="jsapi", name="别的")
    order = place(main_site, site_a, way)

    with pytest.raises(errors.PayerUnknown):
        pay(order, device="wechat", **{f"g{other.id}": "openid-of-the-other"})
    assert world.calls == []

    told = pay(order, device="wechat", **{f"g{way.id}": "openid"})
    assert told.instruction.kind == "jsapi"
    assert [request.payer_id for request in world.requests] == ["openid"]


def test_an_order_does_not_open_attempts_without_end(
    world: World, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kameng.orders.errors import GatewayUnavailable
    from kameng.orders.services import paying as ordering

    monkeypatch.setattr(ordering, "OPENING_LIMIT", 4)
    way = make_account(main_site, "one")
    order = place(main_site, site_a, way)
    world.answers["create", "one"] = ProviderRefused("busy")  # never puts it to rest
    for _number in range(4):
        with pytest.raises(errors.AccountUnable):
            pay(order, way)

    with pytest.raises(GatewayUnavailable):
        pay(order, way)
    assert world.count("create", "one") == 4
