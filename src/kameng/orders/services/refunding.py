"""Money back for an order, whole or part: exactly the parts of the sale, each side its own.

The sale is reversed at once (so nobody spends what is going back); the money reaches the wallet in
the same transaction, or the source when its gateway says so.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Func, Value
from django.utils.translation import gettext_lazy as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.ids import new_number
from kameng.inventory.claims import return_counted, take_back
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, wallet_of
from kameng.ledger.services import Posting, post_transfers
from kameng.orders import errors
from kameng.orders.events import OrderRefundAsked, OrderRefunded
from kameng.orders.models import (
    Note,
    Order,
    OrderRefund,
    OrderRefundState,
    OrderState,
    PaidBy,
    RefundTo,
)
from kameng.orders.rules import State
from kameng.orders.services.paying import lock_order
from kameng.payments.errors import RefundUnsupported
from kameng.payments.selectors import get_payment
from kameng.payments.services.refunding import admit_order_refund, request_refund
from kameng.pricing.margins import SaleParts, refund_parts, split_sale
from kameng.pricing.money import Amount, format_yuan


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """What to give back, where to and why. `amount` None is all that is left; a key counts once."""

    amount: int | None
    refund_to: RefundTo
    reason: str
    idempotency_key: str


def sale_parts(order: Order) -> SaleParts:
    """Return how the sale of an order was split between main site, operator and gateway."""
    return split_sale(
        Amount(order.total_amount),
        wholesale_amount=Amount(order.wholesale_amount),
        fee_amount=Amount(order.fee_amount),
    )


def refund_order(*, order_id: int, wish: RefundWish, actor: Actor) -> OrderRefund:
    """Refund a paid order of the site in force, whole or part.

    The same key gives the first refund again. Keys of a whole refund that the buyer never saw go
    back on the shelf, others are void; counted stock goes back when nothing was delivered. Locks
    the order, the payment, wallets, then counted stock. Publishes `OrderRefundAsked`, and
    `OrderRefunded` when the money is there. Raises `RefundTooLarge`, `RefundRouteMissing`,
    `NotAllowedNow`, `KeyReused`.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        known: OrderRefund | None = OrderRefund.objects.filter(
            order_id=order.id, idempotency_key=wish.idempotency_key
        ).first()
        if known is not None:
            if wish.amount is not None and known.amount != wish.amount:
                raise errors.KeyReused
            return known
        if order.state not in {State.AWAITING_DELIVERY, State.DELIVERED}:
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        left = order.total_amount - order.refunded_amount
        amount = left if wish.amount is None else wish.amount
        if not 0 < amount <= left or amount % 100:
            raise errors.RefundTooLarge(left=format_yuan(Amount(left)))
        _check_route(order, wish.refund_to)
        if order.payment_id is not None:
            admit_order_refund(
                payment_id=order.payment_id,
                amount=amount,
                refunded_amount=order.refunded_amount,
                total_amount=order.total_amount,
            )
        was_delivered = order.state == State.DELIVERED
        refund = _reverse_sale(order, amount, wish, actor)
        _mark_refunding(order, amount)
        if wish.refund_to == RefundTo.WALLET:
            _pay_to_wallet(order, refund)
            _finish(order, refund)
        elif wish.refund_to == RefundTo.HAND:
            _pay_by_hand(order, refund)
            _finish(order, refund)
        else:
            _ask_source(order, refund)
        _tell_asked(order, refund)
        if order.state == State.REFUNDING and not was_delivered:
            return_counted(order_id=order.id)
        if actor.kind == "user":
            record(
                "order.refunded",
                actor=actor,
                site_id=order.site_id,
                subject=("order", order.order_no),
                detail={"amount": amount, "to": wish.refund_to.name, "reason": wish.reason[:200]},
            )
    return refund


def _tell_asked(order: Order, refund: OrderRefund) -> None:
    publish(
        OrderRefundAsked(
            site_id=order.site_id,
            subject_id=order.id,
            refund_id=refund.id,
            refund_no=refund.refund_no,
            is_to_source=refund.refund_to == RefundTo.SOURCE,
        )
    )


def _check_route(order: Order, refund_to: RefundTo) -> None:
    if refund_to == RefundTo.WALLET and order.customer_id is None:
        raise errors.RefundRouteMissing(why=_("游客订单没有余额账户"))
    if refund_to == RefundTo.SOURCE and order.paid_by != PaidBy.GATEWAY:
        raise errors.RefundRouteMissing(why=_("订单是用余额支付的，请退到余额"))


def _reverse_sale(order: Order, amount: int, wish: RefundWish, actor: Actor) -> OrderRefund:
    parts = refund_parts(
        sale_parts(order),
        refunded_amount=Amount(order.refunded_amount),
        refund_amount=Amount(amount),
    )
    suspense = account_id(AccountKind.ORDER_SUSPENSE, order.site_id)
    sides = (
        (account_id(AccountKind.SALES, order.main_site_id), parts.main_amount, Code.REFUND_OWN),
        (account_id(AccountKind.SITE_MARGIN, order.site_id), parts.site_amount, Code.REFUND_MARGIN),
        (_fee_account(order), parts.fee_amount, Code.REFUND_FEE),
    )
    refund: OrderRefund = OrderRefund.objects.create(
        site_id=order.site_id,
        order_id=order.id,
        refund_no=new_number(clock.now()),
        amount=amount,
        own_amount=parts.main_amount,
        margin_amount=parts.site_amount,
        fee_amount=parts.fee_amount,
        refund_to=wish.refund_to,
        state=OrderRefundState.WAITING,
        reason=wish.reason[:200],
        asked_by=actor.name[:64],
        idempotency_key=wish.idempotency_key,
    )
    post_transfers([_posting(order, side, suspense, part, code) for side, part, code in sides])
    return refund


def _fee_account(order: Order) -> int:
    gateway_id = 0
    if order.payment_id is not None:
        gateway_id = get_payment(order.payment_id).gateway_id
    return account_id(AccountKind.GATEWAY_FEES, gateway_id)


def _posting(order: Order, debit: int, credit: int, amount: int, code: Code) -> Posting:
    return Posting(
        site_id=order.site_id,
        debit=debit,
        credit=credit,
        amount=amount,
        code=code,
        reference_kind=Reference.ORDER,
        reference_id=order.id,
    )


def _mark_refunding(order: Order, amount: int) -> None:
    """Count the refund; a whole one moves the order on and takes its keys back."""
    order.refunded_amount += amount
    changes: dict[str, object] = {"refunded_amount": F("refunded_amount") + amount}
    if order.refunded_amount == order.total_amount:
        changes["state"] = State.REFUNDING
        changes["path"] = _append(State.REFUNDING)
        order.state = State.REFUNDING
        take_back(order_id=order.id, resell=order.revealed_at is None)
    Order.objects.filter(id=order.id).update(**changes)


def _append(state: State) -> Func:
    return Func(F("path"), Value(int(state)), function="array_append")


def _pay_to_wallet(order: Order, refund: OrderRefund) -> None:
    assert order.customer_id is not None  # noqa: S101 - checked by _check_route
    suspense = account_id(AccountKind.ORDER_SUSPENSE, order.site_id)
    wallet = wallet_of(order.customer_id)
    post_transfers([_posting(order, suspense, wallet, refund.amount, Code.REFUND_TO_WALLET)])


def _pay_by_hand(order: Order, refund: OrderRefund) -> None:
    """Keep the books of money that staff gave the buyer outside: no gateway could."""
    suspense = account_id(AccountKind.ORDER_SUSPENSE, order.site_id)
    outside = account_id(AccountKind.ADJUSTMENTS, order.site_id)
    post_transfers([_posting(order, suspense, outside, refund.amount, Code.REFUND_BY_HAND)])


def _change_way(refund: OrderRefund, refund_to: RefundTo) -> None:
    refund.refund_to = refund_to
    refund.save(update_fields=["refund_to"])


def _ask_source(order: Order, refund: OrderRefund) -> None:
    assert order.payment_id is not None  # noqa: S101 - checked by _check_route
    payment = get_payment(order.payment_id)
    try:
        request_refund(
            payment=payment,
            amount=refund.amount,
            reason=refund.reason,
            refund_no=refund.refund_no,
        )
    except RefundUnsupported as fault:
        raise errors.RefundRouteMissing(why=str(fault.text())) from fault


def _finish(order: Order, refund: OrderRefund) -> None:
    """The money is there: close the refund, and the order when nothing of it is on its way."""
    OrderRefund.objects.filter(id=refund.id).update(
        state=OrderRefundState.DONE, done_at=clock.now()
    )
    refund.state = OrderRefundState.DONE
    waiting = OrderRefund.objects.filter(order_id=order.id).exclude(state=OrderRefundState.DONE)
    if order.state == State.REFUNDING and not waiting.exists():
        Order.objects.filter(id=order.id, state=State.REFUNDING).update(
            state=State.REFUNDED, path=_append(State.REFUNDED), closed_at=clock.now()
        )
    publish(
        OrderRefunded(
            site_id=order.site_id,
            subject_id=order.id,
            customer_id=order.customer_id,
            refund_id=refund.id,
            amount=refund.amount,
        )
    )


def finish_source_refund(*, refund_no: str) -> None:
    """The gateway gave the money back: call in the transaction that recorded it."""
    refund = OrderRefund.objects.filter(refund_no=refund_no).first()
    if refund is None or refund.state == OrderRefundState.DONE:
        return  # money of a second payment, which no refund of the order stands for
    _finish(lock_order(refund.order_id), refund)


def refuse_source_refund(*, refund_no: str, reason: str) -> bool:
    """The gateway refused: the refund waits for a person; the sale stays reversed.

    False when no refund of an order stands for it: then it was money of another payment.
    """
    refund = OrderRefund.objects.filter(refund_no=refund_no).first()
    if refund is None:
        return False
    order = lock_order(refund.order_id)
    OrderRefund.objects.filter(id=refund.id).update(state=OrderRefundState.REFUSED)
    Note.objects.create(
        site_id=order.site_id,
        order_id=order.id,
        kind="refund_refused",
        text=reason[:400],
        actor_name="system",
    )
    return True


def settle_refused_refund(*, refund_id: int, way: str, reason: str, actor: Actor) -> OrderRefund:
    """Decide a refund that the gateway refused: `again`, to the `wallet`, or paid by `hand`.

    Raises `NotAllowedNow` when it is not refused (any more). Audited.
    """
    with transaction.atomic():
        refund: OrderRefund | None = OrderRefund.objects.filter(id=refund_id).first()
        if refund is None:
            raise errors.OrderNotFound
        order = lock_order(refund.order_id)
        refund.refresh_from_db()
        if refund.state != OrderRefundState.REFUSED:
            raise errors.NotAllowedNow(state=OrderRefundState(refund.state).label)
        if way == "again":
            refund.refund_no = new_number(clock.now())
            refund.state = OrderRefundState.WAITING
            refund.save(update_fields=["refund_no", "state"])
            _ask_source(order, refund)
        elif way == "wallet":
            _check_route(order, RefundTo.WALLET)
            _change_way(refund, RefundTo.WALLET)
            _pay_to_wallet(order, refund)
            _finish(order, refund)
        else:
            _change_way(refund, RefundTo.HAND)
            _pay_by_hand(order, refund)
            _finish(order, refund)
        Note.objects.create(
            site_id=order.site_id,
            order_id=order.id,
            kind=f"refund_{way}",
            text=reason[:400],
            actor_name=actor.name[:64],
        )
        record(
            "order.refund_settled",
            actor=actor,
            site_id=order.site_id,
            subject=("order", order.order_no),
            detail={"way": way, "reason": reason[:200]},
        )
    return refund
