"""Figures of a process: their files have their blocks before the library maps them."""

import errno
import json
import os
from pathlib import Path

import pytest

from kameng.web import metrics

PID = os.getpid()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(metrics, "_reserved", {})
    return tmp_path


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seen: list[float] = []
    monkeypatch.setattr(metrics, "_recorders", {("shop:home", "GET", 2): seen.append})
    return seen


def record() -> None:
    metrics.record_request(view="shop:home", method="GET", status=200, taken_ns=2_000_000_000)


def test_the_first_figure_of_a_process_reserves_its_files(
    folder: Path, recorded: list[float]
) -> None:
    record()
    record()

    assert recorded == [2.0, 2.0]
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == {
        f"histogram_{PID}.db": metrics.RESERVED["histogram"],
        f"counter_{PID}.db": metrics.RESERVED["counter"],
    }
    for path in folder.iterdir():
        assert path.stat().st_blocks * 512 >= path.stat().st_size, "the file has holes"


def test_on_a_full_disk_nothing_is_counted_until_there_is_room(
    folder: Path, recorded: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int, _offset: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", refuse)
        record()
        metrics.record_fault("shop:home")
    assert recorded == []
    assert list(folder.iterdir()) == []

    record()  # there is room again, but that was only just asked
    assert recorded == []
    metrics._reserved[PID] = 0.1  # a moment long past
    record()

    assert recorded == [2.0]


def test_all_labels_fit_into_what_is_reserved() -> None:
    # Not the library's own function: importing it here would settle for the whole process where
    # figures are kept.
    labels = {"view": "console:" + "v" * 40, "method": "OPTIONS", "status": "2xx", "le": "0.025"}
    name = "kameng_request_seconds"
    key = json.dumps([name, f"{name}_bucket", labels, "Time of a request inside the program"])
    values = len(metrics.SECONDS) + 2  # one without a bound, and the sum

    assert metrics.LABELS_MAX * values * (len(key) + 32) <= metrics.RESERVED["histogram"]
