"""A whole refund of a plan takes back the time it bought, exactly and once; a part does not."""

import datetime as dt
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from kameng.config import audit
from kameng.core import clock
from kameng.core.audit import SYSTEM, Actor
from kameng.core.scope import platform_scope
from kameng.orders.models import OrderRefund, RefundTo
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.refunding import RefundWish, refund_order
from kameng.tenancy.models import Site, SiteTerm, TermKind
from kameng.tenancy.selectors import site_scope
from kameng.tenancy.terms import set_term_by_hand
from tests.plan_shop import (
    YUAN,
    PlanShop,
    buy_shop,
    fulfil,
    open_plan_shop,
    order_of,
    place_term,
    sell_plan,
    terms_of,
)

STAFF = Actor(kind="user", actor_id=1, name="Ada")
DAY = dt.timedelta(days=1)
SecondsOf = Callable[[dt.timedelta], float]


@pytest.fixture
def plans(main_site: Site) -> PlanShop:
    """Plans for 30 days at ¥30, and for 365 at ¥1460."""
    return open_plan_shop(main_site)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the clock go on by days."""
    gone = [dt.timedelta()]
    real = clock.now

    def move(days: int) -> None:
        gone[0] += days * DAY

    monkeypatch.setattr(clock, "now", lambda: real() + gone[0])
    return move


def give_back(
    plans: PlanShop, placed: PlacedOrder, *, amount: int | None = None, key: str = "r1"
) -> OrderRefund:
    """Refund an order of a plan to the buyer's wallet."""
    wish = RefundWish(
        amount=amount, refund_to=RefundTo.WALLET, reason="不想开了", idempotency_key=key
    )
    with site_scope(plans.main.id):
        return refund_order(order_id=placed.order_id, wish=wish, actor=STAFF)


def days_left(site: Site) -> float:
    """Return how many days a site's term still has, to a tenth."""
    site.refresh_from_db()
    assert site.expires_at is not None
    return round((site.expires_at - clock.now()) / DAY, 1)


def prolong(plans: PlanShop, site: Site, **options: Any) -> PlacedOrder:
    """Buy more time for a shop and have it given."""
    placed = place_term(plans, site, **options)
    fulfil(plans, placed)
    return placed


def test_the_only_term_ends_now_and_the_grace_begins(
    plans: PlanShop, later: Callable[[int], None]
) -> None:
    placed, site = buy_shop(plans)
    later(10)

    give_back(plans, placed)

    assert days_left(site) == 0
    assert site.expires_at is not None
    assert site.lapses_at == site.expires_at + plans.basic.grace_days * DAY
    first, rest = terms_of(site)
    assert first.refunded_at is not None
    assert (rest.kind, rest.value_amount) == (TermKind.TAKEN_BACK, 0)
    assert rest.reason == order_of(plans, placed).order_no
    assert audit.find_breaches() == []


@pytest.mark.parametrize("which", [0, 1])
def test_of_two_months_one_goes_back_and_what_was_used_counts(
    plans: PlanShop, later: Callable[[int], None], which: int
) -> None:
    placed, site = buy_shop(plans)
    orders = [placed, prolong(plans, site)]
    later(10)

    give_back(plans, orders[which])

    assert days_left(site) == 20
    assert abs(terms_of(site)[-1].value_amount - 20 * YUAN) <= 10
    give_back(plans, orders[1 - which], key="r2")
    assert days_left(site) == 0
    assert terms_of(site)[-1].value_amount <= 10
    assert audit.find_breaches() == []


def test_the_same_refund_twice_takes_once(plans: PlanShop) -> None:
    placed, site = buy_shop(plans)
    second = prolong(plans, site)

    first, again = (give_back(plans, second) for _ in range(2))

    assert first.id == again.id
    assert days_left(site) == 30
    assert len(terms_of(site)) == 3
    assert order_of(plans, placed).refunded_amount == 0


def test_parts_leave_the_time_until_they_are_the_whole(plans: PlanShop) -> None:
    placed, site = buy_shop(plans)

    give_back(plans, placed, amount=10 * YUAN)
    assert days_left(site) == 30
    assert terms_of(site)[0].refunded_at is None
    give_back(plans, placed, amount=20 * YUAN, key="r2")

    assert days_left(site) == 0
    assert audit.find_breaches() == []


def test_a_change_of_plan_goes_back_to_what_was_carried_over(
    plans: PlanShop, later: Callable[[int], None]
) -> None:
    """Of ¥30 for 30 days 20 days are left: worth ¥20, which buy 5 days at ¥4."""
    first, site = buy_shop(plans)
    later(10)
    changed = prolong(plans, site, variant=plans.year)
    carried = days_left(site) - 365
    assert carried in (4, 5)

    give_back(plans, changed)

    assert days_left(site) == carried
    assert abs(terms_of(site)[-1].value_amount - 20 * YUAN) <= 4 * YUAN
    give_back(plans, first, key="r2")
    assert days_left(site) == 0
    assert audit.find_breaches() == []


def test_what_was_carried_into_another_plan_is_taken_there(
    plans: PlanShop, later: Callable[[int], None]
) -> None:
    first, site = buy_shop(plans)
    later(10)
    prolong(plans, site, variant=plans.year)
    whole = days_left(site)

    give_back(plans, first)

    assert whole in (369, 370)
    assert days_left(site) == 365
    assert audit.find_breaches() == []


def test_time_that_is_over_is_not_touched(plans: PlanShop, later: Callable[[int], None]) -> None:
    placed, site = buy_shop(plans)
    later(33)
    before = (days_left(site), len(terms_of(site)))

    give_back(plans, placed)

    assert (days_left(site), len(terms_of(site))) == before
    assert terms_of(site)[0].refunded_at is not None
    assert audit.find_breaches() == []


def test_a_plan_for_good_ends_now(plans: PlanShop) -> None:
    with platform_scope("a test reads the goods"):
        product = plans.month.product
    forever = sell_plan(product, plan=plans.basic, days=None, amount=300 * YUAN)
    placed, site = buy_shop(plans, variant=forever)
    assert site.expires_at is None

    give_back(plans, placed)

    assert days_left(site) == 0
    assert audit.find_breaches() == []


def test_an_end_set_by_hand_stays(plans: PlanShop) -> None:
    placed, site = buy_shop(plans)
    ends_at = clock.now() + 90 * DAY
    with platform_scope("a test sets a term"):
        set_term_by_hand(
            site_id=site.id, plan=plans.basic, ends_at=ends_at, reason="x", actor=SYSTEM
        )

    give_back(plans, placed)

    site.refresh_from_db()
    assert site.expires_at == ends_at
    assert audit.find_breaches() == []


def test_what_was_never_opened_gives_nothing_back(plans: PlanShop) -> None:
    from tests.plan_shop import new_shop, place_shop

    placed = place_shop(plans, new_shop())

    give_back(plans, placed)

    with platform_scope("a test looks"):
        assert not SiteTerm.unscoped.exists()
    assert audit.find_breaches() == []


def test_a_renewal_after_it_begins_where_what_is_left_ends(plans: PlanShop) -> None:
    placed, site = buy_shop(plans)
    give_back(plans, placed)

    prolong(plans, site)

    assert days_left(site) == 30
    assert audit.find_breaches() == []


def test_what_was_refunded_before_refunds_took_time_is_noted_and_nothing_taken(
    plans: PlanShop,
) -> None:
    placed, site = buy_shop(plans)
    _other, untouched = buy_shop(plans)
    give_back(plans, placed)
    with platform_scope("a test makes what an earlier version left"):
        SiteTerm.unscoped.filter(site_id=site.id, kind=TermKind.TAKEN_BACK).delete()
        rows = SiteTerm.unscoped.filter(site_id=site.id)
        rows.update(refunded_at=None, replaced_at=None)
        ends_at = rows.get().ends_at
        lapses_at = ends_at + plans.basic.grace_days * DAY if ends_at is not None else None
        Site.objects.filter(id=site.id).update(expires_at=ends_at, lapses_at=lapses_at)
    assert [line[:3] for line in audit.find_breaches()] == ["I30"]

    migration = import_module("kameng.orders.migrations.0011_note_earlier_refunds")
    with connection.cursor() as cursor:
        for _again in range(2):
            cursor.execute(migration.NOTE)

    assert audit.find_breaches() == []
    assert days_left(site) == 30
    assert terms_of(site)[0].refunded_at is not None
    assert terms_of(untouched)[0].refunded_at is None
