"""What can happen at the cashier: the buyer pays, or does not, or the platform misbehaves.

Owns the modes that the pay page's buttons and the control API share.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from kameng_simulator.courier import Clockwork
from kameng_simulator.peers import Peer, Twist
from kameng_simulator.signing import make_digits
from kameng_simulator.store import Payment, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One thing that may happen: its button, and what a tester expects of it."""

    label: str
    hint: str
    twist: Twist = Twist.NONE


MODES: Mapping[str, Mode] = {
    "success": Mode(label="支付成功", hint="付款并通知商户"),
    "fail": Mode(label="支付失败", hint="余额不足，不付款"),
    "repeat": Mode(label="重复通知", hint="付款，同一通知连发 5 次"),
    "twice": Mode(label="付两次", hint="同一单再付一次，另一个交易号"),
    "late": Mode(label="延迟支付", hint="超时或关单之后才到账"),
    "short": Mode(label="少付", hint="比应付少 1 分"),
    "over": Mode(label="多付", hint="比应付多 1 元"),
    "lost": Mode(label="通知丢失", hint="已付款，但不通知"),
    "slow": Mode(label="通知延迟", hint="已付款，30 秒后才通知"),
    "behind": Mode(label="通知乱序", hint="已付款，下一条通知发出之后才轮到它"),
    "forged": Mode(label="伪造通知", hint="没付款，签名是假的", twist=Twist.FORGED),
    "foreign": Mode(label="外币通知", hint="没付款，签名是真的，币种不对", twist=Twist.FOREIGN),
    "stranger": Mode(label="别家通知", hint="没付款，签名是真的，商户不对", twist=Twist.STRANGER),
    "stale": Mode(label="过期通知", hint="没付款，签名是真的，时间是一小时前", twist=Twist.STALE),
    "probe": Mode(label="探测流量", hint="没付款，平台探测商户验不验签", twist=Twist.PROBE),
    "replayed": Mode(label="重放通知", hint="把第一条通知原样再发一次", twist=Twist.REPLAYED),
}
UNPAID = ("forged", "foreign", "stranger", "stale", "probe")  # only a callback, no money
AFTERWARDS = ("late", "replayed", *UNPAID)  # possible when the payment is no longer open
REPEAT_COUNT = 5
LATE_SECONDS = 5
SLOW_SECONDS = 30
OVER_FEN = 100
TAIL_DIGITS = 8  # so much of a trade number is drawn by lot


def list_modes(peer: Peer) -> list[str]:
    """Return the modes that a peer's protocol has a place for."""
    return [name for name, mode in MODES.items() if not mode.twist or mode.twist in peer.twists]


class Cashier:
    """Takes payments in every mode."""

    def __init__(self, store: Store, *, peers: Mapping[str, Peer], clockwork: Clockwork) -> None:
        self._store = store
        self._peers = peers
        self._clockwork = clockwork

    def act(self, payment: Payment, mode: str, *, delay_seconds: float | None = None) -> Payment:
        """Do what the mode says and return the payment; raise ValueError for an unknown mode."""
        peer = self._peers[payment.gateway]
        if mode not in list_modes(peer):
            raise ValueError(mode)
        # The money and the word of it are kept together: a kill in between would lose the word.
        with self._store.transaction():
            self._act(payment, mode, delay_seconds=delay_seconds)
        return self._store.find_trade(payment.trade_no) or payment

    def _act(self, payment: Payment, mode: str, *, delay_seconds: float | None) -> None:
        peer = self._peers[payment.gateway]
        self._store.mark_opened(payment.id)
        self._store.set_remark(payment.id, MODES[mode].label)
        if mode == "late":
            self._plan(payment, delay_seconds)
        elif mode in UNPAID or mode == "replayed":
            self._store.add_notice(
                payment.id,
                kind=MODES[mode].label,
                fields=peer.tell_paid(payment),
                twist=MODES[mode].twist,
            )
        elif mode != "fail":
            self._take(payment, mode, delay_seconds=delay_seconds)

    def take_late(self, payment: Payment) -> None:
        """Take a payment that was planned for later."""
        with self._store.transaction():
            self._take(payment, "late")

    def address_after(self, payment: Payment) -> str:
        """Return where the browser goes after a paid payment, or an empty text."""
        if payment.state != "paid" or not payment.return_url:
            return ""
        return self._peers[payment.gateway].build_return(payment)

    def _plan(self, payment: Payment, delay_seconds: float | None) -> None:
        if delay_seconds is None:
            left = max(0.0, payment.expires_at - time.time()) if payment.state == "wait" else 0.0
            delay_seconds = (left + LATE_SECONDS) / self._clockwork.speed
        self._store.plan_payment(payment.id, pay_at=time.time() + delay_seconds)

    def _take(self, payment: Payment, mode: str, *, delay_seconds: float | None = None) -> None:
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
        if delay_seconds is None:
            delay_seconds = SLOW_SECONDS / self._clockwork.speed
        after = self._store.find_trade(payment.trade_no) or payment
        fields = self._peers[payment.gateway].tell_paid(after)
        for _ in range(REPEAT_COUNT if mode == "repeat" else 1):
            self._store.add_notice(
                payment.id,
                kind="真实",
                fields=fields,
                delay_seconds=delay_seconds if mode == "slow" else 0.0,
                is_behind=mode == "behind",
            )
        if mode == "twice":
            self._take_again(after)

    def _take_again(self, payment: Payment) -> None:
        """Take the money of one order of the shop a second time, as another trade."""
        trade_no = payment.trade_no[:-TAIL_DIGITS] + make_digits(TAIL_DIGITS)
        twin = self._store.open_twin(payment, trade_no=trade_no)
        self._store.set_remark(twin.id, MODES["twice"].label)
        self._take(twin, "success")
