"""The terms of settlement: one row for all of a main site, or one for a single sub-site."""

from dataclasses import asdict, dataclass

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.settlement import errors
from kameng.settlement.models import Terms
from kameng.tenancy.selectors import get_site_view


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsWish:
    """What the main site asks of withdrawals and splits. Amounts in 1/10000 yuan."""

    hold_hours: int
    minimum_amount: int
    maximum_amount: int
    day_limit_amount: int
    month_limit_amount: int
    fee_bps: int
    fee_minimum_amount: int
    tax_bps: int
    withholds_tax: bool
    second_amount: int
    large_amount: int
    cooling_hours: int


def change_terms(*, site_id: int, wish: TermsWish, actor: Actor) -> Terms:
    """Set the terms of a sub-site, or of all by the main site's own id. Called by the main site.

    Raises `TermsInvalid`. Audited. The next request already meets them.
    """
    if wish.maximum_amount < wish.minimum_amount:
        raise errors.TermsInvalid
    _check_own(site_id)
    with platform_scope("terms of a sub-site"), transaction.atomic():
        terms: Terms = Terms.unscoped.update_or_create(
            site_id=site_id, defaults={**asdict(wish), "changed_at": clock.now()}
        )[0]
        record(
            "settlement.terms.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail=asdict(wish),
        )
    return terms


def drop_terms(*, site_id: int, actor: Actor) -> bool:
    """Let a sub-site follow the main site's terms again; false when it did already."""
    _check_own(site_id)
    with platform_scope("terms of a sub-site"), transaction.atomic():
        gone, _each = Terms.unscoped.filter(site_id=site_id).delete()
        if gone:
            record(
                "settlement.terms.dropped",
                actor=actor,
                site_id=site_id,
                subject=("site", site_id),
            )
    return bool(gone)


def _check_own(site_id: int) -> None:
    """Only a main site sets terms, for itself and for those that resell for it."""
    if get_site_view(site_id).main_id != require_site_id():
        raise errors.WithdrawalNotFound
