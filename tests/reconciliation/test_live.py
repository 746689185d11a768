"""A real bill of the simulated WeChat Pay against payments that were made there."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.core.audit import Actor
from kameng.payments.models import PaymentState
from kameng.payments.services.querying import query_payment
from kameng.reconciliation.models import BillState, Case
from kameng.reconciliation.selectors import today_there
from kameng.reconciliation.services.fetching import fetch_bill
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
from tests.providers.test_wechat_live import _move_to_noon_of
from tests.providers.world import World

__all__ = ["_allow_loopback", "any_db", "live", "pay", "world", "wrecked_db"]

ADA = Actor(kind="user", actor_id=1, name="Ada")


@pytest.fixture
def kind() -> str:
    """WeChat Pay, whose bills can be fetched."""
    return "wechat"


def test_what_was_paid_there_agrees_with_its_bill(
    live: Counter, pay: Callable[..., dict[str, Any]], world: World, main_site: Site
) -> None:
    _placed, payment = live.sell()
    live.open(payment)
    pay(payment)
    with site_scope(live.shop.site.id):
        query_payment(payment.id)
    assert live.payment_of(payment).state == PaymentState.CONFIRMED
    day = today_there().replace(day=1)
    day = day.replace(year=day.year - 1) if day == today_there() else day
    _move_to_noon_of(world, day)

    with site_scope(main_site.id):
        bill = fetch_bill(gateway_id=live.shop.choice.gateway_id, day=day, actor=ADA)
        found = list(Case.objects.values_list("kind", "own_no"))

    assert bill.state == BillState.MATCHED
    assert bill.received_amount == payment.amount
    assert (bill.matched_count, found) == (1, [])
