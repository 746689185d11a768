"""A whole site as one file: complete, without secrets, encrypted on disk, gone in time."""

import csv
import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.insight import errors, packing
from kameng.insight.models import Archive, ArchiveState
from kameng.insight.services import archiving
from kameng.insight.services.archiving import (
    SHELF,
    ask_archive,
    open_archive,
    remove_archive,
    sweep_archives,
    write_archive,
)
from kameng.orders.services.placing import PlacedOrder
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import KEY, Shop, make_buyers, open_shop, order
from tests.factories import make_customer


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    return open_shop(main_site, site_a, keys=8)


def write(site: Site, *, with_contacts: bool = False) -> tuple[Archive, zipfile.ZipFile]:
    with site_scope(site.id):
        asked = ask_archive(with_contacts=with_contacts, actor=SYSTEM)
        write_archive(asked.id)
        archive, pieces = open_archive(asked.id, actor=SYSTEM)
        data = b"".join(pieces)
    assert (len(data), hashlib.sha256(data).hexdigest()) == (archive.size_bytes, archive.digest)
    return archive, zipfile.ZipFile(io.BytesIO(data))


def rows(file: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read(f"{name}.csv").decode("utf-8-sig"))))


def test_everything_of_the_site_and_nothing_of_another_is_in_it(shop: Shop, site_b: Site) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=10**6)
    placed: PlacedOrder = order(shop, customer=mei, by_wallet=True)
    open_order = order(shop)
    make_customer(site_b, login="other@example.com", nickname="别家")

    _archive, file = write(shop.site)

    assert file.testzip() is None
    orders = {row["order_no"]: row for row in rows(file, "orders")}
    assert set(orders) == {placed.order_no, open_order.order_no}
    assert [row["wallet_yuan"] for row in rows(file, "customers")] == [
        f"{(10**6 - placed.total_amount) / 10_000:.2f}"
    ]
    assert len(rows(file, "ledger")) == 3
    manifest = json.loads(file.read("manifest.json"))
    assert manifest["rows"]["orders"] == 2
    assert json.loads(file.read("settings.json"))["slug"] == "site-a"


def test_neither_keys_nor_credentials_are_in_it_and_contacts_only_when_asked(
    shop: Shop,
) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=10**6)
    order(shop, customer=mei, by_wallet=True)
    customer = make_customer(shop.site, login="hidden@example.com", nickname="小明")

    _archive, file = write(shop.site)
    _second, open_file = write(shop.site, with_contacts=True)

    everything = b"".join(file.read(name) for name in file.namelist())
    in_clear = b"".join(open_file.read(name) for name in open_file.namelist())
    assert b"hidden@example.com" not in everything
    assert b"hidden@example.com" in in_clear
    assert customer.nickname.encode() in everything
    assert KEY.encode() not in in_clear
    assert b"KEY-" not in in_clear


def test_no_cell_is_a_formula(site_a: Site) -> None:
    make_customer(site_a, login="a@example.com", nickname="=1+2")
    make_customer(site_a, login="b@example.com", nickname="@cmd")

    _archive, file = write(site_a)

    assert {row["nickname"] for row in rows(file, "customers")} == {"'=1+2", "'@cmd"}


def test_a_long_list_is_read_page_by_page(site_a: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "STEP", 3)
    for number in range(10):
        make_customer(site_a, login=f"c{number}@example.com", nickname=f"C{number}")

    archive, file = write(site_a)

    assert [row["nickname"] for row in rows(file, "customers")] == [f"C{n}" for n in range(10)]
    assert archive.done_count == 10


def test_the_file_on_disk_shows_nothing(site_a: Site) -> None:
    make_customer(site_a, login="a@example.com", nickname="Sichtbar")

    archive, _file = write(site_a)

    stored = SHELF.path(archive.file_name).read_bytes()
    assert stored[:2] != b"PK"
    assert b"customers.csv" not in stored
    with site_scope(site_a.id):
        SHELF.path(archive.file_name).unlink()
        with pytest.raises(errors.ArchiveDamaged):
            open_archive(archive.id, actor=SYSTEM)


def test_one_at_a_time_and_a_week_at_most(
    site_a: Site, site_b: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_scope(site_a.id):
        asked = ask_archive(with_contacts=False, actor=SYSTEM)
        with pytest.raises(errors.ArchiveRunning):
            ask_archive(with_contacts=False, actor=SYSTEM)
        with pytest.raises(errors.ArchiveNotFound):
            open_archive(asked.id, actor=SYSTEM)
        write_archive(asked.id)
    with site_scope(site_b.id), pytest.raises(errors.ArchiveNotFound):
        open_archive(asked.id, actor=SYSTEM)
    with site_scope(site_a.id):
        archive = Archive.objects.get(id=asked.id)
    path = SHELF.path(archive.file_name)
    assert (sweep_archives(), path.exists()) == (0, True)

    late = clock.now() + dt.timedelta(days=7, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: late)
    with site_scope(site_a.id), pytest.raises(errors.ArchiveNotFound):
        open_archive(archive.id, actor=SYSTEM)
    assert (sweep_archives(), path.exists()) == (1, False)


def cut_at(after: int, act: Callable[[], None]) -> Callable[..., dict[str, int]]:
    """Return a packing that does something else after so many parts."""
    real = packing.pack

    def packs(sink: Any, made: Any, *, noted: packing.Noted) -> dict[str, int]:
        seen: list[str] = []

        def note(part: str, /, *, count: int) -> None:
            seen.append(part)
            if len(seen) == after:
                act()
            noted(part, count=count)

        return real(sink, made, noted=note)

    return packs


def test_a_run_that_is_cut_begins_anew_and_leaves_nothing(
    site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_customer(site_a, login="a@example.com", nickname="A")

    def die() -> None:
        raise KeyboardInterrupt

    with site_scope(site_a.id):
        asked = ask_archive(with_contacts=False, actor=SYSTEM)
        monkeypatch.setattr(archiving, "pack", cut_at(1, die))
        with pytest.raises(KeyboardInterrupt):
            write_archive(asked.id)
        assert Archive.objects.get(id=asked.id).state == ArchiveState.RUNNING
        before = set(SHELF.path("").glob("*"))
        monkeypatch.setattr(archiving, "pack", packing.pack)
        write_archive(asked.id)
        archive = Archive.objects.get(id=asked.id)
    assert (archive.state, archive.attempt) == (ArchiveState.READY, 2)
    assert {path.name for path in set(SHELF.path("").glob("*")) - before} == {archive.file_name}


def test_a_run_whose_place_was_taken_does_not_finish(
    site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_customer(site_a, login="a@example.com", nickname="A")
    with site_scope(site_a.id):
        asked = ask_archive(with_contacts=False, actor=SYSTEM)

        def other_run() -> None:
            monkeypatch.setattr(archiving, "pack", packing.pack)
            write_archive(asked.id)

        monkeypatch.setattr(archiving, "pack", cut_at(1, other_run))
        write_archive(asked.id)
        archive = Archive.objects.get(id=asked.id)
        files = [path.name for path in SHELF.path("").glob("*") if path.stat().st_size]
        assert archive.attempt == 2
        assert archive.file_name in files
        monkeypatch.setattr(archiving, "pack", packing.pack)
        remove_archive(asked.id, actor=SYSTEM)
        assert not SHELF.path(archive.file_name).exists()
