"""Stored keys moved to the current key of the ring, page by page, while the shop sells."""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from typing import Final

from django.db import transaction

from kameng.core import crypto
from kameng.core.scope import platform_scope
from kameng.inventory import store
from kameng.inventory.sealing import key_place

PAGE_KEYS: Final = 5_000
SAMPLE: Final = 20
NO_VERSION: Final = -1  # that no value has: every key is found
HELD_FOR: Final = dt.timedelta(milliseconds=50)  # before keys that somebody held are tried again


def rotate_inventory() -> Iterator[int]:
    """Re-encrypt what an older key encrypted; yield how many after each page.

    May be cut off and started again at any time: what is done already is not found any more. Keys
    that somebody holds are passed over and taken in a later round; ends when a round finds none.
    """
    version = crypto.ring().current % 256
    after_id, left = 0, 0
    while True:
        with platform_scope("rotation of keys over every site"), transaction.atomic():
            page = store.list_old_secrets(version, after_id=after_id, limit=PAGE_KEYS)
            count = _rewrite(page)
        if page:
            after_id = page[-1][0]
            left += len(page) - count
            yield count
        elif left:
            time.sleep(HELD_FOR.total_seconds())
            after_id, left = 0, 0
        else:
            return


def probe_inventory() -> Iterator[bool]:
    """Yield for some keys whether the key ring opens them."""
    with platform_scope("does the key ring fit"):
        some = store.list_old_secrets(NO_VERSION, after_id=0, limit=SAMPLE)
    for key_id, site_id, secret in some:
        yield crypto.opens(secret, key_place(site_id, key_id))


def _rewrite(page: Sequence[tuple[int, int, bytes]]) -> int:
    encrypt = crypto.encrypter()
    places = [key_place(site_id, key_id) for key_id, site_id, _ in page]
    old = [secret for _, _, secret in page]
    new = [
        encrypt(crypto.decrypt(secret, place), place)
        for secret, place in zip(old, places, strict=True)
    ]
    return store.rewrite_secrets([key_id for key_id, _, _ in page], old=old, new=new) if page else 0
