"""Writes of sites' own domains: claiming, proving, going live, the primary one, giving up.

A host leads to a site only through a row of `Domain`, and that is written for a claim only with a
proof in hand; its unique key lets one site win. Locks: the site, then the claims of the host in
ascending order (docs/locking.md). Nothing here asks the network.
"""

import datetime as dt
import secrets
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from kameng.core import clock
from kameng.core.audit import SYSTEM, Actor, record
from kameng.core.certificates import Shown
from kameng.core.events import publish
from kameng.core.names import Found
from kameng.core.scope import current_scope, platform_scope
from kameng.tenancy import errors, store
from kameng.tenancy.claims import (
    ACTIVE,
    ENDS_SOON,
    PROVED,
    count_bases,
    list_platform_hosts,
    pack_findings,
    read_findings,
)
from kameng.tenancy.events import CertificateFailed, DomainLost, DomainWentAway, DomainWentLive
from kameng.tenancy.models import ClaimState, Domain, DomainClaim
from kameng.tenancy.own_hosts import base_of, parse_own_host, twin_of
from kameng.tenancy.proving import (
    AWAY_DAYS,
    AWAY_SECONDS,
    WAITING_DAYS,
    Expected,
    Proof,
    Standing,
    Verdict,
    judge,
    next_wait,
)
from kameng.tenancy.selectors import forget_hosts, get_limits
from kameng.tenancy.services import bump_catalogue_version, lock_site, remove_domain

TOKEN_BYTES = 16
DUE_BATCH = 20
LEASE = dt.timedelta(seconds=90)
NOTHING = {"state": ClaimState.RELEASED, "proof": Proof.NONE, "wants_primary": False}


def claim_hosts(
    pasted: str, *, with_twin: bool, wants_primary: bool, actor: Actor
) -> list[DomainClaim]:
    """Claim a host, and its twin with or without `www.`, for the site in force; nothing leads yet.

    What is claimed already is returned as it is. Locks the site. Raises the refusals of
    `parse_own_host`, `DomainsNotAllowed`, `DomainsMost`.
    """
    site_id = int(current_scope().site_id or 0)
    host = parse_own_host(pasted, platform_hosts=list_platform_hosts())
    twin = twin_of(host) if with_twin else None
    hosts = [host, *([twin] if twin else [])]
    if Domain.objects.filter(host__in=hosts, is_own=False).exists():
        raise errors.OwnHostIsPlatforms
    with transaction.atomic():
        lock_site(site_id)
        kept = list(DomainClaim.objects.all())
        _check_limit(site_id, kept=kept, host=host)
        token = next(
            (
                row.token
                for row in kept
                if row.state in ACTIVE and base_of(row.host) == base_of(host)
            ),
            secrets.token_hex(TOKEN_BYTES),
        )
        known = {row.host: row for row in kept}
        made = [_claim(known.get(each), host=each, token=token, actor=actor) for each in hosts]
        if wants_primary:
            _wish_primary(site_id, host)
            made[0].wants_primary = True
    return made


def _check_limit(site_id: int, *, kept: Sequence[DomainClaim], host: str) -> None:
    most = get_limits(site_id).domains_most
    if most is None or any(
        row.state in ACTIVE and base_of(row.host) == base_of(host) for row in kept
    ):
        return
    if most == 0:
        raise errors.DomainsNotAllowed
    if count_bases(kept) >= most:
        raise errors.DomainsMost(most=most)


def _claim(known: DomainClaim | None, *, host: str, token: str, actor: Actor) -> DomainClaim:
    if known is not None and known.state in ACTIVE:
        return known
    site_id, now = int(current_scope().site_id or 0), clock.now()
    values = {
        "token": token,
        "state": ClaimState.WAITING,
        "proof": Proof.NONE,
        "points": False,
        "was_elsewhere": False,
        "findings": {},
        "checked_at": None,
        "next_check_at": now,
        "away_since": None,
        "live_at": None,
        "expires_at": now + dt.timedelta(days=WAITING_DAYS),
        "certificate_ends_at": None,
        "certificate_checked_at": None,
        "certificate_fault": "",
        "claimed_at": now,
    }
    claim: DomainClaim
    claim, _ = DomainClaim.objects.update_or_create(site_id=site_id, host=host, defaults=values)
    record("site.domain.claimed", actor=actor, site_id=site_id, subject=("domain", host))
    return claim


def remove_claim(claim_id: int, *, actor: Actor) -> str:
    """Give up a domain of the site in force; return its host, which leads nowhere from now on.

    Locks the site and the claims of the host. Raises `ClaimNotFound`.
    """
    with transaction.atomic():
        host = _host_of(claim_id)
        lock_site(int(current_scope().site_id or 0))
        claim = _own(lock_claims(host), claim_id)
        if claim is None or claim.state == ClaimState.RELEASED:
            raise errors.ClaimNotFound
        _release(claim)
        record("site.domain.released", actor=actor, site_id=claim.site_id, subject=("domain", host))
    forget_hosts()
    return host


def end_claim(host: str) -> None:
    """End the claim of the site in force on a host whose `Domain` is going. In a transaction.

    Call behind the lock of the site.
    """
    lock_claims(host)
    rows = DomainClaim.objects.filter(host=host, state__in=PROVED)
    rows.update(**NOTHING, next_check_at=None, points=False)


def drop_host(*, site_id: int, host: str, actor: Actor) -> None:
    """Take any host away from a site, for the platform's owner; call inside a platform scope.

    Raises `HostUnknown`.
    """
    claim = DomainClaim.unscoped.filter(site_id=site_id, host=host, state__in=PROVED).first()
    with transaction.atomic():
        lock_site(site_id)
        if claim is not None:
            lock_claims(host)
            DomainClaim.unscoped.filter(id=claim.id).update(**NOTHING, next_check_at=None)
        remove_domain(site_id=site_id, host=host, actor=actor)
        _ensure_primary(site_id)


def _release(claim: DomainClaim) -> None:
    """Let a claim go, and its host with it. Inside the locks of its site and host."""
    gone, _ = Domain.objects.filter(site_id=claim.site_id, host=claim.host, is_own=True).delete()
    _update(claim, **NOTHING, next_check_at=None, points=False)
    if gone:
        _ensure_primary(claim.site_id)


def _ensure_primary(site_id: int) -> None:
    """Let links use the address that the platform gave where no host is the primary one."""
    if Domain.objects.filter(site_id=site_id, is_primary=True).exists():
        return
    first = Domain.objects.filter(site_id=site_id, is_own=False).order_by("id").first()
    if first is not None:
        Domain.objects.filter(id=first.id).update(is_primary=True)
    bump_catalogue_version(site_id)


def choose_primary(claim_id: int | None, *, actor: Actor) -> None:
    """Make a live domain of the site in force the one that links use; None: the platform's address.

    The others redirect to it. Locks the site. Raises `ClaimNotFound`, `DomainNotLive`.
    """
    site_id = int(current_scope().site_id or 0)
    with transaction.atomic():
        lock_site(site_id)
        host = ""
        if claim_id is not None:
            claim = DomainClaim.objects.filter(id=claim_id).first()
            if claim is None or claim.state not in ACTIVE:
                raise errors.ClaimNotFound
            if claim.state != ClaimState.LIVE:
                raise errors.DomainNotLive
            host = claim.host
        _wish_primary(site_id, host)
        _set_primary(site_id, host)
        record(
            "site.domain.primary",
            actor=actor,
            site_id=site_id,
            subject=("domain", host or "platform"),
        )
    forget_hosts()


def _wish_primary(site_id: int, host: str) -> None:
    DomainClaim.objects.filter(site_id=site_id, wants_primary=True).exclude(host=host).update(
        wants_primary=False
    )
    if host:
        DomainClaim.objects.filter(site_id=site_id, host=host).update(wants_primary=True)


def _set_primary(site_id: int, host: str) -> None:
    """Make a host of a site the primary one; an empty one: the platform's address."""
    Domain.objects.filter(site_id=site_id, is_primary=True).exclude(host=host).update(
        is_primary=False
    )
    if host:
        Domain.objects.filter(site_id=site_id, host=host).update(is_primary=True)
        bump_catalogue_version(site_id)
    else:
        _ensure_primary(site_id)


def lease_due() -> list[tuple[int, int]]:
    """Take (site, claim) of hosts whose look is due, at most `DUE_BATCH`; others skip them.

    A worker that dies leaves them to the next look after `LEASE`. Call inside a platform scope.
    """
    now = clock.now()
    return store.lease_claims(now=now, until=now + LEASE, limit=DUE_BATCH)


def note_look(claim_id: int, found: Found, *, expected: Expected) -> DomainClaim | None:
    """Write down what a look found, and what follows: proved, away, lost, expired.

    Locks the site and the claims of the host. Publishes `DomainWentLive`, `DomainWentAway`,
    `DomainLost`. Returns None when the claim was given up meanwhile.
    """
    with platform_scope("prove a domain against the claims of all sites"), transaction.atomic():
        row = DomainClaim.unscoped.filter(id=claim_id).values("site_id", "host").first()
        if row is None:
            return None
        lock_site(row["site_id"])
        claims = lock_claims(row["host"])
        claim = _own(claims, claim_id)
        if claim is None or claim.state not in ACTIVE or claim.token != expected.token:
            return None
        standing = _standing(claim, claims, site_host=expected.site_host)
        verdict = judge(found, expected=expected, standing=standing)
        _keep(claim, pack_findings(found, verdict, expected=expected), verdict)
        if verdict.is_answered:
            _follow(claim, claims, verdict)
        _plan(claim)
    forget_hosts()
    return claim


def lock_claims(host: str) -> list[DomainClaim]:
    """Lock the claims of every site in view on one host, ascending, in a transaction.

    Taken after the site, by whatever proves or gives up a claim; before the host's `Domain`.
    """
    manager = DomainClaim.unscoped if current_scope().is_platform else DomainClaim.objects
    return list(manager.select_for_update().filter(host=host).order_by("id"))


def _host_of(claim_id: int) -> str:
    host = DomainClaim.objects.filter(id=claim_id).values_list("host", flat=True).first()
    if host is None:
        raise errors.ClaimNotFound
    return str(host)


def _own(claims: Sequence[DomainClaim], claim_id: int) -> DomainClaim | None:
    return next((row for row in claims if row.id == claim_id), None)


def _standing(claim: DomainClaim, claims: Sequence[DomainClaim], *, site_host: str) -> Standing:
    held = Domain.objects.filter(host=claim.host).first()
    if claim.state in PROVED:  # who comes after does not make it prove anything again
        return Standing(was_elsewhere=True)
    others = [row for row in claims if row.site_id != claim.site_id]
    return Standing(
        is_held=held is not None and held.site_id != claim.site_id,
        is_platforms=held is not None and not held.is_own,
        has_rivals=any(row.state in ACTIVE or row.verified_at is not None for row in others),
        is_left_behind=any(_named(row, site_host) for row in others),
        was_elsewhere=claim.was_elsewhere,
    )


def _named(claim: DomainClaim, site_host: str) -> bool:
    """Tell whether the records led another site's claim to a platform address that was its own.

    One that is its own today, and that the records name by now, is no rival's to spoil.
    """
    findings = read_findings(claim)
    if findings is None or findings.site_host != site_host:
        return False
    return site_host in findings.found.names


def _keep(claim: DomainClaim, findings: dict[str, object], verdict: Verdict) -> None:
    values: dict[str, object] = {
        "findings": findings,
        "checked_at": clock.now(),
    }
    if verdict.is_answered:
        values["points"] = verdict.points
        values["was_elsewhere"] = claim.was_elsewhere or not verdict.points
    _update(claim, **values)


def _follow(claim: DomainClaim, claims: Sequence[DomainClaim], verdict: Verdict) -> None:
    now = clock.now()
    if claim.state == ClaimState.WAITING:
        if verdict.proof != Proof.NONE:
            _prove(claim, claims, verdict.proof)
        elif claim.expires_at is not None and claim.expires_at <= now:
            _update(claim, state=ClaimState.EXPIRED, wants_primary=False)
            return
    if claim.state in PROVED:
        if verdict.points:
            _come(claim)
        else:
            _stay_away(claim, now)


def _prove(claim: DomainClaim, claims: Sequence[DomainClaim], proof: Proof) -> None:
    """Let a host lead to its claimant, if it is free or the proof is one that names the site."""
    is_taken = store.take_host(claim.host, site_id=claim.site_id)
    if not is_taken and proof != Proof.ADDRESS:
        is_taken = store.move_host(claim.host, site_id=claim.site_id)
    if not is_taken:
        return
    for other in claims:
        if other.id != claim.id and other.state in PROVED:
            _update(other, **NOTHING, next_check_at=None, points=False)
            _ensure_primary(other.site_id)
            _note(other, "site.domain.taken")
            publish(
                DomainLost(
                    site_id=other.site_id, subject_id=other.id, host=other.host, was_taken=True
                )
            )
    now = clock.now()
    _update(claim, state=ClaimState.VERIFIED, proof=proof, verified_at=now, expires_at=None)
    _note(claim, "site.domain.verified")


def needs_certificate() -> bool:
    """Tell whether a domain is live only with a certificate: where visitors come by TLS."""
    return bool(settings.PUBLIC_SCHEME == "https")


def _come(claim: DomainClaim) -> None:
    """A proved host leads here: live, unless its certificate is still to come."""
    _update(claim, away_since=None)
    if claim.state == ClaimState.LIVE or (needs_certificate() and not _has_certificate(claim)):
        if claim.state == ClaimState.AWAY:
            _update(claim, state=ClaimState.VERIFIED)
        return
    _go_live(claim)


def _has_certificate(claim: DomainClaim) -> bool:
    ends_at = claim.certificate_ends_at
    return ends_at is not None and ends_at > clock.now() and not claim.certificate_fault


def _go_live(claim: DomainClaim) -> None:
    _update(claim, state=ClaimState.LIVE, live_at=clock.now())
    if claim.wants_primary:
        _set_primary(claim.site_id, claim.host)
    _note(claim, "site.domain.live")
    publish(DomainWentLive(site_id=claim.site_id, subject_id=claim.id, host=claim.host))


def _stay_away(claim: DomainClaim, now: dt.datetime) -> None:
    if claim.away_since is None:
        _update(claim, away_since=now)
    since = claim.away_since or now
    if claim.state == ClaimState.LIVE and now - since >= dt.timedelta(seconds=AWAY_SECONDS):
        _update(claim, state=ClaimState.AWAY)
        # Who bought a lapsed domain must not be sent this shop's buyers.
        if Domain.objects.filter(host=claim.host, is_primary=True).update(is_primary=False):
            _ensure_primary(claim.site_id)
        _note(claim, "site.domain.away")
        publish(DomainWentAway(site_id=claim.site_id, subject_id=claim.id, host=claim.host))
    elif claim.state != ClaimState.LIVE and now - since >= dt.timedelta(days=AWAY_DAYS):
        _release(claim)
        _note(claim, "site.domain.given_up")
        publish(
            DomainLost(site_id=claim.site_id, subject_id=claim.id, host=claim.host, was_taken=False)
        )


def note_certificate(claim_id: int, shown: Shown) -> DomainClaim | None:
    """Write down what a handshake showed; a host that leads here goes live with a good one.

    Locks the site and the claims of the host. Publishes `DomainWentLive`, `CertificateFailed`.
    """
    with platform_scope("look after a certificate"), transaction.atomic():
        row = DomainClaim.unscoped.filter(id=claim_id).values("site_id", "host").first()
        if row is None:
            return None
        lock_site(row["site_id"])
        claim = _own(lock_claims(row["host"]), claim_id)
        if claim is None or claim.state not in PROVED:
            return None
        was_good = _is_good(claim)
        ends_at = shown.ends_at if not shown.fault else claim.certificate_ends_at
        _update(
            claim,
            certificate_checked_at=clock.now(),
            certificate_ends_at=ends_at,
            certificate_fault=shown.fault,
        )
        if claim.state != ClaimState.LIVE and claim.points and _has_certificate(claim):
            _go_live(claim)
        elif claim.state == ClaimState.LIVE and was_good and not _is_good(claim):
            fault = shown.fault or "ends_soon"
            publish(
                CertificateFailed(
                    site_id=claim.site_id, subject_id=claim.id, host=claim.host, fault=fault
                )
            )
        _plan(claim)
    forget_hosts()
    return claim


def _is_good(claim: DomainClaim) -> bool:
    ends_at = claim.certificate_ends_at
    is_long = ends_at is not None and ends_at - clock.now() > ENDS_SOON
    return is_long and not claim.certificate_fault


def _plan(claim: DomainClaim) -> None:
    """Say when the host is looked at next; a claim that ended is not."""
    if claim.state not in ACTIVE:
        _update(claim, next_check_at=None)
        return
    is_live = claim.state == ClaimState.LIVE
    wait = next_wait(
        is_settled=is_live and not (claim.certificate_fault and needs_certificate()),
        is_away=claim.away_since is not None and claim.live_at is not None,
        age_seconds=int((clock.now() - claim.claimed_at).total_seconds()),
    )
    _update(claim, next_check_at=clock.now() + dt.timedelta(seconds=wait))


def _update(claim: DomainClaim, **values: object) -> None:
    """Write some columns of a claim that is locked, and keep the instance like its row."""
    for name, value in values.items():
        setattr(claim, name, value)
    claim.save(update_fields=list(values))


def _note(claim: DomainClaim, action: str) -> None:
    record(action, actor=SYSTEM, site_id=claim.site_id, subject=("domain", claim.host))


def set_target(*, name: str, addresses: Sequence[str]) -> dict[str, str]:
    """Return the settings of the main site that say where own domains lead (`change_settings`)."""
    return {"domain_target": name, "domain_addresses": ", ".join(addresses)}


__all__ = [
    "choose_primary",
    "claim_hosts",
    "drop_host",
    "lease_due",
    "note_certificate",
    "note_look",
    "remove_claim",
]
