"""Re-encryption of accounts, receivers and confirmations under the current key. Resumable."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction

from kameng.core.crypto import binding, decrypt, encrypt, opens, ring
from kameng.core.scope import platform_scope
from kameng.settlement.models import PayoutAccount, SplitReceiver, Withdrawal
from kameng.settlement.sealing import ACCOUNT, CONFIRMATION, RECEIVER

BATCH = 500
SAMPLE = 20
TABLES: tuple[tuple[type[Any], str, str], ...] = (
    (PayoutAccount, ACCOUNT, "account_no"),
    (SplitReceiver, RECEIVER, "receiver_no"),
)


def rotate_settlement() -> Iterator[int]:
    """Encrypt accounts with the current key; yield how many were.

    A row is written once, when it is made, so no lock is needed.
    """
    current = ring().current % 256
    for model, table, number in TABLES:
        yield from _rotate(model, table, number, current)
    yield from _rotate_confirmations(current)


def _rotate(model: Any, table: str, number: str, current: int) -> Iterator[int]:
    last_id = 0
    while True:
        with platform_scope("rotate the keys of payout accounts"), transaction.atomic():
            page = list(model.unscoped.filter(id__gt=last_id).order_by("id")[:BATCH])
            if not page:
                return
            last_id = page[-1].id
            stale = [row for row in page if _key_of(row) != {current}]
            for row in stale:
                for column, place in (("account_cipher", table), ("name_cipher", f"{table}_name")):
                    aad = binding(row.site_id, place, getattr(row, number))
                    setattr(row, column, encrypt(decrypt(bytes(getattr(row, column)), aad), aad))
            model.unscoped.bulk_update(stale, ["account_cipher", "name_cipher"])
        yield len(stale)


def _rotate_confirmations(current: int) -> Iterator[int]:
    """Encrypt what waiting receivers need; one that ends meanwhile stays forgotten."""
    last_id = 0
    while True:
        with platform_scope("rotate the keys of payouts that wait"), transaction.atomic():
            waiting = Withdrawal.unscoped.filter(id__gt=last_id, confirm_cipher__isnull=False)
            page = list(waiting.order_by("id")[:BATCH])
            if not page:
                return
            last_id = page[-1].id
            stale = [row for row in page if bytes(row.confirm_cipher)[0] != current]
            for row in stale:
                aad, old = binding(row.site_id, CONFIRMATION, row.payout_no), row.confirm_cipher
                Withdrawal.unscoped.filter(id=row.id, confirm_cipher=old).update(
                    confirm_cipher=encrypt(decrypt(bytes(old), aad), aad)
                )
        yield len(stale)


def _key_of(row: Any) -> set[int]:
    return {bytes(row.account_cipher)[0], bytes(row.name_cipher)[0]}


def probe_settlement() -> Iterator[bool]:
    """Yield for some accounts whether the key ring opens them."""
    with platform_scope("does the key ring fit"):
        for row in PayoutAccount.unscoped.order_by("-id")[:SAMPLE]:
            yield opens(bytes(row.account_cipher), binding(row.site_id, ACCOUNT, row.account_no))
