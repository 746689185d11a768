"""The one clock. Aware UTC everywhere; tests replace it with `time_machine`."""

import datetime as dt


def now() -> dt.datetime:
    """Return the present moment, aware, in UTC."""
    return dt.datetime.now(dt.UTC)
