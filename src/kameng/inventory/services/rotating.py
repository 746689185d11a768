"""Stored keys moved to the current key of the ring, page by page, while the shop sells."""

from collections.abc import Iterator
from typing import Final

from django.db import transaction

from kameng.core import crypto
from kameng.core.scope import platform_scope
from kameng.inventory import store
from kameng.inventory.sealing import key_place

PAGE_KEYS: Final = 5_000


def rotate_inventory() -> Iterator[int]:
    """Re-encrypt what an older key encrypted; yield how many after each page.

    May be cut off and started again at any time: what is done already is not found any more.
    """
    version = crypto.ring().current % 256
    encrypt = crypto.encrypter()
    after_id = 0
    while True:
        with platform_scope("rotation of keys over every site"), transaction.atomic():
            page = store.list_old_secrets(version, after_id=after_id, limit=PAGE_KEYS)
            if not page:
                return
            after_id = page[-1][0]
            places = [key_place(site_id, key_id) for key_id, site_id, _ in page]
            old = [secret for _, _, secret in page]
            new = [
                encrypt(crypto.decrypt(secret, place), place)
                for secret, place in zip(old, places, strict=True)
            ]
            count = store.rewrite_secrets([key_id for key_id, _, _ in page], old=old, new=new)
        yield count
