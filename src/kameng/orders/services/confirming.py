"""Confirming what a gateway's callback said and settling its order, on the event loop.

The long way is `payments.services.confirming.accept_callback` with `orders.handlers.settle_payment`
in its transaction; this is the same for what is plain, for all callbacks of a moment at once.
"""

import psycopg

from kameng.orders import store
from kameng.orders.store import Confirmable
from kameng.payments.statements import Statement


async def confirm_plain(statement: Statement, *, site_id: int, stamp: str) -> bool:
    """Confirm a payment, settle and deliver its order; False when nothing was done.

    False means the long way: a repeat, a late or unknown payment, another amount, a top-up, or a
    site that is not of this stamp any more (tenancy_site_stamp; empty where it was compared).
    Publishes `PaymentConfirmed` and `OrderPaid`. Raises `DatabaseAway`.
    """
    try:
        return await store.confirm_lane.submit(Confirmable(statement, site_id, stamp))
    except psycopg.Error:  # rolled back whole: the long way meets the same fault and names it
        return False
