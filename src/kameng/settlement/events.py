"""Facts that this app publishes, all from Python."""

from dataclasses import dataclass
from typing import ClassVar

from kameng.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalPaid(Event):
    """A withdrawal was paid out. `subject_id` is the withdrawal."""

    KIND: ClassVar[str] = "settlement.withdrawal_paid"
    amount: int
    payout_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalReturned(Event):
    """A withdrawal that was paid came back: the money is a claim again."""

    KIND: ClassVar[str] = "settlement.withdrawal_returned"
    amount: int
    payout_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalReleased(Event):
    """A withdrawal was refused, failed or taken back: the money is a claim again."""

    KIND: ClassVar[str] = "settlement.withdrawal_released"
    amount: int
    state: int
