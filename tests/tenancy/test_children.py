"""Child sites: one level, as many as the plan says, stopped and moved by who may."""

import datetime as dt
from collections.abc import Callable
from importlib import import_module
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction

from kameng.config import auditing_terms
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.tenancy import children, errors
from kameng.tenancy.child_invitations import invite_child
from kameng.tenancy.children import (
    MOST_CHILDREN,
    ChildTerms,
    create_child,
    may_have_children,
    move_child,
    read_room,
    reopen_child,
    set_terms,
    suspend_child,
)
from kameng.tenancy.closing import (
    begin_closing,
    finish_closing,
    give_up_closing,
    reopen_site,
)
from kameng.tenancy.models import (
    Plan,
    SettlementWay,
    Site,
    SiteState,
    SiteTerm,
    SlugReservation,
)
from kameng.tenancy.rules import HELD_BACK, RESERVED
from kameng.tenancy.selectors import get_limits, get_site_view, site_scope
from kameng.tenancy.services import (
    change_settings,
    set_settlement_way,
    set_site_state,
)
from kameng.tenancy.settings import SiteSettings
from kameng.tenancy.terms import hold_slug, release_slug, set_term_by_hand
from tests.concurrency.guards import Meeting
from tests.factories import make_child, make_plan, make_sub_site, next_number

ACTOR = Actor(kind="user", actor_id=1, name="Lin")


def allow(most: int | None) -> None:
    """Let the platform and every plan allow so many children."""
    main = Site.objects.get(kind=1)
    with platform_scope("a test allows child sites"):
        change_settings(site_id=main.id, changes={"child_sites_allowed": True}, actor=ACTOR)
    Plan.objects.update(child_sites_most=most)


def open_one(upline: Site, *, slug: str = "") -> Site:
    """Open a child below a sub-site as its operator does."""
    with platform_scope("a test opens a child"), transaction.atomic():
        return create_child(
            upline_id=upline.id,
            slug=slug or f"kid-{next_number()}",
            name="下级",
            settings=SiteSettings(),
            actor=ACTOR,
        )


def test_a_child_has_its_uplines_plan_and_the_main_sites_goods(site_a: Site) -> None:
    allow(2)
    child = open_one(site_a)

    view = get_site_view(child.id)
    assert (view.main_id, view.upline_id, view.plan_id) == (
        site_a.parent_id,
        site_a.id,
        site_a.plan_id,
    )
    assert (view.is_main, view.is_child, view.is_held) == (False, True, False)
    assert not get_site_view(site_a.id).is_child


def test_the_platform_and_the_plan_bound_the_children(site_a: Site) -> None:
    with pytest.raises(errors.ChildrenForbidden):
        open_one(site_a)  # the platform does not offer any
    allow(0)
    with pytest.raises(errors.ChildrenForbidden):
        open_one(site_a)
    allow(1)
    open_one(site_a)
    with pytest.raises(errors.ChildrenFull):
        open_one(site_a)
    room = read_room(site_a.id)
    assert (room.count, room.most, room.is_open) == (1, 1, False)
    allow(None)
    assert read_room(site_a.id).most == MOST_CHILDREN
    assert get_limits(site_a.id).child_sites_most is None


def test_children_have_no_children(site_a: Site, site_b: Site) -> None:
    allow(5)
    child = open_one(site_a)

    with pytest.raises(errors.ChildOfChild):
        open_one(child)
    with pytest.raises(errors.ChildOfChild), platform_scope("a test moves"):
        move_child(site_id=site_b.id, upline_id=child.id, plan_id=None, actor=ACTOR)
    with pytest.raises(errors.ChildOfChild), platform_scope("a test moves"):
        move_child(site_id=site_a.id, upline_id=site_b.id, plan_id=None, actor=ACTOR)
    assert read_room(child.id).most == 0


@pytest.mark.parametrize(
    "damage",
    [
        "update tenancy_site set upline_id = %(child)s where id = %(other)s",
        "update tenancy_site set upline_id = %(other)s where id = %(upline)s",
        "update tenancy_site set upline_id = %(main)s where id = %(other)s",
        "update tenancy_site set upline_id = id where id = %(other)s",
        "update tenancy_site set settlement_way = 2 where id = %(child)s",
        (
            "update tenancy_site set child_markup_bps = -1, child_minimum_amount = 0"
            " where id = %(child)s"
        ),
    ],
)
def test_the_database_itself_holds_the_tree(site_a: Site, site_b: Site, damage: str) -> None:
    child = make_child(site_a)
    ids = {
        "child": child.id,
        "upline": site_a.id,
        "other": site_b.id,
        "main": site_a.parent_id,
    }

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(damage, ids)


def test_a_childs_plan_cannot_leave_its_uplines(site_a: Site) -> None:
    child, dear = make_child(site_a), make_plan("贵", markup_bps=9000)

    Site.objects.filter(id=child.id).update(plan=dear)
    assert Site.objects.get(id=child.id).plan_id == site_a.plan_id
    with platform_scope("a test changes plans"):
        wish: dict[str, Any] = {"plan": dear, "ends_at": None, "reason": "试一试", "actor": ACTOR}
        with pytest.raises(errors.NothingToProlong):
            set_term_by_hand(site_id=child.id, **wish)
        set_term_by_hand(site_id=site_a.id, **wish)
    assert Site.objects.get(id=child.id).plan_id == dear.id


def test_terms_are_the_childs_own_else_the_uplines(site_a: Site) -> None:
    child = make_child(site_a)

    def seen() -> tuple[int, int]:
        view = get_site_view(child.id)
        return view.child_markup_bps, view.child_minimum_amount

    assert seen() == (0, 0)
    with site_scope(site_a.id):
        set_terms(
            site_id=site_a.id, terms=ChildTerms(markup_bps=300, minimum_amount=5), actor=ACTOR
        )
        assert seen() == (300, 5)
        set_terms(site_id=child.id, terms=ChildTerms(markup_bps=0, minimum_amount=70), actor=ACTOR)
        assert seen() == (0, 70)
        set_terms(site_id=child.id, terms=None, actor=ACTOR)
    assert seen() == (300, 5)
    view = get_site_view(site_a.id)
    assert (view.child_markup_bps, view.child_minimum_amount) == (0, 0)  # it pays no upline
    with platform_scope("a test reads"):
        kinds = AuditEntry.objects.filter(action="site.child_terms.changed")
        assert kinds.filter(site_id=site_a.id).count() == 3


@pytest.mark.parametrize(("rate", "least"), [(-1, 0), (100_001, 0), (0, -1), (0, 10_000_000_001)])
def test_terms_out_of_bounds_are_refused(rate: int, least: int) -> None:
    with pytest.raises(errors.ChildTermsInvalid):
        ChildTerms(markup_bps=rate, minimum_amount=least)


def test_an_upline_resumes_only_what_it_paused(site_a: Site, site_b: Site) -> None:
    child = make_child(site_a)
    with site_scope(site_a.id):
        suspend_child(site_id=child.id, upline_id=site_a.id, reason="盘点", actor=ACTOR)
        view = get_site_view(child.id)
        assert (view.state, view.closed_reason) == (SiteState.SUSPENDED, "盘点")
        with pytest.raises(errors.ChildStateMoved):
            suspend_child(site_id=child.id, upline_id=site_a.id, reason="再", actor=ACTOR)
        reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)
    with platform_scope("the main site suspends"):
        set_site_state(site_id=child.id, state=SiteState.SUSPENDED, reason="违规", actor=ACTOR)
    with site_scope(site_a.id), pytest.raises(errors.ChildStateMoved):
        reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)
    with site_scope(site_b.id), pytest.raises(errors.SiteNotFound):
        suspend_child(site_id=child.id, upline_id=site_b.id, reason="别人的", actor=ACTOR)
    assert get_site_view(child.id).closed_reason == "违规"


def test_an_upline_stops_a_child_that_is_closing_all_the_same(site_a: Site) -> None:
    """Its closing goes on; giving that up does not slip past the upline."""
    child = make_child(site_a)
    with site_scope(child.id):
        begin_closing(reason="不做了", is_by_platform=False, actor=ACTOR)
    with site_scope(site_a.id):
        suspend_child(site_id=child.id, upline_id=site_a.id, reason="欠款", actor=ACTOR)
        with pytest.raises(errors.ChildStateMoved):
            suspend_child(site_id=child.id, upline_id=site_a.id, reason="再", actor=ACTOR)
    assert get_site_view(child.id).state == SiteState.CLOSING

    with site_scope(child.id):
        give_up_closing(actor=ACTOR)
    view = get_site_view(child.id)
    assert (view.state, view.suspended_reason) == (SiteState.SUSPENDED, "欠款")

    with site_scope(site_a.id):
        reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)
    assert get_site_view(child.id).state == SiteState.OPEN


def test_an_upline_takes_its_stop_of_a_closing_child_back_but_not_the_main_sites(
    site_a: Site,
) -> None:
    child = make_child(site_a)
    with site_scope(child.id):
        begin_closing(reason="不做了", is_by_platform=False, actor=ACTOR)
    with site_scope(site_a.id):
        with pytest.raises(errors.ChildStateMoved):
            reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)
        suspend_child(site_id=child.id, upline_id=site_a.id, reason="欠款", actor=ACTOR)
        reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)
        suspend_child(site_id=child.id, upline_id=site_a.id, reason="欠款", actor=ACTOR)
    with platform_scope("the main site suspends"):
        set_site_state(site_id=child.id, state=SiteState.SUSPENDED, reason="欠款", actor=ACTOR)
    with site_scope(site_a.id), pytest.raises(errors.ChildStateMoved):
        reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)

    with site_scope(child.id):
        give_up_closing(actor=ACTOR)

    assert get_site_view(child.id).state == SiteState.SUSPENDED
    with site_scope(site_a.id), pytest.raises(errors.ChildStateMoved):
        reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)


@pytest.mark.parametrize("is_told", [False, True], ids=["other reason", "same reason"])
def test_what_the_main_site_stops_while_it_closes_no_upline_resumes(
    site_a: Site, *, is_told: bool
) -> None:
    child = make_child(site_a)
    with site_scope(site_a.id):
        suspend_child(site_id=child.id, upline_id=site_a.id, reason="盘点", actor=ACTOR)
    with site_scope(child.id):
        begin_closing(reason="不做了", is_by_platform=False, actor=ACTOR)
    reason = "盘点" if is_told else "违规"
    with platform_scope("the main site suspends"):
        set_site_state(site_id=child.id, state=SiteState.SUSPENDED, reason=reason, actor=ACTOR)
    with site_scope(child.id):
        give_up_closing(actor=ACTOR)

    with site_scope(site_a.id), pytest.raises(errors.ChildStateMoved):
        reopen_child(site_id=child.id, upline_id=site_a.id, actor=ACTOR)

    assert get_site_view(child.id).state == SiteState.SUSPENDED


def stop(site: Site, how: str) -> None:
    """Let a site sell no more: stopped, winding down, or its time over."""
    with platform_scope("a test stops a site"):
        if how == "suspended":
            set_site_state(site_id=site.id, state=SiteState.SUSPENDED, reason="x", actor=ACTOR)
        elif how == "lapsed":
            past = clock.now() - dt.timedelta(days=1)
            Site.objects.filter(id=site.id).update(expires_at=past, lapses_at=past)
    if how == "closing":
        with site_scope(site.id):
            begin_closing(reason="x", is_by_platform=False, actor=ACTOR)


@pytest.mark.parametrize("how", ["suspended", "lapsed", "closing"])
def test_a_shop_that_does_not_sell_gets_no_child_and_makes_no_link(site_a: Site, how: str) -> None:
    allow(3)
    stop(site_a, how)

    with pytest.raises(errors.UplineNotOpen):
        open_one(site_a)
    with site_scope(site_a.id), pytest.raises(errors.UplineNotOpen):
        invite_child(note="", days=7, actor=ACTOR)

    assert read_room(site_a.id).count == 0


def test_a_child_that_closed_leaves_its_place_and_comes_back_only_to_a_free_one(
    site_a: Site,
) -> None:
    allow(1)
    child = open_one(site_a)
    with site_scope(child.id), transaction.atomic():
        begin_closing(reason="x", is_by_platform=False, actor=ACTOR)
        finish_closing(actor=ACTOR)

    assert read_room(site_a.id).count == 0
    other = open_one(site_a)

    with site_scope(child.id), pytest.raises(errors.ChildrenFull):
        reopen_site(actor=ACTOR)
    assert get_site_view(child.id).state == SiteState.CLOSED
    with site_scope(other.id), transaction.atomic():
        begin_closing(reason="x", is_by_platform=False, actor=ACTOR)
        finish_closing(actor=ACTOR)
    with site_scope(child.id):
        reopen_site(actor=ACTOR)
    assert get_site_view(child.id).state == SiteState.OPEN


def test_nothing_moves_below_a_shop_that_winds_down(site_a: Site, site_b: Site) -> None:
    allow(3)
    stop(site_a, "closing")

    with platform_scope("a test moves"), pytest.raises(errors.SiteLeaving):
        move_child(site_id=site_b.id, upline_id=site_a.id, plan_id=None, actor=ACTOR)

    assert Site.objects.get(id=site_b.id).upline_id is None


@pytest.mark.parametrize("days", [30, -30], ids=["runs", "is over"])
def test_below_an_upline_a_sites_own_time_ends_nothing(
    site_a: Site, site_b: Site, days: int
) -> None:
    allow(3)
    plan = make_plan("其他版")
    with platform_scope("a test gives a term"):
        ends_at = clock.now() + dt.timedelta(days=30)
        term = set_term_by_hand(
            site_id=site_b.id, plan=plan, ends_at=ends_at, reason="手工", actor=ACTOR
        )
        if days < 0:
            past = clock.now() + dt.timedelta(days=days)
            grace = dt.timedelta(days=plan.grace_days)
            rows = SiteTerm.unscoped.filter(id=term.id)
            rows.update(starts_at=past - grace, ends_at=past)
            Site.objects.filter(id=site_b.id).update(expires_at=past, lapses_at=past + grace)

        move_child(site_id=site_b.id, upline_id=site_a.id, plan_id=None, actor=ACTOR)

        moved = Site.objects.get(id=site_b.id)
        assert (moved.upline_id, moved.expires_at, moved.lapses_at) == (site_a.id, None, None)
        assert SiteTerm.unscoped.get(id=term.id).replaced_at is not None
        assert get_site_view(site_b.id).state == SiteState.OPEN
        assert list(auditing_terms.terms()) == []

        move_child(site_id=site_b.id, upline_id=None, plan_id=plan.id, actor=ACTOR)
        assert list(auditing_terms.terms()) == []


def test_what_moved_below_an_upline_with_its_time_earlier_loses_its_end(
    site_a: Site, site_b: Site
) -> None:
    plan, ends_at = make_plan("其他版"), clock.now() + dt.timedelta(days=30)
    allow(3)
    with platform_scope("a test makes what an earlier version left"):
        for site in (site_a, site_b):
            set_term_by_hand(
                site_id=site.id, plan=plan, ends_at=ends_at, reason="手工", actor=ACTOR
            )
        with mock.patch.object(children, "end_terms"):
            move_child(site_id=site_b.id, upline_id=site_a.id, plan_id=None, actor=ACTOR)

        migration = import_module("kameng.tenancy.migrations.0011_time_below_an_upline")
        with connection.cursor() as cursor:
            for _again in range(2):
                cursor.execute(migration.END)
            cursor.execute("set local app.platform = 'on'")

        ends = dict(Site.objects.values_list("id", "expires_at"))
        assert (ends[site_a.id], ends[site_b.id]) == (ends_at, None)
        assert list(auditing_terms.terms()) == []


def test_a_child_settles_by_claims_only(site_a: Site, site_b: Site) -> None:
    allow(3)
    child = make_child(site_a)
    with platform_scope("a test"), pytest.raises(errors.SettlementWayInvalid):
        set_settlement_way(site_id=child.id, way=SettlementWay.SPLIT, reason="", actor=ACTOR)
    Site.objects.filter(id=site_b.id).update(settlement_way=SettlementWay.PREPAID)
    with platform_scope("a test"), pytest.raises(errors.SettlementWayInvalid):
        move_child(site_id=site_b.id, upline_id=site_a.id, plan_id=None, actor=ACTOR)


def test_moving_is_bounded_audited_and_ends_its_own_terms(site_a: Site, site_b: Site) -> None:
    allow(1)
    child = make_child(site_a, terms=(700, 9))
    make_child(site_b)
    with platform_scope("a test moves"):
        with pytest.raises(errors.ChildrenFull):
            move_child(site_id=child.id, upline_id=site_b.id, plan_id=None, actor=ACTOR)
        plan_id = site_a.plan_id
        move_child(site_id=child.id, upline_id=None, plan_id=plan_id, actor=ACTOR)
        moved = Site.objects.get(id=child.id)
        assert (moved.upline_id, moved.child_markup_bps) == (None, None)
        move_child(site_id=child.id, upline_id=site_a.id, plan_id=None, actor=ACTOR)
        entries = AuditEntry.objects.filter(action="site.upline.changed", site_id=child.id)
        assert entries.count() == 2


def test_the_back_office_speaks_of_children_where_there_may_be_some(site_a: Site) -> None:
    assert not may_have_children(get_site_view(site_a.id))
    allow(2)
    view = get_site_view(site_a.id)
    assert may_have_children(view)
    child = make_child(site_a)
    assert not may_have_children(get_site_view(child.id))
    assert not may_have_children(get_site_view(site_a.parent_id or 0))


Parallel = Callable[[int, Callable[[int], Any]], list[Any]]


def open_or_refuse(upline: Site) -> Any:
    try:
        return open_one(upline)
    except errors.ChildrenFull as refusal:
        return refusal


def test_twenty_openings_at_once_stay_within_the_plan(
    committed_db: None, main_site: Site, run_parallel: Parallel
) -> None:
    upline = make_sub_site()
    allow(3)

    outcomes = run_parallel(20, lambda _i: open_or_refuse(upline))

    assert sum(isinstance(each, Site) for each in outcomes) == 3
    assert Site.objects.filter(upline=upline).count() == 3


def test_control_without_the_uplines_lock_there_are_too_many(
    committed_db: None,
    main_site: Site,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upline = make_sub_site()
    allow(1)
    both = Meeting(2)
    admit = children.admit_child

    def admit_together(upline_id: int) -> None:
        admit(upline_id)
        both.arrive()

    monkeypatch.setattr(children, "lock_site", lambda site_id: Site.objects.get(id=site_id))
    monkeypatch.setattr(children, "admit_child", admit_together)

    outcomes = run_parallel(2, lambda _i: open_or_refuse(upline))

    assert sum(isinstance(each, Site) for each in outcomes) == 2


def test_two_that_become_each_others_upline_are_one_at_most(
    committed_db: None, main_site: Site, run_parallel: Parallel
) -> None:
    one, two = make_sub_site(), make_sub_site()
    allow(5)

    def move(index: int) -> Any:
        site, upline = (one, two) if index % 2 else (two, one)
        try:
            with platform_scope("a test moves"):
                move_child(site_id=site.id, upline_id=upline.id, plan_id=None, actor=ACTOR)
        except errors.ChildOfChild as refusal:
            return refusal
        return None

    outcomes = run_parallel(2, move)

    assert outcomes.count(None) == 1
    assert Site.objects.filter(upline_id__isnull=False).count() == 1


@pytest.mark.parametrize("slug", sorted(HELD_BACK | RESERVED))
def test_no_operator_opens_a_child_under_a_name_of_the_platform(site_a: Site, slug: str) -> None:
    allow(2)

    with pytest.raises(errors.SlugInvalid):
        open_one(site_a, slug=slug)


def test_a_child_does_not_take_an_address_that_somebody_pays_for(site_a: Site) -> None:
    allow(2)
    until = clock.now() + dt.timedelta(minutes=10)
    hold_slug("star-kid", holder="buyer", until=until)

    with pytest.raises(errors.SlugTaken):
        open_one(site_a, slug="star-kid")

    release_slug("star-kid", holder="buyer")
    assert open_one(site_a, slug="star-kid").slug == "star-kid"
    assert not SlugReservation.objects.exists()
