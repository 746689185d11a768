"""Keeping the log of refused callbacks bounded (whoever forges fills it), and the nonces."""

import datetime as dt

from django.db.models import Q

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.payments.models import CallbackNonce, RejectedCallback

KEEP_DAYS = 90
KEEP_ROWS = 50_000
# A callback is refused by its time after minutes; its nonce is kept for much longer than that.
KEEP_NONCE_HOURS = 24


def sweep_rejected_callbacks() -> int:
    """Delete refused callbacks of a quarter ago, and the oldest beyond a bound; how many rows."""
    with platform_scope("sweep refused callbacks"):
        numbers = RejectedCallback.objects.order_by("-id").values_list("id", flat=True)
        last = next(iter(numbers[KEEP_ROWS : KEEP_ROWS + 1]), 0)
        old = Q(created_at__lt=clock.now() - dt.timedelta(days=KEEP_DAYS)) | Q(id__lte=last)
        return int(RejectedCallback.objects.filter(old).delete()[0])


def sweep_nonces() -> int:
    """Delete nonces of callbacks that would be refused by their time alone; how many rows."""
    with platform_scope("sweep nonces"):
        old = clock.now() - dt.timedelta(hours=KEEP_NONCE_HOURS)
        return int(CallbackNonce.unscoped.filter(created_at__lt=old).delete()[0])
