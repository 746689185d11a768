"""Browsers in which members of staff signed in: known by a cookie, perhaps trusted for some days.

A trusted one is not asked for the second factor at sign-in; sensitive acts ask all the same. The
trust ends with its time, with the password, with the second factor, or when it is taken back.
"""

import datetime as dt

from kameng.accounts import errors
from kameng.accounts.events import SecurityChanged
from kameng.accounts.models import Device
from kameng.accounts.permits import SignInPermit
from kameng.accounts.rules import DEVICE_DAYS
from kameng.core import clock
from kameng.core.events import publish
from kameng.core.ids import new_token, token_digest
from kameng.core.scope import platform_scope

HANDLE_BYTES = 8
KEEP_DAYS = 180
DEVICES_MOST = 50


def note_device(permit: SignInPermit, *, user_id: int, token: str, trust_days: int = 0) -> str:
    """Note that a person signed in with this browser; return the token for its cookie.

    Call inside the transaction of the sign-in. Publishes `SecurityChanged` for a browser that was
    never seen, unless it is the person's first.
    """
    now = clock.now()
    values: dict[str, object] = {
        "seen_at": now,
        "agent": permit.agent[:200],
        "ip": permit.ip[:45],
    }
    if trust_days > 0:
        values["trusted_until"] = now + dt.timedelta(days=min(trust_days, max(DEVICE_DAYS)))
    mine = Device.objects.filter(user_id=user_id)
    if token and mine.filter(token_digest=token_digest(token)).update(**values):
        return token
    is_first = not mine.exists()
    fresh = new_token()
    Device.objects.create(
        site_id=permit.site_id, user_id=user_id, token_digest=token_digest(fresh), **values
    )
    if not is_first:
        publish(
            SecurityChanged(
                site_id=permit.site_id,
                subject_id=user_id,
                what="device_new",
                ip=permit.ip[:45],
                agent=permit.agent[:200],
            )
        )
    return fresh


def is_trusted(user_id: int, *, token: str) -> bool:
    """Tell whether this browser may leave the second step out for this person, here and now."""
    if not token:
        return False
    return Device.objects.filter(
        token_digest=token_digest(token), user_id=user_id, trusted_until__gt=clock.now()
    ).exists()


def forget_device(user_id: int, *, handle: str) -> None:
    """Take back the trust in one browser that `selectors.list_devices` showed.

    Raises `DeviceNotFound`.
    """
    for row in Device.objects.filter(user_id=user_id).order_by("-seen_at")[:DEVICES_MOST]:
        if bytes(row.token_digest)[:HANDLE_BYTES].hex() == handle:
            Device.objects.filter(token_digest=row.token_digest).delete()
            return
    raise errors.DeviceNotFound


def distrust_devices(user_id: int) -> None:
    """Take back the trust in every browser of a person, on every site; in a platform scope."""
    Device.unscoped.filter(user_id=user_id, trusted_until__isnull=False).update(trusted_until=None)


def sweep_devices() -> int:
    """Delete browsers that nobody signed in with for half a year; return how many rows."""
    limit = clock.now() - dt.timedelta(days=KEEP_DAYS)
    with platform_scope("sweep devices"):
        return int(Device.unscoped.filter(seen_at__lt=limit).delete()[0])
