"""Money of orders that staff give back outside the system: above the threshold two persons do."""

from kameng.accounts.models import Approval
from kameng.accounts.services.approving import ApprovalWish
from kameng.core.audit import Actor
from kameng.orders.errors import OrderNotFound
from kameng.orders.models import Order, OrderRefund, RefundTo
from kameng.orders.selectors import get_order
from kameng.orders.services.refunding import RefundWish, refund_order, settle_refused_refund
from kameng.payments.services.second_person import ask_above_threshold

REFUND_BY_HAND = "order.refund_by_hand"
SETTLE_BY_HAND = "order.settle_by_hand"
PERMISSION = "orders.refund"


def refund_or_ask(*, order_id: int, wish: RefundWish, actor: Actor) -> OrderRefund | Approval:
    """Refund an order, or let a refund by hand above the threshold wait for a second person.

    Raises as `refund_order` and `ask_approval`.
    """
    if wish.refund_to == RefundTo.HAND:
        asked = _ask(get_order(order_id), wish, actor)
        if asked is not None:
            return asked
    return refund_order(order_id=order_id, wish=wish, actor=actor)


def _ask(order: Order, wish: RefundWish, actor: Actor) -> Approval | None:
    left = order.total_amount - order.refunded_amount
    details = {
        "order_no": order.order_no,
        "amount": wish.amount,
        "idempotency_key": wish.idempotency_key,
    }
    return ask_above_threshold(
        ApprovalWish(
            kind=REFUND_BY_HAND,
            permission=PERMISSION,
            about_id=order.id,
            amount=left if wish.amount is None else wish.amount,
            reason=wish.reason,
            details=details,
        ),
        actor=actor,
    )


def settle_or_ask(*, refund_id: int, way: str, reason: str, actor: Actor) -> OrderRefund | Approval:
    """Decide a refund that the gateway refused; by hand above the threshold by two persons.

    Raises as `settle_refused_refund` and `ask_approval`.
    """
    refund = OrderRefund.objects.select_related("order").filter(id=refund_id).first()
    if refund is None:
        raise OrderNotFound
    if way == "hand":
        asked = ask_above_threshold(
            ApprovalWish(
                kind=SETTLE_BY_HAND,
                permission=PERMISSION,
                about_id=refund.id,
                amount=refund.rest_amount,
                reason=reason,
                details={"order_no": refund.order.order_no},
            ),
            actor=actor,
        )
        if asked is not None:
            return asked
    return settle_refused_refund(refund_id=refund_id, way=way, reason=reason, actor=actor)


def carry_out_by_hand(approval: Approval) -> bool:
    """Do what a second person approved about an order; call in the transaction of the approval.

    False for an act that is none of this app.
    """
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    if approval.kind == REFUND_BY_HAND:
        refund_order(
            order_id=approval.subject_id,
            wish=RefundWish(
                amount=approval.wish["amount"],
                refund_to=RefundTo.HAND,
                reason=approval.reason,
                idempotency_key=approval.wish["idempotency_key"],
            ),
            actor=actor,
        )
    elif approval.kind == SETTLE_BY_HAND:
        settle_refused_refund(
            refund_id=approval.subject_id, way="hand", reason=approval.reason, actor=actor
        )
    else:
        return False
    return True
