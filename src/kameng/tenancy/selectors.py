"""Reads of sites. Host → id is cached per process; what can change is read at each request."""

import datetime as dt
import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext

from kameng.core import clock
from kameng.core.scope import Scope, open_scope
from kameng.tenancy import store
from kameng.tenancy.errors import PlanNotFound, SiteNotFound
from kameng.tenancy.models import (
    Domain,
    Plan,
    SettlementWay,
    Site,
    SiteState,
    SlugReservation,
)
from kameng.tenancy.rules import (
    DAY,
    NOTICE_DAYS,
    SLUG,
    SUGGESTIONS,
    clean_host,
    may_be_taken,
    suggest_slugs,
)
from kameng.tenancy.settings import SiteSettings, parse_settings

HOST_CACHE_SECONDS = 30.0
UNKNOWN_SECONDS = 2.0  # a host may be given to a site at any moment
HOST_CACHE_SIZE = 20_000
_hosts: dict[str, tuple[int | None, float, str | None]] = {}  # site, until, sent on to
_settings: dict[tuple[int, str], SiteSettings] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """A site as a request needs it."""

    site_id: int
    main_id: int
    is_main: bool
    slug: str
    name: str
    state: int
    suspended_reason: str
    plan_id: int | None
    settlement_way: int  # tenancy.models.SettlementWay
    catalogue_version: int  # of the site itself
    main_version: int  # of the main site it resells for
    settings: SiteSettings
    expires_at: dt.datetime | None = None  # its paid term ends here
    is_lapsed: bool = False  # term and grace are over: it counts as suspended, until renewed
    upline_id: int | None = None  # the sub-site through which a child buys
    is_held: bool = False  # not open because its upline is not
    child_markup_bps: int = 0  # what a child pays over its upline's wholesale price
    child_minimum_amount: int = 0  # and at least, a piece, 1/10000 yuan

    @property
    def is_child(self) -> bool:
        """Tell whether this site buys through another sub-site."""
        return self.upline_id is not None

    @property
    def closed_reason(self) -> str:
        """Return what buyers are told while the site is not open."""
        return gettext("上级站点暂停营业") if self.is_held else self.suspended_reason

    @property
    def is_preparing(self) -> bool:
        """Tell whether only its operator sees the shop: its details are not verified yet."""
        return self.settings.licence_required and not self.is_main and not self.settings.legal


def find_site_id(raw_host: str) -> int | None:
    """Return the site of a Host header, or None: an unknown host is never a default site."""
    known = _hosts.get(raw_host)
    if known is not None and known[1] > time.monotonic():
        return known[0]
    return _look_host_up(raw_host)[0]


def _look_host_up(raw_host: str) -> tuple[int | None, float, str | None]:
    host = clean_host(raw_host)
    site_id, onward = (store.find_way(host) if host is not None else None) or (None, None)
    if len(_hosts) >= HOST_CACHE_SIZE:  # bounded: unknown hosts must not fill the memory
        _hosts.clear()
    until = time.monotonic() + (HOST_CACHE_SECONDS if site_id else UNKNOWN_SECONDS)
    _hosts[raw_host] = site_id, until, onward
    return _hosts[raw_host]


def find_onward_host(raw_host: str) -> str | None:
    """Return the host that visitors of this one are sent on to; None where they stay.

    What this process remembers says only whether to ask: two processes that remember different
    primary hosts must not send a visitor to and fro.
    """
    known = _hosts.get(raw_host)
    if known is not None and known[1] > time.monotonic() and known[2] is None:
        return None
    return _look_host_up(raw_host)[2]


def has_any_host() -> bool:
    """Tell whether any site can be reached: not before the first shop is opened."""
    return store.has_host()


def forget_hosts() -> None:
    """Empty this process's host cache (after a domain was changed here)."""
    _hosts.clear()


def site_view(row: tuple[object, ...]) -> SiteView:
    """Build a view from a row of `tenancy_site_row` (sql/sites.sql)."""
    site_id, main_id, slug, name, state, reason, plan_id, way, version, main_version, raw = row[:11]
    expires_at, is_lapsed, upline_id, is_held, child_markup_bps, child_minimum_amount = row[11:]
    key = (int(site_id), str(raw))  # type: ignore[call-overload]
    settings = _settings.get(key)
    if settings is None:
        if len(_settings) > HOST_CACHE_SIZE:
            _settings.clear()
        settings = _settings[key] = parse_settings(json.loads(str(raw)))
    return SiteView(
        site_id=site_id,  # type: ignore[arg-type]
        main_id=main_id,  # type: ignore[arg-type]
        is_main=site_id == main_id,
        slug=str(slug),
        name=str(name),
        state=state,  # type: ignore[arg-type]
        suspended_reason=str(reason),
        plan_id=plan_id,  # type: ignore[arg-type]
        settlement_way=way,  # type: ignore[arg-type]
        catalogue_version=version,  # type: ignore[arg-type]
        main_version=main_version,  # type: ignore[arg-type]
        settings=settings,
        expires_at=expires_at,  # type: ignore[arg-type]
        is_lapsed=bool(is_lapsed),
        upline_id=upline_id,  # type: ignore[arg-type]
        is_held=bool(is_held),
        child_markup_bps=child_markup_bps,  # type: ignore[arg-type]
        child_minimum_amount=child_minimum_amount,  # type: ignore[arg-type]
    )


_views: dict[int, tuple[str, SiteView]] = {}


def peek_site_id(raw_host: str) -> int | None:
    """Return the site of a host if this process has looked it up lately; asks nobody."""
    known = _hosts.get(raw_host)
    return known[0] if known is not None and known[1] > time.monotonic() else None


def peek_stamped_view(site_id: int) -> tuple[str, SiteView] | None:
    """Return what this process keeps of a site, with the stamp of which it is; asks nobody.

    For an act whose own statement compares the stamp (sql/versions.sql) before it changes anything.
    """
    return _views.get(site_id)


def forget_stamped_view(site_id: int) -> None:
    """Forget what this process keeps of a site: a statement said that its stamp is another."""
    _views.pop(site_id, None)


async def stamped_view(site_id: int, *, stamp: str) -> SiteView | None:
    """Return the site as of a stamp (sql/sites.sql) or later, on the event loop; None without it.

    The stamp grows with every change of the site or its main site, so an equal one spares the row.
    """
    kept = _views.get(site_id)
    if kept is not None and kept[0] == stamp:
        return kept[1]
    fresh, *row = await store.stamped_sites.submit(site_id)
    if fresh is None:
        return None
    view = site_view(tuple(row))
    if len(_views) >= HOST_CACHE_SIZE:
        _views.clear()
    _views[site_id] = (fresh, view)
    return view


def get_site_view(site_id: int) -> SiteView:
    """Return the site as of now; raise `SiteNotFound`."""
    row = store.find_site_row(site_id)
    if row is None:
        raise SiteNotFound
    return site_view(row)


def scope_of(view: SiteView) -> Scope:
    """Return the scope of a site: it writes itself, it reads itself and the main site."""
    reads = (view.site_id,) if view.is_main else (view.site_id, view.main_id)
    return Scope(site_id=view.site_id, reads=reads)


def scope_of_site(site_id: int, *, main_id: int) -> Scope:
    """Return the scope of a site whose main site is known."""
    return Scope(site_id=site_id, reads=(site_id,) if site_id == main_id else (site_id, main_id))


@contextmanager
def site_scope(site_id: int) -> Iterator[SiteView]:
    """Work as one site for the block."""
    view = get_site_view(site_id)
    with open_scope(scope_of(view)):
        yield view


def get_main_site() -> Site:
    """Return the main site; raise `SiteNotFound` before there is one."""
    site = Site.objects.filter(kind=1).first()
    if site is None:
        raise SiteNotFound
    return site


def get_site(site_id: int) -> Site:
    """Return one site; raise `SiteNotFound`."""
    site = Site.objects.filter(id=site_id).select_related("plan").first()
    if site is None:
        raise SiteNotFound
    return site


def find_site_by_slug(slug: str) -> Site | None:
    """Return the site of this slug, or None."""
    return Site.objects.filter(slug=slug).select_related("plan").first()


def find_site_named(text: str) -> Site | None:
    """Return the site that a person names by its address, its slug or its number, or None."""
    rows = Site.objects.select_related("plan")
    by_slug = rows.filter(slug=text).first()
    if by_slug is not None:
        return by_slug
    if text.isascii() and text.isdigit() and len(text) < 19:
        return rows.filter(id=int(text)).first()
    host = clean_host(text.partition("://")[2].partition("/")[0] or text.rstrip("/"))
    site_id = find_site_id_now(host) if host else None
    return rows.filter(id=site_id).first() if site_id else None


def list_sites_settled(way: SettlementWay) -> list[Site]:
    """Return the sub-sites that settle in one way."""
    return list(Site.objects.filter(settlement_way=way).order_by("id"))


def list_sites_ending(*, after: dt.datetime, now: dt.datetime) -> list[Site]:
    """Return the sites whose term ends within two weeks, or ended since; by tenancy_by_end.

    Without those that wind down: who closes need not renew, and is told if that is given up.
    """
    until = now + NOTICE_DAYS[0] * DAY
    rows = Site.objects.filter(expires_at__gt=after, expires_at__lte=until)
    leaving = (SiteState.CLOSING, SiteState.CLOSED)
    rows = rows.exclude(state__in=leaving).select_related("plan")
    return list(rows.order_by("expires_at", "id"))


def count_sites_by_plan() -> dict[int, int]:
    """Return how many sites are on each plan, by the plan's id."""
    rows = Site.objects.filter(plan__isnull=False).values_list("plan_id")
    return dict(rows.annotate(count=Count("id")).order_by())


def count_child_sites(site_id: int) -> int:
    """Return how many sites stand below a site and are not closed."""
    return Site.objects.filter(upline_id=site_id).exclude(state=SiteState.CLOSED).count()


def list_plans() -> list[Plan]:
    """Return the plans in the owner's order."""
    return list(Plan.objects.order_by("position", "id"))


def get_plan(plan_id: int) -> Plan:
    """Return one plan; raise `PlanNotFound`."""
    plan = Plan.objects.filter(id=plan_id).first()
    if plan is None:
        raise PlanNotFound
    return plan


def branch_host(slug: str) -> str:
    """Return the host of a new sub-site: its slug before the suffix of the main site's settings.

    Without one, before the main site's own primary host, short of its `www.`.
    """
    main = get_main_site()
    suffix = parse_settings(main.settings).branch_suffix or primary_host(main.id) or "localhost"
    return f"{slug}.{suffix.removeprefix('www.')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressState:
    """Whether an address may be taken: free, taken, reserved or invalid; and others near it."""

    state: str
    suggestions: tuple[str, ...] = ()


def find_address(slug: str) -> AddressState:
    """Tell whether a new shop may have this address now; holds nothing."""
    if SLUG.fullmatch(slug) is None:
        return AddressState(state="invalid")
    if slug in list_taken_slugs([slug]):
        state = "taken"
    elif not may_be_taken(slug):
        state = "reserved"
    else:
        return AddressState(state="free")
    near = list(suggest_slugs(slug))
    taken = list_taken_slugs(near)
    free = tuple(each for each in near if each not in taken)
    return AddressState(state=state, suggestions=free[:SUGGESTIONS])


def list_taken_slugs(slugs: Collection[str]) -> frozenset[str]:
    """Return which of these a site has, as its slug or in its address, or somebody holds."""
    suffix = branch_host("")
    hosts = {f"{slug}{suffix}": slug for slug in slugs}
    held = SlugReservation.objects.filter(slug__in=slugs, expires_at__gt=clock.now())
    return frozenset(
        {
            *Site.objects.filter(slug__in=slugs).values_list("slug", flat=True),
            *held.values_list("slug", flat=True),
            *(
                hosts[host]
                for host in Domain.objects.filter(host__in=hosts).values_list("host", flat=True)
            ),
        }
    )


def find_site_id_now(host: str) -> int | None:
    """Return the site of a clean host, asked of the database."""
    way = store.find_way(host)
    return way[0] if way else None


def list_domains(site_id: int) -> list[Domain]:
    """Return the hosts of a site, the primary one first."""
    return list(Domain.objects.filter(site_id=site_id).order_by("-is_primary", "host"))


def primary_host(site_id: int) -> str | None:
    """Return the host under which links to the site are written."""
    return store.find_primary_host(site_id)


def has_main_site() -> bool:
    """Tell whether the main site was opened."""
    return Site.objects.filter(kind=1).exists()


def list_sites_by_id(site_ids: list[int]) -> list[Site]:
    """Return these sites, the main one first."""
    return list(Site.objects.filter(id__in=site_ids).select_related("plan").order_by("kind", "id"))


def branches_of(main_id: int) -> "QuerySet[Site, Any]":
    """Return the ids of the sub-sites of a main site, to ask within: never fetched one by one."""
    return Site.objects.filter(parent_id=main_id).values("id")


def list_children(upline_id: int) -> list[Site]:
    """Return the child sites that buy through a sub-site, the oldest first."""
    return list(Site.objects.filter(upline_id=upline_id).order_by("id"))


def find_child(child_id: int, *, upline_id: int) -> Site:
    """Return a child site of this sub-site; raise `SiteNotFound` for any other."""
    site = Site.objects.filter(id=child_id, upline_id=upline_id).select_related("plan").first()
    if site is None:
        raise SiteNotFound
    return site


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """What a site's plan lets it have at most. None: as much as it likes; 0: none."""

    domains_most: int | None  # of its own, besides the platform's address
    staff_most: int | None  # members besides the owner
    own_goods_most: int | None  # products of its own
    child_sites_most: int | None
    own_goods_share_bps: int  # the platform's part of what own goods are sold for
    grace_days: int


NO_LIMITS = PlanLimits(
    domains_most=None,
    staff_most=None,
    own_goods_most=None,
    child_sites_most=None,
    own_goods_share_bps=0,
    grace_days=0,
)


def get_limits(site_id: int) -> PlanLimits:
    """Return what the plan of a site allows; the main site has no limits. One query."""
    plan = Plan.objects.filter(id__in=Site.objects.filter(id=site_id).values("plan_id")).first()
    if plan is None:
        return NO_LIMITS
    return PlanLimits(
        domains_most=plan.domains_most,
        staff_most=plan.staff_most,
        own_goods_most=plan.own_goods_most,
        child_sites_most=plan.child_sites_most,
        own_goods_share_bps=plan.own_goods_share_bps,
        grace_days=plan.grace_days,
    )
