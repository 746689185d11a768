"""`kameng rotate-keys` as a whole, and the look at whether the key ring is the right one."""

from pathlib import Path

import pytest
from django.conf import settings

from kameng.config import rotation
from kameng.config.launch.failure import LaunchFailed
from kameng.core import keyring
from kameng.inventory.models import CardKey
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import make_card_keys, make_product, make_variant
from tests.people import Buyer


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = keyring.ensure(tmp_path / "keyring.json")
    monkeypatch.setattr(settings, "KEYRING_PATH", path)
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(rotation, "STRAGGLER_SECONDS", 0.0)
    return path


@pytest.fixture
def keys(db: None, ring: Path, main_site: Site) -> Site:
    make_card_keys(make_variant(make_product(main_site)), 3)
    return main_site


def versions(site: Site) -> set[int]:
    with site_scope(site.id):
        return {bytes(secret)[0] for secret in CardKey.objects.values_list("secret", flat=True)}


def test_a_rotation_ends_with_one_key_that_opens_everything(keys: Site, ring: Path) -> None:
    assert rotation.run([]) == 0

    loaded = keyring.load(ring)
    assert (loaded.current, list(loaded.keys)) == (2, [2])
    assert versions(keys) == {2}
    rotation.check_ring()


def test_old_keys_can_be_kept_and_a_cut_rotation_goes_on(keys: Site, ring: Path) -> None:
    keyring.add_key(ring)

    assert rotation.run(["--continue", "--keep-old"]) == 0

    assert sorted(keyring.load(ring).keys) == [1, 2]
    assert versions(keys) == {2}


def test_what_is_written_late_under_the_old_key_is_found_before_that_key_goes(
    keys: Site, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = make_variant(make_product(keys))
    old = keyring.load(ring)
    rounds: list[int] = []
    rotate = rotation.rotate_everything

    def write_late(**words: object) -> int:
        found = rotate(say=lambda _line: None)
        rounds.append(found)
        if len(rounds) == 2:  # the last one found nothing: now a straggler of before commits
            with monkeypatch.context() as patch:
                patch.setattr("kameng.core.crypto.ring", lambda: old)
                make_card_keys(variant, 2)
        return found

    monkeypatch.setattr(rotation, "rotate_everything", write_late)

    assert rotation.run([]) == 0

    assert rounds == [3, 0, 2, 0]
    assert versions(keys) == {2}
    rotation.check_ring()


def test_a_second_rotation_is_refused_and_adds_no_key(keys: Site, ring: Path) -> None:
    with keyring.hold(ring), pytest.raises(LaunchFailed, match="under way"):
        rotation.run([])

    assert list(keyring.load(ring).keys) == [1]


def test_the_time_for_stragglers_is_longer_than_any_wait_for_a_lock() -> None:
    options = settings.DATABASES["default"]["OPTIONS"]["options"]

    assert "lock_timeout=10s" in options
    assert rotation.STRAGGLER_SECONDS > rotation.SETTLE_SECONDS + 10


def test_a_key_ring_of_another_shop_is_told_before_anything_is_served(
    mei: Buyer, keys: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = keyring.ensure(tmp_path / "other.json")
    monkeypatch.setattr(settings, "KEYRING_PATH", other)

    with pytest.raises(LaunchFailed, match=r"other\.json is not the one") as told:
        rotation.check_ring()

    assert "backup" in told.value.remedy


def test_one_damaged_value_does_not_keep_a_shop_closed(keys: Site, ring: Path) -> None:
    with site_scope(keys.id):
        first = CardKey.objects.order_by("id")[0]
        CardKey.objects.filter(id=first.id).update(secret=b"\x01" + b"?" * 40)

    rotation.check_ring()


def test_a_database_without_secrets_takes_any_key_ring(db: None, main_site: Site) -> None:
    rotation.check_ring()
