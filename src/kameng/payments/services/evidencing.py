"""Handing the answer to a dispute in at its gateway: once, asked until the outcome is known.

reserve → call → finish, as for refunds: what is handed in is a row with its own number first; the
gateway is called outside any transaction, always with the same number and the same document.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass, field

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_number
from kameng.core.scope import open_scope, platform_scope
from kameng.payments import errors, store
from kameng.payments.models import (
    Dispute,
    DisputeEvidence,
    DisputeState,
    EvidenceState,
    Gateway,
)
from kameng.payments.providers.abilities import (
    EvidenceRequest,
    EvidenceTaker,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.rules import next_refund_at
from kameng.payments.services.disputing import lock_open_dispute
from kameng.payments.services.gateways import config_of, provider_of
from kameng.tenancy.selectors import get_site_view, scope_of

BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFacts:
    """What was sold, when it was delivered, and a PDF of all that the shop knows of it.

    Put together by whoever sold something for the payment; holds no card key and no address in
    clear.
    """

    product: str
    delivered_at: dt.datetime | None
    document: bytes = field(repr=False)


def takes_evidence(dispute: Dispute) -> bool:
    """Tell whether the gateway of a dispute takes evidence by its API, and knows the dispute."""
    gateway = Gateway.objects.filter(id=dispute.gateway_id).first()
    if gateway is None or dispute.source != "callback":
        return False  # written down by hand: its number may be anything
    return isinstance(provider_of(gateway), EvidenceTaker)


def submit_evidence(*, dispute_id: int, facts: EvidenceFacts, actor: Actor) -> DisputeEvidence:
    """Have the answer that is kept of an open dispute handed in at its gateway; audited.

    What is on its way or handed in already is returned instead: a gateway takes one answer. Locks
    the payment. Raises `DisputeNotFound`, `DisputeOver`, `EvidenceUnsupported`, `AnswerMissing`.
    """
    with transaction.atomic():
        dispute = lock_open_dispute(dispute_id)
        if not takes_evidence(dispute):
            raise errors.EvidenceUnsupported
        known: DisputeEvidence | None = (
            DisputeEvidence.objects.filter(dispute_id=dispute.id)
            .exclude(state=EvidenceState.REFUSED)
            .first()
        )
        if known is not None:
            return known
        if not dispute.evidence.strip():
            raise errors.AnswerMissing
        made: DisputeEvidence = DisputeEvidence.objects.create(
            site_id=dispute.site_id,
            dispute_id=dispute.id,
            evidence_no=new_number(clock.now()),
            product=facts.product[:200],
            delivered_at=facts.delivered_at,
            text=dispute.evidence,
            document=facts.document,
            asked_by=actor.name[:64],
        )
        record(
            "dispute.evidence_sent",
            actor=actor,
            site_id=dispute.site_id,
            subject=("dispute", dispute.dispute_no),
            detail={"sha256": hashlib.sha256(facts.document).hexdigest()},
        )
    return made


def send_due_evidence() -> int:
    """Hand in what is due; return how many were taken up. Calls out."""
    with platform_scope("evidence due"):
        due = store.claim_evidence(BATCH)
    for evidence_id, site_id in due:
        with open_scope(scope_of(get_site_view(site_id))):
            send_evidence(evidence_id)
    return len(due)


def send_evidence(evidence_id: int) -> TransferStatus | None:
    """Hand in one answer of the site in force, or find out what became of it. Calls out."""
    row = (
        DisputeEvidence.objects.filter(id=evidence_id, state=EvidenceState.WAITING)
        .select_related("dispute")
        .first()
    )
    if row is None:
        return None
    outcome = _call_gateway(row)
    _finish(row, outcome)
    return outcome.status


def _call_gateway(row: DisputeEvidence) -> TransferOutcome:
    gateway = Gateway.objects.get(id=row.dispute.gateway_id)
    provider = provider_of(gateway)
    if not isinstance(provider, EvidenceTaker):
        return TransferOutcome(status=TransferStatus.REFUSED, reason="unsupported")
    request = EvidenceRequest(
        evidence_no=row.evidence_no,
        dispute_no=row.dispute.dispute_no,
        product=row.product,
        delivered_at=row.delivered_at,
        text=row.text,
        document=bytes(row.document),
    )
    try:
        return provider.submit_evidence(config_of(gateway), request)
    except ProviderUncertain as fault:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason=fault.code)
    except ProviderRefused as fault:
        return TransferOutcome(status=TransferStatus.REFUSED, reason=str(fault))


def _finish(row: DisputeEvidence, outcome: TransferOutcome) -> None:
    """Note what became of an answer, once."""
    waiting = DisputeEvidence.objects.filter(id=row.id, state=EvidenceState.WAITING)
    now = clock.now()
    if outcome.status == TransferStatus.DONE:
        with transaction.atomic():
            moved = waiting.update(
                state=EvidenceState.SENT,
                done_at=now,
                next_attempt_at=None,
                external_no=outcome.external_no[:64],
                last_error="",
            )
            if moved:
                Dispute.objects.filter(id=row.dispute_id).update(answered_at=now)
    elif outcome.status == TransferStatus.REFUSED:
        waiting.update(
            state=EvidenceState.REFUSED,
            done_at=now,
            next_attempt_at=None,
            last_error=outcome.reason[:200],
        )
    elif Dispute.objects.filter(id=row.dispute_id, state=DisputeState.OPEN).exists():
        waiting.update(
            next_attempt_at=next_refund_at(now, asked_count=row.asked_count),
            last_error=outcome.reason[:200],
        )
    else:  # decided meanwhile, and nobody knows whether it was heard
        waiting.update(
            state=EvidenceState.REFUSED, done_at=now, next_attempt_at=None, last_error="closed"
        )
