"""Who closes a shop and who orders there at the same moment; who takes a shop over first."""

import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError

from kameng.accounts.errors import OfferGone
from kameng.accounts.models import OfferState, SiteOffer, SiteRole, User
from kameng.accounts.services import handing_over
from kameng.config.audit import find_breaches
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.insight.errors import HindrancesLeft
from kameng.insight.services.leaving import complete_closing
from kameng.orders.services.placing import PlacedOrder
from kameng.settlement.services.handing_over import TakeOver, offer_site_to, take_site_over
from kameng.tenancy import children
from kameng.tenancy.closing import begin_closing
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.concurrency.guards import Meeting, meetings, without_guard
from tests.concurrency.shop import Shop, count, make_buyers, order
from tests.factories import make_staff
from tests.people import make_lin
from tests.tenancy.test_children import allow, open_one

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
GUARD = ("    perform tenancy_share_selling(p_site);\n", "")
JUDGED = "    if go is not null and spends then\n"
# Behind the look at the shop's state: the order goes on when the shop is closed, or after a while.
CLOSED = (
    "select s.state = 3 from tenancy_site s where s.parent_id is not null and s.slug = ''site-a''"
)
SLOW = (JUDGED, f"    perform test_await('{CLOSED}');\n{JUDGED}")
OPEN_ORDERS = "select count(*) from orders_order where state in (1, 2)"
HANDED = "select count(*) from core_auditentry where action = 'site.handed_over'"


def close_beside_an_order(shop: Shop, run_parallel: Parallel) -> list[Any]:
    """Let one thread order, and another wind the shop down and complete its closing meanwhile."""
    meeting = Meeting(2, patience=0.5)

    def act(index: int) -> Any:
        if index == 0:
            return order(shop)
        meeting.arrive()  # the order has had half a second to look at the shop
        with site_scope(shop.site.id):
            begin_closing(reason="x", is_by_platform=False, actor=SYSTEM)
            return complete_closing(actor=SYSTEM)

    return run_parallel(2, act)


def test_an_order_that_began_before_keeps_the_shop_from_closing(
    shop: Shop, run_parallel: Parallel
) -> None:
    with meetings(), without_guard("orders_place", SLOW):
        placed, closing = close_beside_an_order(shop, run_parallel)

    assert isinstance(placed, PlacedOrder)
    assert isinstance(closing, HindrancesLeft)
    assert get_site_view(shop.site.id).state == SiteState.CLOSING
    assert count(OPEN_ORDERS) == 1


def test_control_without_the_share_an_order_slips_into_a_closed_shop(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    with meetings(), without_guard("orders_place", GUARD, SLOW):
        placed, _closing = close_beside_an_order(shop, run_parallel)

    assert isinstance(placed, PlacedOrder)
    assert get_site_view(shop.site.id).state == SiteState.CLOSED
    assert count(OPEN_ORDERS) == 1
    assert any(line.startswith("I33") for line in find_breaches())


def test_twenty_orders_beside_a_closing_leave_nothing_open(
    shop: Shop, run_parallel: Parallel
) -> None:
    buyers = make_buyers(shop.site, 20, amount=0)

    def act(index: int) -> Any:
        if index:
            return order(shop, customer=buyers[index])
        with site_scope(shop.site.id):
            begin_closing(reason="x", is_by_platform=False, actor=SYSTEM)
            return complete_closing(actor=SYSTEM)

    answers = run_parallel(20, act)

    is_closed = get_site_view(shop.site.id).state == SiteState.CLOSED
    assert is_closed == (count(OPEN_ORDERS) == 0)
    assert is_closed or isinstance(answers[0], HindrancesLeft)


def open_beside_a_closing(
    site: Site, run_parallel: Parallel, guard: Callable[[int], None]
) -> list[Any]:
    """Let one thread open a child, and another close the shop once the first has looked at it."""
    allow(3)
    begun, closed = threading.Event(), threading.Event()

    def look(upline_id: int) -> None:
        guard(upline_id)
        begun.set()
        closed.wait(1)

    def act(index: int) -> Any:
        if index == 0:
            return open_one(site)
        begun.wait(10)
        with site_scope(site.id):
            begin_closing(reason="x", is_by_platform=False, actor=SYSTEM)
            try:
                return complete_closing(actor=SYSTEM)
            finally:
                closed.set()

    with mock.patch.object(children, "require_open_upline", look):
        return run_parallel(2, act)


def test_a_child_that_is_being_opened_keeps_its_upline_from_closing(
    shop: Shop, run_parallel: Parallel
) -> None:
    child, closing = open_beside_a_closing(
        shop.site, run_parallel, guard=children.require_open_upline
    )

    assert isinstance(child, Site)
    assert isinstance(closing, HindrancesLeft)
    assert get_site_view(shop.site.id).state == SiteState.CLOSING


def test_control_without_the_share_a_child_opens_below_a_closed_shop(
    shop: Shop, run_parallel: Parallel
) -> None:
    child, _closing = open_beside_a_closing(shop.site, run_parallel, guard=lambda _id: None)

    assert isinstance(child, Site)
    assert get_site_view(shop.site.id).state == SiteState.CLOSED


def offered(site: Site) -> tuple[str, User]:
    """Offer a site of Lin's to Sun; return the link's token and Sun."""
    make_lin(site)
    sun = make_staff(login="sun", name="Sun")
    with site_scope(site.id):
        made = offer_site_to("sun", reason="", is_by_platform=False, actor=SYSTEM)
    return made.token, sun


def take(site: Site, token: str, sun: User) -> str:
    with site_scope(site.id):
        wish = TakeOver(token=token, user=sun, keeps_manager=False)
        take_site_over(wish, actor=SYSTEM)
    return "taken"


def meet_before_the_end(monkeypatch: pytest.MonkeyPatch, *, is_atomic: bool) -> None:
    """Let two who would end an offer meet when both have seen it stand, with no lock between."""
    meeting, real = Meeting(2), handing_over._take

    def take_together(offer: SiteOffer, state: OfferState, **values: object) -> bool:
        meeting.arrive()
        if is_atomic:
            return real(offer, state, **values)
        SiteOffer.objects.filter(id=offer.id).update(state=state, ended_at=clock.now(), **values)
        return True

    monkeypatch.setattr(handing_over, "_take", take_together)
    monkeypatch.setattr(handing_over, "lock_roles", lambda _site_id: list(SiteRole.objects.all()))


def test_a_shop_is_taken_over_once_by_two_clicks(
    site_a: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, sun = offered(site_a)
    meet_before_the_end(monkeypatch, is_atomic=True)

    answers = run_parallel(2, lambda _index: take(site_a, token, sun))

    assert sorted(str(type(a).__name__) for a in answers) == ["OfferGone", "str"]
    assert count(HANDED) == 1
    with site_scope(site_a.id):
        owners = SiteRole.objects.filter(role="owner").values_list("user_id", flat=True)
        assert list(owners) == [sun.id]


def test_control_without_the_compare_both_clicks_take_it(
    wrecked_db: None, site_a: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, sun = offered(site_a)
    meet_before_the_end(monkeypatch, is_atomic=False)

    answers = run_parallel(2, lambda _index: take(site_a, token, sun))

    assert answers == ["taken", "taken"]
    assert count(HANDED) == 2


def accept_or_decline(site: Site, token: str, sun: User, run_parallel: Parallel) -> list[Any]:
    def act(index: int) -> str:
        if index == 0:
            return take(site, token, sun)
        with site_scope(site.id):
            handing_over.decline_offer(token, actor=SYSTEM)
        return "declined"

    return run_parallel(2, act)


def owners_of(site: Site) -> set[str]:
    with site_scope(site.id):
        return set(SiteRole.objects.filter(role="owner").values_list("user__login", flat=True))


def test_an_offer_is_accepted_or_declined_never_both(
    site_a: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, sun = offered(site_a)
    meet_before_the_end(monkeypatch, is_atomic=True)

    answers = accept_or_decline(site_a, token, sun, run_parallel)

    gone = [isinstance(each, OfferGone) for each in answers]
    assert sorted(gone) == [False, True]
    assert owners_of(site_a) == ({"sun"} if answers[0] == "taken" else {"lin"})


def test_control_without_the_compare_a_declined_shop_is_taken(
    wrecked_db: None, site_a: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, sun = offered(site_a)
    meet_before_the_end(monkeypatch, is_atomic=False)

    answers = accept_or_decline(site_a, token, sun, run_parallel)

    assert answers == ["taken", "declined"]


@pytest.mark.parametrize("round_no", range(5))
def test_an_offer_is_accepted_or_withdrawn_never_both(
    round_no: int, site_a: Site, run_parallel: Parallel
) -> None:
    token, sun = offered(site_a)

    def act(index: int) -> str:
        if index == 0:
            return take(site_a, token, sun)
        with site_scope(site_a.id):
            handing_over.withdraw_offer(actor=SYSTEM)
        return "withdrawn"

    answers = run_parallel(2, act)

    assert sorted(isinstance(each, OfferGone) for each in answers) == [False, True]
    assert owners_of(site_a) == ({"sun"} if answers[0] == "taken" else {"lin"})


def take_beside_another_offer(
    site: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch, *, first: str
) -> list[Any]:
    """Let Sun accept while the shop is offered again; both meet when each holds its first lock."""
    token, sun = offered(site)
    meeting, real, acts = Meeting(2, patience=1.0), handing_over.lock_roles, threading.local()

    def lock(site_id: int) -> list[SiteRole]:
        if acts.what == "take" and first == "offer":
            SiteOffer.objects.filter(receiver_login="sun").update(reason="seen")
            meeting.arrive()
            return real(site_id)
        roles = real(site_id)
        meeting.arrive()
        return roles

    def act(index: int) -> Any:
        acts.what = "offer" if index else "take"
        if index == 0:
            return take(site, token, sun)
        with site_scope(site.id):
            return offer_site_to("zhou", reason="", is_by_platform=False, actor=SYSTEM)

    monkeypatch.setattr(handing_over, "lock_roles", lock)
    return run_parallel(2, act)


def test_who_accepts_and_who_offers_again_lock_in_one_order(
    site_a: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = take_beside_another_offer(site_a, run_parallel, monkeypatch, first="roles")

    assert not any(isinstance(each, OperationalError) for each in answers)
    assert sum(each == "taken" or isinstance(each, OfferGone) for each in answers) == 1


def test_control_with_the_offer_first_they_wait_for_each_other(
    site_a: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = take_beside_another_offer(site_a, run_parallel, monkeypatch, first="offer")

    assert sum(isinstance(each, OperationalError) for each in answers) == 1
