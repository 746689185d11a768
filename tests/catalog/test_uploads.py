"""Uploads on disk: noise without the key ring, and refused when cut, damaged or moved."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from kameng.catalog.models import ImportJob, ImportKind
from kameng.catalog.services.rotating import rotate_uploads
from kameng.catalog.uploads import (
    PIECE_BYTES,
    UploadMissing,
    read_upload,
    remove_upload,
    renew_upload,
    store_upload,
    upload_path,
)
from kameng.core import keyring
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope

SECRET = b"AAAA-BBBB-CCCC-DDDD\n" * 10


def stored(data: bytes) -> Path:
    return upload_path(store_upload([data], site_id=1))


def read(path: Path, site_id: int = 1) -> bytes:
    return b"".join(read_upload(path, site_id=site_id))


@given(st.lists(st.binary(max_size=2000), max_size=8))
def test_what_is_stored_is_read_again(chunks: list[bytes]) -> None:
    name = store_upload(chunks, site_id=7)

    assert read(upload_path(name), site_id=7) == b"".join(chunks)
    remove_upload(name)
    assert not upload_path(name).exists()


def test_large_files_come_back_in_pieces() -> None:
    data = bytes(range(256)) * (PIECE_BYTES // 64)
    path = stored(data)

    pieces = list(read_upload(path, site_id=1))

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) == PIECE_BYTES


def test_the_file_shows_nothing_and_belongs_to_the_owner_alone() -> None:
    path = stored(SECRET)

    assert b"AAAA" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_cut_damaged_or_moved_file_is_refused() -> None:
    path = stored(SECRET)
    whole = path.read_bytes()
    changed = whole[:40] + bytes((whole[40] ^ 1,)) + whole[41:]  # never what stood there
    for broken in (whole[:-1], whole[: len(whole) // 2], b"", changed):
        path.write_bytes(broken)
        with pytest.raises(UploadMissing):
            read(path)
    path.write_bytes(whole)
    with pytest.raises(UploadMissing):
        read(path, site_id=2)
    moved = path.with_name("0" * 32 + ".upload")
    moved.write_bytes(whole)
    with pytest.raises(UploadMissing):
        read(moved)
    assert read(path) == SECRET


def test_an_upload_that_breaks_off_leaves_no_file() -> None:
    def broken() -> Iterator[bytes]:
        yield SECRET
        raise ConnectionError

    before = set(stored(b"").parent.iterdir())
    with pytest.raises(ConnectionError):
        store_upload(broken(), site_id=1)

    assert set(upload_path("x").parent.iterdir()) == before


def test_removing_twice_is_no_fault() -> None:
    path = stored(SECRET)
    remove_upload(path.name)
    remove_upload(path.name)
    remove_upload("")
    with pytest.raises(UploadMissing):
        read(path)


@pytest.fixture
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = keyring.ensure(tmp_path / "keyring.json")
    monkeypatch.setattr(settings, "KEYRING_PATH", path)
    return path


def test_a_rotation_moves_an_upload_to_the_new_key_and_the_old_one_may_go(own_keys: Path) -> None:
    data = SECRET * (PIECE_BYTES // len(SECRET) + 1)
    path = stored(data)
    version = keyring.add_key(own_keys)

    assert renew_upload(path.name, site_id=1)
    assert not renew_upload(path.name, site_id=1)

    keyring.drop_keys(own_keys, keep=version)
    assert read(path) == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.with_suffix(".renewed").exists()


def test_control_without_the_rotation_the_upload_is_lost(own_keys: Path) -> None:
    path = stored(SECRET)

    keyring.drop_keys(own_keys, keep=keyring.add_key(own_keys))

    with pytest.raises(UploadMissing):
        read(path)


def test_a_rotation_leaves_what_is_gone_or_damaged_alone(own_keys: Path) -> None:
    path = stored(SECRET)
    path.write_bytes(path.read_bytes()[:-5])
    damaged = path.read_bytes()
    keyring.add_key(own_keys)

    assert not renew_upload(path.name, site_id=1)
    assert not renew_upload("0" * 32 + ".upload", site_id=1)

    assert path.read_bytes() == damaged
    assert not path.with_suffix(".renewed").exists()


def test_the_rotation_finds_the_files_of_every_site(
    db: None, site_a: Site, site_b: Site, own_keys: Path
) -> None:
    jobs = []
    for site in (site_a, site_b):
        with site_scope(site.id):
            name = store_upload([SECRET], site_id=site.id)
            jobs.append((site.id, name))
            ImportJob.objects.create(
                site_id=site.id, kind=ImportKind.CARD_KEYS, file_path=name, created_by="test"
            )
    version = keyring.add_key(own_keys)

    assert sum(rotate_uploads()) == 2
    assert sum(rotate_uploads()) == 0

    keyring.drop_keys(own_keys, keep=version)
    assert [read(upload_path(name), site_id=site_id) for site_id, name in jobs] == [SECRET] * 2
