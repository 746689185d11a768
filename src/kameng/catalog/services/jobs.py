"""The life of an import, whatever it brings in: checked, confirmed, run in steps, done, undone.

Every arrow is a compare-and-set on the state; a step also on how far the import had come, so that
two runners of one import never both count a step, and a run that was killed goes on where its last
committed step ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from kameng.catalog.errors import ImportNotFound, ImportStateWrong
from kameng.catalog.models import ImportJob, ImportState
from kameng.catalog.uploads import remove_strays, remove_upload
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id

MAX_PROBLEMS: Final = 500
FILENAME_CHARS: Final = 120
KEPT_FOR: Final = timedelta(days=7)


class RunSuperseded(RuntimeError):
    """Another runner has taken this import further: this one stops and changes nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What an import is about: its kind, where its file lies, what was chosen."""

    kind: str
    filename: str
    file_path: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step of a check or a run has found or done."""

    done_count: int = 0
    created_count: int = 0
    updated_count: int = 0
    duplicate_count: int = 0
    problem_count: int = 0
    problems: Sequence[Mapping[str, Any]] = ()


def open_job(new: NewJob, *, actor: Actor) -> ImportJob:
    """Record an import that waits for its dry run."""
    job: ImportJob = ImportJob.objects.create(
        site_id=require_site_id(),
        kind=new.kind,
        state=ImportState.CHECKING,
        filename=new.filename[:FILENAME_CHARS],
        file_path=new.file_path,
        options=dict(new.options),
        created_by=actor.name[:64],
    )
    return job


def lock_job(job_id: int) -> ImportJob:
    """Lock an import of the site in force; raise `ImportNotFound`. Taken by every arrow of it."""
    job = ImportJob.objects.select_for_update(no_key=True).filter(id=job_id).first()
    if job is None:
        raise ImportNotFound
    found: ImportJob = job
    return found


def require_state(job: ImportJob, *states: ImportState) -> None:
    """Raise `ImportStateWrong` unless the import is in one of the states."""
    if job.state not in states:
        raise ImportStateWrong(state=ImportState(job.state).label)


def finish_check(job_id: int, *, found: Step, options: Mapping[str, Any]) -> ImportJob:
    """Keep what the dry run found; the import now waits for a person."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.CHECKING, ImportState.DRAFT)
        job.state = ImportState.DRAFT
        job.total_count = found.done_count
        job.duplicate_count = found.duplicate_count
        job.problem_count = found.problem_count
        job.problems = list(found.problems)[:MAX_PROBLEMS]
        job.options = {**job.options, **options}
        job.save(
            update_fields=[
                "state", "total_count", "duplicate_count", "problem_count", "problems", "options",
            ]
        )  # fmt: skip
    return job


def start_job(job: ImportJob, *, options: Mapping[str, Any], actor: Actor) -> None:
    """Let a checked import run, its counters at zero. Call with the job locked."""
    require_state(job, ImportState.DRAFT)
    ImportJob.objects.filter(id=job.id).update(
        state=ImportState.RUNNING,
        done_count=0,
        created_count=0,
        updated_count=0,
        duplicate_count=0,
        problem_count=0,
        problems=[],
        undo={},
        options={**job.options, **options},
    )
    record(
        "import.started",
        actor=actor,
        site_id=job.site_id,
        subject=("import", job.id),
        detail={"kind": job.kind, "filename": job.filename},
    )


def advance_job(job_id: int, *, from_done: int, step: Step) -> None:
    """Count a step in the transaction that makes it; raise `RunSuperseded` when it is not next."""
    job = lock_job(job_id)
    if job.state != ImportState.RUNNING or job.done_count != from_done:
        raise RunSuperseded
    room = MAX_PROBLEMS - len(job.problems)
    ImportJob.objects.filter(id=job_id).update(
        done_count=F("done_count") + step.done_count,
        created_count=F("created_count") + step.created_count,
        updated_count=F("updated_count") + step.updated_count,
        duplicate_count=F("duplicate_count") + step.duplicate_count,
        problem_count=F("problem_count") + step.problem_count,
        problems=[*job.problems, *step.problems[: max(room, 0)]],
    )


def keep_undo(job_id: int, *, changes: Sequence[Mapping[str, Any]]) -> None:
    """Add what an undo of this step needs, in the step's transaction."""
    job = lock_job(job_id)
    known = job.undo.get("changes", [])
    ImportJob.objects.filter(id=job_id).update(undo={"changes": [*known, *changes]})


def finish_job(job_id: int, *, undo: Mapping[str, Any]) -> None:
    """End a run: keep what an undo needs and remove the file."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.RUNNING)
        ImportJob.objects.filter(id=job_id).update(
            state=ImportState.DONE, total_count=job.done_count, undo=dict(undo), finished_at=Now()
        )
    remove_upload(job.file_path)


def fail_job(job_id: int, *, code: str, params: Mapping[str, Any]) -> None:
    """End an import that cannot go on: the reason is its first problem, the file is removed."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.CHECKING, ImportState.DRAFT, ImportState.RUNNING)
        problem = {"line": 0, "code": code, "params": dict(params)}
        ImportJob.objects.filter(id=job_id).update(
            state=ImportState.FAILED,
            problems=[problem, *job.problems][:MAX_PROBLEMS],
            finished_at=Now(),
        )
    remove_upload(job.file_path)


def discard_import(job_id: int, *, actor: Actor) -> None:
    """Throw a checked import away before it ran."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.CHECKING, ImportState.DRAFT)
        ImportJob.objects.filter(id=job_id).update(state=ImportState.UNDONE, finished_at=Now())
        record("import.discarded", actor=actor, site_id=job.site_id, subject=("import", job.id))
    remove_upload(job.file_path)


def mark_undone(job: ImportJob, *, actor: Actor, detail: Mapping[str, Any]) -> None:
    """End an undo inside its transaction. Call with the job locked."""
    require_state(job, ImportState.DONE)
    ImportJob.objects.filter(id=job.id).update(state=ImportState.UNDONE, finished_at=Now())
    record(
        "import.undone",
        actor=actor,
        site_id=job.site_id,
        subject=("import", job.id),
        detail=detail,
    )


def sweep_imports() -> int:
    """Discard imports that nobody confirmed for a week, and files that no import knows."""
    since = clock.now() - KEPT_FOR
    waiting = (ImportState.CHECKING, ImportState.DRAFT)
    with platform_scope("imports of every site that nobody confirmed"):
        rows = ImportJob.unscoped.filter(state__in=waiting, created_at__lt=since)
        names = list(rows.values_list("file_path", flat=True))
        count: int = ImportJob.unscoped.filter(
            state__in=waiting, file_path__in=names, created_at__lt=since
        ).update(state=ImportState.UNDONE, finished_at=Now())
        open_states = (*waiting, ImportState.RUNNING)
        known = set(
            ImportJob.unscoped.filter(state__in=open_states).values_list("file_path", flat=True)
        )
    for name in names:
        remove_upload(name)
    remove_strays(known, before=since)
    return count
