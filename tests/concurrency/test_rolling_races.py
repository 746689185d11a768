"""Rolling up while orders are written, by two workers, cut anywhere: nothing lost or doubled."""

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction

from kameng.config.auditing_insight import buyers, parts, totals, visitors
from kameng.config.wiring import AFTER_COMMIT
from kameng.core import clock
from kameng.core.events import consume
from kameng.insight import store
from kameng.insight.models import SalesTotal
from kameng.insight.services.rolling import mark_changed, roll_up
from kameng.insight.services.visiting import PAGE, Seen, flush_visits, note_visit
from kameng.orders.models import Order
from kameng.tenancy.models import Site
from kameng.tenancy.scoping import platform_scope
from tests.concurrency.guards import without_guard
from tests.concurrency.shop import Shop, make_buyers, open_shop, order
from tests.parallel import run_together

YUAN = 10_000
AHEAD = dt.timedelta(hours=2)  # so that the hour of this test is over for the roller
CONSUMER = next(each for each in AFTER_COMMIT if each.name == "insight.mark_orders")


@pytest.fixture
def shop(committed_db: None, main_site: Site, site_a: Site) -> Shop:
    return open_shop(main_site, site_a, keys=200)


def read_events() -> None:
    while consume(CONSUMER.name, [each.KIND for each in CONSUMER.events], CONSUMER.handler):
        pass


def breaches() -> list[str]:
    return [line for check in (totals, parts, buyers, visitors) for line in check()]


def sold(shop: Shop) -> int:
    with platform_scope("test"):
        rows = SalesTotal.unscoped.filter(site_id=shop.site.id, span=1, grain=0)
        return sum(rows.values_list("order_count", flat=True))


def trade(shop: Shop, *, rollers: int) -> None:
    """Two buyers order twenty times each while rollers and the reader of events do their work."""
    buyers_ = make_buyers(shop.site, 2, amount=10_000 * YUAN)
    over = threading.Event()

    def act(index: int) -> None:
        if index < 2:
            for _ in range(20):
                order(shop, customer=buyers_[index], by_wallet=True)
            if index == 0:
                over.set()
            return
        while not over.is_set():
            if index == 2:
                read_events()
            else:
                store.roll_up(clock.now() + AHEAD, order_count=7)

    outcomes = run_together(3 + rollers, act)
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    read_events()
    while store.roll_up(clock.now() + AHEAD, order_count=7)[1]:
        pass


def test_rolling_up_while_orders_are_written_by_two_workers_at_once(shop: Shop) -> None:
    trade(shop, rollers=2)

    assert sold(shop) == 40
    assert breaches() == []


def test_without_marking_what_changed_the_sums_fall_behind(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll_ahead(shop)
    with monkeypatch.context() as patch:
        patch.setattr(store, "mark_orders", lambda _ids: 0)
        trade(shop, rollers=1)

    assert sold(shop) < 41
    with platform_scope("test"):
        missed = list(Order.unscoped.filter(site_id=shop.site.id).values_list("id", flat=True))
    assert mark_changed(missed) == 1
    while store.roll_up(clock.now() + AHEAD, order_count=1000)[1]:
        pass
    assert sold(shop) == 41


def roll_ahead(shop: Shop) -> None:
    """Roll up beyond the present hour, so that every order to come is late."""
    buyer = make_buyers(shop.site, 1, amount=1000 * YUAN)[0]
    order(shop, customer=buyer, by_wallet=True)
    while store.roll_up(clock.now() + AHEAD, order_count=7)[1]:
        pass


def late_order_while_the_mark_moves(shop: Shop) -> int:
    """Return how many days are marked for an order whose event is read while a roller moves on.

    The roller has looked already and does not see the order any more.
    """
    store.roll_up(clock.now() - dt.timedelta(days=1), order_count=1000)
    buyer = make_buyers(shop.site, 1, amount=1000 * YUAN)[0]
    outcome: list[int] = []
    with transaction.atomic():
        store.roll_up(clock.now() + AHEAD, order_count=1000)
        placed: list[int] = []

        def place_and_read() -> None:
            try:
                placed.append(order(shop, customer=buyer, by_wallet=True).order_id)
                outcome.append(mark_changed(placed))
            finally:
                connection.close()

        thread = threading.Thread(target=place_and_read)
        thread.start()
        thread.join(2.0)  # with the guard it waits for this transaction
    thread.join(20)
    return outcome[0]


def test_who_reads_an_event_waits_for_a_roller_that_moves_the_mark(shop: Shop) -> None:
    assert late_order_while_the_mark_moves(shop) == 1
    read_events()
    roll_up()
    assert sold(shop) == 1
    assert breaches() == []


def test_without_the_shared_lock_the_late_order_is_lost(shop: Shop) -> None:
    with without_guard("insight_mark_orders", (" where id = 1 for share;", " where id = 1;")):
        assert late_order_while_the_mark_moves(shop) == 0
    assert sold(shop) == 0
    mark_all(shop)


def mark_all(shop: Shop) -> None:
    """Repair what the control broke: the audit after the test is strict."""
    read_events()
    roll_up()


class Cut(Exception):
    """The process died here."""


STEPS = ("sales", "goods", "sources", "buyers")


@pytest.mark.parametrize("step", STEPS)
def test_a_roller_that_is_cut_between_its_statements_leaves_nothing_half(
    shop: Shop, step: str
) -> None:
    buyer = make_buyers(shop.site, 1, amount=1000 * YUAN)[0]
    for _ in range(3):
        order(shop, customer=buyer, by_wallet=True)
    whole = f"        perform insight_roll_{step}(v_site, v_day, v_until);\n"
    broken = (whole, f"{whole}        raise exception 'cut';\n")

    with without_guard("insight_roll_up", broken), pytest.raises(Exception, match="cut"):
        store.roll_up(clock.now() + AHEAD, order_count=1000)
    half = sold(shop)
    while store.roll_up(clock.now() + AHEAD, order_count=1000)[1]:
        pass

    assert (half, sold(shop)) == (0, 3)
    assert breaches() == []


def test_visits_of_many_processes_are_counted_once(shop: Shop) -> None:
    roll_up(steps=1)
    now = dt.datetime.now(tz=dt.UTC)
    count_same_visitors(shop, now)

    with platform_scope("test"):
        row = SalesTotal.unscoped.get(site_id=shop.site.id, span=1, grain=1)
    assert row.visitor_count == 30
    assert breaches() == []


def rows_of(shop: Shop, now: dt.datetime) -> list[store.VisitRow]:
    return [
        store.VisitRow(
            site_id=shop.site.id,
            day=now.date(),
            digest=bytes([number]) * 8,
            hour=now.hour,
            step=PAGE,
            source_key=None,
        )
        for number in range(30)
    ]


def count_same_visitors(shop: Shop, now: dt.datetime) -> None:
    """Let four processes bring the same thirty visitors at one moment."""

    def bring(_index: int) -> None:
        with transaction.atomic():
            store.note_visits(rows_of(shop, now))

    outcomes = run_together(4, bring)
    assert [each for each in outcomes if isinstance(each, Exception)] == []


def test_without_the_lock_on_the_clock_visitors_are_counted_twice(shop: Shop) -> None:
    roll_up(steps=1)
    now = dt.datetime.now(tz=dt.UTC)
    lock = (
        "    perform 1 from insight_shopclock where site_id = any (p_site) order by site_id"
        " for no key update;\n"
    )
    with without_guard("insight_note_visits", (lock, "    perform pg_sleep(0.2);\n")):
        count_same_visitors(shop, now)

    with platform_scope("test"):
        row = SalesTotal.unscoped.get(site_id=shop.site.id, span=1, grain=1)
        counted = row.visitor_count
    assert counted > 30
    repair_visitors()


def repair_visitors() -> None:
    """Take away what the control counted twice: the audit after the test is strict."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("truncate insight_visitor, insight_salestotal, insight_sourcetotal")


def test_flushing_brings_what_was_noted_once(shop: Shop, make_note: Callable[[], None]) -> None:
    roll_up(steps=1)
    flush_visits()  # what other tests of this process left
    for _ in range(3):
        make_note()

    counts = run_together(3, lambda _index: flush_visits())

    assert sorted(counts) == [0, 0, 1]


@pytest.fixture
def make_note(shop: Shop) -> Callable[[], None]:
    now = dt.datetime.now(tz=dt.UTC)
    seen = Seen(site_id=shop.site.id, at=now, visitor="x" * 12, step=PAGE)
    return lambda: note_visit(seen)
