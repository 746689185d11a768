"""Batches taken out of sale and put back: only what is unsold moves, sales are never disturbed.

Large batches move in short transactions; a withdrawal that was cut off is ended by asking again.
"""

from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from kameng.core.audit import Actor, record
from kameng.inventory import store
from kameng.inventory.errors import BatchNotFound, BatchStateWrong
from kameng.inventory.models import CardBatch, KeyState
from kameng.inventory.selectors import forget_stock

STEP_KEYS: Final = 10_000
MAX_PASSES: Final = 3


def withdraw_batch(batch_id: int, *, actor: Actor) -> int:
    """Take the unsold keys of an own batch out of sale; return how many.

    Keys that an unpaid order holds stay with it: paid they are sold, expired they come back on
    the shelf, and a second withdrawal takes them.
    """
    with transaction.atomic():
        _require_batch(batch_id)
        CardBatch.objects.filter(id=batch_id).update(withdrawn_at=Now())
    count = _move(batch_id, states=(KeyState.UNSOLD, KeyState.WITHDRAWN))
    _close("card_batch.withdrawn", batch_id=batch_id, count=count, actor=actor)
    return count


def restore_batch(batch_id: int, *, actor: Actor) -> int:
    """Put the withdrawn keys of an own batch back on the shelf; return how many."""
    with transaction.atomic():
        batch = _require_batch(batch_id)
        if batch.withdrawn_at is None:
            raise BatchStateWrong
        CardBatch.objects.filter(id=batch_id).update(withdrawn_at=None)
    count = _move(batch_id, states=(KeyState.WITHDRAWN, KeyState.UNSOLD))
    _close("card_batch.restored", batch_id=batch_id, count=count, actor=actor)
    return count


def _require_batch(batch_id: int) -> CardBatch:
    batch = CardBatch.objects.filter(id=batch_id).first()
    if batch is None:
        raise BatchNotFound
    found: CardBatch = batch
    return found


def _move(batch_id: int, *, states: tuple[KeyState, KeyState]) -> int:
    total = 0
    # A key that a sale held while it was passed over may be unsold again: look once more.
    for _ in range(MAX_PASSES):
        moved_in_pass, after_id = 0, 0
        while True:
            with transaction.atomic():
                moved, after_id = store.move_keys(
                    batch_id, states=states, after_id=after_id, limit=STEP_KEYS
                )
            moved_in_pass += moved
            if moved < STEP_KEYS:
                break
        total += moved_in_pass
        if not moved_in_pass:
            break
    forget_stock()
    return total


def _close(action: str, *, batch_id: int, count: int, actor: Actor) -> None:
    batch = CardBatch.objects.get(id=batch_id)
    with transaction.atomic():
        record(
            action,
            actor=actor,
            site_id=batch.site_id,
            subject=("card_batch", batch_id),
            detail={"count": count, "label": batch.label},
        )
