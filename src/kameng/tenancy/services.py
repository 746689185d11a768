"""Writes of sites: opening, domains, plans, settings, suspension, catalogue version.

Every change is audited by the caller's actor, in the same transaction.
"""

import dataclasses

from django.db import IntegrityError, transaction
from django.db.models import F

from kameng.core.audit import Actor, record
from kameng.tenancy import errors
from kameng.tenancy.models import Domain, Plan, SettlementWay, Site, SiteKind, SiteState
from kameng.tenancy.rules import clean_host, is_openable, is_slug
from kameng.tenancy.selectors import forget_hosts
from kameng.tenancy.settings import SiteSettings, parse_settings, settings_json


def create_site(
    *, slug: str, name: str, plan: Plan | None, settings: SiteSettings, actor: Actor
) -> Site:
    """Create the main site (the first, without plan) or a sub-site of it.

    Raises `SlugInvalid`, `SlugTaken`. The caller adds a domain and an owner.
    """
    if not is_slug(slug):
        raise errors.SlugInvalid
    main = Site.objects.filter(kind=SiteKind.MAIN).first()
    try:
        with transaction.atomic():
            site = Site.objects.create(
                kind=SiteKind.BRANCH if main else SiteKind.MAIN,
                parent=main,
                plan=plan if main else None,
                slug=slug,
                name=name,
                settings=settings_json(settings),
            )
            record("site.opened", actor=actor, site_id=site.id, subject=("site", site.id))
    except IntegrityError as fault:
        raise errors.SlugTaken from fault
    return site


def add_domain(*, site_id: int, host: str, is_primary: bool, actor: Actor) -> Domain:
    """Let `host` lead to the site. Raises `HostInvalid`, `HostTaken`."""
    clean = clean_host(host)
    if clean is None or ":" in host or not is_openable(clean):
        raise errors.HostInvalid
    try:
        with transaction.atomic():
            if is_primary:
                Domain.objects.filter(site_id=site_id, is_primary=True).update(is_primary=False)
            domain = Domain.objects.create(site_id=site_id, host=clean, is_primary=is_primary)
            record("site.domain.added", actor=actor, site_id=site_id, subject=("domain", clean))
    except IntegrityError as fault:
        raise errors.HostTaken from fault
    forget_hosts()
    return domain


def remove_domain(*, site_id: int, host: str, actor: Actor) -> None:
    """Take a host away from the site. Unknown hosts are refused with `HostUnknown`."""
    with transaction.atomic():
        gone, _ = Domain.objects.filter(site_id=site_id, host=host).delete()
        if not gone:
            raise errors.HostUnknown
        record("site.domain.removed", actor=actor, site_id=site_id, subject=("domain", host))
    forget_hosts()


def change_settings(*, site_id: int, changes: dict[str, object], actor: Actor) -> SiteSettings:
    """Change named settings of a site. Raises `SettingInvalid` for an unknown name or bad value."""
    with transaction.atomic():
        site = lock_site(site_id)
        stored = settings_json(parse_settings(site.settings))
        known = {field.name for field in dataclasses.fields(SiteSettings)}
        for name, value in changes.items():
            if name not in known:
                raise errors.SettingInvalid(name=name)
            stored[name] = value
        settings = parse_settings(stored)
        written = settings_json(settings)
        for name, value in changes.items():
            if written[name] != (list(value) if isinstance(value, tuple) else value):
                raise errors.SettingInvalid(name=name)
        Site.objects.filter(id=site_id).update(
            settings=written, catalogue_version=F("catalogue_version") + 1
        )
        record(
            "site.settings.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"names": sorted(changes)},
        )
    return settings


def change_site(*, site_id: int, name: str, plan: Plan | None, actor: Actor) -> None:
    """Rename a site and move a sub-site to another plan (its prices change at once)."""
    with transaction.atomic():
        site = lock_site(site_id)
        site.name = name
        if site.kind == SiteKind.BRANCH and plan is not None:
            site.plan = plan
        site.save(update_fields=["name", "plan"])
        bump_catalogue_version(site_id)
        record(
            "site.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"name": name, "plan": plan.name if plan else ""},
        )


def set_settlement_way(*, site_id: int, way: SettlementWay, reason: str, actor: Actor) -> None:
    """Change how a sub-site comes to its share of what it sells from now on; audited.

    Orders that stand already keep their way. Whether it is sensible is the caller's to ask.
    """
    with transaction.atomic():
        Site.objects.filter(id=site_id).update(settlement_way=way)
        bump_catalogue_version(site_id)
        record(
            "site.settlement_way.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"way": way.name.lower(), "reason": reason[:200]},
        )


def set_site_state(*, site_id: int, state: SiteState, reason: str, actor: Actor) -> None:
    """Open, suspend or close a site; the next request already sees it."""
    with transaction.atomic():
        Site.objects.filter(id=site_id).update(state=state, suspended_reason=reason[:200])
        record(
            "site.state.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"state": int(state), "reason": reason},
        )


def save_plan(
    *, plan_id: int | None, name: str, markup_bps: int, minimum_amount: int, actor: Actor
) -> Plan:
    """Create or change a plan. Prices of every sub-site on it change at once.

    Raises `PlanNotFound`, `PlanNameTaken`.
    """
    try:
        with transaction.atomic():
            values = {
                "name": name,
                "wholesale_markup_bps": markup_bps,
                "wholesale_minimum_amount": minimum_amount,
            }
            if plan_id is None:
                plan = Plan.objects.create(**values)
            else:
                if not Plan.objects.filter(id=plan_id).update(**values):
                    raise errors.PlanNotFound
                plan = Plan.objects.get(id=plan_id)
            touched = Site.objects.filter(plan_id=plan.id)
            touched.update(catalogue_version=F("catalogue_version") + 1)
            record(
                "plan.saved",
                actor=actor,
                site_id=None,
                subject=("plan", plan.id),
                detail={"name": name, "markup_bps": markup_bps, "minimum_amount": minimum_amount},
            )
    except IntegrityError as fault:
        raise errors.PlanNameTaken from fault
    return plan


def set_own_goods_terms(*, plan_id: int, most: int | None, share_bps: int, actor: Actor) -> None:
    """Say how many own goods a site on this plan may sell (None: any number; 0: none), and what
    part of the price the platform takes. Shares of every such site change at once.

    What is on sale beyond a smaller number stays so. Raises `PlanNotFound`, `OwnGoodsTermsInvalid`.
    """
    if not 0 <= share_bps <= 10_000 or (most is not None and not 0 <= most <= 1_000_000):
        raise errors.OwnGoodsTermsInvalid
    with transaction.atomic():
        values = {"own_goods_most": most, "own_goods_share_bps": share_bps}
        if not Plan.objects.filter(id=plan_id).update(**values):
            raise errors.PlanNotFound
        touched = Site.objects.filter(plan_id=plan_id)
        touched.update(catalogue_version=F("catalogue_version") + 1)
        record(
            "plan.own_goods.set",
            actor=actor,
            site_id=None,
            subject=("plan", plan_id),
            detail={"most": most, "share_bps": share_bps},
        )


def lock_site(site_id: int) -> Site:
    """Lock one site, in a transaction; taken by `change_settings` and `change_site`."""
    return Site.objects.select_for_update().get(id=site_id)


def bump_catalogue_version(site_id: int) -> None:
    """Tell every process that prices or listings of this site moved. Call inside the change."""
    Site.objects.filter(id=site_id).update(catalogue_version=F("catalogue_version") + 1)
