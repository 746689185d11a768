"""Child sites: opening one below a sub-site, its terms, its state, its place in the tree.

A child buys through its upline, one level down and no further. Every change is audited in the same
transaction. How many a sub-site may have is decided under the lock of its row.
"""

from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope
from kameng.tenancy import errors, store
from kameng.tenancy.models import Closing, Plan, SettlementWay, Site, SiteKind, SiteState
from kameng.tenancy.rules import may_be_taken
from kameng.tenancy.selectors import (
    SiteView,
    find_child,
    get_limits,
    get_main_site,
    get_plan,
    list_children,
)
from kameng.tenancy.services import bump_catalogue_version, lock_site
from kameng.tenancy.settings import SiteSettings, parse_settings, settings_json
from kameng.tenancy.terms import end_terms, hold_slug, release_slug

# One sub-site with its children stays below the 25 people at which a tree must stop growing
# (ADR 0043), whatever its plan says.
MOST_CHILDREN: Final = 24
MAX_MARKUP_BPS: Final = 100_000
MAX_LEAST_AMOUNT: Final = 10_000_000_000
LEAVING: Final = (SiteState.CLOSING, SiteState.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildTerms:
    """What children pay over their upline's wholesale price: a rate, and at least so much a piece.

    In 1/10000 yuan.
    """

    markup_bps: int
    minimum_amount: int

    def __post_init__(self) -> None:
        if not 0 <= self.markup_bps <= MAX_MARKUP_BPS:
            raise errors.ChildTermsInvalid
        if not 0 <= self.minimum_amount <= MAX_LEAST_AMOUNT:
            raise errors.ChildTermsInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRoom:
    """How many children a sub-site has, those that closed for good left out, and may have."""

    count: int
    most: int
    is_allowed: bool  # by the platform

    @property
    def is_open(self) -> bool:
        """Tell whether one more may be opened."""
        return self.is_allowed and self.count < self.most


def read_room(upline_id: int) -> ChildRoom:
    """Return how many children a sub-site has and may have. A child may have none."""
    most = get_limits(upline_id).child_sites_most
    is_child = Site.objects.filter(id=upline_id, upline_id__isnull=False).exists()
    return ChildRoom(
        count=sum(child.state != SiteState.CLOSED for child in list_children(upline_id)),
        most=0 if is_child else MOST_CHILDREN if most is None else min(most, MOST_CHILDREN),
        is_allowed=parse_settings(get_main_site().settings).child_sites_allowed,
    )


_allowed: dict[tuple[int, int, int], bool] = {}
KEPT_ANSWERS: Final = 20_000


def may_have_children(view: SiteView) -> bool:
    """Tell whether the back office of a site speaks of child sites: allowed here, or some exist.

    Asked by every page, so kept for as long as neither version moves.
    """
    if view.is_main or view.is_child:
        return False
    key = (view.site_id, view.catalogue_version, view.main_version)
    if key not in _allowed:
        room = read_room(view.site_id)
        if len(_allowed) >= KEPT_ANSWERS:
            _allowed.clear()
        _allowed[key] = room.count > 0 or (room.is_allowed and room.most > 0)
    return _allowed[key]


def can_be_upline(site: Site) -> bool:
    """Tell whether others may buy through a site: a sub-site that is no child itself."""
    return not site.is_main and site.upline_id is None


def create_child(
    *, upline_id: int, slug: str, name: str, settings: SiteSettings, actor: Actor
) -> Site:
    """Create a child site below a sub-site, within what its plan and the platform allow.

    Call in a transaction. Shares the upline's selling, then locks the reservation of the address,
    then the upline. Raises `SlugInvalid`, `SlugTaken` (also while somebody pays for it),
    `UplineNotOpen`, `ChildOfChild`, `ChildrenForbidden`, `ChildrenFull`.
    """
    if not may_be_taken(slug):
        raise errors.SlugInvalid  # an operator opens it: no name that looks like the platform's
    require_open_upline(upline_id)
    holder = f"upline:{upline_id}"
    hold_slug(slug, holder=holder, until=clock.now())  # lost while somebody pays for it
    upline = lock_upline(upline_id)
    admit_child(upline_id)
    try:
        with transaction.atomic():
            site = Site.objects.create(
                kind=SiteKind.BRANCH,
                parent_id=upline.parent_id,
                upline=upline,
                plan_id=upline.plan_id,
                slug=slug,
                name=name,
                settings=settings_json(settings),
            )
    except IntegrityError as fault:
        raise errors.SlugTaken from fault
    release_slug(slug, holder=holder)
    detail = {"upline_id": upline_id}
    record("site.opened", actor=actor, site_id=site.id, subject=("site", site.id), detail=detail)
    return site


def lock_upline(upline_id: int) -> Site:
    """Lock a sub-site that gets or loses a child, in a transaction; raise `ChildOfChild`."""
    upline = lock_site(upline_id)
    if upline.is_main or upline.upline_id is not None:
        raise errors.ChildOfChild
    return upline


def require_open_upline(upline_id: int) -> None:
    """Refuse unless a sub-site that is to get a child sells itself; holds for the transaction.

    Shares its selling: the completion of its closing, which counts its children, waits or was
    first. Raises `UplineNotOpen`.
    """
    if store.hold_state(upline_id) != SiteState.OPEN:
        raise errors.UplineNotOpen


def admit_child(upline_id: int) -> None:
    """Refuse one child more than the platform and the plan allow. Call with the upline locked."""
    room = read_room(upline_id)
    if not room.is_allowed or not room.most:
        raise errors.ChildrenForbidden
    if not room.is_open:
        raise errors.ChildrenFull(most=room.most)


def set_terms(*, site_id: int, terms: ChildTerms | None, actor: Actor) -> None:
    """Set what a sub-site's children pay, or, for a child, what this one pays instead.

    None goes back to the upline's terms (a child) or to none (a sub-site). Prices move at once;
    orders that stand keep theirs. Locks the site, then its children.
    """
    with transaction.atomic():
        site = lock_site(site_id)
        if site.is_main:
            raise errors.ChildOfChild
        Site.objects.filter(id=site_id).update(
            child_markup_bps=terms and terms.markup_bps,
            child_minimum_amount=terms and terms.minimum_amount,
        )
        if site.upline_id is not None:
            bump_catalogue_version(site_id)  # those of a sub-site move its children's by themselves
        record(
            "site.child_terms.changed",
            actor=actor,
            site_id=site.upline_id or site_id,
            subject=("site", site_id),
            detail={
                "markup_bps": terms and terms.markup_bps,
                "minimum_amount": terms and terms.minimum_amount,
            },
        )


def move_child(*, site_id: int, upline_id: int | None, plan_id: int | None, actor: Actor) -> None:
    """Let a sub-site buy through another one, or (None) from the main site with a plan of its own.

    The main site's act. Its own terms go with the old upline. Below an upline it sells for as long
    as that one does: its own time ends, since nobody could prolong it there. Orders that stand keep
    theirs. Shares the new upline's selling, then locks the sites concerned, ascending, then their
    children. Raises `ChildOfChild`, `ChildrenFull`, `ChildrenForbidden`, `PlanNotFound`, and
    `SiteLeaving` where the upline winds down or has.
    """
    with transaction.atomic():
        if upline_id is not None and store.hold_state(upline_id) in LEAVING:
            raise errors.SiteLeaving
        for each in sorted({site_id, upline_id} - {None}):  # type: ignore[type-var]
            lock_site(each)  # type: ignore[arg-type]
        site = Site.objects.get(id=site_id)
        before = site.upline_id
        if upline_id == before:
            return
        _check_move(site, upline_id)
        plan: Plan | None = None
        if upline_id is None:
            plan = get_plan(plan_id or 0)
        else:
            lock_upline(upline_id)
            admit_child(upline_id)
            plan = Site.objects.get(id=upline_id).plan
            end_terms(site)
        Site.objects.filter(id=site_id).update(
            upline_id=upline_id, plan=plan, child_markup_bps=None, child_minimum_amount=None
        )
        bump_catalogue_version(site_id)
        record(
            "site.upline.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"from": before, "to": upline_id},
        )


def _check_move(site: Site, upline_id: int | None) -> None:
    if site.is_main or upline_id == site.id or list_children(site.id):
        raise errors.ChildOfChild
    if upline_id is not None and site.settlement_way != SettlementWay.CLAIM:
        raise errors.SettlementWayInvalid(why=errors.CHILD_CLAIMS_ONLY)


def suspend_child(*, site_id: int, upline_id: int, reason: str, actor: Actor) -> None:
    """Stop an open child of this sub-site from selling: buyers read the reason at once.

    One that is closing goes on closing, and is stopped once that is given up. Locks the child.
    Raises `SiteNotFound` for another's, `ChildStateMoved` when it is stopped already, or closed.
    """
    _turn(site_id, SiteState.SUSPENDED, upline_id=upline_id, reason=reason, actor=actor)


def reopen_child(*, site_id: int, upline_id: int, actor: Actor) -> None:
    """Let a child sell again that this sub-site has suspended; what the main site did stays.

    One that is closing then sells again once that is given up. Locks the child. Raises
    `SiteNotFound` for another's, `ChildStateMoved` when it was not suspended from here.
    """
    _turn(site_id, SiteState.OPEN, upline_id=upline_id, reason="", actor=actor)


def _turn(site_id: int, state: SiteState, *, upline_id: int, reason: str, actor: Actor) -> None:
    find_child(site_id, upline_id=upline_id)
    with platform_scope("an upline stops a child, or lets it sell again"), transaction.atomic():
        site = lock_site(site_id)
        if site.upline_id != upline_id or not _stand(site, state, reason=reason[:200]):
            raise errors.ChildStateMoved
        record(
            "site.state.changed",
            actor=actor,
            site_id=upline_id,
            subject=("site", site_id),
            detail={"state": int(state), "reason": reason},
        )


def _stand(site: Site, state: SiteState, *, reason: str) -> bool:
    """Write how a child stands, or will stand once its closing is given up; False: not from here.

    With the child locked.
    """
    halts = state == SiteState.SUSPENDED
    before = SiteState.OPEN if halts else SiteState.SUSPENDED
    if not halts and not site.halted_by_upline:
        return False  # the main site did it
    mine = Site.objects.filter(id=site.id)
    if site.state == SiteState.CLOSING:
        closing = Closing.unscoped.filter(site_id=site.id, ended_at=None, state_before=before)
        if not closing.update(state_before=state, reason_before=reason):
            return False
        return bool(mine.update(halted_by_upline=halts))
    return bool(
        mine.filter(state=before).update(
            state=state, suspended_reason=reason, halted_by_upline=halts
        )
    )
