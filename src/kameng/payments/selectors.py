"""Reads of payments: what a buyer may choose, one payment, lists for the console."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Sum

from kameng.core import clock
from kameng.core.scope import require_site_id
from kameng.payments import errors
from kameng.payments.choosing import PayChoice as PayChoice
from kameng.payments.choosing import are_gateways_at_hand as are_gateways_at_hand
from kameng.payments.choosing import find_known_gateway as find_known_gateway
from kameng.payments.choosing import find_way as find_way
from kameng.payments.choosing import forget_gateways as forget_gateways
from kameng.payments.choosing import get_pay_choice as get_pay_choice
from kameng.payments.choosing import is_offered as is_offered
from kameng.payments.choosing import list_known_gateways as list_known_gateways
from kameng.payments.choosing import list_pay_choices as list_pay_choices
from kameng.payments.choosing import suits as suits
from kameng.payments.choosing import takes_own_money as takes_own_money
from kameng.payments.conditions import HAS_SURPLUS, IS_MISMATCHED, IS_ODD
from kameng.payments.models import (
    Dispute,
    DisputeEvidence,
    Gateway,
    GatewayDay,
    GatewayRefund,
    Payment,
    PaymentState,
    PrepaidIn,
    Proof,
    RefundState,
    RejectedCallback,
    ReturnState,
    Shortfall,
    ShortfallState,
    TopUp,
    TopUpReturn,
)
from kameng.payments.providers.registry import PROVIDERS, get_provider
from kameng.payments.rules import cap_day, in_order, is_resting
from kameng.payments.services.gateways import config_of, provider_of
from kameng.tenancy.selectors import SiteView

# Refused although the signature was good: the gateway has money that we know nothing of.
UNBOOKED = ("paid_twice", "external_reused", "payment_unknown")


def list_gateways() -> list[Gateway]:
    """Return the gateways in view of the site in force (its own and the main site's)."""
    return list(Gateway.objects.order_by("position", "id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A merchant account as its owner sees it, with what its daily cap has taken today."""

    gateway: Gateway
    kind_label: Any
    method_label: Any
    is_resting: bool
    used_amount: int
    used_count: int

    @property
    def used_bps(self) -> int:
        """How much of the daily cap is taken, in basis points."""
        cap = self.gateway.daily_cap_amount
        return min(10_000, self.used_amount * 10_000 // cap) if cap else 0


def list_own_ways() -> list[list[Account]]:
    """Return the accounts that the site in force owns, by way in its order; its first leads."""
    rows = Gateway.objects.filter(site_id=require_site_id()).order_by("position", "id")
    today = GatewayDay.objects.filter(day=cap_day(clock.now()))
    used = {each.gateway_id: (each.opened_amount, each.opened_count) for each in today}
    ways: dict[int, list[Account]] = {row.id: [] for row in rows if row.way_id is None}
    for row in sorted(rows, key=lambda row: row.way_id is not None):
        ways[row.way_key].append(_account(row, used.get(row.id, (0, 0))))
    return list(ways.values())


def _account(row: Gateway, used: tuple[int, int]) -> Account:
    provider = provider_of(row)
    labels = {each.code: each.label for each in provider.methods}
    return Account(
        gateway=row,
        kind_label=provider.label,
        method_label=labels.get(row.method, row.method),
        is_resting=is_resting(row.rests_until, now=clock.now()),
        used_amount=used[0],
        used_count=used[1],
    )


def list_offered_ways(view: SiteView) -> list[tuple[Gateway, int, int]]:
    """Return the ways of the main site that a sub-site may offer, each with the owner's bounds.

    In the sub-site's own order, hidden ones too.
    """
    rows = list_known_gateways(view)
    bounds: dict[int, list[Gateway]] = {}
    for row in rows:
        if is_offered(row):
            bounds.setdefault(row.way_key, []).append(row)
    leaders = {row.id: row for row in rows if row.id in bounds}
    keys = sorted(leaders, key=lambda key: (leaders[key].position, key))
    return [
        (
            leaders[key],
            min(row.min_amount for row in bounds[key]),
            max(row.max_amount for row in bounds[key]),
        )
        for key in in_order(keys, wanted=view.settings.pay_order)
    ]


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
    rows = Payment.objects.filter(
        purpose=purpose,
        subject_id=paid_for,
        state=PaymentState.OPEN,
        completes__isnull=True,  # the rest of a short payment has a page of its own
    )
    if gateway_id is not None:
        rows = rows.filter(gateway_id=gateway_id)
    return rows.order_by("-id").first()


def count_payments(purpose: int, *, paid_for: int) -> tuple[int, int]:
    """Return how often someone began to pay one thing of the site in force.

    First without, then with the attempts that no gateway took up.
    """
    rows = Payment.objects.filter(purpose=purpose, subject_id=paid_for)
    untold = Count("id", filter=Q(state=PaymentState.CLOSED, instruction__isnull=True))
    counted = rows.aggregate(opened=Count("id"), untold=untold)
    return counted["opened"] - counted["untold"], counted["opened"]


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


def list_dispute_nos(dispute_ids: set[int]) -> dict[int, str]:
    """Return the platforms' numbers of disputes of the site in force."""
    return dict(Dispute.objects.filter(id__in=dispute_ids).values_list("id", "dispute_no"))


def list_mismatched(limit: int = 50) -> list[Payment]:
    """Return payments of another amount, or made twice, that were not given back yet."""
    return list(Payment.objects.filter(IS_ODD, IS_MISMATCHED).order_by("-id")[:limit])


def list_surpluses(limit: int = 50) -> list[Payment]:
    """Return delivered payments whose surplus neither went back nor is on its way, newest first."""
    waiting = GatewayRefund.objects.filter(is_surplus=True, state=RefundState.WAITING)
    rows = Payment.objects.filter(IS_ODD, HAS_SURPLUS).exclude(id__in=waiting.values("payment_id"))
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


def is_disputed(*payment_ids: int | None) -> bool:
    """Tell whether a dispute about one of these payments of the site in force is open."""
    known = [each for each in payment_ids if each is not None]
    if not known:
        return False
    return bool(Payment.objects.filter(id__in=known, open_disputes__gt=0).exists())


def sum_lost(payment_id: int) -> int:
    """Return what of a payment of the site in force went to its payer by lost disputes."""
    rows = Dispute.objects.filter(payment_id=payment_id)
    return rows.aggregate(total=Sum("lost_amount"))["total"] or 0


def list_disputes_of(payment_id: int) -> list[Dispute]:
    """Return the disputes about one payment of the site in force, oldest first."""
    return list(Dispute.objects.filter(payment_id=payment_id).order_by("id"))


def list_disputes(
    *, state: int | None = None, before_id: int | None = None, limit: int = 50
) -> list[Dispute]:
    """Return disputes of the site in force, newest first, each with its payment; keyset by id."""
    rows = Dispute.objects.select_related("payment").order_by("-id")
    if state is not None:
        rows = rows.filter(state=state)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def get_dispute(dispute_id: int) -> Dispute:
    """Return one dispute of the site in force with its payment; raise `DisputeNotFound`."""
    found: Dispute | None = Dispute.objects.select_related("payment").filter(id=dispute_id).first()
    if found is None:
        raise errors.DisputeNotFound
    return found


def find_evidence(dispute_id: int) -> DisputeEvidence | None:
    """Return what was last handed in, or is, for a dispute of the site in force; no document."""
    rows = DisputeEvidence.objects.filter(dispute_id=dispute_id).defer("document")
    return rows.order_by("-id").first()


def list_sent_refunds(
    *, state: int | None = None, before_id: int | None = None, limit: int = 50
) -> list[GatewayRefund]:
    """Return refunds through gateways of the site in force, newest first; keyset by id."""
    rows = GatewayRefund.objects.select_related("payment").order_by("-id")
    if state is not None:
        rows = rows.filter(state=state)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def list_all_top_ups(*, before_id: int | None = None, limit: int = 50) -> list[TopUp]:
    """Return the top-ups of the site in force, newest first; keyset by id."""
    rows = TopUp.objects.order_by("-id")
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def list_returns_of(top_up_id: int) -> list[TopUpReturn]:
    """Return what of one top-up went back, or is on its way, oldest first."""
    return list(TopUpReturn.objects.filter(top_up_id=top_up_id).order_by("id"))


def list_customer_returns(customer_id: int, *, limit: int) -> list[TopUpReturn]:
    """Return what of a customer's top-ups went back, or is on its way, newest first."""
    rows = TopUpReturn.objects.filter(top_up__customer_id=customer_id)
    return list(rows.select_related("top_up").order_by("-id")[:limit])


def list_refused_returns(limit: int = 100) -> list[TopUpReturn]:
    """Return what gateways refused to give back and a person must decide, oldest first."""
    rows = TopUpReturn.objects.select_related("top_up").filter(state=ReturnState.REFUSED)
    return list(rows.order_by("id")[:limit])


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


def find_open_shortfall(purpose: int, *, paid_for: int) -> Shortfall | None:
    """Return the wish that a buyer pays the rest of something of the site in force, or None."""
    found: Shortfall | None = (
        Shortfall.objects.filter(
            payment__purpose=purpose, payment__subject_id=paid_for, state=ShortfallState.OPEN
        )
        .select_related("payment")
        .first()
    )
    return found


def find_open_completion(payment_id: int) -> Payment | None:
    """Return the newest attempt to pay the rest of a payment that may still be paid, or None."""
    rows = Payment.objects.filter(completes_id=payment_id, state=PaymentState.OPEN)
    return rows.order_by("-id").first()


def list_shortfalls_of(payment_ids: Collection[int]) -> dict[int, Shortfall]:
    """Return the newest wish about each of these payments of the site in force."""
    rows = Shortfall.objects.filter(payment_id__in=payment_ids).order_by("id")
    return {row.payment_id: row for row in rows}


def find_top_up_by_id(top_up_id: int) -> TopUp | None:
    """Return a top-up of the site in force by its id, or None."""
    return TopUp.objects.filter(id=top_up_id).first()
