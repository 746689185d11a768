"""Which payments are to be split: one row for each delivered order of a site settled that way.

Set-based and idempotent: fed by batches of events, and by a sweep for payments that are still held
at their gateway although nothing was planned for them.
"""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction

from kameng.core import clock
from kameng.core.ids import new_number
from kameng.core.scope import platform_scope
from kameng.orders.shares import OrderShare, list_shares
from kameng.payments.providers.abilities import Splitter
from kameng.payments.services.holding import (
    HeldPayment,
    OpenGateway,
    end_holding,
    list_forgotten_payments,
    list_held_payments,
    open_gateways,
)
from kameng.settlement.models import Split, Terms
from kameng.settlement.rules import FINISH_DAYS, SplitState, share_through
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import list_sites_by_id

SWEEP_BATCH = 500


def plan_splits(order_ids: Iterable[int]) -> int:
    """Plan the split of delivered orders of sites that are settled by splits; return how many.

    Call inside a platform scope and a transaction. What cannot be split is written down too, with
    the reason: its margin stays a claim.
    """
    shares = [each for each in list_shares(order_ids).values() if each.delivered_at is not None]
    split_sites = {
        site.id: site.main_id
        for site in list_sites_by_id(list({share.site_id for share in shares}))
        if site.settlement_way == SettlementWay.SPLIT
    }
    shares = [share for share in shares if share.site_id in split_sites]
    if not shares:
        return 0
    payments = list_held_payments({each.payment_id for each in shares if each.payment_id})
    gateways = open_gateways({each.gateway_id for each in payments.values()})
    holds = _hold_hours(split_sites)
    rows = [_plan(share, payments, gateways, holds[share.site_id]) for share in shares]
    Split.unscoped.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _hold_hours(sites: dict[int, int]) -> dict[int, int]:
    """Return the hold time of each site: its own terms, its main site's, or the standard."""
    wanted = {*sites, *sites.values()}
    stored = {row.site_id: row.hold_hours for row in Terms.unscoped.filter(site_id__in=wanted)}
    standard = Terms().hold_hours
    return {
        site_id: stored.get(site_id, stored.get(main_id, standard))
        for site_id, main_id in sites.items()
    }


def _plan(
    share: OrderShare,
    payments: dict[int, HeldPayment],
    gateways: dict[int, OpenGateway],
    hold_hours: int,
) -> Split:
    payment = payments.get(share.payment_id or 0)
    delivered_at = share.delivered_at or clock.now()
    row = Split(
        site_id=share.site_id,
        order_id=share.order_id,
        split_no=new_number(clock.now()),
        delivered_at=delivered_at,
        finish_by=share.paid_at + dt.timedelta(days=FINISH_DAYS),
        margin_amount=0,
        state=SplitState.STAYS,
    )
    if payment is None:
        row.reason = "wallet_paid"
        return row
    row.payment_id, row.gateway_id = payment.payment_id, payment.gateway_id
    gateway = gateways.get(payment.gateway_id)
    if gateway is None or not isinstance(gateway.provider, Splitter):
        row.reason = "no_ability"
        return row
    if not payment.is_held:  # opened before the site was settled this way: the gateway has let go
        row.reason = "not_flagged"
        return row
    row.state = SplitState.WAITING
    row.margin_amount = max(
        share_through(
            share.margin_amount, received=payment.received_amount, total=share.total_amount
        ),
        0,
    )
    row.next_attempt_at = delivered_at + dt.timedelta(hours=hold_hours)
    return row


def free_forgotten_payments() -> int:
    """Plan the freeing of payments that are held at their gateway for too long; return how many.

    Those that paid for nothing, or whose order was never delivered.
    """
    before = clock.now() - dt.timedelta(days=FINISH_DAYS)
    with platform_scope("payments that are held for a split for too long"), transaction.atomic():
        held = list_forgotten_payments(confirmed_before=before, limit=SWEEP_BATCH)
        known = {
            row.payment_id: row
            for row in Split.unscoped.filter(payment_id__in=[p.payment_id for p in held])
        }
        Split.unscoped.bulk_create(
            [_to_free(each) for each in held if each.payment_id not in known],
            ignore_conflicts=True,
        )
        over = {SplitState.DONE, SplitState.FINISHED, SplitState.STAYS}
        end_holding(number for number, row in known.items() if number and row.state in over)
    return len(held)


def _to_free(payment: HeldPayment) -> Split:
    now = clock.now()
    return Split(
        site_id=payment.site_id,
        payment_id=payment.payment_id,
        gateway_id=payment.gateway_id,
        split_no=new_number(now),
        delivered_at=payment.confirmed_at or now,
        finish_by=now,
        state=SplitState.FINISHING,
        reason="nothing_left",
        next_attempt_at=now,
    )
