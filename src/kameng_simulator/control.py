"""The control API for tests: pay in any mode, see every callback, break platforms on purpose."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from kameng_simulator.cashier import MODES, Cashier
from kameng_simulator.courier import Clockwork, Courier
from kameng_simulator.faults import FAULTS, Faults
from kameng_simulator.mail import read_mail
from kameng_simulator.moves import CHANGES, Moves
from kameng_simulator.peers import Corrector, Disputer, Peer, Returner, Twist
from kameng_simulator.store import Payment, Store
from kameng_simulator.web import Reply, Request, reply_json

# What is told of a payment of the past: names and the types of their values.
PAST_FIELDS = {
    "gateway": str,
    "trade_no": str,
    "out_trade_no": str,
    "method": str,
    "subject": str,
    "amount_fen": int,
    "paid_at": float,
}
HELD = "is_held"  # told of one that is held for a split; may be left out
HELD_EXTRA = {"splits": True, "royalty_freeze": True}  # as WeChat Pay and Alipay remember it
MAX_SPEED = 1_000_000


class Refusal(Exception):
    """A call that makes no sense, with what would."""

    def __init__(self, error: str, *, status: int = 400, **more: object) -> None:
        super().__init__(error)
        self.reply = reply_json({"error": error, **more}, status=status)


class Control:
    """The JSON API under /control/."""

    def __init__(
        self,
        store: Store,
        *,
        moves: Moves,
        peers: Mapping[str, Peer],
        cashier: Cashier,
        courier: Courier,
        clockwork: Clockwork,
        faults: Faults,
    ) -> None:
        self.peers = peers
        self.clockwork = clockwork
        self.faults = faults
        self._store = store
        self._moves = moves
        self._cashier = cashier
        self._courier = courier

    def serve(self, request: Request) -> Reply:
        """Answer one call."""
        reads: dict[str, Callable[[Request], Reply]] = {
            "/control/state": self._show,
            "/control/peers": lambda _request: reply_json(self.describe_peers()),
            "/control/mail": self._show_mails,
        }
        writes: dict[str, Callable[[dict[str, Any]], object]] = {
            "/control/pay": self.pay,
            "/control/notice": self.send_notice,
            "/control/history": self._bring,
            "/control/fault": self.plan_fault,
            "/control/speed": self.set_speed,
            "/control/rotate": self.rotate,
            "/control/bill": self.change_bill,
            "/control/dispute": self.dispute,
            "/control/correct": self.correct,
            "/control/return": self.return_payout,
        }
        try:
            if request.method == "GET" and request.path in reads:
                return reads[request.path](request)
            if request.method == "POST" and request.path in writes:
                return reply_json(writes[request.path](_read_object(request)))
        except Refusal as refusal:
            return refusal.reply
        return reply_json({"error": "unknown control call"}, status=404)

    def describe_peers(self) -> list[dict[str, object]]:
        """Return each platform: its twists, its fee, what is planned for it."""
        planned = self.faults.list_planned()
        return [
            {
                "gateway": kind,
                "label": peer.label,
                "fee_bps": peer.fee_bps,
                "twists": sorted(peer.twists),
                "planned": planned.get(kind, [])[::-1],
            }
            for kind, peer in self.peers.items()
        ]

    def pay(self, data: Mapping[str, Any]) -> object:
        """Let the buyer of a payment do something, and return the payment."""
        mode = str(data.get("mode", "success"))
        if mode not in MODES:
            raise Refusal("mode", modes=list(MODES))
        payment = self._find(data)
        delay = data.get("delay_seconds")
        seconds = float(delay) if isinstance(delay, int | float) else None
        try:
            payment = self._cashier.act(payment, mode, delay_seconds=seconds)
        except ValueError:
            raise Refusal("this platform knows no such thing") from None
        self._courier.wake()
        return self._describe(payment)

    def send_notice(self, data: Mapping[str, Any]) -> object:
        """Send a callback of a payment once more, with something wrong if wanted."""
        twist = str(data.get("twist", ""))
        payment = self._find(data)
        peer = self.peers[payment.gateway]
        if twist not in (Twist.NONE, *peer.twists):
            raise Refusal("twist", twists=sorted(peer.twists))
        delay = data.get("delay_seconds", 0)
        if not isinstance(delay, int | float) or not 0 <= delay <= 86_400:
            raise Refusal("delay_seconds")
        self._store.add_notice(
            payment.id,
            kind="手动" if not twist else f"手动 {twist}",
            fields=peer.tell_paid(payment),
            twist=twist,
            delay_seconds=float(delay),
        )
        self._courier.wake()
        return self._describe(payment)

    def dispute(self, data: Mapping[str, Any]) -> object:
        """Let the payer of a payment dispute it at the bank, or let that end."""
        payment = self._find(data)
        peer, fen = self.peers[payment.gateway], data.get("amount_fen", 0)
        if not isinstance(peer, Disputer) or payment.state != "paid":
            raise Refusal("this payment cannot be disputed")
        if isinstance(fen, bool) or not isinstance(fen, int) or not 0 <= fen <= payment.paid_fen:
            raise Refusal("amount_fen")
        try:
            status = str(data.get("status", "needs_response"))
            peer.dispute(payment, status=status, amount_fen=fen or payment.paid_fen)
        except ValueError as problem:
            raise Refusal(f"status: {problem}") from None
        self._courier.wake()
        return self._describe(payment)

    def correct(self, data: Mapping[str, Any]) -> object:
        """Let a platform put a payment right on a day, in or out, as its files then say."""
        payment = self._find(data)
        peer, fen, way = self.peers[payment.gateway], data.get("amount_fen"), data.get("way")
        if not isinstance(peer, Corrector) or payment.state != "paid":
            raise Refusal("this payment cannot be corrected")
        if isinstance(fen, bool) or not isinstance(fen, int) or not 0 < fen < 10**12:
            raise Refusal("amount_fen")
        if way not in ("in", "out"):
            raise Refusal("way", ways=["in", "out"])
        try:
            day = str(data.get("day", ""))
            peer.correct(payment, day=day, is_in=way == "in", amount_fen=fen)
        except ValueError:
            raise Refusal("day") from None
        return {"ok": True}

    def return_payout(self, data: Mapping[str, Any]) -> object:
        """Let a payout that arrived come back, as a bank does days later."""
        peer = self.peers.get(str(data.get("gateway")))
        if not isinstance(peer, Returner):
            raise Refusal("this platform's payouts do not come back")
        try:
            peer.return_payout(str(data.get("own_no", "")))
        except ValueError:
            raise Refusal("no such payout has arrived", status=404) from None
        return {"ok": True}

    def _find(self, data: Mapping[str, Any]) -> Payment:
        number, wanted = str(data.get("out_trade_no", "")), str(data.get("gateway", ""))
        found = [
            payment
            for kind in self.peers
            if wanted in ("", kind) and (payment := self._store.find_payment(kind, number))
        ]
        if len(found) != 1:
            raise Refusal("payment not found", status=404)
        return found[0]

    def _bring(self, data: Mapping[str, Any]) -> object:
        """Take over payments of the past, so that a shop can ask about them and refund them."""
        rows = data.get("payments")
        if not isinstance(rows, list) or not all(map(self._is_past_payment, rows)):
            raise Refusal("payments", fields=list(PAST_FIELDS))
        extras = [json.dumps(HELD_EXTRA if row.get(HELD) else {}) for row in rows]
        full = [{**row, "extra": extra} for row, extra in zip(rows, extras, strict=True)]
        return {"new": self._store.bring_paid(full)}

    def _is_past_payment(self, row: object) -> bool:
        if not isinstance(row, dict) or set(row) - {HELD} != set(PAST_FIELDS):
            return False
        fits = all(isinstance(row[name], kind) for name, kind in PAST_FIELDS.items())
        is_told = isinstance(row.get(HELD, False), bool)
        return fits and is_told and row["gateway"] in self.peers and row["amount_fen"] > 0

    def _show(self, request: Request) -> Reply:
        number = request.query.get("out_trade_no")
        payments = self._store.list_payments(limit=200)
        if number:
            found = [self._store.find_payment(kind, number) for kind in self.peers]
            payments = [payment for payment in found if payment]
        return reply_json({"payments": [self._describe(payment) for payment in payments]})

    def _show_mails(self, _request: Request) -> Reply:
        mails = self._store.list_mails(limit=50)
        return reply_json([{"to": to, **read_mail(raw)} for _, to, raw in mails])

    def _describe(self, payment: Payment) -> dict[str, Any]:
        moved = self._moves.list_transfers(payment.gateway, payment_id=payment.id)
        return {
            **asdict(payment),
            "extra": json.loads(payment.extra),
            "notices": self._store.list_notices(payment.id),
            "refunds": self._store.list_refunds(payment.id),
            "transfers": [asdict(transfer) for transfer in moved],
        }

    def plan_fault(self, data: Mapping[str, Any]) -> object:
        """Break the next calls of a platform's API."""
        gateway, fault = data.get("gateway"), data.get("fault")
        times, after = data.get("times", 1), data.get("after", 0)
        numbers_fit = isinstance(times, int) and isinstance(after, int)
        if gateway not in self.peers or fault not in FAULTS or not numbers_fit:
            raise Refusal("gateway or fault", faults=list(FAULTS))
        times, after = max(0, min(times, 1000)), max(0, min(after, 1000))
        self.faults.plan(str(gateway), str(fault), times=times, after=after)
        return {"ok": True}

    def set_speed(self, data: Mapping[str, Any]) -> object:
        """Let the platforms' calendars run faster or slower from now on."""
        speed = data.get("speed")
        if isinstance(speed, bool) or not isinstance(speed, int | float):
            raise Refusal("speed")
        if not 0 < speed <= MAX_SPEED:
            raise Refusal("speed")
        self.clockwork.speed = float(speed)
        self._courier.wake()
        return {"speed": self.clockwork.speed}

    def rotate(self, data: Mapping[str, Any]) -> object:
        """Let a platform sign with a new key."""
        peer = self.peers.get(str(data.get("gateway")))
        if peer is None:
            raise Refusal("gateway")
        try:
            return {"told": peer.rotate_keys()}
        except ValueError as problem:
            raise Refusal(str(problem)) from None

    def change_bill(self, data: Mapping[str, Any]) -> object:
        """Make the bill of a day differ from what happened."""
        gateway, fen = data.get("gateway"), data.get("amount_fen", 0)
        if gateway not in self.peers or not isinstance(fen, int) or isinstance(fen, bool):
            raise Refusal("gateway or amount_fen")
        try:
            self._moves.change_bill(
                gateway=str(gateway),
                day=str(data.get("day", "")),
                change=str(data.get("change", "")),
                own_no=str(data.get("own_no", ""))[:64],
                amount_fen=fen,
            )
        except ValueError:
            raise Refusal("day or change", changes=list(CHANGES)) from None
        return {"ok": True}


def _read_object(request: Request) -> dict[str, Any]:
    data = json.loads(request.body.decode("utf-8"))
    if not isinstance(data, dict):
        raise ValueError("no object")
    return data
