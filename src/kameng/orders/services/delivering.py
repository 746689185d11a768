"""Goods to the buyer: what an order holds, delivery by hand, and the repairs operators ask for."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Func, Value

from kameng.catalog.models import DeliveryKind
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.crypto import binding, decrypt_text, encrypt_text
from kameng.core.events import publish
from kameng.inventory.claims import claim_for, open_keys, replace_key
from kameng.orders import errors
from kameng.orders.events import OrderDelivered
from kameng.orders.models import Delivery, Note, Order, OrderState, UsedMark
from kameng.orders.rules import State, redelivers
from kameng.orders.services.paying import lock_order
from kameng.payments.selectors import is_disputed

CONTENT_LIMIT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """One piece of what was bought, in clear: a key, or what an operator wrote. Never log it."""

    key_id: int | None
    text: str
    used_at: dt.datetime | None

    def __repr__(self) -> str:
        return f"Goods(key_id={self.key_id})"


def collect_goods(order: Order, *, by_buyer: bool) -> list[Goods]:
    """Return the goods of a delivered order, else nothing. The buyer's first look is recorded:
    it is the moment of hand-over. Who disputes the payment gets no first look meanwhile."""
    if not redelivers(order.state):
        return []
    if by_buyer and order.revealed_at is None:
        if is_disputed(order.payment_id, order.first_payment_id):
            return []
        Order.objects.filter(id=order.id, revealed_at__isnull=True).update(revealed_at=clock.now())
    marks = dict(UsedMark.objects.filter(order_id=order.id).values_list("key_id", "created_at"))
    goods = []
    if order.delivery_kind == DeliveryKind.CARD:
        goods = [
            Goods(key_id=key.key_id, text=key.text, used_at=marks.get(key.key_id))
            for key in open_keys(order.id)
        ]
    goods.extend(Goods(key_id=None, text=text, used_at=None) for text in list_written_goods(order))
    return goods


def list_written_goods(order: Order) -> list[str]:
    """Return what operators delivered by hand, in clear; the caller has proved who may see it."""
    aad = binding(order.site_id, "delivery", order.order_no)
    written = Delivery.objects.filter(order_id=order.id).order_by("id")
    return [decrypt_text(bytes(row.content_cipher), aad) for row in written]


def mark_used(*, order: Order, key_id: int, is_used: bool) -> None:
    """Set or take away the buyer's own mark on a key of the order; unknown keys are refused."""
    if key_id not in {key.key_id for key in open_keys(order.id)}:
        raise errors.KeyNotReplaceable
    if is_used:
        UsedMark.objects.get_or_create(
            order_id=order.id, key_id=key_id, defaults={"site_id": order.site_id}
        )
    else:
        UsedMark.objects.filter(order_id=order.id, key_id=key_id).delete()


def deliver_by_hand(*, order_id: int, content: str, actor: Actor) -> None:
    """Write the goods of an order that waits and mark it delivered; more may be added later.

    Raises `NotAllowedNow` unless it waits or was delivered. Publishes `OrderDelivered`, audited.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        if order.state not in {State.AWAITING_DELIVERY, State.DELIVERED}:
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        if order.delivery_kind == DeliveryKind.SITE_PLAN:
            raise errors.OpenedByItself
        _check_wholesale(order)
        hand_over(order, content=content, by=actor.name)
        _note(order, "delivered_by_hand", actor)


def hand_over(order: Order, *, content: str, by: str) -> None:
    """Write the goods of a locked order and mark it delivered. Publishes `OrderDelivered`."""
    Delivery.objects.create(
        site_id=order.site_id,
        order_id=order.id,
        content_cipher=encrypt_text(
            content[:CONTENT_LIMIT], binding(order.site_id, "delivery", order.order_no)
        ),
        delivered_by=by[:64],
    )
    _mark_delivered(order)


def deliver_from_stock(*, order_id: int, actor: Actor) -> None:
    """Give a waiting order of keys its keys, now that there is stock. Raises `OutOfStock`."""
    with transaction.atomic():
        order = lock_order(order_id)
        if order.state != State.AWAITING_DELIVERY or order.delivery_kind != DeliveryKind.CARD:
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        _check_wholesale(order)
        if not claim_for(
            order_id=order.id,
            variant_id=order.variant_id,
            quantity=order.quantity,
            has_keys=True,
        ):
            raise errors.OutOfStock
        _mark_delivered(order)
        _note(order, "delivered_from_stock", actor)


def replace_cards(*, order_id: int, key_id: int, reason: str, actor: Actor) -> None:
    """Swap one faulty key of a delivered order for the next one of stock; the old one is void.

    Raises `KeyNotReplaceable` (not this order's key, or nothing in stock). Audited.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        if order.state != State.DELIVERED:
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        new_key = replace_key(order_id=order.id, key_id=key_id)
        if new_key is None:
            raise errors.KeyNotReplaceable
        _note(order, "key_replaced", actor, reason)
        publish(
            OrderDelivered(
                site_id=order.site_id, subject_id=order.id, customer_id=order.customer_id
            )
        )


def resend_goods(*, order_id: int, actor: Actor) -> None:
    """Tell the buyer once more where the goods are. Publishes `OrderDelivered`."""
    with transaction.atomic():
        order = lock_order(order_id)
        if not redelivers(order.state):
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        _note(order, "resent", actor)
        publish(
            OrderDelivered(
                site_id=order.site_id, subject_id=order.id, customer_id=order.customer_id
            )
        )


def write_note(*, order_id: int, text: str, actor: Actor) -> None:
    """Add a remark of staff to an order's time line."""
    with transaction.atomic():
        _note(lock_order(order_id), "remark", actor, text)


def _check_wholesale(order: Order) -> None:
    """Raise `AwaitsPrepaid` for goods that the main site has not been paid for."""
    if order.awaits_prepaid:
        raise errors.AwaitsPrepaid


def _mark_delivered(order: Order) -> None:
    moved = Order.objects.filter(id=order.id, state=State.AWAITING_DELIVERY).update(
        state=State.DELIVERED,
        path=Func(F("path"), Value(int(State.DELIVERED)), function="array_append"),
        delivered_at=clock.now(),
    )
    if moved:
        publish(
            OrderDelivered(
                site_id=order.site_id, subject_id=order.id, customer_id=order.customer_id
            )
        )


def _note(order: Order, kind: str, actor: Actor, text: str = "") -> None:
    Note.objects.create(
        site_id=order.site_id,
        order_id=order.id,
        kind=kind,
        text=text[:400],
        actor_name=actor.name[:64],
    )
    if actor.kind == "user":
        record(
            f"order.{kind}",
            actor=actor,
            site_id=order.site_id,
            subject=("order", order.order_no),
            detail={"text": text[:200]} if text else {},
        )
