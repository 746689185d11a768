"""Reactions of payments: to what a second person approved, and to what became of its own refunds.

Reached through `config.wiring` only.
"""

from collections.abc import Callable

from kameng.accounts.events import ApprovalGiven
from kameng.accounts.models import Approval
from kameng.accounts.selectors import get_approval
from kameng.payments.events import GatewayRefundDone, GatewayRefundRefused
from kameng.payments.models import Purpose
from kameng.payments.selectors import get_refunded_payment
from kameng.payments.services.accepting import carry_out_surplus_by_hand, carry_out_waiver
from kameng.payments.services.adjusting import carry_out_adjustment
from kameng.payments.services.deciding import carry_out_by_hand
from kameng.payments.services.disputing import carry_out_write_off
from kameng.payments.services.refunding import leave_to_staff
from kameng.payments.services.returning import (
    carry_out_return_by_hand,
    finish_return,
    refuse_return,
)
from kameng.payments.services.second_person import (
    ADJUST,
    CONFIRM,
    RETURN_BY_HAND,
    SURPLUS_BY_HAND,
    TOP_UP_BY_HAND,
    WAIVE,
    WRITE_OFF,
)
from kameng.payments.services.vouching import carry_out_voucher

ACTS: dict[str, Callable[[Approval], object]] = {
    CONFIRM: carry_out_voucher,
    TOP_UP_BY_HAND: carry_out_return_by_hand,
    WRITE_OFF: carry_out_write_off,
    WAIVE: carry_out_waiver,
    SURPLUS_BY_HAND: carry_out_surplus_by_hand,
    RETURN_BY_HAND: carry_out_by_hand,
    ADJUST: carry_out_adjustment,
}


def carry_out(event: ApprovalGiven) -> None:
    """Same transaction: do what a second person approved, exactly as it was wished."""
    act = ACTS.get(event.kind)
    if act is not None:
        act(get_approval(event.subject_id))


def finish_top_up_return(event: GatewayRefundDone) -> None:
    """Same transaction: a returned top-up has arrived at its source."""
    if event.purpose == Purpose.TOP_UP:
        finish_return(return_no=event.refund_no)


def refuse_top_up_return(event: GatewayRefundRefused) -> None:
    """Same transaction: the gateway refused a returned top-up, or one that no wallet could hold."""
    if event.purpose != Purpose.TOP_UP:
        return
    if not refuse_return(return_no=event.refund_no, reason=event.reason):
        leave_to_staff(payment_id=get_refunded_payment(event.subject_id).id)
