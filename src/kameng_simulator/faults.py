"""Breaks the next calls of a platform's API as told.

"after" faults act first and then lose the reply: the worst kind for a refund.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from kameng_simulator.web import Reply

FAULTS = {
    "hang": "不回答（20 秒后断开），什么也没做",
    "hang_after": "做了，然后不回答",
    "reset": "直接断开，什么也没做",
    "reset_after": "做了，然后断开",
    "garbage": "回一页 HTML，什么也没做",
    "huge": "回 4 MB，什么也没做",
    "error": "HTTP 500，什么也没做",
    "error_after": "做了，然后 HTTP 500",
    "slow": "做了，回答一点一点地来（20 秒）",
}
HANG_SECONDS = 20
HUGE_BYTES = 4 * 1024 * 1024


class Faults:
    """What is planned for each platform."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: dict[str, list[str]] = {}
        self._stop = threading.Event()

    def plan(self, gateway: str, fault: str, *, times: int, after: int) -> None:
        """Plan a fault for the calls that come `after` some good ones; zero times ends all."""
        with self._lock:
            self._planned[gateway] = [fault] * times + [""] * after

    def list_planned(self) -> dict[str, list[str]]:
        """Return what is planned, the next call last."""
        with self._lock:
            return {gateway: planned[:] for gateway, planned in self._planned.items() if planned}

    def stop(self) -> None:
        """Let hanging calls go."""
        self._stop.set()

    def apply(self, gateway: str, act: Callable[[], Reply]) -> Reply:
        """Answer with the planned fault, or as usual."""
        with self._lock:
            planned = self._planned.get(gateway)
            fault = planned.pop() if planned else ""
        if fault in ("", "hang_after", "reset_after", "error_after", "slow"):
            reply = act()
            if not fault:
                return reply
            if fault == "slow":
                return replace(reply, dribble_seconds=HANG_SECONDS)
        if fault in ("hang", "hang_after"):
            self._stop.wait(HANG_SECONDS)
        if fault == "garbage":
            return Reply(body="<html><body>系统繁忙</body></html>".encode())
        if fault == "huge":
            return Reply(body=b'{"code":1,"msg":"' + b"x" * HUGE_BYTES + b'"}')
        if fault in ("error", "error_after"):
            return Reply(status=500, body=b"Internal Server Error")
        return Reply(drop=True)
