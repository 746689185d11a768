"""The log of refused callbacks stays bounded."""

import datetime as dt

import pytest

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.payments import tasks
from kameng.payments.models import CallbackNonce, RejectedCallback
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


def test_nonces_are_swept_after_a_day(db: None, main_site: Site) -> None:
    with platform_scope("a test keeps nonces"):
        old, _new = (
            CallbackNonce.unscoped.create(gateway_id=1, site_id=main_site.id, nonce=nonce)
            for nonce in ("old", "new")
        )
        long_ago = clock.now() - dt.timedelta(hours=sweeping.KEEP_NONCE_HOURS, minutes=1)
        CallbackNonce.unscoped.filter(id=old.id).update(created_at=long_ago)

    assert tasks.sweep() == 1

    with platform_scope("a test reads nonces"):
        assert list(CallbackNonce.unscoped.values_list("nonce", flat=True)) == ["new"]
