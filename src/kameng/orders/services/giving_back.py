"""Money that paid for nothing goes back: to its source, else to the wallet, else staff decide.

A shop that closed for good has no wallets any more: there staff decide at once.
"""

from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, wallet_of
from kameng.ledger.services import Posting, post_transfers
from kameng.orders.models import Note, Order
from kameng.payments.errors import RefundUnsupported
from kameng.payments.models import Payment
from kameng.payments.services.refunding import leave_to_staff, mark_returned, request_refund
from kameng.tenancy.closing import are_books_closed


def give_back(*, order: Order, payment: Payment, why: str, reason: str) -> None:
    """Give back whole what a payment of an order brought; call in the transaction that knows why.

    `why` is the kind of the note that the order gets, `reason` what the gateway is told. Raises
    `PaymentDisputed`, `RefundTooMuch`.
    """
    add_note(order, kind=why, text=payment.payment_no)
    amount = payment.received_amount or payment.amount
    try:
        request_refund(payment=payment, amount=amount, reason=reason)
    except RefundUnsupported:
        if order.customer_id is None or are_books_closed(order.site_id):
            leave_second(order, payment=payment)
            return
        post_transfers(
            [
                Posting(
                    site_id=order.site_id,
                    debit=account_id(AccountKind.ORDER_SUSPENSE, order.site_id),
                    credit=wallet_of(order.customer_id),
                    amount=amount,
                    code=Code.REFUND_TO_WALLET,
                    reference_kind=Reference.ORDER,
                    reference_id=order.id,
                )
            ]
        )
        mark_returned(payment_id=payment.id, amount=amount)


def leave_second(order: Order, *, payment: Payment) -> None:
    """A payment that paid for nothing does not go back by itself: staff decide, once."""
    if leave_to_staff(payment_id=payment.id):
        add_note(order, kind="paid_twice_unrefundable", text=payment.payment_no)


def add_note(order: Order, *, kind: str, text: str = "") -> None:
    """Add a line to the time line of an order, in the name of the system."""
    Note.objects.create(
        site_id=order.site_id, order_id=order.id, kind=kind, text=text, actor_name="system"
    )
