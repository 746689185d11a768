"""Reads of payments: what a buyer may choose, one payment, lists for the console."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from kameng.core.scope import open_scope
from kameng.payments import errors
from kameng.payments.models import (
    FeeBearer,
    Gateway,
    GatewayRefund,
    Payment,
    PaymentState,
    PrepaidIn,
    Proof,
    RejectedCallback,
    TopUp,
)
from kameng.payments.providers.registry import PROVIDERS, get_provider
from kameng.payments.rules import fits
from kameng.payments.services.gateways import config_of, provider_of
from kameng.pricing.margins import ChargeTerms, charge_terms, fee_of
from kameng.pricing.money import Amount
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView, scope_of_site


@dataclass(frozen=True, slots=True, kw_only=True)
class PayChoice:
    """One way to pay that a buyer may choose for an amount."""

    gateway_id: int
    kind: str
    method: str
    name: str
    fee_bps: int
    fee_bearer: int = FeeBearer.SITE

    def fee_for(self, amount: int) -> int:
        """Return what the gateway keeps of this amount."""
        return fee_of(Amount(amount), rate_bps=self.fee_bps)

    def terms_for(self, rest: int) -> ChargeTerms:
        """Return what the buyer pays here so that `rest` is paid, a surcharge included."""
        by_buyer = self.fee_bearer == FeeBearer.BUYER
        return charge_terms(Amount(rest), rate_bps=self.fee_bps, by_buyer=by_buyer)


# Refused although the signature was good: the gateway has money that we know nothing of.
UNBOOKED = ("paid_twice", "external_reused", "payment_unknown")
GATEWAY_CACHE_SIZE = 1000
_gateways: dict[tuple[int, int], tuple[Gateway, ...]] = {}


def owner_of_ways(view: SiteView) -> int:
    """Return the site whose merchant accounts take this site's money."""
    return view.site_id if view.settlement_way == SettlementWay.PREPAID else view.main_id


def list_known_gateways(view: SiteView) -> tuple[Gateway, ...]:
    """Return the gateways that take a site's money as of the versions that a request has read.

    They are the main site's or, where the operator takes the money himself, his own. Every change
    of a gateway grows its site's version, so this process keeps them, unchanged.
    """
    return _load(view, owner_of_ways(view))


def _key(view: SiteView, owner_id: int) -> tuple[int, int]:
    return owner_id, view.main_version if owner_id == view.main_id else view.catalogue_version


def _load(view: SiteView, owner_id: int) -> tuple[Gateway, ...]:
    key = _key(view, owner_id)
    rows = _gateways.get(key)
    if rows is None:
        with open_scope(scope_of_site(owner_id, main_id=owner_id)):
            rows = tuple(Gateway.objects.order_by("position", "id"))
        if len(_gateways) >= GATEWAY_CACHE_SIZE:
            _gateways.clear()
        _gateways[key] = rows
    return rows


def are_gateways_at_hand(view: SiteView) -> bool:
    """Tell whether the gateways are known without a query, as the event loop needs it."""
    return _key(view, owner_of_ways(view)) in _gateways


def forget_gateways() -> None:
    """Empty this process's gateways (tests that write tables directly)."""
    _gateways.clear()


def find_known_gateway(view: SiteView, *, gateway_id: int) -> Gateway | None:
    """Return a gateway that may call at a site's address, or None: the main site's or its own.

    Both, whoever takes the money now: what was opened before the site changed over is paid yet.
    """
    for owner_id in dict.fromkeys((owner_of_ways(view), view.main_id, view.site_id)):
        for row in _load(view, owner_id):
            if row.id == gateway_id:
                return row
    return None


def list_pay_choices(view: SiteView, *, amount: int | None = None) -> list[PayChoice]:
    """Return the gateways this site offers (for an amount), in the owner's order."""
    rows = [row for row in list_known_gateways(view) if row.is_enabled and not row.is_frozen]
    hidden = set(view.settings.hidden_gateway_ids)
    return [
        PayChoice(
            gateway_id=row.id,
            kind=row.kind,
            method=row.method,
            name=row.name,
            fee_bps=row.fee_bps,
            fee_bearer=row.fee_bearer,
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


def find_gateway(gateway_id: int) -> Gateway | None:
    """Return a gateway in view of the site in force, or None."""
    return Gateway.objects.filter(id=gateway_id).first()


def owner_of_gateway(gateway_id: int) -> int:
    """Return the site whose merchant account a gateway in view is; 0 when there is none."""
    rows = Gateway.objects.filter(id=gateway_id).values_list("site_id", flat=True)
    return next(iter(rows), 0)


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


def find_prepaid(prepaid_no: str) -> PrepaidIn | None:
    """Return a payment into the prepaid balance of the site in force by its number."""
    return PrepaidIn.objects.filter(prepaid_no=prepaid_no).first()


def list_prepaid_nos(ids: set[int]) -> dict[int, str]:
    """Return the printed numbers of payments into the prepaid balance of the site in force."""
    return dict(PrepaidIn.objects.filter(id__in=ids).values_list("id", "prepaid_no"))


def find_top_up_by_id(top_up_id: int) -> TopUp | None:
    """Return a top-up of the site in force by its id, or None."""
    return TopUp.objects.filter(id=top_up_id).first()
