"""One import on a page: lists of goods with their columns, acts out of turn, progress."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kameng.catalog.models import ImportJob, ImportState, Product
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.console.pages import address, text_of

ClientFor = Callable[..., Client]
GOODS = (
    "品名,进货价,零售价,类目\n"
    "王者点券 60点,5.5,6,游戏点卡\n"
    "没有价格的,,,游戏点卡\n"
    "Q币 10个,9,10,游戏点卡\n"
)


@pytest.fixture
def job(main_site: Site, ada: people.Staff, client_for: ClientFor) -> ImportJob:
    """A list of goods, looked through."""
    client_for(main_site, ada).post(address(main_site, "product_imports"), {"pasted": GOODS})
    with site_scope(main_site.id):
        found: ImportJob = ImportJob.objects.get()
    return found


def mapping(**changes: str) -> dict[str, str]:
    """Return the form of the columns as guessed."""
    values = {"delivery": "automatic", "updates_existing": "on", "category": ""}
    columns = {"name": "0", "cost": "1", "list_price": "2", "category": "3"}
    return values | {f"column_{name}": column for name, column in columns.items()} | changes


def titles(site: Site) -> list[str]:
    """Return the listed goods of a site."""
    with site_scope(site.id):
        return sorted(Product.objects.filter(is_listed=True).values_list("title", flat=True))


def test_a_list_of_goods_is_guessed_confirmed_and_undone(
    main_site: Site, ada: people.Staff, job: ImportJob, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    page = text_of(client.get(address(main_site, "product_import", job.id)))
    act = address(main_site, "run_product_import", job.id)

    assert "新增 2，更新 0" in page
    assert "没有价格的" in page
    assert "1. 品名 · 王者点券 60点" in page

    done = client.post(act, {"action": "confirm"}, follow=True)
    assert "新增 2 个" in text_of(done)
    assert titles(main_site) == ["Q币 10个", "王者点券 60点"]

    undone = client.post(act, {"action": "undo"})
    assert undone.status_code == 303
    assert titles(main_site) == []


def test_other_columns_are_looked_through_again(
    main_site: Site, ada: people.Staff, job: ImportJob, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    url = address(main_site, "product_import", job.id)

    chosen = client.post(url, mapping(column_category="", category="热卖"))

    assert chosen.status_code == 303
    with site_scope(main_site.id):
        job.refresh_from_db()
    assert job.options["category"] == "热卖"
    assert "category" not in job.options["mapping"]["columns"]


@pytest.mark.parametrize(
    "changes",
    [
        {"column_name": ""},
        {"column_name": "1"},
        {"column_cost": "99"},
        {"column_cost": "x"},
        {"delivery": "pigeon"},
        {"category": "长" * 31},
    ],
)
def test_columns_that_make_no_sense_are_refused(
    changes: dict[str, str],
    main_site: Site,
    ada: people.Staff,
    job: ImportJob,
    client_for: ClientFor,
) -> None:
    url = address(main_site, "product_import", job.id)

    response = client_for(main_site, ada).post(url, mapping(**changes))

    assert response.status_code == 400
    with site_scope(main_site.id):
        before = dict(job.options)
        job.refresh_from_db()
    assert job.options == before


def test_an_import_is_thrown_away_before_it_ran(
    main_site: Site, ada: people.Staff, job: ImportJob, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    act = address(main_site, "run_product_import", job.id)

    client.post(act, {"action": "discard"})
    late = client.post(act, {"action": "confirm"})

    assert late.status_code == 409
    assert titles(main_site) == []
    with site_scope(main_site.id):
        job.refresh_from_db()
    assert job.state == ImportState.UNDONE


@pytest.mark.parametrize("action", ["", "explode"])
def test_an_act_without_a_meaning_is_refused(
    action: str, main_site: Site, ada: people.Staff, job: ImportJob, client_for: ClientFor
) -> None:
    act = address(main_site, "run_product_import", job.id)

    response = client_for(main_site, ada).post(act, {"action": action})

    assert response.status_code == 400


def test_an_import_of_goods_is_none_of_keys_and_none_of_another_site(
    main_site: Site,
    site_a: Site,
    ada: people.Staff,
    lin: people.Staff,
    job: ImportJob,
    client_for: ClientFor,
) -> None:
    own, other = client_for(main_site, ada), client_for(site_a, lin)

    assert own.get(address(main_site, "key_import", job.id)).status_code == 404
    assert other.get(address(site_a, "product_import", job.id)).status_code == 404
    assert other.get(address(site_a, "import_progress", job.id)).status_code == 404


def test_progress_tells_when_to_look_again(
    main_site: Site, ada: people.Staff, job: ImportJob, client_for: ClientFor
) -> None:
    answer = client_for(main_site, ada).get(address(main_site, "import_progress", job.id)).json()

    assert (answer["reload"], answer["total_count"]) == (True, 3)


def test_what_is_no_table_is_told_in_words(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    file = SimpleUploadedFile("x.png", b"\x89PNG\r\n\x1a\n" + bytes(200))
    page = client.post(address(main_site, "product_imports"), {"file": file}, follow=True)

    assert "这不是表格或文本文件" in text_of(page)
    assert titles(main_site) == []
