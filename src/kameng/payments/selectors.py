"""Reads of payments: what a buyer may choose, one payment, lists for the console."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from kameng.core.scope import open_scope, require_site_id
from kameng.payments import errors
from kameng.payments.models import (
    Gateway,
    GatewayRefund,
    Payment,
    PaymentState,
    Proof,
    RejectedCallback,
    TopUp,
)
from kameng.payments.providers.registry import PROVIDERS, get_provider
from kameng.payments.rules import fits
from kameng.payments.services.gateways import config_of, provider_of
from kameng.pricing.margins import fee_of
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import SiteView, scope_of_site


@dataclass(frozen=True, slots=True, kw_only=True)
class PayChoice:
    """One way to pay that a buyer may choose for an amount."""

    gateway_id: int
    kind: str
    method: str
    name: str
    fee_bps: int

    def fee_for(self, amount: int) -> int:
        """Return what the gateway keeps of this amount."""
        return fee_of(Amount(amount), rate_bps=self.fee_bps)


# Refused although the signature was good: the gateway has money that we know nothing of.
UNBOOKED = ("paid_twice", "external_reused", "payment_unknown")
GATEWAY_CACHE_SIZE = 1000
_gateways: dict[tuple[int, int], tuple[Gateway, ...]] = {}


def list_known_gateways(view: SiteView) -> tuple[Gateway, ...]:
    """Return the main site's gateways as of the catalogue version that a request has read.

    Every change of a gateway grows that version, so this process keeps them, unchanged.
    """
    key = (view.main_id, view.main_version)
    rows = _gateways.get(key)
    if rows is None:
        with open_scope(scope_of_site(view.main_id, main_id=view.main_id)):
            rows = tuple(Gateway.objects.order_by("position", "id"))
        if len(_gateways) >= GATEWAY_CACHE_SIZE:
            _gateways.clear()
        _gateways[key] = rows
    return rows


def are_gateways_at_hand(view: SiteView) -> bool:
    """Tell whether the gateways are known without a query, as the event loop needs it."""
    return (view.main_id, view.main_version) in _gateways


def forget_gateways() -> None:
    """Empty this process's gateways (tests that write tables directly)."""
    _gateways.clear()


def find_known_gateway(view: SiteView, *, gateway_id: int) -> Gateway | None:
    """Return one of the main site's gateways, or None."""
    return next((row for row in list_known_gateways(view) if row.id == gateway_id), None)


def list_pay_choices(view: SiteView, *, amount: int | None = None) -> list[PayChoice]:
    """Return the gateways this site offers (for an amount), in the owner's order."""
    rows = [row for row in list_known_gateways(view) if row.is_enabled and not row.is_frozen]
    hidden = set(view.settings.hidden_gateway_ids)
    return [
        PayChoice(
            gateway_id=row.id, kind=row.kind, method=row.method, name=row.name, fee_bps=row.fee_bps
        )
        for row in rows
        if row.id not in hidden
        and (amount is None or fits(amount, min_amount=row.min_amount, max_amount=row.max_amount))
    ]


def get_pay_choice(view: SiteView, *, gateway_id: int, amount: int) -> PayChoice:
    """Return one choice; raises `GatewayNotUsable` when the site does not offer it for that."""
    for choice in list_pay_choices(view, amount=amount):
        if choice.gateway_id == gateway_id:
            return choice
    raise errors.GatewayNotUsable


def list_gateways() -> list[Gateway]:
    """Return the gateways in view of the site in force (its own and the main site's)."""
    return list(Gateway.objects.order_by("position", "id"))


def list_own_gateways() -> list[Gateway]:
    """Return the gateways that the site in force owns: the merchant accounts that are its own."""
    rows = Gateway.objects.filter(site_id=require_site_id())
    return list(rows.order_by("position", "id"))


def list_proved_gateways() -> list[Gateway]:
    """Return the gateways of every site whose credentials were proved; in a platform scope."""
    return list(Gateway.unscoped.filter(checked_at__isnull=False).order_by("id"))


def find_gateway(gateway_id: int) -> Gateway | None:
    """Return a gateway in view of the site in force, or None."""
    return Gateway.objects.filter(id=gateway_id).first()


def list_kinds() -> list[tuple[str, Any]]:
    """Return (kind, label) of each protocol a gateway can speak."""
    return [(kind, get_provider(kind).label) for kind in PROVIDERS]


def find_open_payment(
    purpose: int, *, paid_for: int, gateway_id: int | None = None
) -> Payment | None:
    """Return the newest attempt (through one gateway) that may still be paid, of this site."""
    rows = Payment.objects.filter(purpose=purpose, subject_id=paid_for, state=PaymentState.OPEN)
    if gateway_id is not None:
        rows = rows.filter(gateway_id=gateway_id)
    return rows.order_by("-id").first()


def count_payments(purpose: int, *, paid_for: int) -> int:
    """Return how often someone began to pay one thing of the site in force."""
    return int(Payment.objects.filter(purpose=purpose, subject_id=paid_for).count())


def list_payments_of(purpose: int, *, paid_for: int) -> list[Payment]:
    """Return all attempts for one thing, oldest first."""
    return list(Payment.objects.filter(purpose=purpose, subject_id=paid_for).order_by("id"))


def get_payment(payment_id: int) -> Payment:
    """Return one payment of the site in force; raises `PaymentNotFound`."""
    payment: Payment | None = Payment.objects.filter(id=payment_id).first()
    if payment is None:
        raise errors.PaymentNotFound
    return payment


def find_payment_by_no(payment_no: str) -> Payment | None:
    """Return a payment of the site in force by its number, or None."""
    return Payment.objects.filter(payment_no=payment_no).first()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which payments the back office asks for; `text` is any of their numbers."""

    state: int | None = None
    text: str = ""
    created_from: dt.datetime | None = None
    created_until: dt.datetime | None = None


def list_payments(
    wanted: PaymentFilter, *, before_id: int | None = None, limit: int = 50
) -> list[Payment]:
    """Return payments of the site in force, newest first; keyset by `before_id`."""
    rows = Payment.objects.order_by("-id")
    if wanted.state is not None:
        rows = rows.filter(state=wanted.state)
    if wanted.created_from is not None:
        rows = rows.filter(created_at__gte=wanted.created_from)
    if wanted.created_until is not None:
        rows = rows.filter(created_at__lt=wanted.created_until)
    if wanted.text:
        named, external = rows.filter(payment_no=wanted.text), rows.filter(external_no=wanted.text)
        rows = named | external
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def list_odd_payments(purpose: int, *, paid_for: int) -> list[Payment]:
    """Return the payments for one thing that came with another amount, or twice, oldest first."""
    rows = Payment.objects.filter(
        purpose=purpose, subject_id=paid_for, state=PaymentState.MISMATCHED
    )
    return list(rows.order_by("id"))


def list_payments_by_id(payment_ids: set[int]) -> dict[int, Payment]:
    """Return the payments of the site in force among these ids."""
    return Payment.objects.in_bulk(payment_ids)


def list_top_up_nos(top_up_ids: set[int]) -> dict[int, str]:
    """Return the printed numbers of top-ups of the site in force."""
    return dict(TopUp.objects.filter(id__in=top_up_ids).values_list("id", "top_up_no"))


def list_mismatched(limit: int = 50) -> list[Payment]:
    """Return payments of another amount, or made twice, that were not given back yet."""
    rows = Payment.objects.filter(
        state=PaymentState.MISMATCHED, refunded_amount__lt=F("received_amount")
    )
    return list(rows.order_by("-id")[:limit])


def list_gateway_refunds(purpose: int, *, paid_for: int) -> list[GatewayRefund]:
    """Return the refunds through a gateway for one thing, oldest first."""
    return list(GatewayRefund.objects.filter(purpose=purpose, subject_id=paid_for).order_by("id"))


def get_refunded_payment(gateway_refund_id: int) -> Payment:
    """Return the payment that a refund of the site in force gives back."""
    refund = GatewayRefund.objects.select_related("payment").get(id=gateway_refund_id)
    payment: Payment = refund.payment
    return payment


def find_proof(payment_id: int) -> Proof | None:
    """Return why a payment counts as paid."""
    return Proof.objects.filter(payment_id=payment_id).first()


def find_top_up(top_up_no: str) -> TopUp | None:
    """Return a top-up of the site in force by its number."""
    return TopUp.objects.filter(top_up_no=top_up_no).first()


def list_top_ups(customer_id: int, *, limit: int = 30) -> list[TopUp]:
    """Return a customer's top-ups, newest first."""
    return list(TopUp.objects.filter(customer_id=customer_id).order_by("-id")[:limit])


def list_rejected_callbacks(limit: int = 100) -> list[RejectedCallback]:
    """Return refused callbacks, newest first (of the site in force by row-level security)."""
    return list(RejectedCallback.objects.order_by("-id")[:limit])


def list_unbooked(since: dt.datetime, *, limit: int) -> list[str]:
    """Return the numbers for which a genuine callback told of money that is not in the books."""
    rows = RejectedCallback.objects.filter(code__in=UNBOOKED, created_at__gte=since)
    return list(rows.values_list("payment_no", flat=True).distinct()[:limit])


def read_open_config(gateway: Gateway) -> dict[str, str]:
    """Return the part of a gateway's credentials that may be shown again: everything not secret."""
    secrets = {field.name for field in provider_of(gateway).fields if field.secret}
    stored: dict[str, str] = config_of(gateway).to_json()
    return {name: value for name, value in stored.items() if name not in secrets}


def find_top_up_by_id(top_up_id: int) -> TopUp | None:
    """Return a top-up of the site in force by its id, or None."""
    return TopUp.objects.filter(id=top_up_id).first()
