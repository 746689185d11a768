"""Reads of orders: one by link or owner, lists for buyer and console, what needs attention."""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from django.db.models import Q, QuerySet

from kameng.core.crypto import binding, decrypt_text
from kameng.core.scope import platform_scope
from kameng.orders import errors
from kameng.orders.links import contact_digest, opens
from kameng.orders.models import Note, Order, OrderRefund, OrderRefundState, SitePurchase
from kameng.orders.rules import State
from kameng.payments.models import Purpose
from kameng.payments.selectors import find_payment_by_no, list_payments_of

PAGE = 50
STUCK_AFTER = dt.timedelta(minutes=10)  # a paid order of keys that still waits


def find_purchase(order_id: int) -> SitePurchase | None:
    """Return what an order of the main site is to do with a sub-site; None for other orders."""
    found: SitePurchase | None = SitePurchase.objects.filter(order_id=order_id).first()
    return found


def open_order(*, site_id: int, order_no: str, token: str, customer_id: int | None) -> Order:
    """Return the order that a token opens, or that the signed-in customer owns.

    Raises `LinkInvalid`, the same for a wrong token and an unknown number.
    """
    order: Order | None = Order.objects.filter(order_no=order_no[:32]).first()
    by_token = opens(token, site_id=site_id, order_no=order_no) if token else False
    if order is None:
        raise errors.LinkInvalid
    if by_token or (customer_id is not None and order.customer_id == customer_id):
        return order
    raise errors.LinkInvalid


def get_order(order_id: int) -> Order:
    """Return one order of the site in force; raises `OrderNotFound`."""
    order: Order | None = Order.objects.filter(id=order_id).first()
    if order is None:
        raise errors.OrderNotFound
    return order


def find_order_by_no(order_no: str) -> Order | None:
    """Return an order of the site in force by its number, or None."""
    return Order.objects.filter(order_no=order_no).first()


def list_order_nos(order_ids: set[int]) -> dict[int, str]:
    """Return the printed numbers of orders of the site in force."""
    return dict(Order.objects.filter(id__in=order_ids).values_list("id", "order_no"))


def list_orders_of_children(order_ids: set[int], *, upline_id: int) -> dict[int, tuple[int, str]]:
    """Return site and printed number of orders that child sites made through this upline."""
    with platform_scope("an upline names what its children sold"):
        rows = Order.unscoped.filter(id__in=order_ids, upline_site_id=upline_id)
        found = rows.values_list("id", "site_id", "order_no")
        return {order_id: (site_id, order_no) for order_id, site_id, order_no in found}


def list_customer_orders(
    customer_id: int,
    *,
    states: Sequence[int] = (),
    before_id: int | None = None,
    limit: int = 20,
) -> list[Order]:
    """Return a customer's orders, newest first; keyset by `before_id`."""
    rows = Order.objects.filter(customer_id=customer_id)
    if states:
        rows = rows.filter(state__in=states)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows.order_by("-id")[:limit])


def list_contact_orders(*, site_id: int, contact: str, limit: int = 20) -> list[Order]:
    """Return the orders of a contact, newest first; the caller has proved the contact by a code."""
    return list(
        Order.objects.filter(contact_digest=contact_digest(site_id, contact)).order_by("-id")[
            :limit
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """What the console looks for. `text` is any number printed anywhere, a contact or a title."""

    text: str = ""
    states: tuple[int, ...] = ()
    customer_id: int | None = None
    product_id: int | None = None
    placed_from: dt.datetime | None = None
    placed_until: dt.datetime | None = None


def list_orders(
    wanted: OrderFilter, *, site_id: int, before_id: int | None = None, limit: int = PAGE
) -> list[Order]:
    """Return orders of the site in force, newest first; keyset by `before_id`."""
    rows = _filtered(wanted, site_id)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows.order_by("-id")[:limit])


def _filtered(wanted: OrderFilter, site_id: int) -> "QuerySet[Any]":
    rows = Order.objects.all()
    if wanted.states:
        rows = rows.filter(state__in=wanted.states)
    if wanted.customer_id is not None:
        rows = rows.filter(customer_id=wanted.customer_id)
    if wanted.product_id is not None:
        rows = rows.filter(product_id=wanted.product_id)
    if wanted.placed_from is not None:
        rows = rows.filter(placed_at__gte=wanted.placed_from)
    if wanted.placed_until is not None:
        rows = rows.filter(placed_at__lt=wanted.placed_until)
    text = wanted.text.strip()
    if text:
        rows = rows.filter(_text_condition(text, site_id))
    return rows


def _text_condition(text: str, site_id: int) -> Q:
    if text.isascii() and text.isdigit() and len(text) >= 10:
        condition = Q(order_no=text) | Q(contact_digest=contact_digest(site_id, text))
        payment = find_payment_by_no(text)
        if payment is not None and payment.purpose == Purpose.ORDER:
            condition |= Q(id=payment.subject_id)
        return condition
    if "@" in text:
        return Q(contact_digest=contact_digest(site_id, text))
    return Q(title__icontains=text) | Q(order_no=text)


def count_by_state() -> dict[int, int]:
    """Return how many orders of the site in force wait for something: states 1, 2 and 6."""
    waiting = (State.AWAITING_PAYMENT, State.AWAITING_DELIVERY, State.REFUNDING)
    return {state: Order.objects.filter(state=state).count() for state in waiting}


def list_queue(limit: int = 100) -> list[Order]:
    """Return paid orders that wait for delivery, longest waiting first."""
    return list(
        Order.objects.filter(state=State.AWAITING_DELIVERY).order_by("paid_at", "id")[:limit]
    )


def list_refused_refunds(limit: int = 50) -> list[OrderRefund]:
    """Return refunds that a gateway refused and that wait for a person, with their orders."""
    rows = OrderRefund.objects.filter(state=OrderRefundState.REFUSED).select_related("order")
    return list(rows.order_by("id")[:limit])


def count_awaiting_prepaid() -> int:
    """Return how many paid orders of the site in force wait for its prepaid balance."""
    return int(Order.objects.filter(awaits_prepaid=True, state=2).count())


def list_refunds(order_id: int) -> list[OrderRefund]:
    """Return the refunds of one order, oldest first."""
    return list(OrderRefund.objects.filter(order_id=order_id).order_by("id"))


def list_recent_refunds(*, before_id: int | None = None, limit: int = PAGE) -> list[OrderRefund]:
    """Return refunds of the site in force, newest first, with their orders."""
    rows = OrderRefund.objects.select_related("order").order_by("-id")
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def list_notes(order_id: int) -> list[Note]:
    """Return the notes of one order, oldest first."""
    return list(Note.objects.filter(order_id=order_id).order_by("id"))


@dataclass(frozen=True, slots=True)
class OrderBrief:
    """What the notices of an order need, without the cost of a whole row by the hundred."""

    id: int
    site_id: int
    order_no: str
    customer_id: int | None
    contact_cipher: bytes | None = field(repr=False)
    title: str
    quantity: int
    paid_by: int
    state: int


BRIEF = tuple(each.name for each in fields(OrderBrief))


def list_briefs(order_ids: Iterable[int]) -> dict[int, OrderBrief]:
    """Return orders of every site by id, in one query; call inside a platform scope."""
    rows = Order.unscoped.filter(id__in=order_ids).values_list(*BRIEF)
    return {row[0]: OrderBrief(*row) for row in rows}


def read_contact(order: Order | OrderBrief) -> str:
    """Return the contact of an order in clear, empty when it has none."""
    if order.contact_cipher is None:
        return ""
    return decrypt_text(
        bytes(order.contact_cipher), binding(order.site_id, "order", order.order_no)
    )


def read_answers(order: Order) -> dict[str, str]:
    """Return what the buyer filled in for the product, by field name."""
    if order.inputs_cipher is None:
        return {}
    text = decrypt_text(bytes(order.inputs_cipher), binding(order.site_id, "order", order.order_no))
    answers: dict[str, str] = json.loads(text)
    return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of an order's time line. `code` is translated by the screen."""

    at: dt.datetime
    code: str
    text: str = ""
    actor: str = ""


def list_moments(order: Order) -> list[Moment]:
    """Return everything that happened to an order, in order of time."""
    moments = [Moment(at=order.placed_at, code="placed")]
    for payment in list_payments_of(Purpose.ORDER, paid_for=order.id):
        moments.append(
            Moment(at=payment.created_at, code="payment_opened", text=payment.payment_no)
        )
        if payment.confirmed_at:
            moments.append(
                Moment(at=payment.confirmed_at, code="payment_confirmed", text=payment.payment_no)
            )
    dated = (
        (order.paid_at, "paid"),
        (order.delivered_at, "delivered"),
        (order.revealed_at, "revealed"),
        (order.closed_at, "closed"),
    )
    moments.extend(Moment(at=at, code=code) for at, code in dated if at is not None)
    for refund in list_refunds(order.id):
        moments.append(
            Moment(
                at=refund.created_at, code="refund_asked", text=refund.reason, actor=refund.asked_by
            )
        )
        if refund.done_at:
            moments.append(Moment(at=refund.done_at, code="refund_done"))
    moments.extend(
        Moment(at=note.created_at, code=note.kind, text=note.text, actor=note.actor_name)
        for note in list_notes(order.id)
    )
    return sorted(moments, key=lambda moment: moment.at)


def find_order_place(order_id: int) -> tuple[int, str] | None:
    """Return the site and the number of an order on any site, or None.

    For the owner of a key, who may learn where it was sold and nothing else of the order.
    """
    with platform_scope("where a key was sold"):
        row = Order.unscoped.filter(id=order_id).values_list("site_id", "order_no").first()
    return None if row is None else (int(row[0]), str(row[1]))


def list_paid_times(order_ids: Sequence[int]) -> dict[int, dt.datetime]:
    """Return when orders of the site were paid, those that are. One query by key."""
    rows = Order.objects.filter(id__in=order_ids, paid_at__isnull=False)
    return dict(rows.values_list("id", "paid_at"))
