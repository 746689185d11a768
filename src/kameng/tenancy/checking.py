"""Looks at hosts: the domain name system, then the certificate; asked between transactions."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.conf import settings
from django.db import connection

from kameng.core import clock
from kameng.core.certificates import look_at
from kameng.core.names import Found, look_up
from kameng.core.scope import platform_scope
from kameng.tenancy.claiming import lease_due, needs_certificate, note_certificate, note_look
from kameng.tenancy.claims import ACTIVE, PROVED, expect, get_claim, text_names
from kameng.tenancy.models import DomainClaim

AT_ONCE = 4
AGAIN_SECONDS = 3
log = structlog.get_logger("kameng.tenancy")


def check_claims(claim_ids: Sequence[int]) -> list[DomainClaim]:
    """Look at domains of the site in force now, all at once; return them as they are afterwards.

    Takes a few seconds at most. Certificates are left to the worker: the first handshake takes
    longer than a page may. Raises `ClaimNotFound`. Not inside a transaction.
    """
    due = [claim for claim in map(get_claim, claim_ids) if not _is_fresh(claim)]
    if due:
        expected = [expect(claim) for claim in due]
        with ThreadPoolExecutor(max_workers=len(due), thread_name_prefix="domains") as pool:
            found = list(pool.map(_ask, [claim.host for claim in due]))
        for claim, seen, wanted in zip(due, found, expected, strict=True):
            note_look(claim.id, seen, expected=wanted)
    return [get_claim(claim_id) for claim_id in claim_ids]


def _is_fresh(claim: DomainClaim) -> bool:
    """Tell whether somebody just looked: a button that is pressed twice asks once."""
    if claim.state not in ACTIVE:
        return True
    if claim.checked_at is None:
        return False
    return bool((clock.now() - claim.checked_at).total_seconds() < AGAIN_SECONDS)


def _ask(host: str) -> Found:
    return look_up(host, text_names=text_names(host), servers=settings.DNS_SERVERS)


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
    return note_look(claim.id, _ask(claim.host), expected=expected)


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
        return split_server(settings.EDGE_ADDRESS[0], port=int(settings.PUBLIC_PORT))
    findings = read_findings(claim)
    found = findings.found if findings else Found()
    return next(iter((*found.addresses, *found.v6_addresses)), ""), int(settings.PUBLIC_PORT)
