"""A gateway with a memory: it pays out and splits as the port promises, and fails as told.

The real ones are tried against the simulator; here a test must know what the gateway did, how
often it was asked, and have it answer late, wrongly or not at all.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kameng.payments.providers.abilities import (
    PayoutRequest,
    Receiver,
    SplitRequest,
    SplitReturnRequest,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain

DONE, REFUSED = TransferStatus.DONE, TransferStatus.REFUSED


@dataclass(kw_only=True)
class Bank:
    """What the gateway did, by our numbers, and the trouble that it makes."""

    moved: dict[str, int] = field(default_factory=dict)  # number → amount, each number once
    refused: dict[str, str] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)  # went out, and came back later
    asked: Counter[str] = field(default_factory=Counter)
    receivers: set[tuple[str, str]] = field(default_factory=set)
    finished: list[str] = field(default_factory=list)
    flagged: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)  # next answers: lost, late, refuse, turned
    on_call: Callable[[], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def do(self, number: str, amount: int) -> TransferOutcome:
        """Move money under a number, once; or make the trouble that is next."""
        if self.on_call is not None:
            self.on_call()
        with self.lock:
            self.asked[number] += 1
            trouble = self.trouble.pop(0) if self.trouble else ""
            if trouble == "turned":
                raise ProviderRefused("turned_away", "no such receiver")
            if trouble == "lost":
                raise ProviderUncertain("timeout")
            if trouble == "refuse" and number not in self.moved:
                self.refused[number] = "not enough"
            if number in self.refused:
                return TransferOutcome(status=REFUSED, reason=self.refused[number])
            self.moved.setdefault(number, amount)
            if trouble == "late":
                raise ProviderUncertain("timeout")
            return TransferOutcome(status=DONE, external_no=f"X{number}")

    def tell(self, number: str) -> TransferOutcome:
        """Say what became of a number."""
        with self.lock:
            self.asked[f"?{number}"] += 1
            if number in self.returned:
                return TransferOutcome(status=TransferStatus.RETURNED, reason="收款方退回")
            if number in self.moved:
                return TransferOutcome(status=DONE, external_no=f"X{number}")
            if number in self.refused:
                return TransferOutcome(status=REFUSED, reason=self.refused[number])
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason="not_found")


BANK = Bank()


def fresh_bank() -> Bank:
    """Forget everything."""
    BANK.__init__()  # type: ignore[misc]
    return BANK


class SplittingEpay(EpayProvider):
    """The gateway of the races' shop, with a memory for splits and payouts."""

    receiver_kinds = (("merchant", "商户"), ("person", "个人"))
    supports_partial_refund = True
    max_split_bps = 3000
    payout_account_kinds = (("alipay", "支付宝"),)
    may_come_back = True

    def can_pay_out(self, config: Any) -> bool:
        """Every account here can."""
        return True

    def create(self, config: Any, request: Any) -> Any:
        """Remember which payments were flagged."""
        if request.will_split:
            BANK.flagged.append(request.payment_no)
        return super().create(config, request)

    def add_receiver(self, config: Any, receiver: Receiver) -> None:
        """Know a receiver."""
        trouble = BANK.trouble.pop(0) if BANK.trouble else ""
        if trouble == "lost":
            raise ProviderUncertain("timeout")
        if trouble == "turned":
            raise ProviderRefused("name_mismatch", "姓名不符")
        BANK.receivers.add((receiver.account_kind, receiver.account))

    def remove_receiver(self, config: Any, receiver: Receiver) -> None:
        """Forget a receiver."""
        BANK.receivers.discard((receiver.account_kind, receiver.account))

    def split(self, config: Any, request: SplitRequest) -> TransferOutcome:
        """Hand a share over."""
        assert (request.receiver.account_kind, request.receiver.account) in BANK.receivers
        return BANK.do(request.split_no, request.amount)

    def query_split(self, config: Any, request: SplitRequest) -> TransferOutcome:
        """Say what became of it."""
        return BANK.tell(request.split_no)

    def finish_split(self, config: Any, request: SplitRequest) -> TransferOutcome:
        """Free a payment."""
        outcome = BANK.do(request.split_no, 0)
        BANK.finished.append(request.payment_no)
        return outcome

    def return_split(self, config: Any, request: SplitReturnRequest) -> TransferOutcome:
        """Take a share back."""
        assert BANK.moved.get(request.split_no, 0) >= request.amount
        return BANK.do(request.return_no, request.amount)

    def query_split_return(self, config: Any, request: SplitReturnRequest) -> TransferOutcome:
        """Say what became of it."""
        return BANK.tell(request.return_no)

    def pay_out(self, config: Any, request: PayoutRequest) -> TransferOutcome:
        """Pay a person."""
        return BANK.do(request.payout_no, request.amount)

    def query_payout(self, config: Any, request: PayoutRequest) -> TransferOutcome:
        """Say what became of it."""
        return BANK.tell(request.payout_no)
