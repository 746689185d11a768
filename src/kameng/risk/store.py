"""Hand-written SQL of the counters that all processes share."""

from kameng.core.database import fetch, fetch_one


def hit(key: bytes, window_seconds: int) -> tuple[int, int]:
    """Count one hit; return hits in the window and the seconds that it lasts.

    One upsert on the primary key: parallel hits are all counted. Locks that row for the statement.
    """
    row = fetch_one("select * from risk_hit(%s, %s)", (key, window_seconds))
    return (row[0], row[1]) if row else (0, window_seconds)


def peek(key: bytes) -> tuple[int, int]:
    """Return hits and seconds left of a running window, (0, 0) when none runs. Primary key."""
    row = fetch_one("select * from risk_peek(%s)", (key,))
    return (row[0], row[1]) if row else (0, 0)


def forget(key: bytes) -> None:
    """Delete the counter of a key. Primary key."""
    fetch("select risk_forget(%s)", (key,))


def sweep() -> int:
    """Delete windows that ended; return how many. Index risk_throttle_expiry."""
    row = fetch_one("select risk_sweep()")
    return int(row[0]) if row else 0
