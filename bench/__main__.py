"""`kameng bench`: figures of speed and memory in one run, and whether the data is right after it.

Works on a stack of its own (`bench.stack`) and leaves nothing behind.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

from bench.processes import cpu_seconds, family, pss_mib
from bench.stack import Stack, running_stack

CLIENTS = 32
HOT_BUYERS = 200
HOT_KEYS = 50
TURNS = 3
CALLBACK_RATE = 200


def say(text: str) -> None:
    """Tell a person what is going on, beside the figures."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def load(stack: Stack, kind: str, shop: dict[str, Any], **limits: Any) -> dict[str, Any]:
    """Run one load in a process of its own; return its result with the processor time it cost."""
    pids = family(stack.process.pid, home=str(stack.home))
    before = cpu_seconds(pids)
    wanted = json.dumps({"kind": kind, "port": stack.port, "shop": shop, "limits": limits})
    done = subprocess.run(
        [sys.executable, "-m", "bench.client"],
        input=wanted,
        env=stack.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    result["cpu_seconds"] = cpu_seconds(family(stack.process.pid, home=str(stack.home))) - before
    if result["errors"] or (result["refused"] and kind != "hot"):
        sample = result["samples"][:1]
        say(f"  {kind}: {result['errors']} errors, {result['refused']} refused {sample}")
    return result


def in_turns(
    stack: Stack, shop: dict[str, Any], *, seconds: int
) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Return the orders by wallet, those through the gateway and the database's own limit a second.

    Measured in slices side by side: a machine that others share changes its pace within a minute.
    """
    parts: dict[str, list[dict[str, Any]]] = {"wallet": [], "gateway": []}
    limits = []
    for _ in range(TURNS):
        for kind, slices in parts.items():
            slices.append(load(stack, kind, shop, clients=CLIENTS, seconds=seconds / TURNS))
        wanted = ("--seconds", str(max(1, seconds // TURNS)), "--clients", str(CLIENTS))
        limits.append(float(stack.run("-m", "bench.limit", *wanted)))
    wallet, gateway = (_sum_up(slices) for slices in parts.values())
    return wallet, gateway, sum(limits) / TURNS


def _sum_up(slices: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the slices as one: the middle median, the worst 99th."""
    names = ("count", "seconds", "cpu_seconds", "refused", "errors")
    p50 = sorted(each["p50_ms"] for each in slices)[len(slices) // 2]
    p99 = max(each["p99_ms"] for each in slices)
    return {**{n: sum(each[n] for each in slices) for n in names}, "p50_ms": p50, "p99_ms": p99}


def figures(result: dict[str, Any], limit: float) -> dict[str, Any]:
    """Return the fields of one kind of order."""
    rate = result["count"] / result["seconds"] if result["seconds"] else 0.0
    return {
        "per_second": round(rate, 1),
        "p50_ms": round(result["p50_ms"], 2),
        "p99_ms": round(result["p99_ms"], 2),
        "cpu_ms_per_order": round(result["cpu_seconds"] / max(1, result["count"]) * 1000, 3),
        "database_limit_per_second": round(limit, 1),
        "ratio": round(rate / limit, 3) if limit else 0.0,
        "refused": result["refused"],
        "errors": result["errors"],
    }


def measure_parts(parts: list[str], *, quick: bool) -> dict[str, Any]:
    """Run what has an installation of its own, part by part; return the object of --json."""
    report: dict[str, Any] = {}
    for part in parts:
        say(f"{part} …")
        with running_stack() as stack:
            report[part] = PARTS[part](stack, quick=quick)
            report.setdefault("correct", True)
            report["correct"] &= audit(stack)
    return report


def many_sites(stack: Stack, *, quick: bool) -> dict[str, Any]:
    """Return what a site costs while their number grows."""
    wanted = ("--sites", str(1_000 if quick else 10_000), "--port", str(stack.port))
    done: dict[str, Any] = json.loads(stack.run("-m", "bench.sites", *wanted))
    return done


def weight(stack: Stack, *, quick: bool) -> dict[str, Any]:
    """Return what a phone fetches and when it shows, of a shop's front and of a product."""
    shop = json.loads(stack.run("-m", "bench.shop", "--keys", "50", "--customers", "0"))
    base = f"http://{shop['hosts'][0]}:{stack.port}"
    pages = {"home": f"{base}/", "product": f"{base}/p/{shop['variants'][0][0]}/"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.weight"],
        input=json.dumps({"pages": pages}),
        env=stack.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def periods(stack: Stack, *, quick: bool) -> dict[str, Any]:
    """Return how fast ten million orders roll up, and how fast any period of a dashboard opens."""
    stack.run("-m", "bench.shop", "--keys", "1", "--customers", "1", "--products", "1")
    count = 200_000 if quick else 10_000_000
    wanted = ("--orders", str(count), "--port", str(stack.port))
    done: dict[str, Any] = json.loads(stack.run("-m", "bench.dashboard", *wanted))
    return done


PARTS = {"sites": many_sites, "weight": weight, "dashboard": periods}


def measure(*, quick: bool) -> dict[str, Any]:
    """Run everything that shares one stack; return the object that --json prints."""
    seconds = 5 if quick else 15
    os.environ["KAMENG_GUEST_ORDERS_PER_MINUTE"] = "100000000"
    with running_stack() as stack:
        say(f"stack on port {stack.port}")
        # Enough keys that nothing sells out, enough customers that no limit on a person is met.
        keys = 4000 * seconds * 2 // 40
        customers = 1200 if quick else 3200
        shop = json.loads(
            stack.run("-m", "bench.shop", "--keys", str(keys), "--customers", str(customers))
        )
        time.sleep(2.0)
        pids = family(stack.process.pid, home=str(stack.home))
        memory = {"idle": round(pss_mib(pids), 1)}
        report: dict[str, Any] = {}
        for kind in ("wallet", "gateway"):  # warm: caches, plans, files
            load(stack, kind, shop, clients=CLIENTS, seconds=2)
        say("orders by wallet, through the gateway, and the database alone, in turns …")
        wallet, gateway, limit = in_turns(stack, shop, seconds=seconds)
        report["order"] = figures(wallet, limit)
        report["gateway_order"] = figures(gateway, limit)
        ours = report["gateway_order"]["per_second"] / (report["order"]["per_second"] or 1.0)
        report["gateway_order"]["of_wallet_orders"] = round(ours, 3)
        say(f"callbacks, {CALLBACK_RATE} a second …")
        report["callback"] = callback(stack, shop, seconds=seconds)
        say("one hot product …")
        report["hot_product"] = hot(stack, shop, rounds=2 if quick else 5)
        say("pages …")
        report["storefront"] = pages(stack, shop, seconds=3 if quick else 8)
        loaded = pss_mib(family(stack.process.pid, home=str(stack.home)))
        say("card keys …")
        with Peak(stack) as peak:
            report["key_import"] = keys_import(stack, 100_000 if quick else 1_000_000)
        say("a day's bill …")
        report["reconcile"] = reconcile(stack, 20_000 if quick else 100_000)
        memory["loaded"] = round(max(loaded, peak.mib), 1)
        report["memory_mib"] = memory
        say("audit …")
        report["correct"] = audit(stack)
    return report


def callback(stack: Stack, shop: dict[str, Any], *, seconds: int) -> dict[str, Any]:
    """Return how long a callback takes until its key is delivered, at an even rate."""
    result = load(stack, "callback", shop, rate=CALLBACK_RATE, seconds=seconds, clients=CLIENTS)
    return {
        "per_second": round(result["count"] / result["seconds"], 1),
        "p50_ms": round(result["p50_ms"], 2),
        "p99_ms": round(result["p99_ms"], 2),
        "refused": result["refused"],
        "errors": result["errors"],
    }


class Peak:
    """The largest memory of the stack while a block runs, looked at twice a second."""

    def __init__(self, stack: Stack) -> None:
        self.mib = 0.0
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            pids = family(self._stack.process.pid, home=str(self._stack.home))
            self.mib = max(self.mib, pss_mib(pids))

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join()


def hot(stack: Stack, shop: dict[str, Any], *, rounds: int) -> dict[str, Any]:
    """Let 200 buyers want 50 keys at once, a few times; the worst round counts."""
    made = json.loads(
        stack.run("-m", "bench.shop", "--hot", str(rounds), "--hot-keys", str(HOT_KEYS))
    )
    outcomes = []
    for _product, variant in made:
        result = load(stack, "hot", shop, variant=variant, buyers=HOT_BUYERS)
        outcomes.append(result)
        time.sleep(0.2)
    off = [r for r in outcomes if r["count"] != HOT_KEYS or r["refused"] != HOT_BUYERS - HOT_KEYS]
    shown = off[0] if off else outcomes[0]
    rates = sorted(HOT_BUYERS / r["seconds"] for r in outcomes)
    return {
        "sold": shown["count"],
        "refused": shown["refused"],
        "errors": sum(r["errors"] for r in outcomes),
        "per_second": round(rates[len(rates) // 2], 1),
        "rounds": rounds,
    }


def pages(stack: Stack, shop: dict[str, Any], *, seconds: int) -> dict[str, float]:
    """Return pages a second, home and product."""
    rates = {}
    for kind in ("home", "product"):
        load(stack, kind, shop, clients=16, seconds=1)
        result = load(stack, kind, shop, clients=16, seconds=seconds)
        rates[f"{kind}_per_second"] = round(result["count"] / result["seconds"], 1)
    return rates


def keys_import(stack: Stack, count: int) -> dict[str, Any]:
    """Import so many keys through the product's import."""
    path = stack.home / "keys.txt"
    text = stack.run("-m", "bench.keys", "--keys", str(count), "--file", str(path))
    done: dict[str, Any] = json.loads(text)
    return done


def reconcile(stack: Stack, lines: int) -> dict[str, Any]:
    """Compare so many lines of a bill with as many payments."""
    done: dict[str, Any] = json.loads(stack.run("-m", "bench.reconcile", "--lines", str(lines)))
    return done


def audit(stack: Stack) -> bool:
    """Tell whether every invariant holds after all that."""
    done = subprocess.run(
        [sys.executable, "-m", "kameng.config.cli", "audit", "--quiet"],
        env=stack.environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        say(done.stdout + done.stderr)
    return done.returncode == 0


def table(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    lines = [f"{'figure':<34}{'value':>14}"]
    for section, values in report.items():
        if isinstance(values, dict):
            lines += [f"{section + '.' + name:<34}{value:>14}" for name, value in values.items()]
        else:
            lines.append(f"{section:<34}{values!s:>14}")
    return "\n".join(lines)


def main() -> int:
    """Measure and print; 1 when the data is not right afterwards."""
    parser = argparse.ArgumentParser(prog="kameng bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, smaller runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"only these of: main, {', '.join(PARTS)}"
    )
    wanted = parser.parse_args()
    unknown = set(wanted.parts) - {"main", *PARTS}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    started = time.perf_counter()
    report = {"correct": True}
    if not wanted.parts or "main" in wanted.parts:
        report = measure(quick=wanted.quick)
    rest = measure_parts(
        [p for p in PARTS if not wanted.parts or p in wanted.parts], quick=wanted.quick
    )
    report = {**report, **rest, "correct": report["correct"] and rest.get("correct", True)}
    sys.stdout.write((json.dumps(report) if wanted.json else table(report)) + "\n")
    say(f"{time.perf_counter() - started:.0f} s in all")
    return 0 if report["correct"] else 1


if __name__ == "__main__":
    sys.exit(main())
