"""Processor time and memory of everything the stack runs, read from /proc."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def family(root: int, *, home: str) -> list[int]:
    """Return the processes of the stack: descendants of `root`, and the server of its home.

    PostgreSQL may have been started by a process that is gone; its command line names its home.
    """
    parents: dict[int, int] = {}
    found: set[int] = {root}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
        if home.encode() in command and b"postgres" in command:
            found.add(int(entry.name))
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return sorted(found)
        found |= more


def cpu_seconds(pids: list[int]) -> float:
    """Return user and system seconds, of ended children too."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return total / TICK


def pss_mib(pids: list[int]) -> float:
    """Return the proportional set size of all together, in MiB: shared pages count once."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024
