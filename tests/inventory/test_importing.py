"""Card keys through the real import: counts to the line, doubles, kills, races, secrecy."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from kameng.catalog.errors import ImportNotFound, ImportStateWrong, NotOwner
from kameng.catalog.models import DeliveryKind, ImportJob, ImportState, Variant
from kameng.catalog.selectors import get_import
from kameng.catalog.services import jobs
from kameng.catalog.services.jobs import discard_import
from kameng.catalog.uploads import upload_path
from kameng.core.audit import SYSTEM
from kameng.core.crypto import decrypt_text
from kameng.inventory import reading, store
from kameng.inventory.errors import BatchLabelInvalid, NotCardGoods
from kameng.inventory.models import CardBatch, CardKey, KeyState
from kameng.inventory.parsing import KeyFormat
from kameng.inventory.sealing import key_place
from kameng.inventory.selectors import stock_of
from kameng.inventory.services import importing
from kameng.inventory.services.importing import (
    KeyImport,
    check_key_import,
    confirm_key_import,
    resume_key_import,
    run_key_import,
    start_key_import,
    start_key_paste,
    undo_key_import,
)
from kameng.inventory.texts import explain_problem
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.core.test_tabular import cell, make_workbook
from tests.factories import make_product, make_variant

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def variant(main_site: Site) -> Variant:
    return make_variant(make_product(main_site, title="游戏点卡"), name="100元")


@pytest.fixture
def in_main(main_site: Site) -> Iterator[None]:
    with site_scope(main_site.id):
        yield


def paste(text: str, variant: Variant) -> ImportJob:
    job = start_key_paste(text, wanted=KeyImport(variant_id=variant.id), actor=SYSTEM)
    return confirm_key_import(job.id, actor=SYSTEM)


def checked_file(data: bytes, variant: Variant, filename: str = "keys.txt") -> ImportJob:
    """Start an import and do what the worker would do first."""
    wanted = KeyImport(variant_id=variant.id, filename=filename)
    job = start_key_import([data], wanted=wanted, actor=SYSTEM)
    check_key_import(job.id)
    return get_import(job.id)


def run_file(data: bytes, variant: Variant) -> ImportJob:
    job = checked_file(data, variant)
    confirm_key_import(job.id, actor=SYSTEM)
    run_key_import(job.id)
    return get_import(job.id)


def tally(job: ImportJob) -> tuple[int, int, int, int]:
    return job.done_count, job.created_count, job.duplicate_count, job.problem_count


def texts() -> list[str]:
    return [
        decrypt_text(bytes(key.secret), key_place(key.site_id, key.id))
        for key in CardKey.objects.order_by("id")
    ]


def many_keys(count: int, start: int = 0) -> bytes:
    return b"".join(b"CARD%08d----PASS%08d\n" % (n, n) for n in range(start, start + count))


@pytest.mark.usefixtures("in_main")
def test_the_messy_file_comes_in_as_it_lies(variant: Variant) -> None:
    data = (DATA / "messy-keys.txt").read_bytes()

    job = start_key_import([data], wanted=KeyImport(variant_id=variant.id), actor=SYSTEM)
    queued = list(ProcrastinateJob.objects.values_list("task_name", "queue_name", "args"))
    check_key_import(job.id)
    job = get_import(job.id)
    report = job.options["report"]

    assert queued == [
        ("inventory.check_keys", "imports", {"site_id": variant.site_id, "job_id": job.id})
    ]
    assert (job.state, job.total_count, CardKey.objects.count()) == (ImportState.DRAFT, 5040, 0)
    assert report["key_count"] == 5000
    assert report["counts"] == {"duplicate": 37, "hidden_duplicate": 1, "blank_line": 2}
    assert report["notes"] == {"with_number": 2082}
    assert len(job.problems) == 40
    assert all(explain_problem(problem) for problem in job.problems)

    confirm_key_import(job.id, actor=SYSTEM)
    run_key_import(job.id)
    job = get_import(job.id)
    batch = CardBatch.objects.get()

    assert job.state == ImportState.DONE
    assert tally(job) == (5040, 5000, 38, 2)
    assert CardKey.objects.filter(state=KeyState.UNSOLD, batch_id=batch.id).count() == 5000
    assert (batch.key_count, batch.import_job_id) == (5000, job.id)
    assert not upload_path(job.file_path).exists()


@pytest.mark.usefixtures("in_main")
def test_the_same_file_again_brings_nothing_and_says_why(variant: Variant) -> None:
    data = (DATA / "messy-keys.txt").read_bytes()
    run_file(data, variant)

    job = checked_file(data, variant)
    assert job.options["report"]["key_count"] == 0
    assert job.options["report"]["counts"]["in_stock"] == 5000
    confirm_key_import(job.id, actor=SYSTEM)
    run_key_import(job.id)
    job = get_import(job.id)

    assert tally(job) == (5040, 0, 5038, 2)
    assert CardKey.objects.count() == 5000
    assert "以前已经导入过" in explain_problem(job.problems[0])


@pytest.mark.usefixtures("in_main")
def test_a_short_paste_is_there_at_once_and_reads_as_it_was_written(variant: Variant) -> None:
    pasted = "AAAA1111\n卡号：6001 密码：xyz123\nB0B0----c1c1\n\u200bAAAA1111\n\n２２２２３３３３\n"

    job = paste(pasted, variant)

    assert job.state == ImportState.DONE
    assert texts() == ["AAAA1111", "6001----xyz123", "B0B0----c1c1", "22223333"]
    assert tally(job) == (6, 4, 1, 1)
    assert [problem["code"] for problem in job.problems] == [
        "hidden_duplicate",
        "blank_line",
        "width_folded",
    ]
    assert stock_of([variant.id])[variant.id].count == 4


@pytest.mark.usefixtures("in_main")
def test_doubles_are_found_across_formats_and_imports(variant: Variant) -> None:
    paste("6001----xyz123\nPLAIN1\n", variant)

    job = paste("卡号：6001 密码：xyz123\nPLAIN1\nPLAIN2\n", variant)

    assert tally(job) == (3, 1, 2, 0)
    assert [(each["line"], each["code"]) for each in job.problems] == [
        (1, "in_stock"),
        (2, "in_stock"),
    ]


@pytest.mark.usefixtures("in_main")
def test_no_key_is_stored_or_shown_in_clear(variant: Variant) -> None:
    job = paste("SECRETSECRET0001\nSECRETSECRET0002\n", variant)

    stored = b"".join(bytes(key.secret) + bytes(key.digest) for key in CardKey.objects.all())
    assert b"SECRET" not in stored
    assert "SECRET" not in str(job.options) + str(job.problems) + str(job.undo)
    assert job.options["report"]["samples"] == [["1", "****0001"], ["2", "****0002"]]


@pytest.mark.usefixtures("in_main")
def test_workbooks_and_csv_come_in_like_text(variant: Variant) -> None:
    job = run_file("\ufeff卡号,密码\r\n6001,aaa111\r\n6002,bbb222\r\n".encode("utf-16"), variant)

    assert texts() == ["6001----aaa111", "6002----bbb222"]
    assert tally(job)[1] == 2


@pytest.mark.parametrize("count", [3, 6000])
@pytest.mark.usefixtures("in_main")
def test_a_list_with_more_columns_says_what_it_left_out(variant: Variant, count: int) -> None:
    lines = [f'{n},N{n:06d},"S,{n}",采购价9' for n in range(count)]
    job = checked_file("\n".join(["序号,卡号,密码,备注", *lines]).encode("gbk"), variant)

    report = job.options["report"]
    assert report["file_problems"] == [
        {"code": "columns_left_out", "params": {"names": "序号、备注"}}
    ]
    assert (report["key_count"], report["counts"]) == (count, {"heading": 1})


@pytest.mark.usefixtures("in_main")
def test_sheets_that_are_not_read_are_named(variant: Variant) -> None:
    rows = f"<row>{cell('A1', 'K-ONE')}</row><row>{cell('A2', 'K-TWO')}</row>"
    job = checked_file(make_workbook(rows, sheets=2), variant)

    assert job.options["report"]["file_problems"] == [
        {"code": "more_sheets", "params": {"count": 2, "sheet": "S1"}}
    ]


@pytest.mark.parametrize(
    "data", [b"", b"\n \n", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n" + b"\x00" * 99, b"PK\x03\x04x"]
)
@pytest.mark.usefixtures("in_main")
def test_a_file_without_keys_fails_with_a_reason(variant: Variant, data: bytes) -> None:
    wanted = KeyImport(variant_id=variant.id, filename="x")
    job = start_key_import([data], wanted=wanted, actor=SYSTEM)

    assert job.state == ImportState.FAILED
    assert explain_problem(job.problems[0])
    assert not upload_path(job.file_path).exists()
    with pytest.raises(ImportStateWrong):
        confirm_key_import(job.id, actor=SYSTEM)


@pytest.mark.usefixtures("in_main")
def test_a_large_file_without_keys_fails_in_the_child_too(variant: Variant) -> None:
    job = checked_file(b"%PDF-1.7" + b"\x00" * 2_000_000, variant)

    assert (job.state, job.problems[0]["code"]) == (ImportState.FAILED, "not_a_table")


@pytest.mark.usefixtures("in_main")
def test_a_lost_file_ends_the_run_with_a_reason(variant: Variant) -> None:
    job = checked_file(many_keys(2500), variant)
    upload_path(job.file_path).unlink()
    confirm_key_import(job.id, actor=SYSTEM)
    run_key_import(job.id)
    job = get_import(job.id)

    assert (job.state, job.problems[0]["code"]) == (ImportState.FAILED, "upload_missing")


@pytest.mark.parametrize(
    "wanted",
    [
        KeyImport(variant_id=0, label="x" * 81),
        KeyImport(variant_id=0, cost_amount=Amount(-1)),
        KeyImport(variant_id=0, cost_amount=Amount(10**11)),
    ],
)
@pytest.mark.usefixtures("in_main")
def test_a_batch_without_sense_is_refused(variant: Variant, wanted: KeyImport) -> None:
    bad = KeyImport(variant_id=variant.id, label=wanted.label, cost_amount=wanted.cost_amount)
    with pytest.raises(BatchLabelInvalid):
        start_key_paste("A1B2C3\n", wanted=bad, actor=SYSTEM)
    assert ImportJob.objects.count() == 0


def test_keys_come_in_for_own_card_goods_only(
    main_site: Site, site_a: Site, variant: Variant
) -> None:
    service = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    with site_scope(main_site.id), pytest.raises(NotCardGoods):
        start_key_paste("A1B2C3\n", wanted=KeyImport(variant_id=service.id), actor=SYSTEM)
    with site_scope(site_a.id), pytest.raises(NotOwner):
        start_key_paste("A1B2C3\n", wanted=KeyImport(variant_id=variant.id), actor=SYSTEM)
    with site_scope(main_site.id):
        job = start_key_paste("A1B2C3\n", wanted=KeyImport(variant_id=variant.id), actor=SYSTEM)
    with site_scope(site_a.id):
        for act in (check_key_import, run_key_import, resume_key_import):
            with pytest.raises(ImportNotFound):
                act(job.id)
        with pytest.raises(ImportNotFound):
            confirm_key_import(job.id, actor=SYSTEM)
    with site_scope(main_site.id):
        assert CardKey.objects.count() == 0


@pytest.mark.usefixtures("in_main")
def test_an_import_is_confirmed_once_and_a_discarded_one_never(variant: Variant) -> None:
    job = paste("A1B2C3\n", variant)
    with pytest.raises(ImportStateWrong):
        confirm_key_import(job.id, actor=SYSTEM)
    other = start_key_paste("D4E5F6\n", wanted=KeyImport(variant_id=variant.id), actor=SYSTEM)
    discard_import(other.id, actor=SYSTEM)
    with pytest.raises(ImportStateWrong):
        confirm_key_import(other.id, actor=SYSTEM)

    assert CardKey.objects.count() == CardBatch.objects.count() == 1


@pytest.mark.usefixtures("in_main")
def test_an_undo_takes_the_unsold_keys_out_of_sale(variant: Variant) -> None:
    job = paste("A1B2C3\nD4E5F6\n", variant)

    assert undo_key_import(job.id, actor=SYSTEM) == 2

    assert stock_of([variant.id])[variant.id].count == 0
    assert get_import(job.id).state == ImportState.UNDONE
    with pytest.raises(ImportStateWrong):
        undo_key_import(job.id, actor=SYSTEM)


@pytest.mark.parametrize("fmt", [KeyFormat.PLAIN, KeyFormat.DASHES])
@pytest.mark.usefixtures("in_main")
def test_the_format_chosen_decides_how_a_line_is_cut(variant: Variant, fmt: KeyFormat) -> None:
    wanted = KeyImport(variant_id=variant.id, fmt=fmt)
    job = start_key_paste("A-1----B-2\nALONE\n", wanted=wanted, actor=SYSTEM)
    confirm_key_import(job.id, actor=SYSTEM)

    expected = ["A-1----B-2", "ALONE"] if fmt is KeyFormat.PLAIN else ["A-1----B-2"]
    assert texts() == expected


@pytest.mark.usefixtures("in_main")
def test_a_killed_run_goes_on_behind_its_last_step(variant: Variant) -> None:
    add_keys = store.add_keys
    calls: list[int] = []

    def die_later(*args: object, **options: Sequence[object]) -> list[int]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return add_keys(*args, **options)  # type: ignore[arg-type]

    with mock.patch.object(importing, "STEP_KEYS", 1000):
        job = checked_file(many_keys(4500), variant)
        confirm_key_import(job.id, actor=SYSTEM)
        with mock.patch.object(store, "add_keys", die_later), pytest.raises(KeyboardInterrupt):
            run_key_import(job.id)
        assert CardKey.objects.count() == get_import(job.id).done_count == 2000
        run_key_import(job.id)
    job = get_import(job.id)

    assert (job.state, tally(job)) == (ImportState.DONE, (4500, 4500, 0, 0))
    assert CardKey.objects.count() == CardBatch.objects.get().key_count == 4500


@pytest.mark.usefixtures("in_main")
def test_a_child_that_is_killed_loses_nothing(variant: Variant) -> None:
    children: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    add_keys = store.add_keys

    def remember(*args: object, **options: object) -> subprocess.Popen[bytes]:
        children.append(popen(*args, **options))  # type: ignore[call-overload]
        return children[-1]

    def kill_child(*args: object, **options: Sequence[object]) -> list[int]:
        children[-1].kill()
        return add_keys(*args, **options)  # type: ignore[arg-type]

    with mock.patch.object(importing, "STEP_KEYS", 1000):
        job = checked_file(many_keys(40_000), variant)
        confirm_key_import(job.id, actor=SYSTEM)
        with (
            mock.patch.object(reading.subprocess, "Popen", remember),
            mock.patch.object(store, "add_keys", kill_child),
            pytest.raises((EOFError, BrokenPipeError)),
        ):
            run_key_import(job.id)
    assert get_import(job.id).state == ImportState.RUNNING
    run_key_import(job.id)

    assert get_import(job.id).created_count == CardKey.objects.count() == 40_000
    assert [child.poll() is not None for child in children] == [True]


class _Killed(BaseException):
    """Stands for the end of the process."""


def test_a_short_import_cut_off_while_it_was_checked_is_taken_up_by_the_worker(
    db: None, variant: Variant, in_main: None
) -> None:
    with (
        mock.patch.object(importing, "check_key_import", side_effect=_Killed),
        pytest.raises(_Killed),
    ):
        start_key_paste("A1B2C3\n", wanted=KeyImport(variant_id=variant.id), actor=SYSTEM)
    job = ImportJob.objects.get()
    assert job.state == ImportState.CHECKING
    queued = ProcrastinateJob.objects.filter(task_name="inventory.check_keys")
    assert [each.args["job_id"] for each in queued] == [job.id]

    check_key_import(job.id)

    assert (get_import(job.id).state, get_import(job.id).total_count) == (ImportState.DRAFT, 1)


def race_two_files(
    variant: Variant, run_parallel: Callable[..., list[object]], *, step: int
) -> tuple[list[object], list[ImportJob]]:
    """Run two imports of the same keys at the same moment, the second in steps of `step` lines."""
    lines = many_keys(6000).splitlines(keepends=True)
    with site_scope(variant.site_id):
        ids = [checked_file(b"".join(data), variant).id for data in (lines, lines[::step])]
        for job_id in ids:
            confirm_key_import(job_id, actor=SYSTEM)

    def run(index: int) -> None:
        with site_scope(variant.site_id):
            run_key_import(ids[index])

    with mock.patch.object(importing, "STEP_KEYS", 500):
        outcomes = run_parallel(2, run)
    with site_scope(variant.site_id):
        return outcomes, [get_import(job_id) for job_id in ids]


def test_racing_imports_of_the_same_keys_store_each_once(
    committed_db: None, variant: Variant, run_parallel: Callable[..., list[object]]
) -> None:
    outcomes, found = race_two_files(variant, run_parallel, step=-1)

    assert outcomes == [None, None]
    assert [job.state for job in found] == [ImportState.DONE] * 2
    assert sum(job.created_count for job in found) == 6000
    assert sum(job.duplicate_count for job in found) == 6000
    with site_scope(variant.site_id):
        assert CardKey.objects.count() == 6000
        assert sum(CardBatch.objects.values_list("key_count", flat=True)) == 6000


def test_without_the_unique_insert_the_race_is_lost(
    committed_db: None, variant: Variant, run_parallel: Callable[..., list[object]]
) -> None:
    both_have_looked = Meeting(2, patience=30)

    def look_then_add(
        place: tuple[int, int, int],
        *,
        ids: Sequence[int],
        digests: Sequence[bytes],
        secrets: Sequence[bytes],
    ) -> list[int]:
        known = set(store.known_places(place[0], digests))
        both_have_looked.arrive()
        rows = zip(ids, digests, secrets, strict=True)
        CardKey.objects.bulk_create(
            [
                CardKey(
                    id=key_id,
                    site_id=place[0],
                    variant_id=place[1],
                    batch_id=place[2],
                    digest=digest,
                    secret=secret,
                )
                for number, (key_id, digest, secret) in enumerate(rows)
                if number not in known
            ]
        )
        return [ids[number] for number in known]

    with mock.patch.object(store, "add_keys", look_then_add):
        outcomes, _ = race_two_files(variant, run_parallel, step=1)

    assert any(isinstance(outcome, Exception) for outcome in outcomes)


def race_two_runners(variant: Variant, run_parallel: Callable[..., list[object]]) -> ImportJob:
    """Run one import twice at the same moment, as after a lost worker that was alive."""
    with site_scope(variant.site_id):
        job = checked_file(many_keys(6000), variant)
        confirm_key_import(job.id, actor=SYSTEM)

    def run(_index: int) -> None:
        with site_scope(variant.site_id):
            run_key_import(job.id)

    with mock.patch.object(importing, "STEP_KEYS", 500):
        run_parallel(2, run)
    with site_scope(variant.site_id):
        run_key_import(job.id)
        return get_import(job.id)


def test_two_runners_of_one_import_count_each_line_once(
    committed_db: None, variant: Variant, run_parallel: Callable[..., list[object]]
) -> None:
    job = race_two_runners(variant, run_parallel)

    assert (job.state, tally(job)) == (ImportState.DONE, (6000, 6000, 0, 0))
    with site_scope(variant.site_id):
        assert CardKey.objects.count() == CardBatch.objects.get().key_count == 6000


def test_without_the_count_guard_two_runners_count_twice(
    committed_db: None, variant: Variant, run_parallel: Callable[..., list[object]]
) -> None:
    """Both begin at the first line, and neither ends before the other has counted every line."""
    advance, read, finish = jobs.advance_job, importing.read_sealed, importing.finish_job
    begun, counted = Meeting(2, patience=30), Meeting(2, patience=30)

    def read_with_the_other(*args: Any, **named: Any) -> Any:
        begun.arrive()
        return read(*args, **named)

    def finish_with_the_other(*args: Any, **named: Any) -> None:
        counted.arrive()
        finish(*args, **named)

    def unguarded(job_id: int, *, from_done: int, step: jobs.Step) -> None:
        del from_done
        advance(job_id, from_done=get_import(job_id).done_count, step=step)

    with (
        mock.patch.object(importing, "advance_job", unguarded),
        mock.patch.object(importing, "read_sealed", read_with_the_other),
        mock.patch.object(importing, "finish_job", finish_with_the_other),
    ):
        job = race_two_runners(variant, run_parallel)

    assert job.done_count > 6000
    with site_scope(variant.site_id):
        CardBatch.objects.update(key_count=CardKey.objects.count())
