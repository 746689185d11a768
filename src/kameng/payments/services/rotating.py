"""Re-encryption of gateways' credentials."""

from collections.abc import Iterator

from django.db import transaction

from kameng.core.crypto import binding, decrypt, encrypt, ring
from kameng.core.scope import platform_scope
from kameng.payments.models import Gateway


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


def lock_gateways() -> list[Gateway]:
    """Lock every gateway, by id; `change_gateway` takes the same locks."""
    return list(Gateway.unscoped.select_for_update(no_key=True).order_by("id"))
