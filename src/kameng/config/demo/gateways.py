"""The simulator beside the demo: it runs while the demo is loaded, its accounts become gateways.

The shop and the simulator share no code: what the shop knows of it comes over HTTP, as from a real
gateway.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from django.conf import settings

from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.options import read_options
from kameng.config.launch.processes import die_with_parent
from kameng.core.audit import Actor
from kameng.payments.selectors import list_own_gateways
from kameng.payments.services.gateways import (
    GatewayTerms,
    change_gateway,
    config_of,
    create_gateway,
    switch_gateway,
    terms_of,
    test_gateway,
)

START_SECONDS = 20.0
CHUNK = 100


@dataclass(slots=True)
class Simulator:
    """The running simulator, and the payments of the past that it has to be told."""

    client: httpx.Client
    untold: list[dict[str, object]] = field(default_factory=list)

    def reopened(self) -> "Simulator":
        """Return it as another process may use it, over a connection of its own."""
        return Simulator(_client(str(self.client.base_url)))

    def read_accounts(self) -> dict[str, dict[str, str]]:
        """Return the merchant's accounts, as the simulator's page shows them."""
        accounts: dict[str, dict[str, str]] = self.client.get("/credentials").json()
        return accounts

    def remember(self, payment: dict[str, object]) -> None:
        """Keep a payment that was made, to be told later."""
        self.untold.append(payment)

    def tell_history(self) -> None:
        """Tell the simulator which payments were made, so that they can be refunded."""
        rows, self.untold = self.untold, []
        for start in range(0, len(rows), CHUNK):
            body = json.dumps({"payments": rows[start : start + CHUNK]})
            reply = self.client.post("/control/history", content=body)
            reply.raise_for_status()


@contextmanager
def open_simulator() -> Iterator[Simulator]:
    """Run the simulator for the block, on its own port and in its own home."""
    port = read_options().simulator_port
    home = settings.HOME / "simulator"
    command = [sys.executable, "-P", "-m", "kameng_simulator", "--smtp-port", "0"]
    child = subprocess.Popen(
        [*command, "--port", str(port), "--home", str(home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  one thread
    )
    try:
        with _client(f"http://127.0.0.1:{port}") as client:
            _wait(child, client)
            yield Simulator(client)
    finally:
        child.terminate()
        child.wait()


def _client(base_url: str) -> httpx.Client:
    return httpx.Client(base_url=base_url, timeout=20.0, trust_env=False)


def _wait(child: subprocess.Popen[bytes], client: httpx.Client) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            if client.get("/healthz", timeout=1.0).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
        if child.poll() is not None or time.monotonic() > end:
            raise LaunchFailed(
                f"The gateway simulator does not start at {client.base_url}.",
                remedy="Free that port, or set KAMENG_PORT to another one.",
            )


def enter_gateways(
    rows: Sequence[Mapping[str, Any]], *, simulator: Simulator, actor: Actor
) -> None:
    """Enter the simulator's accounts as gateways of the site in force, prove and enable them."""
    accounts = simulator.read_accounts()
    ids: dict[str, int] = {}  # of the ways, for the accounts that stand behind them
    for position, row in enumerate(rows):
        terms = GatewayTerms(
            name=row["name"],
            method=row["method"],
            fee_bps=row["fee_bps"],
            min_amount=100,
            max_amount=500_000_000,
            position=position,
            way_id=ids[row["way"]] if "way" in row else None,
            label=row.get("label", ""),
            weight=row.get("weight", 100),
            daily_cap_amount=row.get("daily_cap_amount"),
        )
        form = {"opening": "page", **accounts[row.get("account", row["kind"])]}
        gateway = create_gateway(kind=row["kind"], form=form, terms=terms, actor=actor)
        ids[row["name"]] = gateway.id
        test_gateway(gateway_id=gateway.id, actor=actor)
        switch_gateway(gateway_id=gateway.id, is_enabled=True, actor=actor)


def follow_simulator(*, actor: Actor) -> int:
    """Let the gateways of the site in force call the simulator where it listens now.

    They keep the port under which the demo was loaded, and KAMENG_PORT may be another one today.
    Returns how many moved; one that the owner had switched off stays off.
    """
    port = read_options().simulator_port
    moved = [
        (gateway, addresses)
        for gateway in list_own_gateways()
        if (addresses := _list_moved(config_of(gateway).to_json(), port=port))
    ]
    if not moved:
        return 0
    with open_simulator():
        for gateway, addresses in moved:
            terms = terms_of(gateway)
            change_gateway(gateway_id=gateway.id, form=addresses, terms=terms, actor=actor)
            test_gateway(gateway_id=gateway.id, actor=actor)
            switch_gateway(gateway_id=gateway.id, is_enabled=gateway.is_enabled, actor=actor)
    return len(moved)


def _list_moved(values: Mapping[str, str], *, port: int) -> dict[str, str]:
    """Return the addresses of a configuration that are a simulator's under another port."""
    found = ((name, _moved(value, port=port)) for name, value in values.items() if "_url" in name)
    return {name: address for name, address in found if address}


def _moved(address: str, *, port: int) -> str:
    """Return a simulator's address under another port; empty when it is there, or no simulator."""
    parts = urlsplit(address)
    if parts.hostname != "127.0.0.1" or parts.port in {None, port}:
        return ""
    return urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
