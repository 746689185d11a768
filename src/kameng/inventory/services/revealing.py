"""A key in clear for staff: one at a time, by whom and why on record."""

from django.db import transaction

from kameng.core.audit import Actor, record
from kameng.core.crypto import decrypt_text
from kameng.inventory.errors import KeyNotFound
from kameng.inventory.models import CardKey
from kameng.inventory.sealing import key_place


def reveal_key(key_id: int, *, reason: str, actor: Actor) -> str:
    """Return an own key in clear, audited in the same transaction; raise `KeyNotFound`.

    The caller has checked that the person may see keys. Never log what this returns.
    """
    with transaction.atomic():
        key = CardKey.objects.filter(id=key_id).first()
        if key is None:
            raise KeyNotFound
        record(
            "card_key.revealed",
            actor=actor,
            site_id=key.site_id,
            subject=("card_key", key_id),
            detail={"reason": reason[:200], "batch_id": key.batch_id, "state": key.state},
        )
        return decrypt_text(bytes(key.secret), key_place(key.site_id, key.id))
