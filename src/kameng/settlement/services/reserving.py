"""Deciding what becomes of shares that are due, many at once: asked for, put off, or left a claim.

One transaction: the splits (skipping those that others took), the payees of their sites by id, then
the ledger. Nothing is taken that the site's claim does not hold.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import site_account_amount
from kameng.orders.shares import OrderShare, list_shares
from kameng.payments.providers.abilities import Splitter
from kameng.payments.services.holding import (
    HeldPayment,
    OpenGateway,
    list_held_payments,
    open_gateways,
)
from kameng.settlement import errors
from kameng.settlement.models import ReceiverState, Split, SplitReceiver, Terms
from kameng.settlement.models import SplitState as Label
from kameng.settlement.rules import (
    RECEIVER_WAIT_SECONDS,
    SplitState,
    share_through,
    share_to_ask,
)
from kameng.settlement.services.payees import lock_site_payees
from kameng.settlement.services.splitting import fresh_no, post_asked
from kameng.settlement.store import claim_splits
from kameng.tenancy.selectors import get_site_view, list_sites_by_id

BATCH = 200
REFUND_WAIT_SECONDS = 300
CLAIM_WAIT_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What is known about a batch of splits."""

    now: dt.datetime
    shares: dict[int, OrderShare]
    payments: dict[int, HeldPayment]
    gateways: dict[int, OpenGateway]
    receivers: dict[tuple[int, int], SplitReceiver]
    hold_hours: dict[int, int]


def reserve_due_splits() -> int:
    """Decide about shares that are due; return how many were looked at."""
    with platform_scope("shares that are due"), transaction.atomic():
        ids = claim_splits(SplitState.WAITING, BATCH)
        if not ids:
            return 0
        rows = list(Split.unscoped.filter(id__in=ids).order_by("id"))
        facts = _gather(rows)
        asked = [row for row in rows if _decide(row, facts)]
        lock_site_payees({row.site_id for row in asked})
        covered = _cover(_undisputed(asked, facts.now), facts.now)
        for row in covered:
            row.state, row.next_attempt_at = SplitState.ASKED, facts.now
        Split.unscoped.bulk_update(
            rows,
            [
                "state",
                "reason",
                "amount",
                "margin_amount",
                "receiver",
                "split_no",
                "next_attempt_at",
            ],
        )
        post_asked(covered)
    return len(ids)


def _gather(rows: Sequence[Split]) -> _Facts:
    payments = list_held_payments({row.payment_id for row in rows if row.payment_id})
    site_ids = {row.site_id for row in rows}
    receivers = SplitReceiver.unscoped.filter(site_id__in=site_ids, state=ReceiverState.ACTIVE)
    return _Facts(
        now=clock.now(),
        shares=list_shares({row.order_id for row in rows if row.order_id}),
        payments=payments,
        gateways=open_gateways({each.gateway_id for each in payments.values()}),
        receivers={(each.site_id, each.gateway_id): each for each in receivers},
        hold_hours=_hold_hours(site_ids),
    )


def _hold_hours(site_ids: set[int]) -> dict[int, int]:
    sites = {site.id: site.main_id for site in list_sites_by_id(list(site_ids))}
    stored = {
        row.site_id: row.hold_hours
        for row in Terms.unscoped.filter(site_id__in={*sites, *sites.values()})
    }
    standard = Terms().hold_hours
    return {
        site_id: stored.get(site_id, stored.get(main_id, standard))
        for site_id, main_id in sites.items()
    }


def _decide(row: Split, facts: _Facts) -> bool:
    """Say whether a share is to be asked for, with its amount; else put it off or let it go."""
    share = facts.shares.get(row.order_id or 0)
    payment = facts.payments.get(row.payment_id or 0)
    if share is None or payment is None:
        return _let_go(row, "nothing_left", facts)
    row.margin_amount = max(
        share_through(
            share.margin_amount, received=payment.received_amount, total=share.total_amount
        ),
        0,
    )
    gateway = facts.gateways[payment.gateway_id]
    if not isinstance(gateway.provider, Splitter):
        return _let_go(row, "no_ability", facts)
    amount, why = share_to_ask(
        row.margin_amount, received=payment.received_amount, max_bps=gateway.provider.max_split_bps
    )
    if amount == 0:
        return _let_go(row, "nothing_left", facts)
    settled_at = row.delivered_at + dt.timedelta(hours=facts.hold_hours[row.site_id])
    if settled_at > facts.now:
        return _put_off(row, "", settled_at, facts)
    if share.is_refund_open:
        return _put_off(row, "refund_open", _later(facts.now, REFUND_WAIT_SECONDS), facts)
    if payment.is_disputed:
        return _put_off(row, "dispute_open", _later(facts.now, REFUND_WAIT_SECONDS), facts)
    receiver = facts.receivers.get((row.site_id, payment.gateway_id))
    if receiver is None:
        return _put_off(row, "no_receiver", _later(facts.now, RECEIVER_WAIT_SECONDS), facts)
    if receiver.usable_at > facts.now:
        return _put_off(row, "receiver_cooling", receiver.usable_at, facts)
    row.amount, row.reason, row.receiver = amount, why, receiver
    return True


def _later(now: dt.datetime, seconds: int) -> dt.datetime:
    return now + dt.timedelta(seconds=seconds)


def _put_off(row: Split, reason: str, until: dt.datetime, facts: _Facts) -> bool:
    """Wait, unless the gateway's time is over: then the payment is freed and the claim stays."""
    if facts.now >= row.finish_by:
        return _let_go(row, reason or "too_late", facts)
    row.reason, row.next_attempt_at = reason, min(until, row.finish_by)
    return False


def _let_go(row: Split, reason: str, facts: _Facts) -> bool:
    payment = facts.payments.get(row.payment_id or 0)
    is_held = payment is not None and payment.is_held
    row.reason, row.amount, row.split_no = reason, 0, fresh_no()
    row.state = SplitState.FINISHING if is_held else SplitState.STAYS
    row.next_attempt_at = facts.now if is_held else None
    return False


def _undisputed(rows: Sequence[Split], now: dt.datetime) -> list[Split]:
    """Look once more, under the payees' locks: a dispute that came since took one of them too."""
    payments = list_held_payments({row.payment_id for row in rows if row.payment_id})
    free = []
    for row in rows:
        if payments[row.payment_id or 0].is_disputed:
            row.amount, row.receiver, row.reason = 0, None, "dispute_open"
            row.next_attempt_at = min(_later(now, REFUND_WAIT_SECONDS), row.finish_by)
        else:
            free.append(row)
    return free


def _cover(rows: Sequence[Split], now: dt.datetime) -> list[Split]:
    """Return the shares that the claims of their sites hold, in order; put the others off."""
    left = {
        site_id: site_account_amount(AccountKind.SITE_MARGIN, owner_id=site_id)
        for site_id in sorted({row.site_id for row in rows})
    }
    covered = []
    for row in rows:
        if row.amount <= left[row.site_id]:
            left[row.site_id] -= row.amount
            covered.append(row)
        else:
            row.amount, row.receiver, row.reason = 0, None, "claim_short"
            row.next_attempt_at = min(_later(now, CLAIM_WAIT_SECONDS), row.finish_by)
    return covered


def free_overdue_splits() -> int:
    """Let refused shares go whose payment the gateway would free by itself soon; how many."""
    now = clock.now()
    with platform_scope("refused shares whose time is over"), transaction.atomic():
        rows = Split.unscoped.filter(state=SplitState.REFUSED, finish_by__lte=now)
        ids = list(rows.order_by("id").values_list("id", flat=True)[:BATCH])
        for split_id in ids:
            Split.unscoped.filter(id=split_id, state=SplitState.REFUSED).update(
                state=SplitState.FINISHING, split_no=fresh_no(), next_attempt_at=now
            )
    return len(ids)


def retry_split(*, split_id: int, actor: Actor) -> Split:
    """Try a refused share again, under a new number. Raises `SplitNotAllowedNow`. Audited."""
    return _move_by_hand(split_id, frozenset({SplitState.REFUSED}), SplitState.WAITING, actor)


def give_up_split(*, split_id: int, actor: Actor) -> Split:
    """Free a payment now; the share stays a claim. Raises `SplitNotAllowedNow`. Audited."""
    sources = frozenset({SplitState.REFUSED, SplitState.WAITING})
    return _move_by_hand(split_id, sources, SplitState.FINISHING, actor)


def _move_by_hand(
    split_id: int, sources: frozenset[SplitState], state: SplitState, actor: Actor
) -> Split:
    main_id = require_site_id()
    with platform_scope("a main site decides about a split"), transaction.atomic():
        found: Split | None = Split.unscoped.filter(id=split_id).first()
        if found is None or get_site_view(found.site_id).main_id != main_id:
            raise errors.SplitNotFound
        moved = Split.unscoped.filter(Q(id=split_id) & Q(state__in=sources)).update(
            state=state,
            split_no=fresh_no(),
            asked_count=0,
            next_attempt_at=clock.now(),
            amount=0,
            receiver=None,
        )
        found.refresh_from_db()
        if not moved:
            raise errors.SplitNotAllowedNow(state=Label(found.state).label)
        record(
            "settlement.split.retried"
            if state == SplitState.WAITING
            else "settlement.split.given_up",
            actor=actor,
            site_id=found.site_id,
            subject=("split", found.id),
            detail={"margin": found.margin_amount, "error": found.last_error},
        )
    return found
