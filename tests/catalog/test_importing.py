"""Lists of goods through the real import: counts to the row, updates, undo, races."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from kameng.catalog import errors
from kameng.catalog.adopting import ADOPTING_TEXT, made_code
from kameng.catalog.models import Category, DeliveryKind, ImportJob, ImportState, Product, Variant
from kameng.catalog.parsing import DeliveryWord
from kameng.catalog.selectors import get_catalogue, get_import
from kameng.catalog.services import importing
from kameng.catalog.services.importing import (
    ProductChoices,
    choose_for_import,
    confirm_product_import,
    resume_product_check,
    resume_product_import,
    run_product_import,
    start_product_import,
    start_product_paste,
    undo_product_import,
)
from kameng.catalog.services.jobs import discard_import, sweep_imports
from kameng.catalog.uploads import store_upload, upload_path
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.factories import make_product, make_variant

DATA = Path(__file__).parents[2] / "data"
HEAD = "商品编码,商品名称,分类,品牌,进货价,建议售价,发货方式,库存,说明\n"


def imported(text: str | bytes, *, filename: str = "goods.csv") -> ImportJob:
    data = text.encode() if isinstance(text, str) else text
    job = start_product_import([data], filename=filename, actor=SYSTEM)
    return confirm_product_import(job.id, actor=SYSTEM)


def tally(job: ImportJob) -> dict[str, int]:
    return {
        "done": job.done_count,
        "created": job.created_count,
        "updated": job.updated_count,
        "duplicates": job.duplicate_count,
        "problems": job.problem_count,
    }


def test_the_clean_list_comes_in_whole(main_site: Site) -> None:
    with site_scope(main_site.id):
        job = start_product_import(
            [(DATA / "catalogue.csv").read_bytes()], filename="catalogue.csv", actor=SYSTEM
        )
        path = upload_path(job.file_path)
        assert (job.state, job.total_count, Product.objects.count()) == (ImportState.DRAFT, 199, 0)
        assert path.exists()
        job = confirm_product_import(job.id, actor=SYSTEM)
        product = Product.objects.get(code="KM00013")
        variant = Variant.objects.get(product_id=product.id)
        counts = Product.objects.count(), Variant.objects.count(), Category.objects.count()
        unlisted_count = Product.objects.filter(is_listed=False).count()

    assert job.state == ImportState.DONE
    assert tally(job) == {
        "done": 199, "created": 199, "updated": 0, "duplicates": 0, "problems": 0,
    }  # fmt: skip
    assert counts == (199, 199, 12)
    assert unlisted_count == 19  # services with a stock of 0
    assert not path.exists()
    assert (product.title, product.delivery_kind) == ("王者荣耀点券 6元档", DeliveryKind.TOP_UP)
    assert [field["label"] for field in product.input_fields] == ["大区", "角色ID"]
    assert (variant.name, variant.cost_amount, variant.list_amount) == ("6元档", 58_200, 61_700)
    assert variant.face_amount == 60_000
    assert len(get_catalogue(get_site_view(main_site.id)).products) == 180


def test_the_messy_list_comes_in_with_every_line_accounted_for(main_site: Site) -> None:
    with site_scope(main_site.id):
        job = imported((DATA / "messy-products.txt").read_bytes(), filename="商品表-最新(2).txt")
        held_back = Product.objects.filter(is_listed=False).count()
        without_price = {
            problem["line"]
            for problem in job.problems
            if problem["code"] in ("price_missing", "price_on_request")
        }
    report = job.options["report"]

    assert tally(job) == {
        "done": 210, "created": 199, "updated": 0, "duplicates": 9, "problems": 2,
    }  # fmt: skip
    skipped = {key: report["counts"][key] for key in ("doubled_row", "blank_line", "summary_line")}
    assert skipped == {"doubled_row": 9, "blank_line": 1, "summary_line": 1}
    assert len(without_price) == 15
    assert held_back == report["unlisted_count"]
    assert all(ADOPTING_TEXT[each["code"]] % each["params"] for each in job.problems)


def test_the_messy_list_says_the_same_as_the_clean_one(main_site: Site) -> None:
    with site_scope(main_site.id):
        imported((DATA / "catalogue.csv").read_bytes())
        before = list(Variant.objects.order_by("id").values())
        job = imported((DATA / "messy-products.txt").read_bytes())

        assert tally(job)["created"] == tally(job)["updated"] == 0
        assert job.options["report"]["same_count"] == 199
        assert list(Variant.objects.order_by("id").values()) == before


def test_an_update_takes_over_only_what_the_row_states(main_site: Site) -> None:
    with site_scope(main_site.id):
        imported(HEAD + "A1,月卡,视频,优酷,8,10,卡密,5,付款后发货\n")
        Product.objects.filter(code="A1").update(tutorial="自己写的")
        job = imported("商品编码,商品名称,建议售价\nA1,月卡 新版,12\n,全新商品,3\n")
        product = Product.objects.get(code="A1")
        variant = Variant.objects.get(product_id=product.id)
        shelf = Category.objects.get(id=product.category_id)

    assert tally(job)["updated"] == tally(job)["created"] == 1
    assert (product.title, product.brand, shelf.name) == ("月卡 新版", "优酷", "视频")
    assert product.tutorial == "自己写的"
    assert (variant.cost_amount, variant.list_amount) == (80_000, 120_000)


def test_goods_without_a_code_are_found_again_by_name(main_site: Site) -> None:
    with site_scope(main_site.id):
        imported("商品名称,进货价,建议售价\n爱奇艺 月卡,8,10\n")
        job = imported("名称,成本,售价\n爱奇艺　月卡,8,11\n")
        (product,) = Product.objects.all()
        variant = Variant.objects.get()

    assert product.code == made_code("爱奇艺 月卡")
    assert tally(job)["updated"] == 1
    assert variant.list_amount == 110_000


def test_an_undo_puts_back_prices_and_takes_new_goods_off(main_site: Site) -> None:
    with site_scope(main_site.id):
        imported(HEAD + "A1,月卡,视频,优酷,8,10,卡密,5,说明\n")
        kept = list(Variant.objects.values()), list(Product.objects.values("title", "brand"))
        job = imported(HEAD + "A1,季卡,音乐,腾讯,18,20,卡密,5,说明\nA2,年卡,视频,,8,10,卡密,,\n")
        assert undo_product_import(job.id, actor=SYSTEM) == 2
        with pytest.raises(errors.ImportStateWrong):
            undo_product_import(job.id, actor=SYSTEM)
        old = Product.objects.filter(code="A1")
        new = Product.objects.get(code="A2")

        restored = (
            list(Variant.objects.filter(product__code="A1").values()),
            list(old.values("title", "brand")),
        )
        assert restored == kept
        assert new.is_listed is False
        assert get_import(job.id).state == ImportState.UNDONE


def test_a_person_maps_columns_and_fills_what_is_unsaid(main_site: Site) -> None:
    with site_scope(main_site.id):
        job = start_product_paste("甲,5,6\n乙,7,8\n", actor=SYSTEM)
        choices = ProductChoices(
            columns={"name": 0, "cost": 1, "list_price": 2, "stock": None, "code": None},
            category="杂货",
            delivery=DeliveryWord.MANUAL,
        )
        job = choose_for_import(job.id, choices=choices)
        assert job.options["report"]["new_categories"] == ["杂货"]
        confirm_product_import(job.id, actor=SYSTEM)
        rows = Product.objects.order_by("id").values_list("title", "delivery_kind")

        assert list(rows) == [("甲", DeliveryKind.MANUAL), ("乙", DeliveryKind.MANUAL)]
        assert list(Variant.objects.order_by("id").values_list("cost_amount", "list_amount")) == [
            (50_000, 60_000),
            (70_000, 80_000),
        ]


def test_goods_that_would_lose_money_come_in_unlisted(main_site: Site) -> None:
    rows = "A1,亏本,杂,,12,10,卡密,5,\nA2,白送,杂,,0,0,卡密,5,\nA3,无成本,杂,,,9,卡密,5,\n"
    with site_scope(main_site.id):
        job = imported(HEAD + rows)
        found = {
            variant.product.code: (
                variant.cost_amount,
                variant.list_amount,
                variant.product.is_listed,
            )
            for variant in Variant.objects.select_related("product")
        }

    assert tally(job)["created"] == 3
    assert found == {
        "A1": (120_000, 120_000, False),
        "A2": (0, 1, False),
        "A3": (90_000, 90_000, True),
    }


def test_a_product_with_several_variants_is_left_to_a_person(main_site: Site) -> None:
    product = make_product(main_site, code="A1", title="会员")
    for _ in range(2):
        make_variant(product)
    with site_scope(main_site.id):
        job = imported(HEAD + "A1,会员,视频,,8,10,卡密,5,\n")

        assert tally(job)["problems"] == 1
        assert [problem["code"] for problem in job.problems] == ["several_variants"]
        assert Variant.objects.filter(list_amount=100_000).count() == 2


def test_odd_rows_do_not_stop_the_rest(main_site: Site) -> None:
    rows = (
        f"A1,{'长' * 81},杂,,8,10,卡密,5,\n"
        f"A2,好的,{'长' * 31},,8,10,卡密,5,\n"
        "中 文,编码,杂,,8,10,卡密,5,\n"
        "A4,太贵,杂,,8,99999999,卡密,5,\n"
        'A5,"引号没有闭合,杂,,8,10,卡密,5,\n'
        "A6,正常,杂,,8,10,卡密,5,\n"
    )
    with site_scope(main_site.id):
        job = imported(HEAD + rows)

        assert job.state == ImportState.DONE
        assert Product.objects.filter(code="A6").exists()
        codes = [problem["code"] for problem in job.problems]
        assert codes.count("field_invalid") == 4


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"%PDF-1.7 ...", b"PK\x03\x04broken"])
def test_a_file_that_is_no_list_fails_with_a_reason(main_site: Site, data: bytes) -> None:
    with site_scope(main_site.id):
        job = start_product_import([data], filename="x.xlsx", actor=SYSTEM)

    assert job.state == ImportState.FAILED
    assert ADOPTING_TEXT[job.problems[0]["code"]]
    assert not upload_path(job.file_path).exists()


def test_only_the_main_site_brings_goods_in(main_site: Site, site_a: Site) -> None:
    with site_scope(main_site.id):
        job = start_product_paste(HEAD + "A1,x,y,,8,10,卡密,5,\n", actor=SYSTEM)
    with site_scope(site_a.id):
        with pytest.raises(errors.NotOwner):
            start_product_paste(HEAD, actor=SYSTEM)
        for act in (get_import, run_product_import, resume_product_import):
            with pytest.raises(errors.ImportNotFound):
                act(job.id)
        with pytest.raises(errors.ImportNotFound):
            confirm_product_import(job.id, actor=SYSTEM)
    with site_scope(main_site.id):
        assert get_import(job.id).state == ImportState.DRAFT


class _Killed(BaseException):
    """Stands for the end of the process."""


def test_a_first_look_that_was_cut_off_is_taken_up_by_the_worker(main_site: Site) -> None:
    with site_scope(main_site.id):
        with (
            mock.patch.object(importing, "check_product_import", side_effect=_Killed),
            pytest.raises(_Killed),
        ):
            start_product_paste(HEAD + "A1,x,y,,8,10,卡密,5,\n", actor=SYSTEM)
        job = ImportJob.objects.get()
        assert job.state == ImportState.CHECKING
        queued = ProcrastinateJob.objects.filter(task_name="catalog.check_products")
        assert [each.args["job_id"] for each in queued] == [job.id]

        resume_product_check(job.id)
        found = get_import(job.id)
        choose_for_import(job.id, choices=ProductChoices(category="卡券"))
        resume_product_check(job.id)

        assert (found.state, found.total_count) == (ImportState.DRAFT, 1)
        assert get_import(job.id).options["category"] == "卡券"


def test_a_run_that_was_cut_off_is_taken_up_by_the_worker(main_site: Site) -> None:
    with site_scope(main_site.id):
        job = start_product_paste(HEAD + "A1,x,y,,8,10,卡密,5,\n", actor=SYSTEM)
        with (
            mock.patch.object(importing, "run_product_import", side_effect=_Killed),
            pytest.raises(_Killed),
        ):
            confirm_product_import(job.id, actor=SYSTEM)
        assert get_import(job.id).state == ImportState.RUNNING
        queued = ProcrastinateJob.objects.filter(task_name="catalog.import_products")
        assert [each.args["job_id"] for each in queued] == [job.id]

        run_product_import(job.id)
        run_product_import(job.id)

        assert get_import(job.id).state == ImportState.DONE
        assert Product.objects.count() == 1


def test_an_import_runs_once_and_a_discarded_one_never(main_site: Site) -> None:
    with site_scope(main_site.id):
        job = imported(HEAD + "A1,x,y,,8,10,卡密,5,\n")
        with pytest.raises(errors.ImportStateWrong):
            confirm_product_import(job.id, actor=SYSTEM)
        other = start_product_paste(HEAD + "A2,x2,y,,8,10,卡密,5,\n", actor=SYSTEM)
        discard_import(other.id, actor=SYSTEM)
        with pytest.raises(errors.ImportStateWrong):
            confirm_product_import(other.id, actor=SYSTEM)
        assert Product.objects.count() == 1
        assert not upload_path(other.file_path).exists()


def test_a_killed_run_goes_on_behind_its_last_step(main_site: Site) -> None:
    rows = "".join(f"A{number},商品{number},杂,,8,10,卡密,5,\n" for number in range(1, 8))
    write = importing.Shelf.write
    calls: list[int] = []

    def write_twice(shelf: importing.Shelf, changes: list[importing.Change]) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(shelf, changes)

    with site_scope(main_site.id), mock.patch.object(importing, "STEP_ROWS", 2):
        job = start_product_paste(HEAD + rows, actor=SYSTEM)
        with (
            mock.patch.object(importing.Shelf, "write", write_twice),
            pytest.raises(KeyboardInterrupt),
        ):
            confirm_product_import(job.id, actor=SYSTEM)
        assert Product.objects.count() == get_import(job.id).done_count == 4
        run_product_import(job.id)
        job = get_import(job.id)

        assert tally(job) == {
            "done": 7, "created": 7, "updated": 0, "duplicates": 0, "problems": 0,
        }  # fmt: skip
        assert Product.objects.count() == 7
        assert undo_product_import(job.id, actor=SYSTEM) == 7


def test_two_runners_of_one_import_make_each_product_once(
    committed_db: None, main_site: Site, run_parallel: Callable[..., list[object]]
) -> None:
    rows = "".join(f"A{number},商品{number},杂,,8,10,卡密,5,\n" for number in range(60))
    with site_scope(main_site.id):
        job = start_product_paste(HEAD + rows, actor=SYSTEM)
        with mock.patch.object(importing, "run_product_import"):
            confirm_product_import(job.id, actor=SYSTEM)

    def run(_index: int) -> None:
        with site_scope(main_site.id):
            run_product_import(job.id)

    with mock.patch.object(importing, "STEP_ROWS", 5):
        run_parallel(4, run)
        with site_scope(main_site.id):
            run_product_import(job.id)

    with site_scope(main_site.id):
        job = get_import(job.id)
        assert job.state == ImportState.DONE
        assert tally(job)["created"] == Product.objects.count() == Variant.objects.count() == 60


def test_what_nobody_confirms_is_swept_after_a_week(main_site: Site) -> None:
    with site_scope(main_site.id):
        old, fresh = (
            start_product_paste(HEAD + f"{code},x{code},y,,8,10,卡密,5,\n", actor=SYSTEM)
            for code in ("A1", "A2")
        )
        ImportJob.objects.filter(id=old.id).update(created_at=clock.now() - timedelta(days=8))
        stray = upload_path(store_upload([b"left by a crash"], site_id=main_site.id))
        long_ago = clock.now().timestamp() - 8 * 86_400
        os.utime(stray, (long_ago, long_ago))

        assert sweep_imports() == 1

        assert get_import(old.id).state == ImportState.UNDONE
        assert get_import(fresh.id).state == ImportState.DRAFT
    assert not upload_path(old.file_path).exists()
    assert upload_path(fresh.file_path).exists()
    assert not stray.exists()
