"""The log of refused callbacks stays bounded."""

import datetime as dt

import pytest

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.payments import tasks
from kameng.payments.models import RejectedCallback
from kameng.payments.services import sweeping
from kameng.tenancy.models import Site


def test_old_callbacks_and_too_many_are_swept(
    db: None, main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with platform_scope("a test logs refused callbacks"):
        rows = [
            RejectedCallback.objects.create(gateway_id=1, site_id=main_site.id, code=f"c{number}")
            for number in range(6)
        ]
        long_ago = clock.now() - dt.timedelta(days=sweeping.KEEP_DAYS + 1)
        RejectedCallback.objects.filter(id=rows[4].id).update(created_at=long_ago)

    assert tasks.sweep() == 1
    monkeypatch.setattr(sweeping, "KEEP_ROWS", 3)
    assert tasks.sweep() == 2
    assert tasks.sweep() == 0

    with platform_scope("a test reads refused callbacks"):
        kept = RejectedCallback.objects.order_by("id").values_list("code", flat=True)
        assert list(kept) == ["c2", "c3", "c5"]
