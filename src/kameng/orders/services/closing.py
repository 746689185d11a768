"""Giving up unpaid orders: the buyer cancels, staff cancel, or time runs out."""

from kameng.core.audit import Actor, record
from kameng.orders import errors, store
from kameng.orders.models import Note, Order, OrderState
from kameng.orders.rules import State

EXPIRE_BATCH = 200


def cancel_order(*, order: Order, actor: Actor) -> None:
    """Cancel an unpaid order of the site in force; what it held goes back on the shelf.

    One caller wins, the others get `NotAllowedNow`. Publishes `OrderClosed`.
    """
    if not store.close(order_id=order.id, state=State.CANCELLED):
        state = Order.objects.filter(id=order.id).values_list("state", flat=True).first()
        raise errors.NotAllowedNow(state=OrderState(state or order.state).label)
    if actor.kind == "user":
        Note.objects.create(
            site_id=order.site_id, order_id=order.id, kind="cancelled", actor_name=actor.name[:64]
        )
        record(
            "order.cancelled", actor=actor, site_id=order.site_id, subject=("order", order.order_no)
        )


def expire_orders() -> int:
    """Expire every unpaid order whose time is over; return how many. Publishes `OrderClosed`."""
    total = 0
    for _round in range(100):
        count = store.expire_due(EXPIRE_BATCH)
        total += count
        if count < EXPIRE_BATCH:
            break
    return total
