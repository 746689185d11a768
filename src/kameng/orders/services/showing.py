"""Showing what is secret of an order to staff: its goods and its contact, each look on record."""

from django.db import transaction

from kameng.core.audit import Actor, record
from kameng.orders.models import Order
from kameng.orders.selectors import get_order, read_contact
from kameng.orders.services.delivering import Goods, collect_goods


def reveal_goods(*, order_id: int, actor: Actor) -> list[Goods]:
    """Return the goods of an order in clear to a member of staff; audited."""
    with transaction.atomic():
        order = get_order(order_id)
        goods = collect_goods(order, by_buyer=False)
        _record("order.goods_revealed", order, actor)
    return goods


def reveal_contact(*, order_id: int, actor: Actor) -> str:
    """Return the contact of an order in clear to a member of staff; audited."""
    with transaction.atomic():
        order = get_order(order_id)
        contact = read_contact(order)
        _record("order.contact_revealed", order, actor)
    return contact


def _record(action: str, order: Order, actor: Actor) -> None:
    record(action, actor=actor, site_id=order.site_id, subject=("order", order.order_no))
