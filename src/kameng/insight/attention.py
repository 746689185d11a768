"""What on a site waits for a person, counted and listed from every app at once.

Bounded: a count stops at `LIMIT`, so that a page that shows it stays quick whatever has piled up.
"""

from kameng.orders.models import Order, OrderRefund, OrderRefundState, OrderState

LIMIT = 99


def count_attention() -> int:
    """Count orders of the site in force that wait for staff: to deliver, or a refused refund."""
    waiting = Order.objects.filter(state=OrderState.AWAITING_DELIVERY)[: LIMIT + 1].count()
    refused = OrderRefund.objects.filter(state=OrderRefundState.REFUSED)[: LIMIT + 1].count()
    return int(waiting + refused)
