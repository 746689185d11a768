"""Finding orders as operators look for them: by any number, contact, customer, product or day.

A text that is a number somewhere (order, payment, gateway, refund, login, contact) is looked up in
indexes; only what is no number is looked for in titles, newest first and bounded.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from kameng.accounts.models import Customer
from kameng.accounts.selectors import find_customer_by_login
from kameng.insight.models import OrderSource
from kameng.orders.links import contact_digest
from kameng.orders.models import Order, OrderRefund
from kameng.payments.models import Gateway, Payment, Purpose

PAGE_SIZE = 50
NAMES_LIMIT = 50
TEXT_MAX = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSearch:
    """What is looked for on the site in force; empty parts do not narrow."""

    site_id: int
    text: str = ""
    states: tuple[int, ...] = ()
    customer_id: int | None = None
    product_id: int | None = None
    placed_from: dt.datetime | None = None
    placed_until: dt.datetime | None = None
    is_oldest_first: bool = False
    paid_from: dt.datetime | None = None
    paid_until: dt.datetime | None = None
    trait: str = ""  # one of TRAITS
    source_keys: tuple[int, ...] | None = None


# What a dashboard counts: the same words as `definitions.Definition.orders`.
TRAITS: Mapping[str, Q] = {
    "refunded": Q(refunded_amount__gt=0),
    "delivered": Q(delivered_at__isnull=False),
    "guest": Q(customer_id__isnull=True),
}


def search_orders(
    search: OrderSearch, *, before_id: int | None = None, limit: int = PAGE_SIZE
) -> list[Order]:
    """Return orders newest first; keyset by `before_id`, the last row of the page before.

    Oldest first, the key is the same and what follows has a larger id.
    """
    rows = _narrow(search)
    if before_id is not None:
        beyond = {"id__gt": before_id} if search.is_oldest_first else {"id__lt": before_id}
        rows = rows.filter(**beyond)
    return list(rows.order_by("id" if search.is_oldest_first else "-id")[:limit])


def count_orders(search: OrderSearch, *, most: int) -> int:
    """Return how many orders there are, `most` at most."""
    return int(_narrow(search).order_by()[:most].count())


def find_order_by_number(text: str) -> Order | None:
    """Return the order of the site in force that this exact number leads to, or None."""
    text = text.strip()[:TEXT_MAX]
    order_id = _id_by_number(text) if text else None
    if order_id is not None:
        return Order.objects.filter(id=order_id).first()
    return Order.objects.filter(order_no=text).first() if text else None


def list_last_sales(limit: int = 6) -> list[Order]:
    """Return the newest paid orders of the site in force."""
    recent = Order.objects.order_by("-id")[: limit * 10]  # unpaid ones in between are left out
    return [order for order in recent if order.paid_at is not None][:limit]


def _narrow(search: OrderSearch) -> "QuerySet[Any]":
    rows = Order.objects.all()
    if search.states:
        rows = rows.filter(state__in=search.states)
    if search.customer_id is not None:
        rows = rows.filter(customer_id=search.customer_id)
    if search.product_id is not None:
        rows = rows.filter(product_id=search.product_id)
    if search.placed_from is not None:
        rows = rows.filter(placed_at__gte=search.placed_from)
    if search.placed_until is not None:
        rows = rows.filter(placed_at__lt=search.placed_until)
    if search.paid_from is not None:
        rows = rows.filter(paid_at__gte=search.paid_from)
    if search.paid_until is not None:
        rows = rows.filter(paid_at__lt=search.paid_until)
    if search.trait in TRAITS:
        rows = rows.filter(TRAITS[search.trait])
    if search.source_keys is not None:
        rows = _came_from(rows, search.source_keys)
    text = search.text.strip()[:TEXT_MAX]
    return rows.filter(_means(text, search.site_id)) if text else rows


def _came_from(rows: "QuerySet[Any]", keys: tuple[int, ...]) -> "QuerySet[Any]":
    """Narrow to orders of some sources; 0 are those of which no visit is recorded."""
    recorded = OrderSource.objects.filter(order_id=OuterRef("id"))
    condition = Exists(recorded.filter(source_key__in=[key for key in keys if key]))
    return rows.filter(condition | ~Exists(recorded) if 0 in keys else condition)


def _means(text: str, site_id: int) -> Q:
    order_id = _id_by_number(text)
    if order_id is not None:
        return Q(id=order_id)
    customer = find_customer_by_login(text)
    if customer is not None or "@" in text or (text.isascii() and text.isdigit()):
        condition = Q(order_no=text) | Q(contact_digest=contact_digest(site_id, text))
        return condition | Q(customer_id=customer.id) if customer else condition
    condition = Q(order_no=text) | Q(title__icontains=text)
    named = list(
        Customer.objects.filter(nickname__icontains=text)
        .order_by("-id")
        .values_list("id", flat=True)[:NAMES_LIMIT]
    )
    return condition | Q(customer_id__in=named) if named else condition


def _id_by_number(text: str) -> int | None:
    """Return the order behind a number of a payment, of its gateway, or of a refund."""
    gateways = list(Gateway.objects.values_list("id", flat=True))  # leads the index of external_no
    named = Q(payment_no=text) | Q(gateway_id__in=gateways, external_no=text)
    paid = Payment.objects.filter(named, purpose=Purpose.ORDER)
    order_id: int | None = paid.values_list("subject_id", flat=True).first()
    if order_id is None:
        refunds = OrderRefund.objects.filter(refund_no=text)
        order_id = refunds.values_list("order_id", flat=True).first()
    return order_id
