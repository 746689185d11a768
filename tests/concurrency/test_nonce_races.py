"""A callback sent once counts once: its nonce, taken with what it confirmed, is the guard."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.core.scope import platform_scope
from kameng.orders.rules import State
from kameng.payments.models import CallbackNonce, Gateway, Payment, RejectedCallback
from kameng.payments.providers.port import CallbackRequest
from kameng.payments.selectors import PayChoice
from kameng.payments.services import confirming
from kameng.payments.services.confirming import Reply, accept_callback
from kameng.payments.services.gateways import GatewayTerms, create_gateway
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import without_guard
from tests.concurrency.shop import STAFF, Shop, count, fresh, order, payment_of
from tests.factories import make_card_keys, make_product, make_variant
from tests.providers.cases import Case, make_case

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
RECEIPTS = "select count(*) from ledger_transfer where code = 20"
NO_GUARD = (
    "on conflict (gateway_id, nonce) do nothing",
    "on conflict (gateway_id, nonce) do update set nonce = excluded.nonce",
)


@pytest.fixture
def case() -> Case:
    return make_case("wechat")


@pytest.fixture
def stall(any_db: None, main_site: Site, site_a: Site, case: Case) -> Shop:
    """Site A sells keys through a gateway that uses nonces."""
    variant = make_variant(make_product(main_site, title="测试点卡"))
    make_card_keys(variant, 12)
    terms = GatewayTerms(
        name="微信支付", method="native", fee_bps=60, min_amount=0, max_amount=10**10
    )
    with site_scope(main_site.id):
        gateway = create_gateway(kind="wechat", form=case.form, terms=terms, actor=STAFF)
        Gateway.objects.filter(id=gateway.id).update(is_enabled=True)
    choice = PayChoice(
        gateway_id=gateway.id, kind="wechat", method="native", name="微信支付", fee_bps=60
    )
    return Shop(site=site_a, variant=variant, choice=choice)


def words(case: Case, payment: Payment, *, external_no: str = "") -> CallbackRequest:
    """Return one sending of the callback of a paid payment."""
    return case.send(
        case.signed(
            out_trade_no=payment.payment_no,
            trade_no=external_no or f"42{payment.payment_no}",
            **case.priced(payment.amount),
        )
    )


def hear(payment: Payment, callback: CallbackRequest) -> Reply:
    return accept_callback(gateway_id=payment.gateway_id, callback=callback, ip="192.0.2.9")


def codes() -> list[str]:
    with platform_scope("a test looks at refused callbacks"):
        return list(RejectedCallback.objects.order_by("id").values_list("code", flat=True))


def test_one_sending_twenty_times_at_once_is_heard_once(
    stall: Shop, case: Case, run_parallel: Parallel
) -> None:
    for _round in range(3):
        placed = order(stall)
        payment = payment_of(stall, placed)
        sent = words(case, payment)

        replies = run_parallel(20, lambda _i, p=payment, s=sent: hear(p, s))

        assert sorted(reply.accepted for reply in replies) == [False] * 19 + [True]
        assert fresh(stall, placed).state == State.DELIVERED
    assert count(RECEIPTS) == 3
    assert count("select count(*) from payments_callbacknonce") == 3
    assert set(codes()) == {"replayed"}


def test_control_without_the_guard_every_copy_is_heard(
    wrecked_db: None, stall: Shop, case: Case, run_parallel: Parallel
) -> None:
    placed = order(stall)
    payment = payment_of(stall, placed)
    sent = words(case, payment)

    with without_guard("payments_take_nonces", NO_GUARD):
        replies = run_parallel(8, lambda _i: hear(payment, sent))

    assert [reply.accepted for reply in replies] == [True] * 8


def test_every_sending_anew_is_heard(stall: Shop, case: Case, run_parallel: Parallel) -> None:
    placed = order(stall)
    payment = payment_of(stall, placed)
    sent = [words(case, payment) for _ in range(20)]

    replies = run_parallel(20, lambda i: hear(payment, sent[i]))

    assert all(reply.accepted for reply in replies)
    assert count(RECEIPTS) == 1
    assert count("select count(*) from payments_callbacknonce") == 20


def test_a_crash_before_the_end_lets_the_same_sending_come_again(
    stall: Shop, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = order(stall)
    payment = payment_of(stall, placed)
    sent = words(case, payment)

    def crash(*_args: object, **_more: object) -> None:
        raise RuntimeError("the process was killed here")

    with monkeypatch.context() as patch:
        patch.setattr(confirming, "announce_confirmed", crash)
        with pytest.raises(RuntimeError):
            hear(payment, sent)
    assert count("select count(*) from payments_callbacknonce") == 0

    assert hear(payment, sent).accepted
    assert fresh(stall, placed).state == State.DELIVERED
    assert not hear(payment, sent).accepted


def test_what_was_not_accepted_leaves_no_nonce(stall: Shop, case: Case) -> None:
    placed = order(stall)
    payment = payment_of(stall, placed)
    unknown = case.send(
        case.signed(out_trade_no="P404", trade_no="42404", **case.priced(payment.amount))
    )

    assert not hear(payment, unknown).accepted
    assert count("select count(*) from payments_callbacknonce") == 0
    assert codes() == ["payment_unknown"]


def test_nonces_stand_in_the_books_of_the_gateways_site(
    stall: Shop, case: Case, main_site: Site
) -> None:
    payment = payment_of(stall, order(stall))
    hear(payment, words(case, payment))

    with site_scope(main_site.id):
        assert CallbackNonce.objects.count() == 1
    with site_scope(stall.site.id):
        assert CallbackNonce.objects.count() == 0
