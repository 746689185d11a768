"""What a settlement above asks of payments: which are held for a split, at which gateway, and that
a refund waits for a share to come back.

A payment is flagged before its gateway is asked, so that no crash forgets one that is held there.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.payments.models import Gateway, GatewayRefund, Payment, PaymentState, RefundState
from kameng.payments.providers.abilities import Splitter
from kameng.payments.services.gateways import config_of, provider_of
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import get_site_view


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPayment:
    """A payment as a split needs it."""

    payment_id: int
    site_id: int
    payment_no: str
    external_no: str
    gateway_id: int
    received_amount: int
    is_held: bool
    is_disputed: bool
    confirmed_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGateway:
    """A gateway with its provider and its credentials, ready to be called."""

    gateway_id: int
    name: str
    kind: str
    is_enabled: bool
    provider: Any
    config: Any


def flag_for_split(payment: Payment, *, gateway: Gateway) -> bool:
    """Mark a payment of the site in force that will be split; return whether it is one.

    The site is settled by splits, and the gateway is the main site's and can split.
    """
    if gateway.site_id == payment.site_id or not isinstance(provider_of(gateway), Splitter):
        return False
    if get_site_view(payment.site_id).settlement_way != SettlementWay.SPLIT:
        return False
    Payment.objects.filter(id=payment.id).update(will_split=True)
    return True


def end_holding(payment_ids: Iterable[int]) -> None:
    """Note that nothing of these payments is held for a split any more; in a platform scope."""
    Payment.unscoped.filter(id__in=list(payment_ids)).update(will_split=False)


def list_held_payments(payment_ids: Iterable[int]) -> dict[int, HeldPayment]:
    """Return payments of any site by id; call inside a platform scope."""
    rows = Payment.unscoped.filter(id__in=list(payment_ids))
    return {row.id: _held(row) for row in rows}


def list_forgotten_payments(*, confirmed_before: dt.datetime, limit: int) -> list[HeldPayment]:
    """Return the oldest paid payments that are still held; call inside a platform scope."""
    rows = Payment.unscoped.filter(
        will_split=True,
        confirmed_at__lt=confirmed_before,
        state__in=(PaymentState.CONFIRMED, PaymentState.MISMATCHED),
    )
    return [_held(row) for row in rows.order_by("confirmed_at")[:limit]]


def _held(row: Payment) -> HeldPayment:
    own = "" if row.external_no in {None, row.payment_no} else str(row.external_no)
    return HeldPayment(
        payment_id=row.id,
        site_id=row.site_id,
        payment_no=row.payment_no,
        external_no=own,
        gateway_id=row.gateway_id,
        received_amount=row.received_amount or 0,
        is_held=row.will_split,
        is_disputed=row.open_disputes > 0,
        confirmed_at=row.confirmed_at,
    )


def open_gateways(gateway_ids: Iterable[int]) -> dict[int, OpenGateway]:
    """Return gateways by id, ready to be called: those that the site in force or its heirs use."""
    with platform_scope("gateways that pay out"):
        rows = list(Gateway.unscoped.filter(id__in=list(gateway_ids)))
    return {row.id: _open(row) for row in rows}


def list_open_gateways(site_id: int) -> list[OpenGateway]:
    """Return the gateways that are switched on at a main site, ready to be called."""
    with platform_scope("gateways that pay out"):
        rows = list(
            Gateway.unscoped.filter(site_id=site_id, is_enabled=True).order_by("position", "id")
        )
    return [_open(row) for row in rows]


def _open(row: Gateway) -> OpenGateway:
    return OpenGateway(
        gateway_id=row.id,
        name=row.name,
        kind=row.kind,
        is_enabled=row.is_enabled,
        provider=provider_of(row),
        config=config_of(row),
    )


def postpone_refund(*, refund_no: str, until: dt.datetime) -> None:
    """Let a refund of the site in force wait, before its gateway is asked for the first time."""
    GatewayRefund.objects.filter(
        refund_no=refund_no, state=RefundState.WAITING, asked_count=0
    ).update(next_attempt_at=until)


def hasten_refund(*, refund_no: str) -> None:
    """Let a refund that waited go on now; call inside a platform scope."""
    GatewayRefund.unscoped.filter(refund_no=refund_no, state=RefundState.WAITING).update(
        next_attempt_at=clock.now()
    )
