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

HOLD = dt.timedelta(minutes=15)
LOOK_AT = 50


def take_next_order(*, actor: Actor) -> Order | None:
    """Give the actor the order that has waited longest and that nobody else works on.

    The same actor gets an order taken before once more. None when nothing is free.
    """
    with transaction.atomic():
        waiting = lock_waiting_orders(LOOK_AT)
        holders = list_holders([order.id for order in waiting])
        for order in waiting:
            holder = holders.get(order.id)
            if holder == actor.name[:64]:
                return order
            if holder is None:
                Note.objects.create(
                    site_id=order.site_id,
                    order_id=order.id,
                    kind="taken",
                    actor_name=actor.name[:64],
                )
                return order
    return None


def lock_waiting_orders(limit: int) -> list[Order]:
    """Lock paid orders that wait, longest first, in a transaction: two takers come one by one.

    Others who lock orders, one each: `paying.lock_order` and the settling functions.
    """
    rows = Order.objects.filter(state=State.AWAITING_DELIVERY).order_by("paid_at", "id")
    return list(rows.select_for_update(no_key=True)[:limit])


def list_holders(order_ids: Sequence[int]) -> dict[int, str]:
    """Return who works on each of these orders now, by order id."""
    notes = Note.objects.filter(
        order_id__in=order_ids, kind="taken", created_at__gt=clock.now() - HOLD
    )
    return {note.order_id: note.actor_name for note in notes.order_by("id")}
