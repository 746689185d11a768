"""The program: puts the pieces together, serves until it is told to stop.

`python -m kameng_simulator --port 8001 --home DIR`; see `--help` for the rest.
"""

import argparse
import errno
import pathlib
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import ThreadingHTTPServer

from aiosmtpd.controller import Controller

from kameng_simulator.alipay import Alipay
from kameng_simulator.cashier import AFTERWARDS, Cashier, list_modes
from kameng_simulator.control import Control
from kameng_simulator.courier import Clockwork, Courier
from kameng_simulator.epay import Epay
from kameng_simulator.epay2 import Epay2
from kameng_simulator.faults import Faults
from kameng_simulator.mail import make_sink, read_mail
from kameng_simulator.moves import Moves
from kameng_simulator.pages import (
    render_cashier,
    render_list,
    render_mails,
    render_problem,
    render_result,
)
from kameng_simulator.peers import Peer, Route
from kameng_simulator.store import Store
from kameng_simulator.stripe import Stripe
from kameng_simulator.trouble import Trouble
from kameng_simulator.unionpay import UnionPay
from kameng_simulator.web import Reply, Request, make_server, redirect, reply_json
from kameng_simulator.wechat import Wechat

HOST = "127.0.0.1"


class Simulator:
    """The whole simulator in one object; `start` and `stop` for the program and for tests."""

    def __init__(self, home: pathlib.Path, *, speed: float = 1.0, any_host: bool = False) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.store = Store(home / "simulator.sqlite")
        self.moves = Moves(self.store)
        self.peers = make_peers(self.store, self.moves)
        self.clockwork = Clockwork(speed)
        self.cashier = Cashier(self.store, peers=self.peers, clockwork=self.clockwork)
        self.courier = Courier(
            self.store,
            peers=self.peers,
            clockwork=self.clockwork,
            any_host=any_host,
            pay_late=self.cashier.take_late,
        )
        self.faults = Faults()
        self.control = Control(
            self.store,
            moves=self.moves,
            peers=self.peers,
            cashier=self.cashier,
            courier=self.courier,
            clockwork=self.clockwork,
            faults=self.faults,
        )
        self.trouble = Trouble(self.control)
        self._exact, self._below = _sort_routes(self.peers)
        self.server: ThreadingHTTPServer | None = None
        self.sink: Controller | None = None

    def start(self, *, port: int, smtp_port: int | None) -> int:
        """Listen and return the port; raise OSError when it is taken."""
        self.server = make_server((HOST, port), self.answer)
        if smtp_port is not None:
            self.sink = make_sink(self.store, host=HOST, port=smtp_port)
            self.sink.start()
        self.courier.start()
        thread = threading.Thread(target=self.server.serve_forever, args=(0.2,), daemon=True)
        thread.start()
        return int(self.server.server_address[1])

    def stop(self) -> None:
        """Stop listening and close the store."""
        self.faults.stop()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        if self.sink:
            self.sink.stop(no_assert=True)
        self.courier.stop()
        self.store.close()

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        routes: dict[str, Callable[[Request], Reply]] = {
            "/": self._show_list,
            "/trouble": self.trouble.serve,
            "/credentials": self._show_credentials,
            "/mail": self._show_mails,
            "/healthz": lambda _request: reply_json({"ok": True}),
        }
        route = routes.get(request.path)
        if route:
            return route(request)
        if request.path.startswith("/control/"):
            return self.control.serve(request)
        if request.path.startswith("/pay/"):
            return self._serve_cashier(request)
        return self._serve_peer(request)

    def _serve_peer(self, request: Request) -> Reply:
        found = self._exact.get(request.path)
        if found is None:
            starts = (start for start in self._below if request.path.startswith(start))
            longest = max(starts, key=len, default=None)
            found = self._below[longest] if longest else None
        if found is None:
            return render_problem("没有这个页面。", status=404)
        kind, route = found
        if not route.is_api:
            return route.serve(request)
        return self.faults.apply(kind, lambda: route.serve(request))

    def _serve_cashier(self, request: Request) -> Reply:
        trade_no, _, mode = request.path.removeprefix("/pay/").partition("/")
        payment = self.store.find_trade(trade_no)
        modes = list_modes(self.peers[payment.gateway]) if payment else []
        if payment is None or mode not in ("", *modes):
            return render_problem("没有这笔支付。", status=404)
        if not mode or request.method != "POST":
            self.store.mark_opened(payment.id)
            if payment.state == "paid":
                address = self.cashier.address_after(payment)
                return render_result(payment, mode="success", address=address)
            return render_cashier(
                payment,
                label=self.peers[payment.gateway].label,
                modes=modes,
                address=f"{request.base_url}/pay/{trade_no}",
            )
        is_open = payment.state == "wait" and not payment.is_expired
        if not is_open and mode not in AFTERWARDS:
            return render_problem("订单已支付、超时或关闭，不能再付款。", status=409)
        payment = self.cashier.act(payment, mode)
        self.courier.wake()
        address = self.cashier.address_after(payment)
        if mode == "success" and address.startswith(("http://", "https://")):
            return redirect(address, status=303)
        return render_result(payment, mode=mode, address=address)

    def _show_list(self, _request: Request) -> Reply:
        payments = self.store.list_payments(limit=100)
        labels = {kind: peer.label for kind, peer in self.peers.items()}
        rows = [(p, self.store.list_notices(p.id)) for p in payments]
        return render_list(rows, labels=labels)

    def _show_mails(self, _request: Request) -> Reply:
        mails = self.store.list_mails(limit=50)
        return render_mails([(at, to, read_mail(raw)) for at, to, raw in mails])

    def _show_credentials(self, request: Request) -> Reply:
        base_url = request.base_url
        return reply_json({kind: peer.describe(base_url) for kind, peer in self.peers.items()})


def make_peers(store: Store, moves: Moves) -> dict[str, Peer]:
    """Return the platforms that are played, by the word under which their payments are kept."""
    peers: tuple[Peer, ...] = (
        Epay(store),
        Epay2(store),
        Alipay(store, moves),
        Alipay(store, moves, by_certificate=True),
        Wechat(store, moves),
        Stripe(store, moves),
        UnionPay(store, moves),
    )
    return {peer.kind: peer for peer in peers}


def _sort_routes(
    peers: Mapping[str, Peer],
) -> tuple[dict[str, tuple[str, Route]], dict[str, tuple[str, Route]]]:
    exact: dict[str, tuple[str, Route]] = {}
    below: dict[str, tuple[str, Route]] = {}
    for kind, peer in peers.items():
        for path, route in peer.routes().items():
            place, key = (below, path[:-1]) if path.endswith("/*") else (exact, path)
            if key in place:
                raise RuntimeError(f"two peers at {path}")
            place[key] = (kind, route)
    return exact, below


def main(argv: Sequence[str]) -> int:
    """Run until SIGINT or SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(prog="kameng simulate", description="支付网关模拟器")
    parser.add_argument("--port", type=int, default=8001, help="HTTP 端口（默认 8001）")
    parser.add_argument("--smtp-port", type=int, help="收信端口（默认为 HTTP 端口加一，0 为不开）")
    parser.add_argument("--home", type=pathlib.Path, default=pathlib.Path("var/simulator"))
    parser.add_argument("--speed", type=float, default=1.0, help="重发与延迟的倍速（默认 1）")
    parser.add_argument("--any-callback-host", action="store_true", help="允许通知发往其他机器")
    options = parser.parse_args(argv)
    if options.speed <= 0:
        parser.error("--speed 必须大于 0")
    smtp_port = options.port + 1 if options.smtp_port is None else options.smtp_port
    simulator = Simulator(options.home, speed=options.speed, any_host=options.any_callback_host)
    try:
        simulator.start(port=options.port, smtp_port=smtp_port or None)
    except OSError as problem:
        if problem.errno != errno.EADDRINUSE:
            raise
        print(f"端口 {options.port} 或 {smtp_port} 已被占用，请换一个端口。", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(
        f"模拟网关 http://{HOST}:{options.port}/  邮件 http://{HOST}:{options.port}/mail",
        flush=True,
    )
    ended.wait()
    simulator.stop()
    return 0
