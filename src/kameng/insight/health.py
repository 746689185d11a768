"""How the machinery behind the pages is: the worker's beat, events not read yet, jobs.

Reads only. Promises an answer within a few indexed counts, whatever the size of the history.
"""

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Count, Min
from procrastinate.contrib.django.models import ProcrastinateJob

from kameng.core import clock
from kameng.core.events import list_lags

LATE_BEAT_SECONDS: Final = 60
LATE_LAG_SECONDS: Final = 30
SHOWN_FAILURES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """Jobs of one queue by state, and since when the oldest one waits."""

    queue: str
    waiting_count: int
    running_count: int
    failed_count: int
    oldest_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJob:
    """A job that gave up; its arguments are ids."""

    job_id: int
    queue: str
    task: str
    attempts: int
    scheduled_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of the machinery at `read_at`."""

    read_at: dt.datetime
    beat_seconds: int | None
    lags: tuple[tuple[str, float], ...]
    queues: tuple[QueueRow, ...]
    failed: tuple[FailedJob, ...]

    @property
    def is_worker_alive(self) -> bool:
        """Tell whether the worker has beaten within a minute."""
        return self.beat_seconds is not None and self.beat_seconds <= LATE_BEAT_SECONDS

    @property
    def worst_lag_seconds(self) -> float:
        """How far the slowest reader of events is behind."""
        return max((lag for _name, lag in self.lags), default=0.0)

    @property
    def is_behind(self) -> bool:
        """Tell whether events wait longer than they should."""
        return self.worst_lag_seconds > LATE_LAG_SECONDS


def read_health() -> Health:
    """Return the state of worker, events and jobs now."""
    return Health(
        read_at=clock.now(),
        beat_seconds=_beat_seconds(),
        lags=tuple(sorted(list_lags().items())),
        queues=_queues(),
        failed=_failed(),
    )


def _beat_seconds() -> int | None:
    try:
        beaten_at = (Path(settings.HOME) / "run" / "worker.beat").stat().st_mtime_ns
    except OSError:
        return None
    return max(0, (time.time_ns() - beaten_at) // 1_000_000_000)


def _queues() -> tuple[QueueRow, ...]:
    rows = ProcrastinateJob.objects.filter(status__in=("todo", "doing", "failed"))
    counted = rows.values_list("queue_name", "status").annotate(
        count=Count("id"), oldest=Min("scheduled_at")
    )
    counts = {(queue, status): (count, oldest) for queue, status, count, oldest in counted}
    return tuple(
        QueueRow(
            queue=queue,
            waiting_count=counts.get((queue, "todo"), (0, None))[0],
            running_count=counts.get((queue, "doing"), (0, None))[0],
            failed_count=counts.get((queue, "failed"), (0, None))[0],
            oldest_at=counts.get((queue, "todo"), (0, None))[1],
        )
        for queue in sorted({queue for queue, _status in counts})
    )


def _failed() -> tuple[FailedJob, ...]:
    rows = ProcrastinateJob.objects.filter(status="failed").order_by("-id")[:SHOWN_FAILURES]
    return tuple(
        FailedJob(
            job_id=row.id,
            queue=row.queue_name,
            task=row.task_name,
            attempts=row.attempts,
            scheduled_at=row.scheduled_at,
        )
        for row in rows
    )
