"""Money back for an order, whole or part: exactly the parts of the sale, each side its own.

The sale is reversed at once (so nobody spends what is going back); the money reaches the wallet in
the same transaction, or the source when its gateway says so. Of an order that wallet and gateway
paid together, a refund to the source goes there first, up to what came from it, and what is more
goes to the wallet. A surcharge goes back beside it, in proportion, the same way (ADR 0020). Of an
order that two payments paid together it goes to the second, then to the first: each part is a
refund of its own.
"""

from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import F, Func, Value
from django.utils.translation import gettext_lazy as _

from kameng.catalog.models import DeliveryKind
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.ids import new_number
from kameng.inventory.claims import release_held, return_counted, take_back
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
from kameng.orders.services.opening import take_time_back
from kameng.orders.services.paying import lock_order
from kameng.payments.errors import RefundUnsupported
from kameng.payments.selectors import get_payment
from kameng.payments.services.refunding import admit_order_refund, request_refund
from kameng.pricing.margins import (
    SaleParts,
    prepaid_share,
    refund_parts,
    share_of_refund,
    split_sale,
    surcharge_back,
)
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.models import SettlementWay


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
        upline_amount=Amount(order.upline_amount or 0),
        fee_amount=Amount(order.fee_amount),
    )


def refund_order(*, order_id: int, wish: RefundWish, actor: Actor) -> OrderRefund:
    """Refund a paid order of the site in force, whole or part.

    The same key gives the first refund again. Keys of a whole refund that the buyer never saw go
    back on the shelf, others are void; counted stock goes back when nothing was delivered. Locks
    the order, the payment, wallets, then counted stock. Publishes `OrderRefundAsked`, and
    `OrderRefunded` when the money is there. Raises `RefundTooLarge`, `RefundRouteMissing`,
    `NotAllowedNow`, `KeyReused`, and `RefundWholeOnly` for a part of an order that still waits for
    the prepaid balance.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        known: OrderRefund | None = OrderRefund.objects.filter(
            order_id=order.id, idempotency_key=wish.idempotency_key
        ).first()
        if known is not None:
            if wish.amount is not None and wish.amount != _asked_with(known):
                raise errors.KeyReused
            return known
        if order.state not in {State.AWAITING_DELIVERY, State.DELIVERED}:
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        amount = _amount_of(order, wish)
        _check_route(order, wish.refund_to)
        if order.payment_id is not None:
            admit_order_refund(
                payment_ids=[each for each in (order.payment_id, order.first_payment_id) if each],
                amount=amount,
                refunded_amount=order.refunded_amount,
                total_amount=order.total_amount,
            )
        was_delivered = order.state == State.DELIVERED
        parts = _divide(order, amount, wish.refund_to)
        made = [_refund_part(order, part, wish, actor) for part in parts]
        if order.state == State.REFUNDING and not was_delivered:
            release_held(order_id=order.id)
            return_counted(order_id=order.id)
        if actor.kind == "user":
            record(
                "order.refunded",
                actor=actor,
                site_id=order.site_id,
                subject=("order", order.order_no),
                detail={"amount": amount, "to": wish.refund_to.name, "reason": wish.reason[:200]},
            )
    return made[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What of a refund goes back by one payment: that of the order, or the first one (its id)."""

    amount: int
    first_payment_id: int | None = None
    number: int = 0

    def key(self, wish: RefundWish) -> str:
        return wish.idempotency_key if not self.number else _second_key(wish.idempotency_key)


def _second_key(key: str) -> str:
    return f"{key[:61]}#2"


def _asked_with(known: OrderRefund) -> int:
    """Return what was asked for with the key of a refund: its second part has a key beside it."""
    second = OrderRefund.objects.filter(
        order_id=known.order_id,
        idempotency_key=_second_key(known.idempotency_key),
        payment_id__isnull=False,
    ).first()
    return int(known.amount + (second.amount if second is not None else 0))


def _divide(order: Order, amount: int, refund_to: RefundTo) -> list[_Part]:
    """Divide a refund to the source among the payments that paid the order together."""
    if order.first_payment_id is None or refund_to != RefundTo.SOURCE:
        return [_Part(amount=amount)]
    room = order.total_amount - order.wallet_amount - order.first_amount - _sent_by(order, None)
    by_last = min(amount, max(room, 0))
    by_first = amount - by_last
    first = _Part(
        amount=by_first, first_payment_id=order.first_payment_id, number=1 if by_last else 0
    )
    last = [_Part(amount=by_last)] if by_last else []
    return [*last, *([first] if by_first else [])]


def _refund_part(order: Order, part: _Part, wish: RefundWish, actor: Actor) -> OrderRefund:
    refund = _write_refund(order, part, wish, actor)
    _move_money(order, refund)
    _mark_refunding(order, part.amount)
    if refund.refund_to == RefundTo.SOURCE:
        _ask_source(order, refund)
    else:
        _finish(order, refund)
    _tell_asked(order, refund)
    return refund


def _amount_of(order: Order, wish: RefundWish) -> int:
    left = order.total_amount - order.refunded_amount
    amount = left if wish.amount is None else wish.amount
    if not 0 < amount <= left or amount % 100:
        raise errors.RefundTooLarge(left=format_yuan(Amount(left)))
    if order.awaits_prepaid and amount != order.total_amount:
        raise errors.RefundWholeOnly
    return amount


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


def given_back(order: Order, *, refunded_amount: int) -> SaleParts:
    """Return what each side of a sale has given back once so much of the order is refunded."""
    if order.settlement_way == SettlementWay.PREPAID:
        return prepaid_share(
            total_amount=order.total_amount,
            wholesale_amount=0 if order.awaits_prepaid else order.wholesale_amount,
            fee_amount=order.fee_amount,
            refunded_amount=refunded_amount,
        )
    parts = sale_parts(order)
    if not refunded_amount:
        return SaleParts(main_amount=Amount(0), site_amount=Amount(0), fee_amount=Amount(0))
    return refund_parts(parts, refunded_amount=Amount(0), refund_amount=Amount(refunded_amount))


def _write_refund(order: Order, part: _Part, wish: RefundWish, actor: Actor) -> OrderRefund:
    """Write down what a refund takes from each side, and which part of it goes which way."""
    amount = part.amount
    after = order.refunded_amount + amount
    new, old = (given_back(order, refunded_amount=sum_) for sum_ in (after, order.refunded_amount))
    surcharge = _surcharge_back(order, after) - _surcharge_back(order, order.refunded_amount)
    to_wallet = _wallet_share(order, part, surcharge, wish.refund_to)
    is_by_source = wish.refund_to == RefundTo.SOURCE and amount + surcharge > to_wallet
    refund: OrderRefund = OrderRefund.objects.create(
        site_id=order.site_id,
        order_id=order.id,
        refund_no=new_number(clock.now()),
        amount=amount,
        own_amount=new.main_amount - old.main_amount,
        margin_amount=new.site_amount - old.site_amount,
        upline_site_id=order.upline_site_id,
        upline_amount=(
            None if order.upline_site_id is None else new.upline_amount - old.upline_amount
        ),
        fee_amount=new.fee_amount - old.fee_amount,
        surcharge_amount=surcharge,
        wallet_amount=to_wallet,
        refund_to=(wish.refund_to if amount + surcharge > to_wallet else RefundTo.WALLET),
        payment_id=part.first_payment_id if is_by_source else None,
        state=OrderRefundState.WAITING,
        reason=wish.reason[:200],
        asked_by=actor.name[:64],
        idempotency_key=part.key(wish),
    )
    return refund


def _surcharge_back(order: Order, refunded_amount: int) -> int:
    return surcharge_back(
        order.surcharge_amount,
        refunded_amount=refunded_amount,
        total_amount=order.total_amount,
    )


def _wallet_share(order: Order, part: _Part, surcharge: int, refund_to: RefundTo) -> int:
    """Return what of a refund goes to the wallet: of one to the source, what did not come by it."""
    if refund_to == RefundTo.WALLET:
        return part.amount + surcharge
    if refund_to == RefundTo.HAND or not order.wallet_amount:
        return 0
    if part.first_payment_id is not None:
        came = order.first_amount
    else:
        came = order.total_amount - order.wallet_amount - order.first_amount
    left = came - _sent_by(order, part.first_payment_id)
    return int(part.amount - min(part.amount, left))


def _sent_by(order: Order, first_payment_id: int | None) -> int:
    """Return what of the goods' price went back by the order's payment, or by the first one."""
    rows = OrderRefund.objects.filter(
        order_id=order.id, refund_to=RefundTo.SOURCE, payment_id=first_payment_id
    )
    if first_payment_id is None:
        rows = OrderRefund.objects.filter(
            order_id=order.id, refund_to=RefundTo.SOURCE, payment_id__isnull=True
        )
    return sum(row.rest_amount - row.surcharge_amount for row in rows)


def _move_money(order: Order, refund: OrderRefund) -> None:
    """Take back each side's part, and pay out what goes to the wallet or by hand, in one posting:
    so the wallet and the prepaid balance among them are locked ascending."""
    before = order.refunded_amount
    suspense = account_id(AccountKind.ORDER_SUSPENSE, order.site_id)
    sales = account_id(AccountKind.SALES, order.main_site_id)
    fees = _fee_account(order.payment_id)
    by_fee = _surcharge_fee_back(order, before + refund.amount) - _surcharge_fee_back(order, before)
    prepaid = order.settlement_way == SettlementWay.PREPAID
    taker = account_id(AccountKind.SITE_TAKINGS, order.site_id) if prepaid else sales
    by_first = _first_fee_back(order, before + refund.amount) - _first_fee_back(order, before)
    first_fees = _fee_account(order.first_payment_id)
    moves = [
        (fees, suspense, refund.fee_amount - by_first, Code.REFUND_FEE),
        (first_fees, suspense, by_first, Code.REFUND_FEE),
    ]
    if prepaid:
        balance = account_id(AccountKind.PREPAID, order.site_id)
        takings = refund.own_amount + refund.margin_amount
        moves.append((taker, suspense, takings, Code.REFUND_TAKINGS))
        moves.append((sales, balance, refund.own_amount, Code.REFUND_WHOLESALE))
    else:
        margin = account_id(AccountKind.SITE_MARGIN, order.site_id)
        if order.upline_site_id is None:
            moves.append((sales, suspense, refund.own_amount, Code.REFUND_OWN))
        else:
            upline = account_id(AccountKind.SITE_MARGIN, order.upline_site_id)
            above = refund.own_amount + (refund.upline_amount or 0)
            moves.append((upline, suspense, above, Code.REFUND_UPLINE))
        moves.append((margin, suspense, refund.margin_amount, Code.REFUND_MARGIN))
    by_taker = refund.surcharge_amount - by_fee
    moves.append((fees, suspense, by_fee, Code.REFUND_SURCHARGE))
    moves.append((taker, suspense, by_taker, Code.REFUND_SURCHARGE))
    moves.extend(_payouts(order, refund))
    post_transfers([*(_posting(order, *move) for move in moves), *_passed_back(order, refund)])


def _passed_back(order: Order, refund: OrderRefund) -> list[Posting]:
    """Return what the main site gives back to the upline of a child: a leg of the upline's own."""
    if order.upline_site_id is None:
        return []
    sales = account_id(AccountKind.SALES, order.main_site_id)
    upline = account_id(AccountKind.SITE_MARGIN, order.upline_site_id)
    leg = _posting(order, sales, upline, refund.own_amount, Code.REFUND_PASSED_ON)
    return [replace(leg, site_id=order.upline_site_id)]


def _surcharge_fee_back(order: Order, refunded_amount: int) -> int:
    """Return how much of its part of the surcharge the gateway has given back by then."""
    parts = (order.surcharge_fee_amount, order.surcharge_amount - order.surcharge_fee_amount)
    back = _surcharge_back(order, refunded_amount)
    return share_of_refund([Amount(part) for part in parts], refunded_amount=Amount(back))[0]


def _payouts(order: Order, refund: OrderRefund) -> list[tuple[int, int, int, Code]]:
    """Return what reaches the buyer at once: to the wallet, and by hand where that was chosen."""
    suspense = account_id(AccountKind.ORDER_SUSPENSE, order.site_id)
    moves = []
    if refund.wallet_amount:
        assert order.customer_id is not None  # noqa: S101 - checked by _check_route
        wallet = wallet_of(order.customer_id)
        moves.append((suspense, wallet, refund.wallet_amount, Code.REFUND_TO_WALLET))
    if refund.refund_to == RefundTo.HAND:
        outside = account_id(AccountKind.ADJUSTMENTS, order.site_id)
        moves.append((suspense, outside, refund.rest_amount, Code.REFUND_BY_HAND))
    return moves


def _first_fee_back(order: Order, refunded_amount: int) -> int:
    """Return how much of all fees given back by then is that of the first payment's gateway."""
    if not order.first_fee_amount:
        return 0
    back = given_back(order, refunded_amount=refunded_amount).fee_amount
    return int(order.first_fee_amount * back // order.fee_amount)


def _fee_account(payment_id: int | None) -> int:
    gateway_id = get_payment(payment_id).gateway_id if payment_id is not None else 0
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
        if order.delivery_kind == DeliveryKind.SITE_PLAN:
            take_time_back(order)
    Order.objects.filter(id=order.id).update(**changes)


def _append(state: State) -> Func:
    return Func(F("path"), Value(int(state)), function="array_append")


def _pay_otherwise(order: Order, refund: OrderRefund, refund_to: RefundTo) -> None:
    """Give what the gateway refused to the wallet, or keep the books of what staff paid by hand."""
    rest, suspense = refund.rest_amount, account_id(AccountKind.ORDER_SUSPENSE, order.site_id)
    refund.refund_to = refund_to
    if refund_to == RefundTo.WALLET:
        assert order.customer_id is not None  # noqa: S101 - checked by _check_route
        refund.wallet_amount = refund.whole_amount
        target, code = wallet_of(order.customer_id), Code.REFUND_TO_WALLET
    else:
        outside = account_id(AccountKind.ADJUSTMENTS, order.site_id)
        target, code = outside, Code.REFUND_BY_HAND
    refund.save(update_fields=["refund_to", "wallet_amount"])
    post_transfers([_posting(order, suspense, target, rest, code)])


def _ask_source(order: Order, refund: OrderRefund) -> None:
    payment_id = refund.payment_id or order.payment_id
    assert payment_id is not None  # noqa: S101 - checked by _check_route
    payment = get_payment(payment_id)
    try:
        request_refund(
            payment=payment,
            amount=refund.rest_amount,
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
            amount=refund.whole_amount,
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
            _pay_otherwise(order, refund, RefundTo.WALLET)
            _finish(order, refund)
        else:
            _pay_otherwise(order, refund, RefundTo.HAND)
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
