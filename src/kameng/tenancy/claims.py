"""Reads of sites' own domains: what is claimed, what is expected of the records, what was found."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q

from kameng.core.names import Found, look_up
from kameng.core.scope import platform_scope
from kameng.tenancy.errors import ClaimNotFound
from kameng.tenancy.models import ClaimState, Domain, DomainClaim, Site, SiteKind
from kameng.tenancy.own_hosts import base_of
from kameng.tenancy.proving import Expected, Problem, Verdict
from kameng.tenancy.selectors import branch_host
from kameng.tenancy.settings import parse_settings

ACTIVE = (ClaimState.WAITING, ClaimState.VERIFIED, ClaimState.LIVE, ClaimState.AWAY)
PROVED = (ClaimState.VERIFIED, ClaimState.LIVE, ClaimState.AWAY)
ENDS_SOON = dt.timedelta(days=10)  # a certificate is renewed 30 days before its end
LIST_MOST = 200
ADDRESS_PARTS = re.compile(r"[\s,;，；、]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the platform lets own domains lead: a name, and its public addresses."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the last look at a host found, as it is kept in `DomainClaim.findings`."""

    found: Found
    problems: tuple[Problem, ...]
    is_answered: bool
    expected_addresses: tuple[str, ...]  # where the host had to lead
    site_host: str  # the platform's address of the site at that moment; empty where not kept


def pack_findings(found: Found, verdict: Verdict, *, expected: Expected) -> dict[str, Any]:
    """Return what is kept of a look."""
    return {
        "found": asdict(found),
        "problems": [asdict(each) for each in verdict.problems],
        "answered": verdict.is_answered,
        "expected": sorted(expected.addresses),
        "site_host": expected.site_host,
    }


def read_findings(claim: DomainClaim) -> Findings | None:
    """Return what the last look at a claim found; None before the first."""
    kept: Mapping[str, Any] = claim.findings
    if not kept:
        return None
    found: dict[str, Any] = {
        name: value if isinstance(value, str) else tuple(value)
        for name, value in kept["found"].items()
    }
    return Findings(
        found=Found(**found),
        problems=tuple(
            Problem(code=each["code"], found=tuple(each["found"])) for each in kept["problems"]
        ),
        is_answered=bool(kept["answered"]),
        expected_addresses=tuple(kept["expected"]),
        site_host=str(kept.get("site_host", "")),
    )


def list_claims() -> list[DomainClaim]:
    """Return the domains of the site in force that it has not given up, `www.` after its twin."""
    rows = DomainClaim.objects.exclude(state=ClaimState.RELEASED)
    return sorted(rows, key=lambda row: (base_of(row.host), row.host != base_of(row.host)))


def get_claim(claim_id: int) -> DomainClaim:
    """Return one domain of the site in force; raise `ClaimNotFound`."""
    claim: DomainClaim | None = DomainClaim.objects.filter(id=claim_id).first()
    if claim is None or claim.state == ClaimState.RELEASED:
        raise ClaimNotFound
    return claim


def list_pair(claim: DomainClaim) -> list[DomainClaim]:
    """Return a domain of the site in force and its twin with or without `www.`, if claimed."""
    return [row for row in list_claims() if base_of(row.host) == base_of(claim.host)]


def count_bases(rows: Sequence[DomainClaim]) -> int:
    """Return how many domains these are; with and without `www.` count as one."""
    return len({base_of(row.host) for row in rows if row.state in ACTIVE})


def get_target() -> Target:
    """Return where own domains lead, as the main site's owner has set it. One query."""
    row = Site.objects.filter(kind=SiteKind.MAIN).values_list("settings", flat=True).first()
    kept = parse_settings(row or {})
    parts = ADDRESS_PARTS.split(kept.domain_addresses)
    return Target(name=kept.domain_target, addresses=tuple(part for part in parts if part))


def find_platform_host(site_id: int) -> str:
    """Return the address that the platform gave a site; empty where it has none."""
    rows = Domain.objects.filter(site_id=site_id, is_own=False).order_by("-is_primary", "id")
    return rows.values_list("host", flat=True).first() or ""


def list_platform_hosts() -> list[str]:
    """Return the names that are the platform's own: nobody claims them or what lies below."""
    hosts = Domain.objects.filter(site__kind=SiteKind.MAIN, is_own=False)
    names = (get_target().name, branch_host("").removeprefix("."))
    return [*hosts.values_list("host", flat=True), *(name for name in names if name)]


def expect(claim: DomainClaim) -> Expected:
    """Return what a claim's records have to say.

    Without addresses in the settings those of the platform's own name count, asked for now: not
    inside a transaction.
    """
    target, site_host = get_target(), find_platform_host(claim.site_id)
    addresses = target.addresses or _addresses_of(target.name or site_host)
    return Expected(
        site_host=site_host, target=target.name, addresses=frozenset(addresses), token=claim.token
    )


def _addresses_of(name: str) -> tuple[str, ...]:
    if not name:
        return ()
    found = look_up(name, servers=settings.DNS_SERVERS)
    return (*found.addresses, *found.v6_addresses)


def text_names(host: str) -> list[str]:
    """Return where the TXT record of a host may stand: below it, or below its twin without www."""
    return list(dict.fromkeys((f"_kameng.{host}", f"_kameng.{base_of(host)}")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """A site's domain as the platform's owner sees it."""

    claim: DomainClaim
    site_name: str
    site_slug: str
    is_troubled: bool


def troubled() -> Q:
    """Return what makes a claim one to look after."""
    soon = dt.datetime.now(dt.UTC) + ENDS_SOON
    return Q(state=ClaimState.AWAY) | Q(state__in=PROVED) & (
        ~Q(certificate_fault="") | Q(certificate_ends_at__lt=soon)
    )


def list_all_claims(*, only: str = "", text: str = "") -> list[ClaimRow]:
    """Return the domains of every site, those in trouble first, at most `LIST_MOST`.

    `only`: waiting, live, trouble, ended; empty: all that stand.
    """
    chosen = {
        "waiting": Q(state__in=(ClaimState.WAITING, ClaimState.VERIFIED)),
        "live": Q(state=ClaimState.LIVE),
        "trouble": troubled(),
        "ended": Q(state__in=(ClaimState.EXPIRED, ClaimState.RELEASED)),
    }.get(only, Q(state__in=ACTIVE))
    with platform_scope("the platform owner looks after domains"):
        rows = DomainClaim.unscoped.filter(chosen).select_related("site")
        if text:
            rows = rows.filter(Q(host__icontains=text) | Q(site__name__icontains=text))
        bad = set(DomainClaim.unscoped.filter(troubled()).values_list("id", flat=True)[:LIST_MOST])
        found = list(rows.order_by(F("checked_at").desc(nulls_last=True), "id")[:LIST_MOST])
    listed = [
        ClaimRow(
            claim=row,
            site_name=row.site.name,
            site_slug=row.site.slug,
            is_troubled=row.id in bad,
        )
        for row in found
    ]
    return sorted(listed, key=lambda each: not each.is_troubled)


def count_troubled(site_id: int | None) -> int:
    """Return how many domains of a site are in trouble; None: of all sites. One query."""
    with platform_scope("count domains in trouble"):
        rows = DomainClaim.unscoped.filter(troubled())
        return int((rows if site_id is None else rows.filter(site_id=site_id)).count())


def count_claims() -> dict[str, int]:
    """Return how many domains stand, wait, are live and are in trouble, over all sites."""
    with platform_scope("the platform owner looks after domains"):
        counts = DomainClaim.unscoped.aggregate(
            standing=Count("id", filter=Q(state__in=ACTIVE)),
            waiting=Count("id", filter=Q(state__in=(ClaimState.WAITING, ClaimState.VERIFIED))),
            live=Count("id", filter=Q(state=ClaimState.LIVE)),
            trouble=Count("id", filter=troubled()),
        )
    return {name: int(value) for name, value in counts.items()}
