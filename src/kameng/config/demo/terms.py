"""The demo's plans on sale, and how long its shops have theirs: one ends soon, one is in grace.

Terms are given as the platform owner gives them. One that is over already is then moved back in
time, as `dating` does with the history: no service writes a term that has ended.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from kameng.catalog.services.plan_goods import put_plan_on_sale
from kameng.config.demo.shops import Shop
from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site, SiteTerm
from kameng.tenancy.selectors import get_site, list_plans, site_scope
from kameng.tenancy.terms import set_term_by_hand

LENGTH = dt.timedelta(days=365)
REASON = "线下收款，开通一年"


def sell_plans(entry: Mapping[str, Any], *, main: Shop) -> None:
    """Put the plans of sites.json on sale on the main site."""
    plans = {plan.name: plan for plan in list_plans()}
    with site_scope(main.site_id):
        for row in entry["plans"]:
            for offer in row["offers"]:
                put_plan_on_sale(
                    plans[row["name"]],
                    days=offer["days"],
                    amount=Amount(offer["amount"]),
                    actor=main.owner,
                )


def give_terms(shops: Sequence[Shop]) -> None:
    """Let the sub-sites have their plans for as long as sites.json says."""
    main, *branches = shops
    with platform_scope("the demo gives its shops their terms"):
        for shop in branches:
            ends_at = clock.now() + dt.timedelta(days=shop.plan["term_days_left"])
            late = max(clock.now() + dt.timedelta(hours=1) - ends_at, dt.timedelta())
            site = get_site(shop.site_id)
            assert site.plan is not None  # noqa: S101 - sub-sites always have one
            term = set_term_by_hand(
                site_id=shop.site_id,
                plan=site.plan,
                ends_at=ends_at + late,
                reason=REASON,
                actor=main.owner,
            )
            _move_back(term, late=late)


def _move_back(term: SiteTerm, *, late: dt.timedelta) -> None:
    """Let a term have begun a year before its end, and end earlier by `late`."""
    assert term.ends_at is not None  # noqa: S101 - given with an end
    ends_at = term.ends_at - late
    SiteTerm.unscoped.filter(id=term.id).update(starts_at=ends_at - LENGTH, ends_at=ends_at)
    site = get_site(term.site_id)
    assert site.expires_at is not None and site.lapses_at is not None  # noqa: S101, PT018
    Site.objects.filter(id=site.id).update(
        expires_at=site.expires_at - late, lapses_at=site.lapses_at - late
    )
