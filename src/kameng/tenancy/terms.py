"""Terms of sites: for how long a site has which plan, and the addresses held for who is paying.

`Site.expires_at` is the end of the last term that nothing replaced; `lapses_at` adds the plan's
grace. Both move here only, in the transaction that writes the term. Locks: the site. Writes run in
a platform scope.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Min, Q

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope
from kameng.tenancy import errors, store
from kameng.tenancy.models import (
    Plan,
    Site,
    SiteState,
    SiteTerm,
    SlugReservation,
    TermKind,
    TermNotice,
)
from kameng.tenancy.rules import (
    DAY,
    MOST_DAYS,
    NewTerm,
    Stretch,
    change_over,
    due_notice,
    may_be_taken,
    prolong,
)
from kameng.tenancy.services import lock_site

LONGEST = dt.timedelta(days=3660)
FURTHEST = dt.timedelta(days=MOST_DAYS)  # ahead of now, however often a term is prolonged
TERMS_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What an order pays for: a plan for so many days (None: for good), and what was paid."""

    order_id: int
    plan_id: int
    days: int | None
    paid_amount: int


def hold_slug(slug: str, *, holder: str, until: dt.datetime) -> None:
    """Hold an address for who is paying; the same holder may hold it anew. One statement decides.

    Raises `SlugInvalid`, `SlugTaken`. Call inside the transaction of the order.
    """
    if not may_be_taken(slug):
        raise errors.SlugInvalid
    if Site.objects.filter(slug=slug).exists() or not store.hold_slug(
        slug, holder=holder, until=until
    ):
        raise errors.SlugTaken


def release_slug(slug: str, *, holder: str) -> None:
    """Give a held address back, if it is still this holder's."""
    SlugReservation.objects.filter(slug=slug, holder=holder).delete()


def forget_reservations() -> int:
    """Drop what is held for nobody any more; return how many."""
    return SlugReservation.objects.filter(expires_at__lte=clock.now()).delete()[0]


def begin_term(site_id: int, *, bought: Bought, actor: Actor) -> SiteTerm:
    """Write the first term of a site just opened. Call inside its transaction."""
    now = clock.now()
    new = prolong(None, days=bought.days, paid_amount=bought.paid_amount, now=now)
    site = lock_site(site_id)
    return write_term(site, new, Origin.of(bought, kind=TermKind.OPENED, actor=actor))


def prolong_term(site_id: int, *, bought: Bought, actor: Actor) -> SiteTerm:
    """Add to the end of a site's term, or from now when it is over. Call inside the transaction.

    Another plan than the site's own replaces what is left: see `rules.change_over`. Raises
    `NothingToProlong`, `SiteClosed`, `TermTooFar`.
    """
    now = clock.now()
    site = lock_site(site_id)
    check_prolongable(site, plan_id=bought.plan_id, days=bought.days)
    if site.plan_id == bought.plan_id:
        new = prolong(site.expires_at, days=bought.days, paid_amount=bought.paid_amount, now=now)
        kind = TermKind.RENEWED
    else:
        new = change_over(
            replace_terms(site, now=now),
            days=bought.days,
            paid_amount=bought.paid_amount,
            now=now,
        )
        kind = TermKind.CHANGED
    return write_term(site, new, Origin.of(bought, kind=kind, actor=actor))


def check_prolongable(site: Site, *, plan_id: int, days: int | None) -> None:
    """Raise what keeps a site from this purchase: see `prolong_term`. A child has its upline's."""
    if site.state == SiteState.CLOSED:
        raise errors.SiteClosed
    if site.state == SiteState.CLOSING:
        raise errors.SiteLeaving
    if (
        site.is_main
        or site.upline_id is not None
        or (
            site.expires_at is None
            and (site.plan_id == plan_id or (days is not None and not _is_free(site)))
        )
    ):
        raise errors.NothingToProlong
    if site.expires_at is None or site.plan_id != plan_id or days is None:
        return
    if site.expires_at - clock.now() > FURTHEST - dt.timedelta(days=days):
        raise errors.TermTooFar(until=f"{site.expires_at:%Y-%m-%d}")


def _is_free(site: Site) -> bool:
    """Tell whether a site stands on a plan for good that cost nothing: it may buy another."""
    with platform_scope("whether a site's term was free"):
        rows = SiteTerm.unscoped.filter(site_id=site.id, replaced_at__isnull=True)
        return rows.filter(ends_at__isnull=True, value_amount=0, order_id__isnull=False).exists()


def set_term_by_hand(
    *, site_id: int, plan: Plan, ends_at: dt.datetime | None, reason: str, actor: Actor
) -> SiteTerm:
    """Set plan and end of a sub-site as the main site decides, in place of what was left; audited.

    Raises `TermEndInvalid`, `NothingToProlong` for the main site and for a child. What was paid for
    and is left stays worth what it was. Call inside a platform scope.
    """
    now = clock.now()
    if ends_at is not None and not now < ends_at <= now + LONGEST:
        raise errors.TermEndInvalid
    with transaction.atomic():
        site = lock_site(site_id)
        if site.is_main or site.upline_id is not None:
            raise errors.NothingToProlong
        left = change_over(replace_terms(site, now=now), days=None, paid_amount=0, now=now)
        new = NewTerm(starts_at=now, ends_at=ends_at, value_amount=left.value_amount)
        origin = Origin(plan_id=plan.id, kind=TermKind.BY_HAND, actor=actor, reason=reason)
        return write_term(site, new, origin)


def list_terms(site_id: int) -> list[SiteTerm]:
    """Return the terms of a site, the newest first."""
    with platform_scope("the terms of one site"):
        rows = SiteTerm.unscoped.filter(site_id=site_id).select_related("plan")
        return list(rows.order_by("-id")[:TERMS_MOST])


def preview_term(site: Site, *, plan_id: int, days: int | None, paid_amount: int) -> NewTerm:
    """Return what a purchase would make of a site's terms, if it were paid now."""
    now = clock.now()
    if site.plan_id == plan_id:
        return prolong(site.expires_at, days=days, paid_amount=paid_amount, now=now)
    with platform_scope("what is left of the terms of one site"):
        left = list_standing(site, now=now)
    return change_over(left, days=days, paid_amount=paid_amount, now=now)


def take_notice(site: Site) -> int | None:
    """Return how many days before its end the owner of this site is to be told of now; once each.

    None when nothing is due, or a notice as near was given. Call inside the transaction of the
    message, in the scope of the site.
    """
    ends_at = site.expires_at
    days = due_notice(ends_at, now=clock.now()) if ends_at is not None else None
    if days is None or TermNotice.objects.filter(ends_at=ends_at, days__lte=days).exists():
        return None
    _row, is_made = TermNotice.objects.get_or_create(site_id=site.id, ends_at=ends_at, days=days)
    return days if is_made else None  # another worker was first


def forgo_told(sites: list[Site]) -> list[Site]:
    """Leave out the sites whose owners were told of the nearest distance already. One query."""
    now = clock.now()
    ends = {site.expires_at for site in sites}
    with platform_scope("who was told that the time ends"):
        told = TermNotice.unscoped.filter(ends_at__in=ends).values_list("site_id", "ends_at")
        nearest = {row[:2]: row[2] for row in told.annotate(Min("days"))}
    return [site for site in sites if _is_untold(site, nearest, now)]


def _is_untold(site: Site, nearest: dict[tuple[int, dt.datetime], int], now: dt.datetime) -> bool:
    assert site.expires_at is not None  # noqa: S101 - asked for so
    due = due_notice(site.expires_at, now=now)
    return due is not None and nearest.get((site.id, site.expires_at), due + 1) > due


def list_standing(site: Site, *, now: dt.datetime) -> list[Stretch]:
    """Return what a site has left, in a platform scope."""
    rows = SiteTerm.unscoped.filter(site_id=site.id, replaced_at__isnull=True)
    rows = rows.filter(Q(ends_at__gt=now) | Q(ends_at__isnull=True))
    return [
        Stretch(starts_at=starts_at, ends_at=ends_at, value_amount=amount)
        for starts_at, ends_at, amount in rows.values_list("starts_at", "ends_at", "value_amount")
    ]


def replace_terms(site: Site, *, now: dt.datetime) -> list[Stretch]:
    """Mark what a locked site has left as replaced; return it."""
    left = list_standing(site, now=now)
    rows = SiteTerm.unscoped.filter(site_id=site.id, replaced_at__isnull=True)
    rows.filter(Q(ends_at__gt=now) | Q(ends_at__isnull=True)).update(replaced_at=now)
    return left


def end_terms(site: Site) -> None:
    """Let a locked site's own time end without one of its own after it: it has no end any more.

    Its history stays, marked as replaced. Call inside the transaction, in a platform scope.
    """
    rows = SiteTerm.unscoped.filter(site_id=site.id, replaced_at__isnull=True)
    rows.update(replaced_at=clock.now())  # one that is over too: it would be the last that stands
    Site.objects.filter(id=site.id).update(expires_at=None, lapses_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a term comes from."""

    plan_id: int
    kind: TermKind
    actor: Actor
    order_id: int | None = None
    reason: str = ""

    @classmethod
    def of(cls, bought: Bought, *, kind: TermKind, actor: Actor) -> "Origin":
        """Return the origin of what an order bought."""
        return cls(plan_id=bought.plan_id, kind=kind, actor=actor, order_id=bought.order_id)


def write_term(site: Site, new: NewTerm, origin: Origin) -> SiteTerm:
    """Write a term of a locked site, and move its end, its grace and its version; audited."""
    term: SiteTerm = SiteTerm.unscoped.create(
        site_id=site.id,
        plan_id=origin.plan_id,
        kind=origin.kind,
        order_id=origin.order_id,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        value_amount=new.value_amount,
        carried_days=new.carried_days,
        reason=origin.reason[:200],
        made_by=origin.actor.name[:100],
    )
    grace = Plan.objects.values_list("grace_days", flat=True).get(id=origin.plan_id)
    lapses_at = None if new.ends_at is None else new.ends_at + grace * DAY
    Site.objects.filter(id=site.id).update(
        plan_id=origin.plan_id,
        expires_at=new.ends_at,
        lapses_at=lapses_at,
        catalogue_version=F("catalogue_version") + 1,
    )
    record(
        "site.term.written",
        actor=origin.actor,
        site_id=site.id,
        subject=("site", site.id),
        detail={
            "kind": origin.kind.name.lower(),
            "plan_id": origin.plan_id,
            "order_id": term.order_id,
            "until": new.ends_at.isoformat() if new.ends_at else "",
            "carried_days": new.carried_days,
            "reason": origin.reason[:200],
        },
    )
    return term
