"""Time of a site that a refund takes back: what an order gave, never below now, once.

What is left stands as one term of its own (`TermKind.TAKEN_BACK`), so the history says what was
bought, what went back and what remained. An order whose time was carried over by a change of plan
is followed there by its worth. Where the main site set the end by hand, or the plan is for good,
that end stays. Runs in a platform scope.
"""

import datetime as dt
from dataclasses import dataclass

from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.tenancy.models import Site, SiteTerm, TermKind
from kameng.tenancy.rules import DAY, NewTerm, Rest, Stretch, rest_of, share_of, take_back
from kameng.tenancy.services import lock_site
from kameng.tenancy.terms import Bought, Origin, replace_terms, write_term

FOLLOWED_MOST = 50  # changes of plan that one order's worth is followed through


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a site loses: so much time of its end, and what of a standing term remains of it."""

    length: dt.timedelta
    term_id: int
    remains: Stretch | None  # of that term, when only a part of it goes


def take_term_back(site_id: int, *, bought: Bought, order_no: str) -> SiteTerm | None:
    """Take back what an order gave a site: its days, or its time for good.

    Returns the term that says what is left, or None where nothing was to be taken: the time is
    over, the end was set by hand since, or it was taken already. Call inside the refund's
    transaction, in a platform scope. Locks the site.
    """
    now = clock.now()
    site = lock_site(site_id)
    term: SiteTerm | None = SiteTerm.unscoped.filter(
        site_id=site_id, order_id=bought.order_id
    ).first()
    if term is None or term.refunded_at is not None:
        return None
    loss = _loss_of(term, bought)
    SiteTerm.unscoped.filter(id=term.id).update(refunded_at=now)
    if loss is None or (site.expires_at is not None and site.expires_at <= now):
        return None
    others = _others(site, loss, now=now)
    rest = _rest(site, others, length=loss.length, now=now)
    if rest is None:
        return None
    replace_terms(site, now=now)
    new = NewTerm(starts_at=now, ends_at=rest.ends_at, value_amount=rest.value_amount)
    origin = Origin(
        plan_id=site.plan_id or term.plan_id,
        kind=TermKind.TAKEN_BACK,
        actor=SYSTEM,
        reason=order_no,
    )
    return write_term(site, new, origin)


def _rest(
    site: Site, others: list[Stretch], *, length: dt.timedelta, now: dt.datetime
) -> Rest | None:
    """Return what is left; for a plan for good what the terms before it leave, or nothing."""
    if site.expires_at is not None:
        return take_back(others, ends_at=site.expires_at, length=length, now=now)
    if any(each.ends_at is None for each in others):
        return None  # another term is for good
    ends = [each.ends_at for each in others if each.ends_at is not None]
    return take_back(others, ends_at=max([now, *ends]), length=dt.timedelta(), now=now)


def _loss_of(term: SiteTerm, bought: Bought) -> Loss | None:
    """Return what goes with an order's term, wherever its worth is by now."""
    if term.replaced_at is not None:
        return _follow(term, amount=bought.paid_amount)
    if bought.days is None or term.ends_at is None:
        return Loss(length=dt.timedelta(), term_id=term.id, remains=None)
    length = bought.days * DAY
    kept_end = term.ends_at - length
    remains = None
    if term.kind == TermKind.CHANGED and kept_end > term.starts_at:
        remains = Stretch(
            starts_at=term.starts_at,
            ends_at=kept_end,
            value_amount=max(int(term.value_amount) - bought.paid_amount, 0),
        )
    return Loss(length=length, term_id=term.id, remains=remains)


def _follow(term: SiteTerm, *, amount: int) -> Loss | None:
    """Follow what was left of a replaced term into what replaced it, as often as it was."""
    for _step in range(FOLLOWED_MOST):
        if term.replaced_at is None:
            return _part_of(term, amount=amount)
        if term.value_amount <= 0:
            return None
        amount = amount * rest_of(_stretch(term), now=term.replaced_at) // term.value_amount
        after: SiteTerm | None = (
            SiteTerm.unscoped.filter(
                site_id=term.site_id, id__gt=term.id, starts_at=term.replaced_at
            )
            .order_by("id")
            .first()
        )
        if after is None or after.kind == TermKind.BY_HAND or amount <= 0:
            return None
        term, amount = after, min(amount, after.value_amount)
    return None


def _part_of(term: SiteTerm, *, amount: int) -> Loss | None:
    """Return what an amount of a standing term's worth is of its time.

    In a change of plan only the days that were carried over answer for it, never those paid since.
    """
    whole = _stretch(term)
    if whole.ends_at is None:
        return None
    if term.kind == TermKind.CHANGED:
        pool = _carried_amount(term)
        length = share_of(term.carried_days * DAY, amount=amount, of_amount=pool)
    else:
        length = share_of(
            whole.ends_at - whole.starts_at, amount=amount, of_amount=whole.value_amount
        )
    if not length:
        return None
    remains = None
    if whole.ends_at - length > whole.starts_at:
        remains = Stretch(
            starts_at=whole.starts_at,
            ends_at=whole.ends_at - length,
            value_amount=whole.value_amount - amount,
        )
    return Loss(length=length, term_id=term.id, remains=remains)


def _carried_amount(term: SiteTerm) -> int:
    """Return what the terms were still worth that a change of plan replaced."""
    rows = SiteTerm.unscoped.filter(site_id=term.site_id, replaced_at=term.starts_at)
    return sum(rest_of(_stretch(row), now=term.starts_at) for row in rows)


def _others(site: Site, loss: Loss, *, now: dt.datetime) -> list[Stretch]:
    """Return what stands of a site's terms without what is lost."""
    rows = SiteTerm.unscoped.filter(site_id=site.id, replaced_at__isnull=True)
    kept = [_stretch(row) for row in rows.exclude(id=loss.term_id)]
    if loss.remains is not None:
        kept.append(loss.remains)
    return [each for each in kept if each.ends_at is None or each.ends_at > now]


def _stretch(term: SiteTerm) -> Stretch:
    return Stretch(
        starts_at=term.starts_at, ends_at=term.ends_at, value_amount=int(term.value_amount)
    )
