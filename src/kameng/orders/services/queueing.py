"""The queue of orders that wait for a person: first come first served, one person an order.

Taking is a note on the order, good for `HOLD`; whoever forgets an order gives it back by time.
"""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor
from kameng.orders.models import Note, Order
from kameng.orders.rules import State
from kameng.orders.services.paying import lock_order

HOLD = dt.timedelta(minutes=15)
LOOK_AT = 50


def take_next_order(*, actor: Actor) -> Order | None:
    """Give the actor the order that has waited longest and that nobody else works on.

    The same actor gets an order taken before once more. None when nothing is free.
    """
    name = actor.name[:64]
    waiting = Order.objects.filter(state=State.AWAITING_DELIVERY, awaits_prepaid=False)
    waiting = waiting.order_by("paid_at", "id")
    order_ids = list(waiting.values_list("id", flat=True)[:LOOK_AT])
    holders = list_holders(order_ids)
    for order_id in order_ids:
        if holders.get(order_id, name) == name:
            taken = _take(order_id, name=name)
            if taken is not None:
                return taken
    return None


def _take(order_id: int, *, name: str) -> Order | None:
    """Take one order, alone in its transaction; None when someone was quicker."""
    with transaction.atomic():
        order = lock_order(order_id)
        holder = list_holders([order_id]).get(order_id)
        if order.state != State.AWAITING_DELIVERY or holder not in {None, name}:
            return None
        if holder is None:
            Note.objects.create(
                site_id=order.site_id, order_id=order.id, kind="taken", actor_name=name
            )
    return order


def list_holders(order_ids: Sequence[int]) -> dict[int, str]:
    """Return who works on each of these orders now, by order id."""
    notes = Note.objects.filter(
        order_id__in=order_ids, kind="taken", created_at__gt=clock.now() - HOLD
    )
    return {note.order_id: note.actor_name for note in notes.order_by("id")}
