"""kill -9 of everything while people buy: nothing acknowledged is lost, nothing happens twice.

A really launched system with full durability, buyers who repeat blind, a log of receipts outside.
`KAMENG_KILL_ORDERS` and `KAMENG_KILLS` make the storm longer.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.client import CSRF, post
from bench.stack import Stack, running_stack
from kameng.config.launch.home import Home
from kameng.config.launch.up import read_processes
from tests.kill.load import Buyer, Receipts, send_and_vanish
from tests.kill.looking import PAID, look, look_at

ORDERS = int(os.environ.get("KAMENG_KILL_ORDERS", "2000"))
KILLS = int(os.environ.get("KAMENG_KILLS", "20"))
CLIENTS = 16
VICTIMS = ("web worker", "backend", "worker", "postgres", "web")
FIND_SECONDS = 30.0
SETTLE_SECONDS = 180.0

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A whole system of its own, on free ports, its data in a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAMENG_GUEST_ORDERS_PER_MINUTE", "1000000")
        patch.delenv("KAMENG_DATABASE_URL", raising=False)
        with running_stack() as running:
            yield running


@pytest.fixture(scope="module")
def shop(stack: Stack) -> dict[str, Any]:
    """Goods, customers with money and a gateway, made by the product's own services."""
    made: dict[str, Any] = json.loads(
        stack.run(
            *("-m", "bench.shop", "--customers", "120", "--products", "8", "--sites", "3"),
            *("--keys", str(ORDERS // 8 + 50)),
        )
    )
    return made


def test_a_repeat_after_a_lost_answer_is_the_first_order(
    stack: Stack, shop: dict[str, Any], tmp_path: Path
) -> None:
    host, customer, token = shop["sessions"][0]
    before = look_at(stack.home, "select count(*) from orders_order")
    fields = {
        "variant": str(shop["variants"][0][1]),
        "quantity": "1",
        "pay": "wallet",
        "idempotency_key": "a" * 32,
        "agree": "1",
    }

    for _ in range(3):
        send_and_vanish(stack.port, post(host, "/checkout/", fields, token))
    buyer = Buyer(port=stack.port, shop=shop, receipts=Receipts(tmp_path / "receipts"))
    form = {**fields, "csrfmiddlewaretoken": CSRF}
    placed = buyer._order(host, form, token=token)

    assert placed["state"] == "delivered"
    assert look_at(stack.home, "select count(*) from orders_order") == before + 1
    # The guard is the key: with a new one the same wish is bought again.
    assert buyer._order(host, {**form, "idempotency_key": "b" * 32}, token=token) != placed
    assert look_at(stack.home, "select count(*) from orders_order") == before + 2


def test_nothing_is_lost_and_nothing_happens_twice_under_kill_9(
    stack: Stack, shop: dict[str, Any], tmp_path: Path
) -> None:
    known = {row[0] for row in look(stack.home, PAID)}
    money = dict(look(stack.home, "select account_id, posted_amount from ledger_balance"))
    receipts = Receipts(tmp_path / "receipts")
    storm = _Storm(stack, receipts)

    buyers = _buy(stack, shop, receipts, storm)

    kept = receipts.read()
    orders = {row[0]: row for row in look(stack.home, PAID) if row[0] not in known}
    _assert_each_once(kept, orders)
    _assert_paid_and_delivered(kept, orders)
    _assert_charged_once(stack, kept, orders, money)
    _assert_settled(stack)
    print(_report(storm, buyers, kept, orders))


class _Storm:
    """Kills, one victim after another, as the orders come in."""

    def __init__(self, stack: Stack, receipts: Receipts) -> None:
        self.stack, self.receipts = stack, receipts
        self.killed: Counter[str] = Counter()
        self.longest_silence = 0.0
        self.over = threading.Event()
        self._dice = random.Random(4711)

    def rage(self) -> None:
        """Kill `KILLS` times, evenly over the receipts; each time wait until buyers go on."""
        total = ORDERS + ORDERS // 2  # an order by gateway has two receipts
        for number in range(KILLS):
            self._wait_for((number + 1) * total // (KILLS + 2))
            victim = VICTIMS[number % len(VICTIMS)]
            time.sleep(self._dice.random() * 0.2)
            # What was killed before may still be on its way back.
            end = time.monotonic() + FIND_SECONDS
            while not (is_hit := self._kill(victim)) and time.monotonic() < end:
                time.sleep(0.05)
            self.killed[victim] += is_hit
            self._measure()

    def _wait_for(self, count: int) -> None:
        while self.receipts.count < count and not self.over.is_set():
            time.sleep(0.02)

    def _measure(self) -> None:
        started, count = time.monotonic(), self.receipts.count
        while self.receipts.count < count + CLIENTS and not self.over.is_set():
            time.sleep(0.02)
        self.longest_silence = max(self.longest_silence, time.monotonic() - started)

    def _kill(self, victim: str) -> bool:
        noted = read_processes(Home(self.stack.home))
        found = {
            "web": [noted.get("web")],
            "worker": [noted.get("worker")],
            "postgres": [noted.get("postgres")],
            "web worker": _children(noted.get("web")),
            "backend": _backends(noted.get("postgres")),
        }[victim]
        alive = [pid for pid in found if pid]
        if not alive:
            return False
        try:
            os.kill(self._dice.choice(alive), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def _children(pid: int | None) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def _backends(postmaster: int | None) -> list[int]:
    """Return the processes that serve our clients."""
    found = []
    for pid in _children(postmaster):
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"kameng_app kameng" in title:
            found.append(pid)
    return found


def _buy(stack: Stack, shop: dict[str, Any], receipts: Receipts, storm: _Storm) -> list[Buyer]:
    buyers = [Buyer(port=stack.port, shop=shop, receipts=receipts) for _ in range(CLIENTS)]
    faults: list[BaseException] = []

    def work(index: int) -> None:
        try:
            for number in range(index, ORDERS, CLIENTS):
                buyer = buyers[index]
                (buyer.buy_by_gateway if number // CLIENTS % 2 else buyer.buy_by_wallet)(number)
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=work, args=(index,)) for index in range(CLIENTS)]
    thunder = threading.Thread(target=storm.rage)
    for thread in [*threads, thunder]:
        thread.start()
    for thread in threads:
        thread.join()
    storm.over.set()
    thunder.join()
    assert not faults, faults
    assert sum(storm.killed.values()) >= KILLS * 9 // 10, storm.killed
    return buyers


def _assert_each_once(kept: list[dict[str, Any]], orders: dict[str, Any]) -> None:
    """Every acknowledged order exists, and there is no order that nobody was told of."""
    told = [receipt for receipt in kept if receipt["kind"] in {"wallet", "open"}]
    numbers = [receipt["order_no"] for receipt in told]
    assert len(numbers) == len({receipt["key"] for receipt in told}) == ORDERS
    assert len(set(numbers)) == ORDERS
    assert set(numbers) == set(orders)


def _assert_paid_and_delivered(kept: list[dict[str, Any]], orders: dict[str, Any]) -> None:
    """Each paid order holds one key, was sold once and received once."""
    by_wallet = {receipt["order_no"] for receipt in kept if receipt["kind"] == "wallet"}
    paid = {receipt["order_no"] for receipt in kept if receipt["kind"] == "paid"}
    assert by_wallet | paid == set(orders)
    for number, (_no, state, paid_by, _at, keys, sales, receipts, *_rest) in orders.items():
        expected = (3, 1, 1, 1, 0) if number in by_wallet else (3, 2, 1, 1, 1)
        assert (state, paid_by, keys, sales, receipts) == expected, number


def _assert_charged_once(
    stack: Stack, kept: list[dict[str, Any]], orders: dict[str, Any], money: dict[int, int]
) -> None:
    """Each wallet is short of exactly what its acknowledged orders cost."""
    spent: Counter[int] = Counter()
    for receipt in kept:
        if receipt["kind"] == "wallet":
            spent[-(receipt["customer"] * 100 + 10)] += orders[receipt["order_no"]][8]
    now = dict(look(stack.home, "select account_id, posted_amount from ledger_balance"))
    gone = {account: money[account] - held for account, held in now.items()}
    assert {account: amount for account, amount in gone.items() if amount} == dict(spent)


def _assert_settled(stack: Stack) -> None:
    """The audit is clean; what reacts to orders has counted each sale once."""
    sold = look_at(stack.home, "select count(*) from inventory_cardkey where state = 2")
    end = time.monotonic() + SETTLE_SECONDS
    counted = -1
    while counted != sold and time.monotonic() < end:
        time.sleep(0.5)
        counted = look_at(stack.home, "select sum(sold_count) from catalog_product")
    assert counted == sold
    assert "every invariant holds" in stack.run("-m", "kameng.config.cli", "audit")


def _report(
    storm: _Storm, buyers: list[Buyer], kept: list[dict[str, Any]], orders: dict[str, Any]
) -> str:
    repeated = [r for r in kept if "key" in r and r["last"] > r["first"]]
    done = [r for r in repeated if orders[r["order_no"]][3] < r["last"]]
    return (
        f"{len(orders)} orders, {dict(storm.killed)} killed, {sum(b.retries for b in buyers)} tries"
        f" again; {len(repeated)} orders were repeated blind, {len(done)} of them stood already;"
        f" longest silence {storm.longest_silence:.1f} s"
    )
