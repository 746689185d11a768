"""Writes of sites: opening, domains, plans, settings, suspension, catalogue version.

Every change is audited by the caller's actor, in the same transaction.
"""

import dataclasses
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F

from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.tenancy import errors
from kameng.tenancy.events import StandingChanged
from kameng.tenancy.models import (
    Closing,
    Domain,
    Plan,
    SettlementWay,
    Site,
    SiteKind,
    SiteState,
)
from kameng.tenancy.rules import DAY, clean_host, is_openable, is_slug
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
    """Take a host away from the site. Unknown hosts are refused with `HostUnknown`.

    A closed site keeps its own for a time: `SiteLeaving`, see `tenancy.closing.release_address`.
    """
    with transaction.atomic():
        if Site.objects.filter(id=site_id, state=SiteState.CLOSED).exists():
            raise errors.SiteLeaving
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


def change_site(*, site_id: int, name: str, actor: Actor) -> None:
    """Rename a site. Its plan and its term are changed by `terms`."""
    with transaction.atomic():
        site = lock_site(site_id)
        site.name = name
        site.save(update_fields=["name"])
        bump_catalogue_version(site_id)
        record(
            "site.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"name": name},
        )


def set_settlement_way(*, site_id: int, way: SettlementWay, reason: str, actor: Actor) -> None:
    """Change how a sub-site comes to its share of what it sells from now on; audited.

    Orders that stand already keep their way. Whether it is sensible is the caller's to ask.
    """
    with transaction.atomic():
        site = lock_site(site_id)
        if site.upline_id is not None and way != SettlementWay.CLAIM:
            raise errors.SettlementWayInvalid(why=errors.CHILD_CLAIMS_ONLY)
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
    """Open or suspend a site; the next request already sees it. Locks the site.

    The same again changes nothing and tells nobody. One that is closing goes on closing, and is
    suspended once that is given up: or who closes could not be stopped, and would sell again by
    giving up. Publishes `StandingChanged`. Raises `SiteLeaving` for a closed one, and for opening
    one that closes: `tenancy.closing` leads out of that.
    """
    with transaction.atomic():
        site, reason = lock_site(site_id), reason[:200]
        halts_closing = site.state == SiteState.CLOSING and state == SiteState.SUSPENDED
        if site.state in {SiteState.CLOSING, SiteState.CLOSED} and not halts_closing:
            raise errors.SiteLeaving
        if not _stand(site, state, reason=reason, halts_closing=halts_closing):
            return
        what = "resumed" if state == SiteState.OPEN else "suspended"
        publish(StandingChanged(site_id=site_id, subject_id=site_id, what=what, reason=reason))
        record(
            "site.state.changed",
            actor=actor,
            site_id=site_id,
            subject=("site", site_id),
            detail={"state": int(state), "reason": reason},
        )


def _stand(site: Site, state: SiteState, *, reason: str, halts_closing: bool) -> bool:
    """Write how a site stands, or will stand once its closing is given up; False: as before."""
    if halts_closing:
        closing = Closing.unscoped.filter(site_id=site.id, ended_at=None)
        if not site.halted_by_upline:
            closing = closing.exclude(state_before=state, reason_before=reason)
        Site.objects.filter(id=site.id).update(halted_by_upline=False)
        return bool(closing.update(state_before=state, reason_before=reason))
    if (site.state, site.suspended_reason, site.halted_by_upline) == (state, reason, False):
        return False
    Site.objects.filter(id=site.id).update(
        state=state, suspended_reason=reason, halted_by_upline=False
    )
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDraft:
    """A plan as proposed. Limits: None, as many as a site likes; 0, none."""

    name: str
    markup_bps: int
    minimum_amount: int = 0
    description: str = ""
    domains_most: int | None = 1
    staff_most: int | None = 5
    own_goods_most: int | None = 0
    own_goods_share_bps: int = 500
    child_sites_most: int | None = 0
    grace_days: int = 7
    is_offered: bool = True
    position: int = 0


def save_plan(draft: PlanDraft, *, plan_id: int | None = None, actor: Actor) -> Plan:
    """Create or change a plan. Prices, limits and grace of every sub-site on it change at once.

    Raises `PlanNotFound`, `PlanNameTaken`.
    """
    try:
        with transaction.atomic():
            values = dataclasses.asdict(draft)
            values["wholesale_markup_bps"] = values.pop("markup_bps")
            values["wholesale_minimum_amount"] = values.pop("minimum_amount")
            if plan_id is None:
                plan = Plan.objects.create(**values)
            else:
                if not Plan.objects.filter(id=plan_id).update(**values):
                    raise errors.PlanNotFound
                plan = Plan.objects.get(id=plan_id)
            touched = Site.objects.filter(plan_id=plan.id)
            touched.update(
                catalogue_version=F("catalogue_version") + 1,
                lapses_at=F("expires_at") + draft.grace_days * DAY,
            )
            record(
                "plan.saved",
                actor=actor,
                site_id=None,
                subject=("plan", plan.id),
                detail=dataclasses.asdict(draft),
            )
    except IntegrityError as fault:
        raise errors.PlanNameTaken from fault
    return plan


def lock_site(site_id: int) -> Site:
    """Lock one site, in a transaction; taken by `change_settings` and `change_site`."""
    return Site.objects.select_for_update().get(id=site_id)


def bump_catalogue_version(site_id: int) -> None:
    """Tell every process that prices or listings of this site moved. Call inside the change."""
    Site.objects.filter(id=site_id).update(catalogue_version=F("catalogue_version") + 1)
