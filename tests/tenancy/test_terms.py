"""Time that is bought: its arithmetic, its end, the grace after it, and what stays open then."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.messaging.models import Email
from kameng.orders.services.reminding import remind_owners
from kameng.tenancy import errors, rules
from kameng.tenancy.closing import begin_closing, give_up_closing
from kameng.tenancy.models import Plan, Site, SiteState, SiteTerm, TermKind, TermNotice
from kameng.tenancy.rules import Stretch, change_over, due_notice, prolong, rest_of
from kameng.tenancy.selectors import (
    get_site_view,
    site_scope,
)
from kameng.tenancy.services import PlanDraft, save_plan, set_site_state
from kameng.tenancy.site_lists import SiteFilter, list_sites_filtered
from kameng.tenancy.terms import list_terms, set_term_by_hand
from tests.people import make_operator, sign_in

NOW = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
YUAN = 10_000


# Arithmetic.


def test_half_of_the_time_is_worth_half_of_the_price() -> None:
    term = Stretch(starts_at=NOW - 15 * DAY, ends_at=NOW + 15 * DAY, value_amount=30 * YUAN)

    assert rest_of(term, now=NOW) == 15 * YUAN


@pytest.mark.parametrize(
    ("ends_at", "worth"),
    [(None, 0), (NOW, 0), (NOW - DAY, 0)],
    ids=["for good", "just over", "long over"],
)
def test_what_is_over_or_never_ends_leaves_nothing(ends_at: dt.datetime | None, worth: int) -> None:
    term = Stretch(starts_at=NOW - 30 * DAY, ends_at=ends_at, value_amount=30 * YUAN)

    assert rest_of(term, now=NOW) == worth


def test_a_term_that_has_not_begun_is_worth_all_of_it() -> None:
    term = Stretch(starts_at=NOW + DAY, ends_at=NOW + 31 * DAY, value_amount=30 * YUAN)

    assert rest_of(term, now=NOW) == 30 * YUAN


def test_what_is_left_buys_whole_days_of_the_new_plan() -> None:
    left = [Stretch(starts_at=NOW - 10 * DAY, ends_at=NOW + 20 * DAY, value_amount=30 * YUAN)]

    new = change_over(left, days=365, paid_amount=1460 * YUAN, now=NOW)  # 4 yuan a day

    assert (new.carried_days, new.ends_at) == (5, NOW + 370 * DAY)
    assert new.value_amount == 1480 * YUAN


def test_less_than_a_day_is_rounded_down() -> None:
    left = [Stretch(starts_at=NOW - 29 * DAY, ends_at=NOW + DAY, value_amount=30 * YUAN)]

    new = change_over(left, days=365, paid_amount=1460 * YUAN, now=NOW)

    assert new.carried_days == 0


@given(
    paid=st.integers(1, 10**9),
    days=st.integers(1, 3660),
    value=st.integers(0, 10**9),
    used=st.integers(0, 86_400 * 365),
)
def test_no_change_makes_time_out_of_nothing(paid: int, days: int, value: int, used: int) -> None:
    begun = NOW - dt.timedelta(seconds=used)
    left = Stretch(starts_at=begun, ends_at=begun + 366 * DAY, value_amount=value)

    new = change_over([left], days=days, paid_amount=paid, now=NOW)

    assert new.carried_days * paid <= value * days
    assert paid <= new.value_amount <= paid + value


def test_a_renewal_for_good_has_no_end() -> None:
    assert prolong(NOW + DAY, days=None, paid_amount=1, now=NOW).ends_at is None


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (dt.timedelta(days=14, seconds=1), None),
        (14 * DAY, 14),
        (8 * DAY, 14),
        (7 * DAY, 7),
        (2 * DAY, 3),
        (dt.timedelta(hours=3), 1),
        (dt.timedelta(0), 0),
        (-9 * DAY, 0),
    ],
)
def test_the_nearest_distance_counts(left: dt.timedelta, told: int | None) -> None:
    assert due_notice(NOW + left, now=NOW) == told


@pytest.mark.parametrize("slug", ["shop", "console", "x", "1234", "-", "小北", "a" * 60])
def test_addresses_near_one_are_addresses(slug: str) -> None:
    near = list(rules.suggest_slugs(slug))

    assert near
    assert all(rules.is_slug(each) for each in near)


# By hand.


def give(site: Site, *, ends_at: dt.datetime | None, plan: Plan | None = None) -> SiteTerm:
    with platform_scope("a test gives a term"):
        return set_term_by_hand(
            site_id=site.id,
            plan=plan or Plan.objects.get(id=site.plan_id),
            ends_at=ends_at,
            reason="试用",
            actor=SYSTEM,
        )


def end(site: Site, *, ago: dt.timedelta) -> None:
    """Let the term of a site have ended so long ago, with its plan's seven days of grace."""
    give(site, ends_at=clock.now() + DAY)
    ends_at = clock.now() - ago
    Site.objects.filter(id=site.id).update(expires_at=ends_at, lapses_at=ends_at + 7 * DAY)


def test_a_term_by_hand_replaces_what_was_left(site_a: Site) -> None:
    first, second = clock.now() + 10 * DAY, clock.now() + 3 * DAY
    give(site_a, ends_at=first)
    give(site_a, ends_at=second, plan=Plan.objects.get(name="专业版"))

    site_a.refresh_from_db()
    newest, oldest = list_terms(site_a.id)
    assert (site_a.expires_at, site_a.lapses_at) == (second, second + 7 * DAY)
    assert oldest.replaced_at is not None
    assert (newest.kind, newest.order_id, newest.reason) == (TermKind.BY_HAND, None, "试用")
    assert get_site_view(site_a.id).plan_id == newest.plan_id


@pytest.mark.parametrize("ends_at", [dt.timedelta(0), -DAY, 3661 * DAY])
def test_an_end_that_makes_no_sense_is_refused(site_a: Site, ends_at: dt.timedelta) -> None:
    with pytest.raises(errors.TermEndInvalid):
        give(site_a, ends_at=clock.now() + ends_at)


def test_the_main_site_has_no_term(main_site: Site, site_a: Site) -> None:
    with pytest.raises(errors.NothingToProlong):
        give(main_site, ends_at=clock.now() + DAY, plan=Plan.objects.get(id=site_a.plan_id))
    with pytest.raises(IntegrityError), transaction.atomic():
        Site.objects.filter(id=main_site.id).update(expires_at=clock.now(), lapses_at=clock.now())


def test_other_days_of_grace_move_the_end_of_grace(site_a: Site) -> None:
    give(site_a, ends_at=clock.now() + 10 * DAY)
    with platform_scope("a test changes a plan"):
        draft = PlanDraft(name="普及版", markup_bps=1000, grace_days=30)
        save_plan(draft, plan_id=site_a.plan_id, actor=SYSTEM)

    site_a.refresh_from_db()
    assert site_a.expires_at is not None
    assert site_a.lapses_at == site_a.expires_at + 30 * DAY


# The end, as requests see it: no worker has run.


@pytest.fixture
def client_a(site_a: Site, client_for: Callable[..., Client]) -> Client:
    """A browser on site A."""
    return client_for(site_a)


def test_in_grace_the_shop_goes_on(site_a: Site, client_a: Client) -> None:
    end(site_a, ago=DAY)

    view = get_site_view(site_a.id)
    assert (view.state, view.is_lapsed) == (SiteState.OPEN, False)
    assert client_a.get("/").status_code == 200


def test_after_grace_the_shop_rests_in_friendly_words(site_a: Site, client_a: Client) -> None:
    end(site_a, ago=8 * DAY)

    view = get_site_view(site_a.id)
    assert (view.state, view.is_lapsed) == (SiteState.SUSPENDED, True)
    answer = client_a.get("/")
    assert answer.status_code == 403
    assert "暂时休息" in answer.content.decode()


def test_after_grace_orders_are_still_found(site_a: Site, client_a: Client) -> None:
    end(site_a, ago=8 * DAY)

    assert client_a.get("/lookup/").status_code == 200
    assert client_a.get("/help/").status_code == 200


def test_after_grace_nobody_buys(site_a: Site, client_a: Client) -> None:
    end(site_a, ago=8 * DAY)

    assert client_a.post("/checkout/", {"variant": "1", "quantity": "1"}).status_code == 403


def test_after_grace_the_operator_reads_and_is_told(site_a: Site, client_a: Client) -> None:
    end(site_a, ago=8 * DAY)
    sign_in(client_a, site=site_a, person=make_operator(site_a, login="lin", name="Lin"))

    page = client_a.get(f"/console/{site_a.slug}/")

    assert page.status_code == 200
    assert "店铺已停业" in page.content.decode()
    assert client_a.get(f"/console/{site_a.slug}/orders/").status_code == 200
    assert client_a.get(f"/console/{site_a.slug}/my-plan/").status_code == 200


def test_more_time_lifts_exactly_this_suspension(site_a: Site, client_a: Client) -> None:
    end(site_a, ago=8 * DAY)
    assert client_a.get("/").status_code == 403

    give(site_a, ends_at=clock.now() + 30 * DAY)

    assert client_a.get("/").status_code == 200


def test_more_time_does_not_lift_what_staff_suspended(site_a: Site, client_a: Client) -> None:
    end(site_a, ago=8 * DAY)
    with platform_scope("a test suspends"):
        set_site_state(site_id=site_a.id, state=SiteState.SUSPENDED, reason="投诉", actor=SYSTEM)

    give(site_a, ends_at=clock.now() + 30 * DAY)

    answer = client_a.get("/")
    assert answer.status_code == 403
    assert "投诉" in answer.content.decode()


def test_the_end_costs_a_request_no_query(site_a: Site, client_a: Client) -> None:
    counts = []
    for ago in (-30 * DAY, DAY):
        end(site_a, ago=ago)
        client_a.get("/help/")
        with CaptureQueriesContext(connection) as queries:
            assert client_a.get("/help/").status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_stamp_moves_when_time_is_over(site_a: Site) -> None:
    def stamp() -> str:
        with connection.cursor() as cursor:
            cursor.execute("select stamp from tenancy_site_stamp(%s)", (site_a.id,))
            return str(cursor.fetchone()[0])

    end(site_a, ago=DAY)
    before, ends = stamp(), clock.now() - dt.timedelta(hours=1)
    assert stamp() == before
    Site.objects.filter(id=site_a.id).update(expires_at=ends, lapses_at=ends)
    after = stamp()

    assert after.endswith(":lapsed")
    assert not before.endswith(":lapsed")


def test_orders_are_refused_by_the_database_after_grace(main_site: Site, site_a: Site) -> None:
    with connection.cursor() as cursor:
        for ago, is_fresh in ((DAY, True), (8 * DAY, False)):
            end(site_a, ago=ago)
            view = get_site_view(site_a.id)
            cursor.execute(
                "select tenancy_fresh(array[%s]::bigint[], array[%s]::bigint[],"
                " array[%s]::bigint[], array['']::text[])",
                (site_a.id, view.catalogue_version, view.main_version),
            )
            assert cursor.fetchone()[0] == [is_fresh]


# Lists and notices.


def test_the_list_of_sites_finds_what_ends(main_site: Site, site_a: Site, site_b: Site) -> None:
    give(site_a, ends_at=clock.now() + 5 * DAY)
    end(site_b, ago=8 * DAY)

    found = {
        view: [row.id for row in list_sites_filtered(SiteFilter(view=view)).rows]
        for view in ("all", "ending", "over", "suspended")
    }
    assert found["ending"] == [site_a.id]
    assert found["over"] == found["suspended"] == [site_b.id]
    assert len(found["all"]) == 3


def test_owners_are_told_once_for_each_distance(
    site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_operator(site_a, login="lin@example.com", name="Lin")
    ends_at = clock.now() + 20 * DAY
    give(site_a, ends_at=ends_at)
    told = []
    for days_left in (20, 14, 13, 7, 3, 2, 1, 0, -5):
        monkeypatch.setattr(clock, "now", lambda left=days_left: ends_at - left * DAY)
        told.append(remind_owners() + remind_owners())

    assert told == [0, 1, 0, 1, 1, 0, 1, 1, 0]
    with site_scope(site_a.id):
        assert list(TermNotice.objects.order_by("id").values_list("days", flat=True)) == [
            *(14, 7, 3, 1, 0)
        ]
        assert Email.objects.count() == 5


def test_who_looks_late_tells_of_the_nearest_only(site_a: Site) -> None:
    make_operator(site_a, login="lin@example.com", name="Lin")
    give(site_a, ends_at=clock.now() + 2 * DAY)

    assert remind_owners() == 1
    with site_scope(site_a.id):
        assert TermNotice.objects.get().days == 3


def test_another_end_is_told_of_anew(site_a: Site) -> None:
    make_operator(site_a, login="lin@example.com", name="Lin")
    for days in (2, 2.5):
        give(site_a, ends_at=clock.now() + days * DAY)
        assert remind_owners() == 1


def test_who_closes_is_told_only_when_that_is_given_up(site_a: Site) -> None:
    make_operator(site_a, login="lin@example.com", name="Lin")
    give(site_a, ends_at=clock.now() + 2 * DAY)
    with site_scope(site_a.id):
        begin_closing(reason="不做了", is_by_platform=False, actor=SYSTEM)
        assert remind_owners() == 0
        give_up_closing(actor=SYSTEM)

    assert remind_owners() == 1
