"""The hand-written SQL of this app: one function per SQL function in sql/payments.sql.

By hand because a callback is a hot path: lock, compare, mark, prove and post is one round trip
here and seven through the ORM.
"""

import datetime as dt
from dataclasses import dataclass

from kameng.core.database import fetch
from kameng.payments.rules import (
    FAULT_WINDOW_SECONDS,
    FAULTS_IN_A_ROW,
    REST_WAITS_SECONDS,
    BeginOutcome,
    ConfirmOutcome,
)
from kameng.payments.statements import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What payments_confirm answered; `outcome` is `rules.ConfirmOutcome`."""

    outcome: int
    payment_id: int | None
    site_id: int | None
    purpose: int | None
    paid_for: int | None
    amount: int | None
    fee_amount: int | None


def _nothing_done(outcome: ConfirmOutcome) -> Confirmed:
    return Confirmed(
        outcome=outcome,
        payment_id=None,
        site_id=None,
        purpose=None,
        paid_for=None,
        amount=None,
        fee_amount=None,
    )


EXTERNAL_REUSED = _nothing_done(ConfirmOutcome.EXTERNAL_REUSED)
REPLAYED = _nothing_done(ConfirmOutcome.REPLAYED)


def confirm(statement: Statement) -> Confirmed:
    """Accept a verified statement; call inside a transaction. Locks the payment row."""
    rows = fetch(
        "select outcome, payment_id, site_id, purpose, subject_id, amount, fee"
        " from payments_confirm(%s, %s, %s, %s, %s, %s, %s)",
        (
            statement.payment_no,
            statement.gateway_id,
            statement.external_no,
            statement.amount,
            statement.source,
            statement.raw_digest,
            statement.note[:200],
        ),
        scoped=False,
    )
    outcome, payment_id, site_id, purpose, paid_for, amount, fee = rows[0]
    return Confirmed(
        outcome=outcome,
        payment_id=payment_id,
        site_id=site_id,
        purpose=purpose,
        paid_for=paid_for,
        amount=amount,
        fee_amount=fee,
    )


def take_nonce(*, gateway_id: int, nonce: str) -> bool:
    """Remember the nonce of an accepted callback; false when it was accepted before.

    Locks its unique key until the transaction ends.
    """
    rows = fetch(
        "select is_new from payments_take_nonces(array[%s]::bigint[], array[%s]::text[])",
        (gateway_id, nonce),
        scoped=False,
    )
    return bool(rows[0][0]) if rows else False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What stands in our books about a payment number."""

    site_id: int
    gateway_id: int
    purpose: int
    amount: int
    state: int
    external_no: str | None
    created_at: dt.datetime


def find_known(payment_no: str) -> Known | None:
    """Return a payment of any site by its number, in one round trip; no locks."""
    rows = fetch("select * from payments_known(%s)", (payment_no,), scoped=False)
    if not rows:
        return None
    site_id, gateway_id, purpose, amount, state, external_no, created_at = rows[0]
    return Known(
        site_id=site_id,
        gateway_id=gateway_id,
        purpose=purpose,
        amount=amount,
        state=state,
        external_no=external_no,
        created_at=created_at,
    )


def claim_queries(limit: int) -> list[tuple[int, int]]:
    """Take (payment, site) pairs whose gateway should be asked now; skips what others took."""
    return [(row[0], row[1]) for row in fetch("select * from payments_claim_queries(%s)", (limit,))]


def claim_refunds(limit: int) -> list[tuple[int, int]]:
    """Take (refund, site) pairs that should be asked of their gateway now."""
    return [(row[0], row[1]) for row in fetch("select * from payments_claim_refunds(%s)", (limit,))]


def begin(payment_id: int, *, day: dt.date) -> BeginOutcome:
    """Claim a payment's part of its gateway's daily cap and note that the gateway is told of it.

    One round trip for the lock, the comparison and both writes. Locks the payment, then the day.
    """
    return BeginOutcome(fetch("select payments_begin(%s, %s)", (payment_id, day))[0][0])


def free_cap(payment_id: int) -> None:
    """Give back what a closed payment holds of a cap. Locks the payment, then the day."""
    fetch("select payments_free_cap(%s)", (payment_id,))


def drop(payment_id: int, *, asks: bool) -> bool:
    """Close a payment that nobody can make; `asks`: query it on. Locks as `free_cap`."""
    return bool(fetch("select payments_drop(%s, %s)", (payment_id, asks))[0][0])


def note_fault(gateway_id: int, *, code: str, is_probe: bool) -> bool:
    """Note that a gateway failed, of whatever site; True when it begins to rest.

    By function, because a sub-site's request may not write the main site's row. Locks the gateway,
    then its site.
    """
    values = (
        gateway_id,
        code[:64],
        FAULTS_IN_A_ROW,
        FAULT_WINDOW_SECONDS,
        list(REST_WAITS_SECONDS),
        is_probe,
    )
    rows = fetch("select payments_note_fault(%s, %s, %s, %s, %s, %s)", values, scoped=False)
    return bool(rows[0][0])


def note_answer(gateway_id: int, *, opened: bool) -> bool:
    """Note that a gateway answered; True when this woke it. Locks as `note_fault`."""
    rows = fetch("select payments_note_answer(%s, %s)", (gateway_id, opened), scoped=False)
    return bool(rows[0][0])


def claim_probes(limit: int) -> list[tuple[int, int]]:
    """Take (gateway, site) pairs whose rest is over; skips what others took."""
    return [(row[0], row[1]) for row in fetch("select * from payments_claim_probes(%s)", (limit,))]


def lock_waiting(payment_id: int) -> None:
    """Lock a payment of another amount while it waits; one that waits no more is let alone."""
    fetch("select payments_lock_waiting(%s)", (payment_id,))


def give_up_rest(payment_id: int) -> None:
    """Have open attempts to pay the rest of a payment asked about and closed; skips locked ones."""
    fetch("select payments_give_up_rest(%s)", (payment_id,))


def claim_evidence(limit: int) -> list[tuple[int, int]]:
    """Take answers to disputes that are due to be handed in: (evidence, site) of each."""
    rows = fetch("select * from payments_claim_evidence(%s)", (limit,))
    return [(row[0], row[1]) for row in rows]
