"""The second factor of a member of staff: authenticator app, recovery codes, taking it all away.

Secrets are encrypted at rest, recovery codes stored as keyed digests. A code of the app and a
recovery code each work once, taken by one UPDATE. Every change is audited and published, so that
the person is told by mail. Who tries is counted by `risk` before these are called.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

from kameng.accounts import errors, totp
from kameng.accounts.events import SecurityChanged
from kameng.accounts.models import Passkey, RecoveryCode, Session, Totp, User
from kameng.accounts.rules import RECOVERY_CODES
from kameng.accounts.services.devices import distrust_devices
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.crypto import binding, blind_digest, decrypt, encrypt, opens, ring
from kameng.core.events import publish
from kameng.core.ids import token_digest
from kameng.core.scope import platform_scope, require_site_id

# Without the signs that people mistake for one another on paper.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUP = 5
BATCH = 500
SAMPLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpSetup:
    """What a person needs to set up an app: shown once the password was asked for."""

    uri: str
    text: str


def lock_user(user_id: int) -> User:
    """Lock one member of staff, in a transaction; raises `UserNotFound`.

    Who adds or removes a factor takes this lock: which one is the last is seen once.
    """
    user = User.objects.select_for_update(no_key=True).filter(id=user_id, is_active=True).first()
    if user is None:
        raise errors.UserNotFound
    return user


def begin_totp(user_id: int, *, issuer: str) -> TotpSetup:
    """Make the secret of an app, or show the one that was made and not confirmed yet.

    Raises `TotpOn` when an app is in use.
    """
    with transaction.atomic():
        user = lock_user(user_id)
        row = Totp.objects.filter(user_id=user_id).first()
        if row is not None and row.confirmed_at is not None:
            raise errors.TotpOn
        if row is None:
            secret = totp.new_secret()
            Totp.objects.create(user_id=user_id, secret_cipher=encrypt(secret, _aad(user_id)))
        else:
            secret = decrypt(bytes(row.secret_cipher), _aad(user_id))
    uri = totp.setup_uri(secret, login=user.login, issuer=issuer)
    return TotpSetup(uri=uri, text=totp.secret_text(secret))


def confirm_totp(user_id: int, *, code: str, actor: Actor) -> list[str]:
    """Switch the app on by a first code; return fresh recovery codes if there were none.

    Raises `TotpMissing`, `TotpOn`, `SecondFactorWrong`.
    """
    with transaction.atomic():
        lock_user(user_id)
        row = Totp.objects.filter(user_id=user_id).first()
        if row is None:
            raise errors.TotpMissing
        if row.confirmed_at is not None:
            raise errors.TotpOn
        if not _take_totp(row, code):
            raise errors.SecondFactorWrong
        Totp.objects.filter(user_id=user_id).update(confirmed_at=clock.now())
        note_change(user_id, action="staff.totp.added", what="totp_on", actor=actor)
        return first_recovery_codes(user_id)


def drop_totp(user_id: int, *, is_needed: bool, actor: Actor) -> None:
    """Switch the app off. `is_needed`: the role must keep a factor; raises `SecondFactorKept`."""
    with transaction.atomic():
        lock_user(user_id)
        keep_a_factor(user_id, is_needed=is_needed, without_totp=True)
        if not Totp.objects.filter(user_id=user_id).delete()[0]:
            raise errors.TotpMissing
        note_change(user_id, action="staff.totp.removed", what="totp_off", actor=actor)
        clear_leftovers(user_id)


def use_code(user_id: int, *, code: str, actor: Actor) -> str:
    """Take a code of the app or a recovery code; return which it was: totp, recovery.

    Raises `SecondFactorWrong`. Call outside a transaction that a refusal rolls back.
    """
    text = "".join(code.split()).lower().replace("-", "")
    if len(text) == totp.DIGITS and text.isascii() and text.isdigit():
        row = Totp.objects.filter(user_id=user_id, confirmed_at__isnull=False).first()
        if row is not None and _take_totp(row, text):
            return "totp"
        raise errors.SecondFactorWrong
    with transaction.atomic():
        if not take_recovery_code(user_id, text=text):
            raise errors.SecondFactorWrong
        note_change(user_id, action="staff.recovery.used", what="code_used", actor=actor)
    return "recovery"


def renew_recovery_codes(user_id: int, *, actor: Actor) -> list[str]:
    """Make new recovery codes; the old ones are void. They are shown once and stored nowhere.

    Raises `TotpMissing` for who has no second factor.
    """
    with transaction.atomic():
        lock_user(user_id)
        if not _has_factor(user_id):
            raise errors.TotpMissing
        codes = _write_recovery_codes(user_id)
        note_change(user_id, action="staff.recovery.renewed", what="codes_new", actor=actor)
    return codes


def reset_second_factor(user_id: int, *, actor: Actor) -> None:
    """Take every factor of a person away, who lost them; all their sessions end.

    The face has decided who may: an owner for who works at that site alone, the platform for all.
    Raises `UserNotFound`.
    """
    site_id = require_site_id()
    with platform_scope("reset the second factor of a user"), transaction.atomic():
        lock_user(user_id)
        Totp.objects.filter(user_id=user_id).delete()
        Passkey.objects.filter(user_id=user_id).delete()
        RecoveryCode.objects.filter(user_id=user_id).delete()
        distrust_devices(user_id)
        Session.unscoped.filter(user_id=user_id).delete()
        _note(site_id, user_id, action="staff.second_factor.reset", what="reset", actor=actor)


def has_second_factor(user_id: int) -> bool:
    """Tell whether a person must prove more than a password."""
    return _has_factor(user_id)


def first_recovery_codes(user_id: int) -> list[str]:
    """Make recovery codes for who has none left to use; else return none. In a transaction."""
    if RecoveryCode.objects.filter(user_id=user_id, used_at__isnull=True).exists():
        return []
    return _write_recovery_codes(user_id)


def keep_a_factor(
    user_id: int, *, is_needed: bool, without_totp: bool = False, without_passkey_id: int = 0
) -> None:
    """Refuse to remove the last factor of who must have one. Raises `SecondFactorKept`."""
    if not is_needed:
        return
    apps = Totp.objects.filter(user_id=user_id, confirmed_at__isnull=False)
    keys = Passkey.objects.filter(user_id=user_id).exclude(id=without_passkey_id)
    if (without_totp or not apps.exists()) and not keys.exists():
        raise errors.SecondFactorKept


def clear_leftovers(user_id: int) -> None:
    """Drop recovery codes and trusted devices of who has no factor any more. In a transaction."""
    if _has_factor(user_id):
        return
    RecoveryCode.objects.filter(user_id=user_id).delete()
    with platform_scope("a second factor is gone: no device is trusted for it"):
        distrust_devices(user_id)


def note_change(user_id: int, *, action: str, what: str, actor: Actor) -> None:
    """Audit a change of how a person signs in, and publish it. In a transaction and a site."""
    _note(require_site_id(), user_id, action=action, what=what, actor=actor)


def take_recovery_code(user_id: int, *, text: str) -> bool:
    """Use one recovery code up; of parallel tries one gets it: one conditional UPDATE."""
    return bool(
        RecoveryCode.objects.filter(
            user_id=user_id, code_digest=_digest(user_id, text), used_at__isnull=True
        ).update(used_at=clock.now())
    )


def take_totp_step(user_id: int, *, step: int) -> bool:
    """Use a step of the app up with all before it: one conditional UPDATE, so each code is once."""
    return bool(Totp.objects.filter(user_id=user_id, last_step__lt=step).update(last_step=step))


def rotate_second_factors() -> Iterator[int]:
    """Encrypt secrets of apps with the current key where they are not; yield each batch's size.

    Resumable. Each batch is one transaction.
    """
    current = bytes((ring().current % 256,))
    last_id = 0
    while True:
        with transaction.atomic():
            rows = lock_totps(last_id)
            if not rows:
                return
            last_id = rows[-1].user_id
            stale = [row for row in rows if bytes(row.secret_cipher)[:1] != current]
            for row in stale:
                secret = decrypt(bytes(row.secret_cipher), _aad(row.user_id))
                row.secret_cipher = encrypt(secret, _aad(row.user_id))
            Totp.objects.bulk_update(stale, ["secret_cipher"])
        yield len(stale)


def lock_totps(after_id: int) -> list[Totp]:
    """Lock the next secrets by user id; who uses a code writes another column of the row."""
    rows = Totp.objects.filter(user_id__gt=after_id).order_by("user_id")
    return list(rows.select_for_update(no_key=True)[:BATCH])


def probe_second_factors() -> Iterator[bool]:
    """Yield for some secrets whether the key ring opens them."""
    for row in Totp.objects.order_by("-user_id")[:SAMPLE]:
        yield opens(bytes(row.secret_cipher), _aad(row.user_id))


def end_other_sessions(user_id: int, *, keep_token: str) -> None:
    """End the sessions of a person on every site but this browser's."""
    with platform_scope("a second factor was set up: other sessions end"):
        others = Session.unscoped.filter(user_id=user_id)
        others.exclude(token_digest=token_digest(keep_token)).delete()


def _note(site_id: int, user_id: int, *, action: str, what: str, actor: Actor) -> None:
    record(action, actor=actor, site_id=site_id, subject=("user", user_id))
    publish(SecurityChanged(site_id=site_id, subject_id=user_id, what=what, ip=actor.ip))


def _take_totp(row: Totp, code: str) -> bool:
    secret = decrypt(bytes(row.secret_cipher), _aad(row.user_id))
    text = "".join(code.split())
    step = totp.find_step(secret, code=text, seconds=int(clock.now().timestamp()))
    return step is not None and take_totp_step(row.user_id, step=step)


def _has_factor(user_id: int) -> bool:
    apps = Totp.objects.filter(user_id=user_id, confirmed_at__isnull=False)
    return apps.exists() or Passkey.objects.filter(user_id=user_id).exists()


def _write_recovery_codes(user_id: int) -> list[str]:
    RecoveryCode.objects.filter(user_id=user_id).delete()
    codes = [
        "-".join("".join(secrets.choice(_SIGNS) for _ in range(_GROUP)) for _ in range(2))
        for _code in range(RECOVERY_CODES)
    ]
    RecoveryCode.objects.bulk_create(
        [
            RecoveryCode(user_id=user_id, code_digest=_digest(user_id, code.replace("-", "")))
            for code in codes
        ]
    )
    return codes


def _digest(user_id: int, text: str) -> bytes:
    return blind_digest(text.encode("utf-8", "surrogatepass"), domain=f"recovery:{user_id}")


def _aad(user_id: int) -> bytes:
    return binding(0, "totp", user_id)
