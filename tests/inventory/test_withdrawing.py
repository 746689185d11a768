"""Batches out of sale and back, and keys under a new key of the ring."""

from pathlib import Path
from unittest import mock

import pytest
from django.conf import settings
from procrastinate.contrib.django.models import ProcrastinateJob

from kameng.catalog.models import Variant
from kameng.core import crypto, keyring
from kameng.core.audit import SYSTEM
from kameng.core.crypto import decrypt_text
from kameng.inventory.errors import BatchNotFound, BatchStateWrong
from kameng.inventory.models import CardBatch, CardKey, KeyState
from kameng.inventory.sealing import key_place
from kameng.inventory.selectors import get_batch, stock_of
from kameng.inventory.services import withdrawing
from kameng.inventory.services.rotating import rotate_inventory
from kameng.inventory.services.withdrawing import (
    restore_batch,
    settle_batch,
    settle_withdrawn,
    withdraw_batch,
)
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import make_card_keys, make_product, make_variant


@pytest.fixture
def variant(main_site: Site) -> Variant:
    return make_variant(make_product(main_site))


def states() -> list[int]:
    return list(CardKey.objects.order_by("id").values_list("state", flat=True))


def test_only_unsold_keys_are_withdrawn_and_come_back(main_site: Site, variant: Variant) -> None:
    keys = make_card_keys(variant, 5)
    batch_id = keys[0].batch_id
    with site_scope(main_site.id):
        CardKey.objects.filter(id=keys[0].id).update(state=KeyState.SOLD, order_id=1)
        CardKey.objects.filter(id=keys[1].id).update(state=KeyState.RESERVED, order_id=2)

        assert withdraw_batch(batch_id, actor=SYSTEM) == 3
        assert states() == [2, 1, 3, 3, 3]
        assert stock_of([variant.id])[variant.id].count == 0
        row = get_batch(batch_id)
        assert (row.unsold_count, row.reserved_count, row.sold_count) == (0, 1, 1)
        assert (row.withdrawn_count, row.batch.withdrawn_at is not None) == (3, True)

        assert restore_batch(batch_id, actor=SYSTEM) == 3
        assert states() == [2, 1, 0, 0, 0]
        with pytest.raises(BatchStateWrong):
            restore_batch(batch_id, actor=SYSTEM)


def test_a_key_that_comes_back_from_an_expired_order_follows_its_batch(
    main_site: Site, variant: Variant
) -> None:
    keys = make_card_keys(variant, 2)
    with site_scope(main_site.id):
        CardKey.objects.filter(id=keys[0].id).update(state=KeyState.RESERVED, order_id=2)
        withdraw_batch(keys[0].batch_id, actor=SYSTEM)
        CardKey.objects.filter(id=keys[0].id).update(state=KeyState.UNSOLD, order_id=None)

    assert settle_withdrawn() == 1

    with site_scope(main_site.id):
        assert states() == [3, 3]
        assert settle_withdrawn() == 0


def test_a_large_batch_is_moved_by_the_worker(main_site: Site, variant: Variant) -> None:
    keys = make_card_keys(variant, 25)
    batch_id = keys[0].batch_id
    with (
        site_scope(main_site.id),
        mock.patch.object(withdrawing, "INLINE_KEYS", 10),
        mock.patch.object(withdrawing, "STEP_KEYS", 10),
    ):
        assert withdraw_batch(batch_id, actor=SYSTEM) == 0
        assert list(ProcrastinateJob.objects.values_list("task_name", "args")) == [
            ("inventory.settle_batch", {"site_id": main_site.id, "batch_id": batch_id})
        ]
        assert settle_batch(batch_id) == 25
        assert set(states()) == {3}


def test_no_site_moves_the_batch_of_another(
    main_site: Site, site_a: Site, variant: Variant
) -> None:
    (key,) = make_card_keys(variant, 1)
    with site_scope(site_a.id):
        for act in (withdraw_batch, restore_batch):
            with pytest.raises(BatchNotFound):
                act(key.batch_id, actor=SYSTEM)
        with pytest.raises(BatchNotFound):
            settle_batch(key.batch_id)
    with site_scope(main_site.id):
        assert states() == [0]
        assert CardBatch.objects.get().withdrawn_at is None


def test_rotation_moves_every_key_to_the_new_version_and_can_be_cut_off(
    main_site: Site, variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keyring.ensure(tmp_path / "keyring.json")
    monkeypatch.setattr(settings, "KEYRING_PATH", path)
    monkeypatch.setattr("kameng.inventory.services.rotating.PAGE_KEYS", 4)
    keys = make_card_keys(variant, 10)
    assert list(rotate_inventory()) == []

    keyring.add_key(path)
    pages = rotate_inventory()
    assert next(pages) == 4
    pages.close()
    assert sum(rotate_inventory()) == 6
    assert list(rotate_inventory()) == []
    keyring.drop_keys(path, keep=2)

    with site_scope(main_site.id):
        stored = list(CardKey.objects.order_by("id"))
        texts = {decrypt_text(bytes(key.secret), key_place(key.site_id, key.id)) for key in stored}
    assert len(texts) == len(keys)
    assert {bytes(key.secret)[0] for key in stored} == {2}


def test_a_secret_moved_to_another_row_does_not_open(main_site: Site, variant: Variant) -> None:
    first, second = make_card_keys(variant, 2)
    with pytest.raises(crypto.CipherBroken):
        decrypt_text(bytes(first.secret), key_place(main_site.id, second.id))
