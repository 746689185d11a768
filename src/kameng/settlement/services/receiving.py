"""Payouts that end only when their receiver confirms them in the gateway's app (商家转账).

What the app needs comes with the first answer and is a secret: kept encrypted, forgotten at the
end. Who has the payout's link may use it; only the gateway's answer says that it was confirmed.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kameng.core import clock
from kameng.payments.providers.abilities import (
    NOT_CONFIRMED,
    WAITS_FOR_RECEIVER,
    PayoutRequest,
    ReceiverConfirmed,
    TransferOutcome,
)
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.services.holding import OpenGateway, open_gateways
from kameng.risk.services import admit_link_try
from kameng.settlement import errors
from kameng.settlement.links import opens, payout_token
from kameng.settlement.models import Withdrawal
from kameng.settlement.rules import (
    CONFIRM_HOURS,
    LOOKED_AFTER_HOURS,
    LOOKED_AT_SECONDS,
    Receipt,
    State,
    find_receipt,
    next_attempt_at,
    next_confirm_at,
)
from kameng.settlement.sealing import mask_payee, open_confirmation, seal_confirmation

MOVING: Final = frozenset({Receipt.PREPARING, Receipt.OPEN, Receipt.CLOSING})
NUMBER: Final = re.compile(r"[0-9]{6,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """A payout as its receiver sees it: nobody's name or account whole."""

    withdrawal: Withdrawal
    receipt: Receipt
    until: dt.datetime
    token: str

    @property
    def is_open(self) -> bool:
        """Tell whether it can be confirmed now."""
        return self.receipt == Receipt.OPEN

    @property
    def is_waiting(self) -> bool:
        """Tell whether its receiver can confirm it, now or as soon as it is prepared."""
        return self.receipt in {Receipt.PREPARING, Receipt.OPEN}

    @property
    def is_moving(self) -> bool:
        """Tell whether its end is still to come."""
        return self.receipt in MOVING

    @property
    def is_over(self) -> bool:
        """Tell whether nothing of it is told any more."""
        return self.receipt == Receipt.OVER

    @property
    def payee(self) -> str:
        """Return the receiver's name, masked."""
        return mask_payee(self.withdrawal.account)

    def __repr__(self) -> str:
        return f"Receiving(withdrawal_no={self.withdrawal.withdrawal_no}, {self.receipt})"


def open_receiving(*, withdrawal_no: str, token: str, ip: str) -> Receiving:
    """Return the payout of the site in force that a token opens.

    Raises `PayoutLinkInvalid`, the same for a wrong token, an unknown number and a payout that
    never waited for its receiver; `TooManyAttempts` when an address tried too many of them. A right
    token opens always: a receiver behind a busy address is not kept from their money.
    """
    found: Withdrawal | None = None
    if NUMBER.fullmatch(withdrawal_no):
        rows = Withdrawal.objects.filter(withdrawal_no=withdrawal_no)
        found = rows.select_related("account").first()
    if found is not None and opens(token, site_id=found.site_id, payout_no=found.payout_no):
        receiving = read_receiving(found)
        if receiving is not None:
            return receiving
    admit_link_try(ip=ip)
    raise errors.PayoutLinkInvalid


def read_receiving(found: Withdrawal) -> Receiving | None:
    """Return a withdrawal as its receiver sees it; None when it never waited for them."""
    if found.confirm_until is None:
        return None
    receipt = find_receipt(
        found,
        until=found.confirm_until,
        is_ready=found.confirm_cipher is not None,
        now=clock.now(),
        expired=NOT_CONFIRMED,
    )
    token = payout_token(found.site_id, found.payout_no)
    return Receiving(withdrawal=found, receipt=receipt, until=found.confirm_until, token=token)


def bridge_fields(receiving: Receiving) -> Mapping[str, str]:
    """Return what the app's bridge takes; empty unless the payout can be confirmed now. Secret."""
    found = receiving.withdrawal
    if not receiving.is_open or found.gateway_id is None:
        return {}
    gateway = open_gateways([found.gateway_id])[found.gateway_id]
    if not isinstance(gateway.provider, ReceiverConfirmed):
        return {}
    return gateway.provider.confirm_fields(gateway.config, open_confirmation(found))


def hasten_answer(receiving: Receiving) -> None:
    """Let the worker ask soon what became of a payout: somebody looks at it.

    Cuts the wait of a worker that is asking just now short, too: then the gateway is asked twice,
    which moves no money.
    """
    now, found = clock.now(), receiving.withdrawal
    if now < receiving.until + dt.timedelta(hours=LOOKED_AFTER_HOURS):
        soon = now + dt.timedelta(seconds=LOOKED_AT_SECONDS)
        waiting = Withdrawal.objects.filter(id=found.id, state=State.SENDING)
        waiting.filter(next_attempt_at__gt=soon).update(next_attempt_at=soon)


def put_off(found: Withdrawal, *, outcome: TransferOutcome) -> dict[str, object]:
    """Return what to note about a payout without an end: when to ask again, and its secret."""
    now = clock.now()
    changes: dict[str, object] = {
        "next_attempt_at": next_attempt_at(now, asked_count=found.asked_count),
        "reason": outcome.reason[:200],
    }
    if outcome.reason == WAITS_FOR_RECEIVER and found.confirm_until is None:
        changes["confirm_until"] = now + dt.timedelta(hours=CONFIRM_HOURS)
    if found.confirm_until is not None or "confirm_until" in changes:
        changes["next_attempt_at"] = next_confirm_at(now, asked_count=found.asked_count)
    if outcome.confirmation:
        changes["confirm_cipher"] = seal_confirmation(found, outcome.confirmation)
    return changes


def complete_answer(
    found: Withdrawal, *, gateway: OpenGateway, request: PayoutRequest, known: TransferOutcome
) -> TransferOutcome:
    """Return an answer to a query with what only the first answer holds, if that was lost.

    Asks under the same number again, which moves no money. Whatever else comes of that, the query
    was answered: a refusal here is none of the payout. Calls out.
    """
    is_whole = known.reason != WAITS_FOR_RECEIVER or bool(known.confirmation)
    if is_whole or found.confirm_cipher is not None:
        return known
    try:
        said: TransferOutcome = gateway.provider.pay_out(gateway.config, request)
    except (ProviderRefused, ProviderUncertain):
        return known
    return said if said.confirmation else known
