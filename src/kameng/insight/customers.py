"""What customers have bought: figures per customer of the site in force."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, F, Max, Sum

from kameng.orders.models import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What one customer has paid for, refunds taken off."""

    order_count: int = 0
    spent_amount: int = 0
    last_paid_at: dt.datetime | None = None


def summarize_customers(customer_ids: list[int]) -> dict[int, Bought]:
    """Return what each of these customers has bought. Index orders_by_customer."""
    rows = (
        Order.objects.filter(customer_id__in=customer_ids, paid_at__isnull=False)
        .values("customer_id")
        .annotate(
            order_count=Count("id"),
            spent_amount=Sum(F("total_amount") - F("refunded_amount")),
            last_paid_at=Max("paid_at"),
        )
    )
    found = {
        row["customer_id"]: Bought(
            order_count=row["order_count"],
            spent_amount=int(row["spent_amount"]),
            last_paid_at=row["last_paid_at"],
        )
        for row in rows
    }
    return {customer_id: found.get(customer_id, Bought()) for customer_id in customer_ids}


def summarize_customer(customer_id: int) -> Bought:
    """Return what one customer has bought."""
    return summarize_customers([customer_id])[customer_id]
