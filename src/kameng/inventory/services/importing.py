"""Card keys brought in from pasted text or a file: looked through first, then stored in steps.

Promises that each line ends as a key or as an explained problem, that no key is ever stored twice,
and that a run which was killed goes on behind its last committed step. A step is one short
transaction of at most `STEP_KEYS` keys, so that readers of the event log are not held up.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from procrastinate.contrib.django import app

from kameng.catalog.models import ImportJob, ImportKind, ImportState
from kameng.catalog.selectors import get_import
from kameng.catalog.services.jobs import (
    MAX_PROBLEMS,
    NewJob,
    RunSuperseded,
    Step,
    advance_job,
    fail_job,
    finish_check,
    finish_job,
    lock_job,
    mark_undone,
    open_job,
    require_state,
    start_job,
)
from kameng.catalog.uploads import remove_upload, store_upload, upload_path
from kameng.core.audit import Actor
from kameng.core.scope import require_site_id
from kameng.inventory import store
from kameng.inventory.errors import BatchLabelInvalid
from kameng.inventory.models import CardBatch
from kameng.inventory.parsing import KeyFormat
from kameng.inventory.reading import FileRefused, read_checked, read_sealed
from kameng.inventory.sealing import KeyFile, KeyFrame
from kameng.inventory.selectors import forget_stock
from kameng.inventory.services.levels import require_card_variant
from kameng.inventory.services.withdrawing import withdraw_batch
from kameng.pricing.money import ZERO, Amount

STEP_KEYS: Final = 5_000  # twice as many cost 12 MiB more and save a tenth of the time
INLINE_LINES: Final = 2_000
INLINE_BYTES: Final = 1_000_000
NET_SECONDS: Final = 60  # after so long a worker looks whether what ran here was cut off
MAX_LABEL_CHARS: Final = 80
MAX_COST_AMOUNT: Final = 10_000_000_000
QUEUE: Final = "imports"
CHECK_TASK: Final = "inventory.check_keys"
RUN_TASK: Final = "inventory.import_keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyImport:
    """What is imported: for which variant, under which name, at which cost a key."""

    variant_id: int
    label: str = ""
    cost_amount: Amount = ZERO
    fmt: KeyFormat = KeyFormat.AUTO
    filename: str = ""


def start_key_import(chunks: Iterable[bytes], *, wanted: KeyImport, actor: Actor) -> ImportJob:
    """Keep a file and look through it; what is short is looked through before this returns.

    Raises `NotCardGoods`, `NotOwner`, `VariantNotFound`, `BatchLabelInvalid`.
    """
    variant = require_card_variant(wanted.variant_id)
    label = " ".join(wanted.label.split()) or f"{variant.product.title} {variant.name}"[:60]
    if len(label) > MAX_LABEL_CHARS or not 0 <= wanted.cost_amount <= MAX_COST_AMOUNT:
        raise BatchLabelInvalid
    size = _Size()
    name = store_upload(size.measure(chunks), site_id=require_site_id())
    options = {
        "variant_id": variant.id,
        "label": label,
        "cost_amount": wanted.cost_amount,
        "fmt": wanted.fmt.value,
        "is_small": size.line_count <= INLINE_LINES and size.byte_count <= INLINE_BYTES,
    }
    new = NewJob(
        kind=ImportKind.CARD_KEYS, filename=wanted.filename, file_path=name, options=options
    )
    try:
        with transaction.atomic():
            job = open_job(new, actor=actor)
            _defer(CHECK_TASK, job, is_net=bool(options["is_small"]))
    except BaseException:
        remove_upload(name)
        raise
    if options["is_small"]:
        check_key_import(job.id)
    return get_import(job.id)


def start_key_paste(text: str, *, wanted: KeyImport, actor: Actor) -> ImportJob:
    """Look through pasted text, as `start_key_import` does a file."""
    data = text.encode("utf-8", "replace")
    return start_key_import([data], wanted=wanted, actor=actor)


def check_key_import(job_id: int) -> None:
    """Look through the file of an import: count, find doubles, explain every odd line."""
    job = get_import(job_id)
    if job.state != ImportState.CHECKING:
        return
    found = _Findings()
    try:
        with closing(read_checked(_source(job), beside=_is_beside(job))) as frames:
            for frame in frames:
                known = store.known_places(job.site_id, frame.digests)
                found.add(frame, known_lines=[frame.line_nos[place] for place in known])
    except FileRefused as fault:
        fail_job(job_id, code=fault.code, params=fault.params)
        return
    finish_check(job_id, found=found.step(), options={"report": found.report()})


def confirm_key_import(job_id: int, *, actor: Actor) -> ImportJob:
    """Let a checked import run, as a new batch; what is short has run before this returns."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.DRAFT)
        batch = CardBatch.objects.create(
            site_id=job.site_id,
            variant_id=job.options["variant_id"],
            label=job.options["label"],
            cost_amount=job.options["cost_amount"],
            import_job_id=job.id,
            created_by=actor.name[:64],
        )
        start_job(job, options={"batch_id": batch.id}, actor=actor)
        _defer(RUN_TASK, job, is_net=job.options["is_small"])
    if job.options["is_small"]:
        run_key_import(job_id)
    return get_import(job_id)


def resume_key_import(job_id: int) -> None:
    """Queue a check or a run again whose worker was lost; two runners do not disturb each other."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.CHECKING, ImportState.RUNNING)
        task = CHECK_TASK if job.state == ImportState.CHECKING else RUN_TASK
        _defer(task, job, is_net=False)


def run_key_import(job_id: int) -> None:
    """Store what the file holds, from where the last committed step ended."""
    job = get_import(job_id)
    if job.state != ImportState.RUNNING:
        return
    done_count = job.done_count
    frames = read_sealed(
        _source(job),
        skip_count=done_count,
        take_ids=lambda: store.take_key_ids(STEP_KEYS if _is_beside(job) else INLINE_LINES),
        beside=_is_beside(job),
    )
    try:
        with closing(frames):
            for frame in frames:
                _store_frame(job, frame, from_done=done_count)
                done_count += frame.record_count
    except RunSuperseded:
        return
    except FileRefused as fault:
        fail_job(job_id, code=fault.code, params=fault.params)
        return
    finish_job(job_id, undo={"batch_id": job.options["batch_id"]})
    forget_stock()


def undo_key_import(job_id: int, *, actor: Actor) -> int:
    """Take what an import brought and nobody bought out of sale again; return how many keys."""
    job = get_import(job_id)
    require_state(job, ImportState.DONE)
    count = withdraw_batch(job.undo["batch_id"], actor=actor)
    with transaction.atomic():
        mark_undone(lock_job(job_id), actor=actor, detail={"count": count})
    return count


def _store_frame(job: ImportJob, frame: KeyFrame, *, from_done: int) -> None:
    """One step, one transaction: the keys, the batch's count and how far the import has come."""
    batch_id = job.options["batch_id"]
    with transaction.atomic():
        lock_job(job.id)  # a second runner of the same import waits here, then finds itself late
        known = store.add_keys(
            (job.site_id, job.options["variant_id"], batch_id),
            ids=frame.ids,
            digests=frame.digests,
            secrets=frame.secrets,
        )
        line_of = dict(zip(frame.ids, frame.line_nos, strict=True))
        found = _Findings()
        found.add(frame, known_lines=[line_of[key_id] for key_id in known])
        step = found.step(created_count=len(frame.ids) - len(known))
        advance_job(job.id, from_done=from_done, step=step)
        CardBatch.objects.filter(id=batch_id).update(key_count=F("key_count") + step.created_count)


def _defer(task: str, job: ImportJob, *, is_net: bool) -> None:
    """Queue a step for the worker, or the net under one that is done here and may be cut off.

    Who comes to a step that is done finds nothing to do.
    """
    queued = app.configure_task(
        task, queue=QUEUE, schedule_in={"seconds": NET_SECONDS} if is_net else None
    )
    queued.defer(site_id=job.site_id, job_id=job.id)


def _source(job: ImportJob) -> KeyFile:
    return KeyFile(
        path=str(upload_path(job.file_path)),
        site_id=job.site_id,
        fmt=KeyFormat(job.options["fmt"]),
    )


def _is_beside(job: ImportJob) -> bool:
    """A process of its own pays from a few thousand lines on."""
    return not job.options["is_small"]


class _Size:
    """Counts bytes and lines while a file passes by."""

    def __init__(self) -> None:
        self.byte_count = 0
        self.line_count = 0

    def measure(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.byte_count += len(chunk)
            self.line_count += max(chunk.count(b"\n"), chunk.count(b"\r"))
            yield chunk


class _Findings:
    """Sums frames up into what an import keeps of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()
        self._problems: list[dict[str, Any]] = []
        self._samples: list[list[str]] = []
        self._file_problems: list[dict[str, Any]] = []
        self._record_count = self._key_count = self._duplicate_count = self._problem_count = 0

    def add(self, frame: KeyFrame, *, known_lines: list[int]) -> None:
        self._record_count += frame.record_count
        self._key_count += len(frame.digests) - len(known_lines)
        self._duplicate_count += frame.duplicate_count + len(known_lines)
        self._problem_count += frame.problem_count
        self._counts += frame.counts
        self._notes += frame.notes
        if known_lines:
            self._counts["in_stock"] += len(known_lines)
        room = MAX_PROBLEMS - len(self._problems)
        known = [{"line": line, "code": "in_stock", "params": {}} for line in known_lines[:room]]
        both = sorted([*frame.problems, *known], key=lambda problem: problem["line"])
        self._problems += both[: max(room, 0)]
        self._samples = self._samples or frame.samples
        self._file_problems = frame.file_problems

    def step(self, *, created_count: int = 0) -> Step:
        return Step(
            done_count=self._record_count,
            created_count=created_count,
            duplicate_count=self._duplicate_count,
            problem_count=self._problem_count,
            problems=self._problems,
        )

    def report(self) -> dict[str, Any]:
        """What a person reads before confirming: new keys, oddities by kind, a few lines masked."""
        return {
            "key_count": self._key_count,
            "counts": dict(self._counts),
            "notes": dict(self._notes),
            "samples": self._samples,
            "file_problems": self._file_problems,
        }
