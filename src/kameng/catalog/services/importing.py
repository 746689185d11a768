"""Products brought in from pasted text or a file: looked through, mapped, then stored in steps.

Promises one outcome for every line, that a product found again by code or name is updated and
never doubled, and that an undo puts prices and texts back and takes what is new off the shop.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from django.db import IntegrityError, transaction
from procrastinate.contrib.django import app

from kameng.catalog.adopting import Adopted, AdoptionDefaults, adopt_row
from kameng.catalog.errors import OwnGoodsNotInPlan
from kameng.catalog.models import ImportJob, ImportKind, ImportState
from kameng.catalog.parsing import (
    ColumnMapping,
    DeliveryWord,
    Field,
    ProductRow,
    RowProblem,
    guess_mapping,
    parse_products,
)
from kameng.catalog.selectors import get_import
from kameng.catalog.services.admission import Admission
from kameng.catalog.services.adoption import Change, Shelf, restore_changes
from kameng.catalog.services.jobs import (
    MAX_PROBLEMS,
    NewJob,
    RunSuperseded,
    Step,
    advance_job,
    fail_job,
    finish_check,
    finish_job,
    keep_undo,
    lock_job,
    mark_undone,
    open_job,
    require_state,
    start_job,
)
from kameng.catalog.services.own_goods import require_maker
from kameng.catalog.uploads import (
    UploadMissing,
    read_upload,
    remove_upload,
    store_upload,
    upload_path,
)
from kameng.core.audit import Actor
from kameng.core.errors import Conflict
from kameng.core.problems import Problem
from kameng.core.tabular import MAX_BYTES, Table, TableUnreadable, read_table
from kameng.pricing.money import format_yuan

STEP_ROWS: Final = 200
INLINE_ROWS: Final = 2_000
MAX_ROWS: Final = 20_000
SAMPLE_ROWS: Final = 20
HEAD_ROWS: Final = 5
QUEUE: Final = "imports"
CHECK_TASK: Final = "catalog.check_products"
RUN_TASK: Final = "catalog.import_products"
NET_SECONDS: Final = 60  # after so long a worker looks whether what ran here was cut off
DOUBLED: Final = frozenset(("doubled_row", "doubled_code", "doubled_name"))

# What these say of a row is true of new goods only: an update lists and unlists nothing.
ONLY_NEW: Final = frozenset(("price_missing", "price_on_request", "stock_none", "delivery_missing"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChoices:
    """What a person decides about an import: columns by field, and what unsaid cells mean."""

    columns: Mapping[str, int | None] = field(default_factory=dict)
    category: str = ""
    delivery: DeliveryWord = DeliveryWord.AUTOMATIC
    updates_existing: bool = True


def start_product_import(chunks: Iterable[bytes], *, filename: str, actor: Actor) -> ImportJob:
    """Keep a list of goods and look through it.

    Raises `OwnGoodsNotInPlan` on a sub-site whose plan has none.
    """
    site_id = require_maker().site_id
    name = store_upload(chunks, site_id=site_id)
    new = NewJob(kind=ImportKind.PRODUCTS, filename=filename, file_path=name, options={})
    try:
        with transaction.atomic():
            job = open_job(new, actor=actor)
            _defer(CHECK_TASK, job, is_net=True)
    except BaseException:
        remove_upload(name)
        raise
    check_product_import(job.id)
    return get_import(job.id)


def start_product_paste(text: str, *, actor: Actor) -> ImportJob:
    """Look through a pasted list, as `start_product_import` does a file."""
    return start_product_import([text.encode("utf-8", "replace")], filename="", actor=actor)


def choose_for_import(job_id: int, *, choices: ProductChoices) -> ImportJob:
    """Look through a list again with a person's choice of columns and defaults."""
    job = get_import(job_id)
    require_state(job, ImportState.DRAFT)
    mapping = _mapping_of(job)
    for name, column in choices.columns.items():
        mapping = mapping.choose(Field(name), column)
    options = {
        "mapping": _dump_mapping(mapping),
        "category": " ".join(choices.category.split())[:30],
        "delivery": choices.delivery.value,
        "updates_existing": choices.updates_existing,
    }
    check_product_import(job_id, options=options)
    return get_import(job_id)


def check_product_import(job_id: int, *, options: Mapping[str, Any] | None = None) -> None:
    """Look through a list: what would be created, updated, held back, and every odd line."""
    job = get_import(job_id)
    require_state(job, ImportState.CHECKING, ImportState.DRAFT)
    try:
        table = _open_table(job)
        known = {**job.options, **(options or {})}
        mapping = known.get("mapping") or _dump_mapping(guess_mapping(table))
        job.options = {**known, "mapping": mapping}
        shelf = Shelf.load(job.site_id, updates_existing=_updates_existing(job))
        admission = Admission(require_maker(), is_locked=False)
        found = _Findings()
        for result in _results(job, table):
            found.plan(result, shelf=shelf, admission=admission)
    except (TableUnreadable, UploadMissing) as fault:
        problem = fault.problem if isinstance(fault, TableUnreadable) else None
        code = problem.code if problem else "upload_missing"
        fail_job(job_id, code=code, params=problem.params if problem else {})
        return
    except OwnGoodsNotInPlan as refusal:
        fail_job(job_id, code=refusal.code, params={})
        return
    if found.step().done_count > MAX_ROWS:
        fail_job(job_id, code="too_many_products", params={"limit": MAX_ROWS})
        return
    report = found.report() | _table_report(table) | {"new_categories": shelf.new_categories()}
    if Field.NAME.value not in mapping["columns"]:
        report["file_problems"].append({"code": "no_name_column", "params": {}})
    is_small = found.step().done_count <= INLINE_ROWS
    finish_check(
        job_id, found=found.step(), options=job.options | {"report": report, "is_small": is_small}
    )


def confirm_product_import(job_id: int, *, actor: Actor) -> ImportJob:
    """Let a checked import run; what is short has run before this returns."""
    with transaction.atomic():
        job = lock_job(job_id)
        start_job(job, options={}, actor=actor)
        _defer(RUN_TASK, job, is_net=job.options["is_small"])
    if job.options["is_small"]:
        run_product_import(job_id)
    return get_import(job_id)


def resume_product_import(job_id: int) -> None:
    """Queue a check or a run again whose process was lost."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.CHECKING, ImportState.RUNNING)
        task = CHECK_TASK if job.state == ImportState.CHECKING else RUN_TASK
        _defer(task, job, is_net=False)


def resume_product_check(job_id: int) -> None:
    """Look through a list whose first look was cut off; otherwise there is nothing to do."""
    if get_import(job_id).state == ImportState.CHECKING:
        check_product_import(job_id)


def run_product_import(job_id: int) -> None:
    """Store what the list holds, from where the last committed step ended."""
    job = get_import(job_id)
    if job.state != ImportState.RUNNING:
        return
    done_count = job.done_count
    try:
        results = _results(job, _open_table(job))
        next(islice(results, done_count, done_count), None)
        shelf = Shelf.load(job.site_id, updates_existing=_updates_existing(job))
        while step := list(islice(results, STEP_ROWS)):
            _store_step(job, step, shelf=shelf, from_done=done_count)
            done_count += len(step)
    except RunSuperseded:
        return
    except OwnGoodsNotInPlan as refusal:  # a smaller plan meanwhile: what is done stays
        fail_job(job_id, code=refusal.code, params={})
        return
    except IntegrityError as fault:
        # Someone made goods of the same code meanwhile: what is done stays, the rest goes on.
        raise Conflict from fault
    except (TableUnreadable, UploadMissing):
        fail_job(job_id, code="upload_missing", params={})
        return
    finish_job(job_id, undo=get_import(job_id).undo)


def undo_product_import(job_id: int, *, actor: Actor) -> int:
    """Put back what an import changed and unlist what it made; return how many products."""
    with transaction.atomic():
        job = lock_job(job_id)
        require_state(job, ImportState.DONE)
        count = restore_changes(job.undo.get("changes", []))
        mark_undone(job, actor=actor, detail={"count": count})
    return count


def _store_step(
    job: ImportJob, results: Sequence["_Result"], *, shelf: Shelf, from_done: int
) -> None:
    with transaction.atomic():
        lock_job(job.id)  # a second runner of the same import waits here, then finds itself late
        admission = Admission(require_maker(), is_locked=True)
        found = _Findings()
        plans = []
        for result in results:
            change = found.plan(result, shelf=shelf, admission=admission)
            if change is not None and change.is_written:
                plans.append(change)
        undo = shelf.write(plans)
        advance_job(job.id, from_done=from_done, step=found.step())
        keep_undo(job.id, changes=undo)


def _defer(task: str, job: ImportJob, *, is_net: bool) -> None:
    """Queue a step for the worker, or the net under one that is done here and may be cut off.

    Who comes to a step that is done finds nothing to do.
    """
    queued = app.configure_task(
        task, queue=QUEUE, schedule_in={"seconds": NET_SECONDS} if is_net else None
    )
    queued.defer(site_id=job.site_id, job_id=job.id)


def _updates_existing(job: ImportJob) -> bool:
    return bool(job.options.get("updates_existing", True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """A row that becomes no product."""

    line_no: int
    name: str
    problem: Problem


_Result = Adopted | _Refused


def _results(job: ImportJob, table: Table) -> Iterator[_Result]:
    """Yield one outcome for every record of the list, the same ones each time."""
    defaults = AdoptionDefaults(
        category=job.options.get("category", ""),
        delivery=DeliveryWord(job.options.get("delivery", DeliveryWord.AUTOMATIC.value)),
    )
    for row in islice(parse_products(table, _mapping_of(job)), MAX_ROWS + 1):
        if isinstance(row, RowProblem):
            yield _Refused(line_no=row.line_no, name=row.name, problem=row.problem)
        else:
            yield _adopted(row, defaults)


def _adopted(row: ProductRow, defaults: AdoptionDefaults) -> _Result:
    adopted = adopt_row(row, defaults=defaults)
    if isinstance(adopted, Problem):
        return _Refused(line_no=row.line_no, name=row.name, problem=adopted)
    return adopted


def _open_table(job: ImportJob) -> Table:
    data = bytearray()
    for piece in read_upload(upload_path(job.file_path), site_id=job.site_id):
        data += piece
        if len(data) > MAX_BYTES:
            break
    return read_table(bytes(data), filename=job.filename)


def _mapping_of(job: ImportJob) -> ColumnMapping:
    stored = job.options["mapping"]
    return ColumnMapping(
        columns={Field(name): column for name, column in stored["columns"].items()},
        confidence_bps={Field(name): bps for name, bps in stored["confidence_bps"].items()},
        has_heading=stored["has_heading"],
    )


def _dump_mapping(mapping: ColumnMapping) -> dict[str, Any]:
    return {
        "columns": {key.value: column for key, column in mapping.columns.items()},
        "confidence_bps": {key.value: bps for key, bps in mapping.confidence_bps.items()},
        "has_heading": mapping.has_heading,
    }


def _table_report(table: Table) -> dict[str, Any]:
    rows = [list(row.cells[:30]) for row in table.sample(HEAD_ROWS)]
    return {
        "header": list(table.header[:30]),
        "rows": [[cell[:60] for cell in row] for row in rows],
        "encoding": table.encoding,
        "file_problems": [
            {"code": problem.code, "params": problem.params} for problem in table.problems
        ],
    }


class _Findings:
    """Sums outcomes up into what an import keeps of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._actions: Counter[str] = Counter()
        self._problems: list[dict[str, Any]] = []
        self._samples: list[dict[str, Any]] = []
        self._record_count = self._unlisted_count = 0

    def plan(self, result: _Result, *, shelf: Shelf, admission: Admission) -> Change | None:
        """Decide what a record does, count it, and return what is to be written, if anything."""
        change = None
        if not isinstance(result, _Refused):
            change = admission.admit(shelf.plan(result))
            result = change.adopted
        self.add(result, change=change)
        return change

    def add(self, result: _Result, *, change: Change | None) -> None:
        self._record_count += 1
        if isinstance(result, _Refused):
            self._note(result.line_no, result.name, result.problem, is_kept=False)
            return
        if change is None:
            return
        title = result.product.title
        self._actions[change.action] += 1
        if change.action == "skip" and change.problem is not None:
            self._note(result.line_no, title, change.problem, is_kept=False)
        for warning in result.warnings if change.is_written else ():
            if change.action == "create" or warning.code not in ONLY_NEW:
                self._note(result.line_no, title, warning, is_kept=True)
        self._unlisted_count += change.action == "create" and not result.is_listed
        if len(self._samples) < SAMPLE_ROWS:
            self._samples.append(_sample(result, change))

    def step(self) -> Step:
        doubled = sum(self._counts[code] for code in DOUBLED)
        written = self._actions["create"] + self._actions["update"] + self._actions["same"]
        return Step(
            done_count=self._record_count,
            created_count=self._actions["create"],
            updated_count=self._actions["update"],
            duplicate_count=doubled,
            problem_count=self._record_count - written - doubled,
            problems=self._problems,
        )

    def report(self) -> dict[str, Any]:
        """What a person reads before confirming."""
        return {
            "create_count": self._actions["create"],
            "update_count": self._actions["update"],
            "same_count": self._actions["same"],
            "unlisted_count": self._unlisted_count,
            "counts": dict(self._counts),
            "goods": self._samples,
        }

    def _note(self, line_no: int, name: str, problem: Problem, *, is_kept: bool) -> None:
        self._counts[problem.code] += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(
                {
                    "line": line_no,
                    "name": name[:80],
                    "code": problem.code,
                    "params": problem.params,
                    "is_kept": is_kept,
                }
            )


def _sample(result: Adopted, change: Change) -> dict[str, Any]:
    return {
        "line": result.line_no,
        "action": change.action,
        "code": result.product.code,
        "title": result.product.title,
        "category": result.category,
        "brand": result.product.brand,
        "variant": result.variant.name,
        "cost": format_yuan(result.variant.cost_amount),
        "price": format_yuan(result.variant.list_amount),
        "delivery_kind": int(result.product.delivery_kind),
        "inputs": [each.label for each in result.product.input_fields],
        "is_listed": result.is_listed,
    }
