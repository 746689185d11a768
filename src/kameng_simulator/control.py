"""The control API for tests: pay in any mode, see every callback, break the gateway on purpose."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from kameng_simulator.cashier import MODES, Cashier
from kameng_simulator.courier import Courier
from kameng_simulator.mail import read_mail
from kameng_simulator.store import Payment, Store
from kameng_simulator.web import Reply, Request, reply_json

# "after" faults act first and then lose the reply: the worst kind for a refund.
FAULTS = ("hang", "hang_after", "reset", "reset_after", "garbage", "huge", "error")
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
HANG_SECONDS = 20
HUGE_BYTES = 4 * 1024 * 1024


class Faults:
    """Breaks the next calls of a gateway's API as told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: dict[str, list[str]] = {}
        self._stop = threading.Event()

    def plan(self, gateway: str, fault: str, *, times: int, after: int) -> None:
        """Plan a fault for the calls that come `after` some good ones; zero times ends all."""
        with self._lock:
            self._planned[gateway] = [fault] * times + [""] * after

    def stop(self) -> None:
        """Let hanging calls go."""
        self._stop.set()

    def apply(self, gateway: str, act: Callable[[], Reply]) -> Reply:
        """Answer with the planned fault, or as usual."""
        with self._lock:
            planned = self._planned.get(gateway)
            fault = planned.pop() if planned else ""
        if fault in ("", "hang_after", "reset_after"):
            reply = act()
            if not fault:
                return reply
        if fault in ("hang", "hang_after"):
            self._stop.wait(HANG_SECONDS)
        if fault == "garbage":
            return Reply(body="<html><body>系统繁忙</body></html>".encode())
        if fault == "huge":
            return Reply(body=b'{"code":1,"msg":"' + b"x" * HUGE_BYTES + b'"}')
        if fault == "error":
            return Reply(status=500, body=b"Internal Server Error")
        return Reply(drop=True)


class Control:
    """The JSON API under /control/."""

    def __init__(self, store: Store, *, cashier: Cashier, courier: Courier, faults: Faults) -> None:
        self._store = store
        self._cashier = cashier
        self._courier = courier
        self._faults = faults

    def serve(self, request: Request) -> Reply:
        """Answer one call."""
        if request.path == "/control/state" and request.method == "GET":
            return self._show(request)
        if request.path == "/control/mail" and request.method == "GET":
            mails = self._store.list_mails(limit=50)
            return reply_json([{"to": to, **read_mail(raw)} for _, to, raw in mails])
        if request.path == "/control/pay" and request.method == "POST":
            return self._pay(_read_object(request))
        if request.path == "/control/history" and request.method == "POST":
            return self._bring(_read_object(request))
        if request.path == "/control/fault" and request.method == "POST":
            return self._plan_fault(_read_object(request))
        return reply_json({"error": "unknown control call"}, status=404)

    def _pay(self, data: dict[str, Any]) -> Reply:
        number, mode = str(data.get("out_trade_no", "")), str(data.get("mode", "success"))
        if mode not in MODES:
            return reply_json({"error": "mode", "modes": list(MODES)}, status=400)
        wanted = str(data.get("gateway", ""))
        found = [
            payment
            for gateway in ("epay", "alipay")
            if (payment := self._store.find_payment(gateway, number))
            and wanted in ("", payment.gateway)
        ]
        if len(found) != 1:
            return reply_json({"error": "payment not found"}, status=404)
        delay = data.get("delay_seconds")
        seconds = float(delay) if isinstance(delay, int | float) else None
        payment = self._cashier.act(found[0], mode, delay_seconds=seconds)
        self._courier.wake()
        return reply_json(self._describe(payment))

    def _bring(self, data: dict[str, Any]) -> Reply:
        """Take over payments of the past, so that a shop can ask about them and refund them."""
        rows = data.get("payments")
        if not isinstance(rows, list) or not all(map(_is_past_payment, rows)):
            return reply_json({"error": "payments", "fields": list(PAST_FIELDS)}, status=400)
        return reply_json({"new": self._store.bring_paid(rows)})

    def _show(self, request: Request) -> Reply:
        number = request.query.get("out_trade_no")
        payments = self._store.list_payments(limit=200)
        if number:
            both = [self._store.find_payment(gateway, number) for gateway in ("epay", "alipay")]
            payments = [payment for payment in both if payment]
        return reply_json({"payments": [self._describe(payment) for payment in payments]})

    def _describe(self, payment: Payment) -> dict[str, Any]:
        return {
            **asdict(payment),
            "notices": self._store.list_notices(payment.id),
            "refunds": self._store.list_refunds(payment.id),
        }

    def _plan_fault(self, data: dict[str, Any]) -> Reply:
        gateway, fault = data.get("gateway"), data.get("fault")
        times, after = data.get("times", 1), data.get("after", 0)
        numbers_fit = isinstance(times, int) and isinstance(after, int)
        if gateway not in ("epay", "alipay") or fault not in FAULTS or not numbers_fit:
            return reply_json({"error": "gateway or fault", "faults": FAULTS}, status=400)
        times, after = max(0, min(times, 1000)), max(0, min(after, 1000))
        self._faults.plan(str(gateway), str(fault), times=times, after=after)
        return reply_json({"ok": True})


def _read_object(request: Request) -> dict[str, Any]:
    data = json.loads(request.body.decode("utf-8"))
    if not isinstance(data, dict):
        raise ValueError("no object")
    return data


def _is_past_payment(row: object) -> bool:
    if not isinstance(row, dict) or set(row) != set(PAST_FIELDS):
        return False
    fits = all(isinstance(row[name], kind) for name, kind in PAST_FIELDS.items())
    return fits and row["gateway"] in ("epay", "alipay") and row["amount_fen"] > 0
