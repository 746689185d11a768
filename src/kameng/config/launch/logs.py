"""The log files of the home: bounded in number and size, whoever writes them.

Every process writes its own file with O_APPEND and never reopens it, so a full file is copied and
cut; a line written in that very instant may be lost, and nothing else.
"""

import os
import shutil
from pathlib import Path

LIMIT_BYTES = 10 * 1024 * 1024
KEPT_COUNT = 5


def open_log(path: Path) -> int:
    """Open a log for a child to append to; its group may read it, the world may not."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def rotate(path: Path, *, limit_bytes: int = LIMIT_BYTES, kept_count: int = KEPT_COUNT) -> bool:
    """Move a full log to `.1`, the older ones one further; return whether it was full."""
    try:
        if path.stat().st_size < limit_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept_count - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def tail(path: Path, *, line_count: int = 12, most_bytes: int = 8192) -> list[str]:
    """Return the last lines of a log."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most_bytes))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-line_count:]
