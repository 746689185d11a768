"""Batches taken out of sale and put back: only what is unsold moves, sales are never disturbed.

`withdrawn_at` says where a batch belongs; its keys follow in short transactions, a large batch on
the queue. Whatever is cut off, or comes back from an expired order later, follows when settled.
"""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope
from kameng.inventory import store
from kameng.inventory.errors import BatchNotFound, BatchStateWrong
from kameng.inventory.models import CardBatch, KeyState
from kameng.inventory.selectors import forget_stock
from kameng.tenancy.selectors import site_scope

STEP_KEYS: Final = 10_000
INLINE_KEYS: Final = 20_000
MAX_PASSES: Final = 3
SETTLED_AFTER: Final = timedelta(days=2)  # no unpaid order holds a key for longer
SETTLE_TASK: Final = "inventory.settle_batch"
QUEUE: Final = "imports"


def withdraw_batch(batch_id: int, *, actor: Actor) -> int:
    """Take the unsold keys of an own batch out of sale; return how many moved before this returns.

    Keys that an unpaid order holds stay with it: paid they are sold, expired they follow.
    A batch of more than `INLINE_KEYS` keys is moved by the worker.
    """
    with transaction.atomic():
        batch = lock_batch(batch_id)
        CardBatch.objects.filter(id=batch_id).update(withdrawn_at=Now())
        _close("card_batch.withdrawn", batch=batch, actor=actor)
    return _follow(batch)


def restore_batch(batch_id: int, *, actor: Actor) -> int:
    """Put a withdrawn batch back on the shelf, as `withdraw_batch` took it off."""
    with transaction.atomic():
        batch = lock_batch(batch_id)
        if batch.withdrawn_at is None:
            raise BatchStateWrong
        CardBatch.objects.filter(id=batch_id).update(withdrawn_at=None)
        _close("card_batch.restored", batch=batch, actor=actor)
    return _follow(batch)


def settle_batch(batch_id: int) -> int:
    """Move the keys of a batch to where it belongs now; return how many. May run at any time."""
    total = 0
    # A key that a sale held while it was passed over may be unsold again: look once more.
    for _ in range(MAX_PASSES):
        moved_in_pass, after_id, moved = 0, 0, STEP_KEYS
        while moved == STEP_KEYS:
            with transaction.atomic():
                states = _direction(batch_id)
                moved, after_id = store.move_keys(
                    batch_id, states=states, after_id=after_id, limit=STEP_KEYS
                )
            moved_in_pass += moved
        total += moved_in_pass
        if not moved_in_pass:
            break
    forget_stock()
    return total


def settle_withdrawn() -> int:
    """Take keys out of sale that came back to lately withdrawn batches; return how many."""
    since = clock.now() - SETTLED_AFTER
    with platform_scope("withdrawn batches of every site"):
        batches = list(CardBatch.unscoped.filter(withdrawn_at__gt=since).only("id", "site_id"))
    total = 0
    for batch in batches:
        with site_scope(batch.site_id):
            total += settle_batch(batch.id)
    return total


def lock_batch(batch_id: int) -> CardBatch:
    """Lock an own batch; raise `BatchNotFound`. Taken by withdrawal, restoring and import steps."""
    batch = CardBatch.objects.select_for_update(no_key=True).filter(id=batch_id).first()
    if batch is None:
        raise BatchNotFound
    found: CardBatch = batch
    return found


def _direction(batch_id: int) -> tuple[KeyState, KeyState]:
    if lock_batch(batch_id).withdrawn_at is None:
        return KeyState.WITHDRAWN, KeyState.UNSOLD
    return KeyState.UNSOLD, KeyState.WITHDRAWN


def _follow(batch: CardBatch) -> int:
    if batch.key_count <= INLINE_KEYS:
        return settle_batch(batch.id)
    task = app.configure_task(SETTLE_TASK, queue=QUEUE)
    task.defer(site_id=batch.site_id, batch_id=batch.id)
    return 0


def _close(action: str, *, batch: CardBatch, actor: Actor) -> None:
    record(
        action,
        actor=actor,
        site_id=batch.site_id,
        subject=("card_batch", batch.id),
        detail={"label": batch.label, "key_count": batch.key_count},
    )
