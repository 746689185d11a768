"""What moves beside payments, told by the simulated gateways over loopback, against the books."""

import datetime as dt
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from kameng.payments.services.querying import query_payment
from kameng.reconciliation.models import Bill, Case, CaseKind
from kameng.reconciliation.rules import BEIJING, Correction, suggest
from kameng.reconciliation.selectors import today_there
from kameng.reconciliation.services.fetching import fetch_bill
from kameng.reconciliation.services.matching import match_bill
from kameng.settlement.rules import State
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.payments.conftest import (
    Counter,
    _allow_loopback,
    any_db,
    live,
    pay,
    world,
    wrecked_db,
)
from tests.providers.world import World
from tests.settlement.live import LiveDesk
from tests.settlement.test_bouncing import recheck
from tests.settlement.test_live import add_account, open_desk, send, start
from tests.settlement.world import ADA

__all__ = ["_allow_loopback", "any_db", "live", "pay", "world", "wrecked_db"]


@pytest.fixture
def kind() -> str:
    """UnionPay, whose files of corrections come by themselves."""
    return "unionpay"


def days_ago(count: int) -> dt.date:
    return today_there() - dt.timedelta(days=count)


def noon_of(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(12), BEIJING).timestamp()


def tell(world: World, what: str, **data: object) -> None:
    body = json.dumps(data).encode()
    with urllib.request.urlopen(f"{world.url}/control/{what}", data=body, timeout=60) as reply:
        assert reply.status == 200


def fetch(desk_gateway: int, main: Site, day: dt.date) -> Bill:
    with site_scope(main.id):
        return fetch_bill(gateway_id=desk_gateway, day=day, actor=ADA)


def cases(main: Site) -> list[tuple[int, str, str, int]]:
    with site_scope(main.id):
        rows = Case.objects.filter(gone_at=None).order_by("id")
        return [(row.kind, row.line_kind, row.own_no, row.stake_amount) for row in rows]


def send_out(desk: LiveDesk, *, day: dt.date) -> Any:
    """Pay something out at the gateway, as of noon of that day there."""
    desk.sell()
    asked = start(desk, add_account(desk))
    send(desk)
    assert desk.fresh(asked).state == State.PAID
    store = desk.world.simulator.store
    store.run("UPDATE transfers SET created_at=? WHERE own_no=?", noon_of(day), asked.payout_no)
    return asked


def come_back(desk: LiveDesk, payout_no: str, *, day: dt.date) -> None:
    tell(desk.world, "return", gateway=desk.account, own_no=payout_no)
    store = desk.world.simulator.store
    store.run("UPDATE transfers SET returned_at=? WHERE own_no=?", noon_of(day), payout_no)


def test_a_payout_that_bounced_agrees_with_both_its_lines(
    any_db: None, world: World, main_site: Site, site_a: Site
) -> None:
    desk = open_desk("alipay_cert", world, main_site, site_a)
    gateway_id = desk.shop.choice.gateway_id
    asked = send_out(desk, day=days_ago(3))
    margin = desk.margin()
    come_back(desk, asked.payout_no, day=days_ago(2))

    went_out = fetch(gateway_id, main_site, days_ago(3))
    came_in = fetch(gateway_id, main_site, days_ago(2))

    # The bill knows before the shop has asked: that is a difference, not a second payout.
    returned = (CaseKind.STATE_DIFFERS, "payout_return", asked.payout_no, 5_000)
    assert went_out.matched_count == 1
    assert cases(main_site) == [returned]

    for _ in range(2):
        recheck(desk)
    assert (desk.fresh(asked).state, desk.margin()) == (State.RETURNED, margin + 5_000)
    with site_scope(main_site.id):
        matched = match_bill(came_in.id)
    assert (matched.matched_count, cases(main_site)) == (1, [])


def test_a_return_that_the_shop_never_had_is_a_case(
    any_db: None, world: World, main_site: Site, site_a: Site
) -> None:
    desk = open_desk("alipay_cert", world, main_site, site_a)
    number, day = "260101000000004711", days_ago(5)
    moves = world.simulator.moves
    wish = {"gateway": "alipay_cert", "kind": "payout", "account": "a", "amount_fen": 77}
    moves.open_transfer({**wish, "own_no": number, "created_at": noon_of(days_ago(90))})
    come_back(desk, number, day=day)

    fetch(desk.shop.choice.gateway_id, main_site, day)

    assert cases(main_site) == [(CaseKind.MISSING_HERE, "payout_return", number, 7_700)]


def test_a_correction_of_unionpay_is_a_case_beside_its_payment(
    live: Counter, pay: Callable[..., dict[str, Any]], world: World, main_site: Site
) -> None:
    _placed, payment = live.sell()
    live.open(payment)
    pay(payment)
    with site_scope(live.shop.site.id):
        query_payment(payment.id)
    day = days_ago(6)
    store = world.simulator.store
    store.run(
        "UPDATE payments SET paid_at=? WHERE out_trade_no=?", noon_of(day), payment.payment_no
    )
    fen = payment.amount // 100
    for way, moved in (("out", fen), ("in", 1)):
        wish = {"out_trade_no": payment.payment_no, "day": day.isoformat(), "way": way}
        tell(world, "correct", amount_fen=moved, **wish)

    bill = fetch(live.shop.choice.gateway_id, main_site, day)

    assert (bill.matched_count, bill.received_amount) == (1, payment.amount)
    assert cases(main_site) == [
        (CaseKind.MISSING_HERE, "correction_in", "", 100),
        (CaseKind.MISSING_HERE, "correction_out", "", payment.amount),
    ]
    assert (
        suggest(1, line_kind="correction_out", is_gone=False, is_found=False, is_booked=False)
        is Correction.BOOK
    )
