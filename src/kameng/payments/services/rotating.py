"""Re-encryption of gateways' credentials and of what buyers were told who have not paid yet."""

from collections.abc import Iterator

from django.db import transaction

from kameng.core.crypto import binding, decrypt, encrypt, opens, ring
from kameng.core.scope import platform_scope
from kameng.payments.models import Gateway, Payment, PaymentState
from kameng.payments.services.paying import open_instruction, seal_instruction, sealing_key

BATCH = 500

SAMPLE = 20


def rotate_payments() -> Iterator[int]:
    """Encrypt credentials with the current key; yield how many were. Resumable."""
    current = ring().current % 256
    with platform_scope("rotate the keys of gateways"), transaction.atomic():
        stale = [
            row for row in lock_gateways() if bytes(row.config_cipher)[:1] != bytes((current,))
        ]
        for row in stale:
            aad = binding(row.site_id, "gateway", row.id)
            row.config_cipher = encrypt(decrypt(bytes(row.config_cipher), aad), aad)
        Gateway.unscoped.bulk_update(stale, ["config_cipher"])
    yield len(stale)
    yield from _rotate_instructions(current)


def _rotate_instructions(current: int) -> Iterator[int]:
    """Seal anew what open payments keep; that of the others is never read again.

    An instruction is written once, where there is none, so no lock is needed.
    """
    last_id = 0
    while True:
        with platform_scope("rotate the keys of payments"), transaction.atomic():
            rows = Payment.unscoped.filter(
                id__gt=last_id, state=PaymentState.OPEN, instruction__isnull=False
            )
            page = list(
                rows.order_by("id").only("id", "site_id", "payment_no", "instruction")[:BATCH]
            )
            if not page:
                return
            last_id = page[-1].id
            stale = [row for row in page if sealing_key(row) != current]
            for row in stale:
                row.instruction = seal_instruction(open_instruction(row), payment=row)
            Payment.unscoped.bulk_update(stale, ["instruction"])
        yield len(stale)


def probe_payments() -> Iterator[bool]:
    """Yield for some gateways whether the key ring opens their credentials."""
    with platform_scope("does the key ring fit"):
        for row in Gateway.unscoped.order_by("-id")[:SAMPLE]:
            yield opens(bytes(row.config_cipher), binding(row.site_id, "gateway", row.id))


def lock_gateways() -> list[Gateway]:
    """Lock every gateway, by id; `change_gateway` takes the same locks."""
    return list(Gateway.unscoped.select_for_update(no_key=True).order_by("id"))
