"""What can happen at the cashier: the buyer pays, or does not, or the gateway misbehaves.

Owns the modes that the pay page's buttons and the control API share.
"""

import time
from collections.abc import Mapping
from typing import Protocol

from kameng_simulator.signing import make_digits
from kameng_simulator.store import Payment, Store

MODES: Mapping[str, str] = {
    "success": "支付成功",
    "fail": "支付失败",
    "repeat": "重复通知",
    "twice": "付两次",
    "late": "延迟支付",
    "short": "少付",
    "over": "多付",
    "lost": "通知丢失",
    "forged": "伪造通知",
}
REPEAT_COUNT = 5
LATE_SECONDS = 5
OVER_FEN = 100
TAIL_DIGITS = 8  # so much of a trade number is drawn by lot


class Gateway(Protocol):
    """What the cashier needs of a gateway."""

    def build_notice(self, payment: Payment, *, forged: bool = False) -> dict[str, str]:
        """Return the signed fields of a callback."""
        ...

    def build_return(self, payment: Payment) -> str:
        """Return where the browser goes after paying."""
        ...


class Cashier:
    """Takes payments in every mode."""

    def __init__(self, store: Store, *, gateways: Mapping[str, Gateway], speed: float) -> None:
        self._store = store
        self._gateways = gateways
        self._speed = speed

    def act(self, payment: Payment, mode: str, *, delay_seconds: float | None = None) -> Payment:
        """Do what the mode says and return the payment; raise ValueError for an unknown mode."""
        if mode not in MODES:
            raise ValueError(mode)
        self._store.mark_opened(payment.id)
        self._store.set_remark(payment.id, MODES[mode])
        if mode == "late":
            self._plan(payment, delay_seconds)
        elif mode == "forged":
            fields = self._gateways[payment.gateway].build_notice(payment, forged=True)
            self._store.add_notice(payment.id, kind="伪造", fields=fields)
        elif mode != "fail":
            self._take(payment, mode)
        return self._store.find_trade(payment.trade_no) or payment

    def take_late(self, payment: Payment) -> None:
        """Take a payment that was planned for later."""
        self._take(payment, "late")

    def address_after(self, payment: Payment) -> str:
        """Return where the browser goes after a paid payment, or an empty text."""
        if payment.state != "paid" or not payment.return_url:
            return ""
        return self._gateways[payment.gateway].build_return(payment)

    def _plan(self, payment: Payment, delay_seconds: float | None) -> None:
        if delay_seconds is None:
            left = max(0.0, payment.expires_at - time.time()) if payment.state == "wait" else 0.0
            delay_seconds = (left + LATE_SECONDS) / self._speed
        self._store.plan_payment(payment.id, pay_at=time.time() + delay_seconds)

    def _take(self, payment: Payment, mode: str) -> None:
        paid_fen = payment.amount_fen
        if mode == "short":
            # One fen short is the sharpest test; a price of one fen cannot be short.
            paid_fen = max(1, paid_fen - 1)
        elif mode == "over":
            paid_fen += OVER_FEN
        if not self._store.pay(payment.id, paid_fen=paid_fen) and mode != "repeat":
            return
        if mode == "lost":
            return
        after = self._store.find_trade(payment.trade_no) or payment
        fields = self._gateways[payment.gateway].build_notice(after)
        for _ in range(REPEAT_COUNT if mode == "repeat" else 1):
            self._store.add_notice(payment.id, kind="真实", fields=fields)
        if mode == "twice":
            self._take_again(after)

    def _take_again(self, payment: Payment) -> None:
        """Take the money of one order of the shop a second time, as another trade."""
        trade_no = payment.trade_no[:-TAIL_DIGITS] + make_digits(TAIL_DIGITS)
        twin = self._store.open_twin(payment, trade_no=trade_no)
        self._store.set_remark(twin.id, MODES["twice"])
        self._take(twin, "success")
