"""What the machine layer says: plain lines on the terminal, the same lines dated in a file.

A line never holds a secret: no database address with a password, no key.
"""

import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Report = Callable[[str], None]


def say(line: str) -> None:
    """Print one line at once; a closed terminal is no reason to stop."""
    try:
        print(line, flush=True)
    except (BrokenPipeError, OSError):
        sys.stdout = sys.__stderr__


def say_aside(line: str) -> None:
    """Print one line beside the output proper, which another program may be reading."""
    print(line, file=sys.stderr, flush=True)


def silent(line: str) -> None:
    """Say nothing (for callers that speak themselves)."""


def recorded(log: Path, *, aloud: Report = say) -> Report:
    """Return a report that also writes each line, dated in UTC, to the file `log`.

    A full disk costs the line in the file and nothing else: who reports has work to do.
    """

    def report(line: str) -> None:
        aloud(line)
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")

    return report
