"""Looks at hosts: the domain name system, then the certificate; asked between transactions."""

from concurrent.futures import ThreadPoolExecutor

import structlog
from django.conf import settings
from django.db import connection

from kameng.core import clock
from kameng.core.certificates import look_at
from kameng.core.names import Found, look_up
from kameng.core.scope import platform_scope
from kameng.tenancy.claiming import lease_due, needs_certificate, note_certificate, note_look
from kameng.tenancy.claims import PROVED, expect, get_claim, text_names
from kameng.tenancy.models import DomainClaim

AT_ONCE = 4
AGAIN_SECONDS = 3  # a button that is pressed twice asks once
log = structlog.get_logger("kameng.tenancy")


def check_claim(claim_id: int) -> DomainClaim:
    """Look at a domain of the site in force now, within seconds; return it as it is afterwards.

    Its certificate is left to the worker: the first handshake takes longer than a page may.
    Raises `ClaimNotFound`. Not inside a transaction.
    """
    claim = get_claim(claim_id)
    if claim.checked_at is not None:
        age = clock.now() - claim.checked_at
        if age.total_seconds() < AGAIN_SECONDS:
            return claim
    _look(claim)
    return get_claim(claim_id)


def check_due() -> int:
    """Look at the hosts whose look is due, a few at once; return how many. For the worker."""
    with platform_scope("look at domains that are due"):
        due = lease_due()
    if not due:
        return 0
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="domains") as pool:
        list(pool.map(_check_one, [claim_id for _site_id, claim_id in due]))
    return len(due)


def _check_one(claim_id: int) -> None:
    try:
        with platform_scope("look at a domain"):
            claim = DomainClaim.unscoped.filter(id=claim_id).first()
            if claim is None:
                return
            looked = _look(claim)
        if looked is not None:
            _look_at_certificate(looked)
    except Exception as fault:  # one host must not keep the others from being looked at
        log.warning("domain.check_failed", claim_id=claim_id, fault=repr(fault)[:300])
    finally:
        connection.close()


def _look(claim: DomainClaim) -> DomainClaim | None:
    expected = expect(claim)
    found = look_up(claim.host, text_names=text_names(claim.host), servers=settings.DNS_SERVERS)
    return note_look(claim.id, found, expected=expected)


def _look_at_certificate(claim: DomainClaim) -> None:
    """Shake hands with a host that leads here; the first time this makes the proxy fetch one."""
    if not needs_certificate() or claim.state not in PROVED or not claim.points:
        return
    address, port = _edge_of(claim)
    if address:
        shown = look_at(claim.host, address=address, port=port, ca_file=settings.EDGE_CA)
        note_certificate(claim.id, shown)


def _edge_of(claim: DomainClaim) -> tuple[str, int]:
    """Return where visitors of a host arrive: as set, else the address it was just found to have.

    It was compared with the platform's own, so nobody's records send us anywhere else.
    """
    from kameng.core.addresses import split_server
    from kameng.tenancy.claims import read_findings

    if settings.EDGE_ADDRESS:
        address, port = split_server(settings.EDGE_ADDRESS[0])
        return address, port if ":" in settings.EDGE_ADDRESS[0] else int(settings.PUBLIC_PORT)
    findings = read_findings(claim)
    found = findings.found if findings else Found()
    return next(iter((*found.addresses, *found.v6_addresses)), ""), int(settings.PUBLIC_PORT)
