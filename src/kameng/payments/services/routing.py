"""Leading a buyer to a merchant account that takes the payment, behind the way that was chosen.

An account that rests, is full or refuses clearly gives its place to another of the same way. One
whose answer was lost is asked first; while nobody can tell, no other account of the way is told.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kameng.payments import errors
from kameng.payments.choosing import Asked, PayChoice, find_other_account
from kameng.payments.models import Payment
from kameng.payments.providers.port import PayInstruction
from kameng.payments.services.paying import Payer, instruct_buyer
from kameng.tenancy.selectors import SiteView

ACCOUNT_TRIES = 3  # accounts that one press of a buyer may wait for


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Where the buyer pays, and the attempt that this is."""

    payment: Payment
    instruction: PayInstruction


def lead_to_account(
    *,
    payment: Payment,
    view: SiteView,
    subject: str,
    payer: Payer,
    reopen: Callable[[PayChoice], Payment],
) -> Opened:
    """Return where the buyer pays: at the account of the attempt, else at another of its way.

    `reopen` opens an attempt at another account, under the lock of what is paid. Calls out: never
    inside a transaction. Raises as `instruct_buyer`; `GatewayNotUsable` when no account is left.
    """
    tried: set[int] = set()
    while True:
        try:
            instruction = instruct_buyer(payment=payment, subject=subject, payer=payer)
        except errors.AccountUnable:
            tried.add(payment.gateway_id)
            other = find_other_account(
                view,
                gateway_id=payment.gateway_id,
                asked=Asked(
                    amount=payment.amount,
                    device=payer.device,
                    seed=payment.payment_no,
                    without=tried,
                ),
            )
            if other is None or len(tried) >= ACCOUNT_TRIES:
                raise
            payment = reopen(other)
        else:
            return Opened(payment=payment, instruction=instruction)
