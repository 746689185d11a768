"""Re-encryption of what orders keep: contacts, answers, goods written by hand."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction

from kameng.core.crypto import binding, decrypt, encrypt, opens, ring
from kameng.core.scope import platform_scope
from kameng.orders.models import Delivery, Order

BATCH = 1000
SAMPLE = 20


def rotate_orders() -> Iterator[int]:
    """Encrypt orders and deliveries with the current key; yield the size of each batch.

    Resumable: rows of the current key are passed over. Each batch is one transaction.
    """
    yield from _rotate(Order, ("contact_cipher", "inputs_cipher"))
    yield from _rotate(Delivery, ("content_cipher",))


def probe_orders() -> Iterator[bool]:
    """Yield for some orders whether the key ring opens their contacts."""
    with platform_scope("does the key ring fit"):
        for row in Order.unscoped.exclude(contact_cipher=None).order_by("-id")[:SAMPLE]:
            yield opens(bytes(row.contact_cipher), binding(row.site_id, "order", row.order_no))


def _rotate(model: Any, columns: tuple[str, ...]) -> Iterator[int]:
    last_id = 0
    while True:
        with platform_scope("rotate the keys of orders"), transaction.atomic():
            rows = list(_lock_batch(model, last_id))
            if not rows:
                return
            last_id = rows[-1].id
            changed = [row for row in rows if _renew(row, columns)]
            model.unscoped.bulk_update(changed, list(columns))
        yield len(changed)


def _lock_batch(model: Any, last_id: int) -> Any:
    rows = model.unscoped.filter(id__gt=last_id).order_by("id")
    if model is Delivery:
        rows = rows.select_related("order")
    return rows.select_for_update(of=("self",), no_key=True)[:BATCH]


def _renew(row: Any, columns: tuple[str, ...]) -> bool:
    order = row.order if isinstance(row, Delivery) else row
    table = "delivery" if isinstance(row, Delivery) else "order"
    aad = binding(row.site_id, table, order.order_no)
    current = ring().current % 256
    renewed = False
    for column in columns:
        value = getattr(row, column)
        if value is not None and bytes(value)[0] != current:
            setattr(row, column, encrypt(decrypt(value, aad), aad))
            renewed = True
    return renewed
