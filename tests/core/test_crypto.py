"""Encryption at rest: only the right key, for the right place, undamaged, opens a value."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from hypothesis import given
from hypothesis import strategies as st

from kameng.core import keyring
from kameng.core.crypto import (
    CipherBroken,
    binding,
    blind_digest,
    decrypt,
    decrypt_text,
    digester,
    encrypt,
    encrypt_text,
    encrypter,
)

PLACE = binding(1, "card_key", 7)


@pytest.fixture
def own_keys(settings: LazySettings, tmp_path: Path) -> Iterator[Path]:
    """A key ring of this test alone."""
    settings.KEYRING_PATH = keyring.ensure(tmp_path / "keyring.json")
    yield settings.KEYRING_PATH
    keyring.load.cache_clear() if hasattr(keyring.load, "cache_clear") else None


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_encrypted_opens_for_its_place(plain: bytes, place: bytes) -> None:
    value = encrypt(plain, place)

    assert decrypt(value, place) == plain
    assert plain not in value or len(plain) < 4


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_a_text_comes_back(text: str) -> None:
    assert decrypt_text(encrypt_text(text, PLACE), PLACE) == text


@pytest.mark.parametrize(
    "place", [binding(2, "card_key", 7), binding(1, "email", 7), binding(1, "card_key", 8), b""]
)
def test_a_value_moved_elsewhere_does_not_open(place: bytes) -> None:
    with pytest.raises(CipherBroken):
        decrypt(encrypt(b"secret", PLACE), place)


def test_a_damaged_value_does_not_open() -> None:
    value = encrypt(b"secret", PLACE)
    for index in range(len(value)):
        damaged = value[:index] + bytes((value[index] ^ 1,)) + value[index + 1 :]
        with pytest.raises(CipherBroken):
            decrypt(damaged, PLACE)
    for short in (b"", value[:1], value[:13], value[:-1]):
        with pytest.raises(CipherBroken):
            decrypt(short, PLACE)


def test_equal_texts_look_different_and_are_found_by_digest() -> None:
    assert encrypt(b"secret", PLACE) != encrypt(b"secret", PLACE)
    assert blind_digest(b"secret", domain="a") == blind_digest(b"secret", domain="a")
    assert blind_digest(b"secret", domain="a") != blind_digest(b"secret", domain="b")
    assert len(blind_digest(b"", domain="a")) == 16


def test_bulk_gives_the_same_as_one_by_one() -> None:
    assert decrypt(encrypter()(b"secret", PLACE), PLACE) == b"secret"
    assert digester(domain="a")(b"secret") == blind_digest(b"secret", domain="a")


def test_after_a_new_key_old_values_open_and_new_ones_use_it(own_keys: Path) -> None:
    old = encrypt(b"secret", PLACE)
    version = keyring.add_key(own_keys)

    new = encrypt(b"secret", PLACE)

    assert (old[0], new[0]) == (1, version)
    assert decrypt(old, PLACE) == decrypt(new, PLACE) == b"secret"
    keyring.drop_keys(own_keys, keep=version)
    assert decrypt(new, PLACE) == b"secret"
    with pytest.raises(CipherBroken):
        decrypt(old, PLACE)


def test_a_process_still_opens_what_it_knew_before_others_rotated(own_keys: Path) -> None:
    old = encrypt(b"secret", PLACE)
    before = own_keys.read_text()
    version = keyring.add_key(own_keys)
    keyring.drop_keys(own_keys, keep=version)
    after = own_keys.read_text()

    own_keys.write_text(before)
    keyring.load(own_keys, afresh=True)  # as a process that was running all the time
    own_keys.with_suffix(".new").write_text(after)
    own_keys.with_suffix(".new").replace(own_keys)
    ring = keyring.load(own_keys, afresh=True)

    assert (ring.current, sorted(ring.keys)) == (version, [1, version])
    assert decrypt(old, PLACE) == b"secret"
    assert encrypt(b"secret", PLACE)[0] == version


def test_of_two_rotations_at_once_the_second_is_refused(own_keys: Path) -> None:
    with (
        keyring.hold(own_keys),
        pytest.raises(keyring.KeyringBusy),
        keyring.hold(own_keys),
    ):
        raise AssertionError("both hold the key file")

    with keyring.hold(own_keys):  # free again
        assert keyring.load(own_keys).current == 1


def test_the_key_file_is_for_its_owner_alone_and_is_never_written_over(tmp_path: Path) -> None:
    path = keyring.ensure(tmp_path / "secrets" / "keyring.json")
    before = path.read_bytes()

    assert path.stat().st_mode & 0o777 == 0o600
    assert keyring.ensure(path).read_bytes() == before
    assert "keys" not in repr(keyring.load(path)) or json.loads(before)["keys"]["1"] not in repr(
        keyring.load(path)
    )


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", "{}", '{"current": "1", "keys": [], "index": ""}', "\x00" * 300),
        '{"current": "2", "keys": {"1": "AAAA"}, "index": "AAAA"}',
        '{"current": "1", "keys": {"1": "AAAA"}, "index": "AAAA"}',
        '{"current": "x", "keys": {}, "index": ""}',
    ],
)
def test_a_key_file_that_cannot_serve_says_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(content)

    with pytest.raises(keyring.KeyringBroken):
        keyring.load(path)


def test_a_missing_key_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(keyring.KeyringBroken):
        keyring.load(tmp_path / "nowhere.json")
