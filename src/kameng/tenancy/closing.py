"""The end of a site: announced, completed when nothing is owed any more, undone within a time.

Promises that a site that is closing or closed takes no new order and no new money: who opens
something shares the site's selling (`require_selling`, `require_books`, `orders_place`), and the
completion takes it alone. What stands in the way is counted above (`insight.hindrances`).
"""

import datetime as dt

from django.db import transaction
from django.db.models import F

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.errors import Refusal
from kameng.core.events import publish
from kameng.core.scope import require_site_id
from kameng.tenancy import errors, store
from kameng.tenancy.children import admit_child, lock_upline
from kameng.tenancy.claiming import end_claim
from kameng.tenancy.events import StandingChanged
from kameng.tenancy.models import Closing, Domain, Site, SiteState
from kameng.tenancy.selectors import SiteView, forget_hosts, get_main_site, get_site_view
from kameng.tenancy.services import lock_site
from kameng.tenancy.settings import parse_settings


def closing_refusal(view: SiteView) -> Refusal | None:
    """Return what a buyer is told by a shop that is not open; None by one that is."""
    if view.state == SiteState.OPEN:
        return None
    if view.state == SiteState.CLOSING:
        return errors.ShopClosing(reason=view.suspended_reason)
    if view.state == SiteState.CLOSED:
        return errors.ShopClosed()
    if view.is_lapsed and not view.suspended_reason:
        return errors.SiteLapsed()
    return errors.SiteSuspended(reason=view.closed_reason)


def require_selling(site_id: int) -> None:
    """Refuse unless the site is open; holds for the rest of the transaction.

    Shares the selling of the site. Raises what `closing_refusal` says.
    """
    if store.hold_state(site_id) == SiteState.OPEN:
        return
    refusal = closing_refusal(get_site_view(site_id))
    if refusal is not None:
        raise refusal


def require_books(site_id: int) -> None:
    """Refuse where the books are closed: money may move while a site winds down, not afterwards.

    Shares the selling of the site. Raises `ShopClosed`.
    """
    if are_books_closed(site_id):
        raise errors.ShopClosed


def require_staying(site_id: int) -> None:
    """Refuse while a site winds down and afterwards. Shares its selling. Raises `SiteLeaving`."""
    if store.hold_state(site_id) in {SiteState.CLOSING, SiteState.CLOSED}:
        raise errors.SiteLeaving


def are_books_closed(site_id: int) -> bool:
    """Tell whether a site is closed for good; holds for the rest of the transaction."""
    return store.hold_state(site_id) == SiteState.CLOSED


def find_closing() -> Closing | None:
    """Return the closing of the site in force that has not ended, completed or not."""
    found: Closing | None = Closing.objects.filter(ended_at=None).first()
    return found


def begin_closing(*, reason: str, is_by_platform: bool, actor: Actor) -> Closing:
    """Wind the site in force down: nothing new from the next request on. Audited.

    The same again gives the closing that stands; the platform makes it its own, which the
    operator cannot give up any more. One that the main site begins, and what ends it, is told to
    the owner (`StandingChanged`). Raises `MainSiteStays`. Locks the site.
    """
    site_id = require_site_id()
    with transaction.atomic():
        site = lock_site(site_id)
        if site.is_main:
            raise errors.MainSiteStays
        known = find_closing()
        if known is not None:
            if is_by_platform and not known.is_by_platform and known.completed_at is None:
                known.is_by_platform = True
                known.save(update_fields=["is_by_platform"])
                _record("site.closing.taken_over", site_id, actor, reason=reason)
                _tell(site_id, "closing", reason=reason)
            return known
        closing: Closing = Closing.objects.create(
            site_id=site_id,
            reason=reason[:200],
            asked_by=actor.name[:100],
            is_by_platform=is_by_platform,
            state_before=site.state,
            reason_before=site.suspended_reason,
        )
        _set_state(site_id, state=SiteState.CLOSING, reason=reason)
        _record("site.closing.begun", site_id, actor, reason=reason)
        if is_by_platform:
            _tell(site_id, "closing", reason=reason)
    return closing


def give_up_closing(*, actor: Actor) -> None:
    """Go back to how the site was before; raises `ClosingStateWrong` once it is completed."""
    site_id = require_site_id()
    with transaction.atomic():
        lock_site(site_id)
        closing = find_closing()
        if closing is None or closing.completed_at is not None:
            raise errors.ClosingStateWrong
        _end(closing, actor)
        _set_state(site_id, state=closing.state_before, reason=closing.reason_before)
        _record("site.closing.given_up", site_id, actor)
        if closing.is_by_platform:
            _tell(site_id, "closing_ended")


def seal_selling() -> None:
    """Wait for whoever opens something on the site in force, and keep others out till the commit.

    Call first in the transaction that completes a closing.
    """
    store.seal_selling(require_site_id())


def finish_closing(*, actor: Actor) -> Closing:
    """Close the site in force for good. Call in the transaction that found nothing owed.

    After `seal_selling`. Locks the site. Raises `ClosingStateWrong` unless it is winding down.
    """
    site_id = require_site_id()
    lock_site(site_id)
    closing = find_closing()
    if closing is None or closing.completed_at is not None:
        raise errors.ClosingStateWrong
    now = clock.now()
    Closing.objects.filter(id=closing.id).update(completed_at=now, completed_by=actor.name[:100])
    _set_state(site_id, state=SiteState.CLOSED, reason=closing.reason)
    _record("site.closed", site_id, actor, reason=closing.reason)
    if closing.is_by_platform:
        _tell(site_id, "closed", reason=closing.reason)
    closing.completed_at = now
    return closing


def reopen_site(*, actor: Actor) -> None:
    """Undo a completed closing: the site sells again. Locks the upline of a child, then the site.

    Raises `ClosingStateWrong`, `TooLateToReopen` after the main site's `closed_keep_days`, and for
    a child whose place another one has by now what `admit_child` raises.
    """
    site_id = require_site_id()
    upline_id = get_site_view(site_id).upline_id
    with transaction.atomic():
        if upline_id is not None:
            lock_upline(upline_id)
        if lock_site(site_id).upline_id != upline_id:
            raise errors.ClosingStateWrong  # moved meanwhile: the page is shown anew
        closing = find_closing()
        if closing is None or closing.completed_at is None:
            raise errors.ClosingStateWrong
        if kept_until(closing) < clock.now():
            raise errors.TooLateToReopen(days=keep_days())
        if upline_id is not None:
            admit_child(upline_id)
        _end(closing, actor)
        _set_state(site_id, state=SiteState.OPEN, reason="")
        Site.objects.filter(id=site_id).update(halted_by_upline=False)  # of before it closed
        _record("site.reopened", site_id, actor)
        _tell(site_id, "reopened")


def release_address(*, host: str, actor: Actor) -> None:
    """Let go of an address of the closed site in force, so that another site may take it.

    Raises `ClosingStateWrong`, `AddressKept` before its time, `HostUnknown`.
    """
    site_id = require_site_id()
    with transaction.atomic():
        lock_site(site_id)
        closing = find_closing()
        if closing is None or closing.completed_at is None:
            raise errors.ClosingStateWrong
        if kept_until(closing) > clock.now():
            raise errors.AddressKept(until=f"{kept_until(closing):%Y-%m-%d}")
        gone, _ = Domain.objects.filter(site_id=site_id, host=host).delete()
        if not gone:
            raise errors.HostUnknown
        end_claim(host)
        record("site.domain.removed", actor=actor, site_id=site_id, subject=("domain", host))
    forget_hosts()


def keep_days() -> int:
    """Return for how many days a closed site keeps its address: the main site's setting."""
    return parse_settings(get_main_site().settings).closed_keep_days


def kept_until(closing: Closing) -> dt.datetime:
    """Return until when a completed closing can be undone and its address is nobody else's."""
    return (closing.completed_at or clock.now()) + dt.timedelta(days=keep_days())


def mark_customers_told(closing_id: int) -> None:
    """Note that every customer was written to about a closing."""
    Closing.objects.filter(id=closing_id, told_at=None).update(told_at=clock.now())


def _end(closing: Closing, actor: Actor) -> None:
    rows = Closing.objects.filter(id=closing.id, ended_at=None)
    rows.update(ended_at=clock.now(), ended_by=actor.name[:100])


def _set_state(site_id: int, *, state: int, reason: str) -> None:
    Site.objects.filter(id=site_id).update(
        state=state, suspended_reason=reason[:200], catalogue_version=F("catalogue_version") + 1
    )


def _tell(site_id: int, what: str, *, reason: str = "") -> None:
    publish(StandingChanged(site_id=site_id, subject_id=site_id, what=what, reason=reason[:200]))


def _record(action: str, site_id: int, actor: Actor, *, reason: str = "") -> None:
    detail = {"reason": reason[:200]} if reason else {}
    record(action, actor=actor, site_id=site_id, subject=("site", site_id), detail=detail)
