"""Figures for Prometheus, summed over the processes of this home.

Each process keeps its counters in files of its own below `<home>/run/metrics`; whoever is asked
adds them up. Files of processes that have ended are removed at the next start, which a scraper
sees as an ordinary reset.

The library maps those files into memory and makes them without their blocks: on a full disk the
first write to such a page kills the process (SIGBUS). So each process reserves the blocks before
the library opens the files, and counts nothing where there is no room.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LABELS_MAX = 600  # views × methods × classes of status; more would be a defect
# Bytes of each file: more than all labels take (13 values of up to 180 bytes for each histogram).
RESERVED = {"histogram": 2_097_152, "counter": 131_072}
RETRY_SECONDS = 10.0
Figure = int | float
_recorders: dict[tuple[str, str, int], Callable[[float], None]] = {}
_meters: list[Any] = []
_reserved: dict[int, float] = {}  # process: until when it may not count; 0 when it may


def configure() -> None:
    """Make the folder of the counters and the meters; once a process, before the first request."""
    if _meters:
        return
    folder = Path(settings.HOME) / "run" / "metrics"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear_ended(folder)
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))
    except OSError:
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # read-only home: this process alone
    # Imported here because the library looks for the folder when it is imported.
    from prometheus_client import Counter, Histogram

    _meters.append(
        Histogram(
            "kameng_request_seconds",
            "Time of a request inside the program",
            ["view", "method", "status"],
            buckets=SECONDS,
        )
    )
    _meters.append(
        Counter("kameng_faults_total", "Requests that ended in an unforeseen fault", ["view"])
    )


def record_request(*, view: str, method: str, status: int, taken_ns: int) -> None:
    """Count one answered request under its view, method and class of status (200, 400 …)."""
    if not _has_room():
        return
    key = (view, method, status // 100)
    recorder = _recorders.get(key)
    if recorder is None:
        if len(_recorders) >= LABELS_MAX:
            return
        histogram = _meters[0].labels(view, method, f"{key[2]}xx")
        recorder = _recorders[key] = histogram.observe
    recorder(taken_ns / 1e9)


def record_fault(view: str) -> None:
    """Count a request that ended in an unforeseen fault."""
    if _meters and _has_room():
        _meters[1].labels(view).inc()


def render(gauges: Mapping[str, Figure]) -> bytes:
    """Return everything in Prometheus' text format, `gauges` (with labels in the name) included."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    lines: list[str] = []
    for name, value in gauges.items():
        heading = f"# TYPE {name.partition('{')[0]} gauge\n"
        if heading not in lines:
            lines.append(heading)
        lines.append(f"{name} {value}\n")
    return generate_latest(registry) + "".join(lines).encode()


def _has_room() -> bool:
    """Tell whether this process may count: its files have their blocks, or are needed by nobody."""
    pid = os.getpid()  # a forked worker has files of its own
    until = _reserved.get(pid)
    if until == 0.0:
        return True
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    if until is not None and time.monotonic() < until:
        return False
    try:
        if folder:
            for kind, size in RESERVED.items():
                _reserve(Path(folder) / f"{kind}_{pid}.db", size)
    except OSError:
        _reserved[pid] = time.monotonic() + RETRY_SECONDS
        return False
    _reserved[pid] = 0.0
    return True


def _reserve(path: Path, size: int) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def _clear_ended(folder: Path) -> None:
    for path in folder.glob("*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            path.unlink(missing_ok=True)
