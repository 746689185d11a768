"""One-time codes: six digits that prove a contact, for one purpose on one site, once.

Ten minutes, five tries, single use even under parallel tries; only the newest code of a contact
counts. The code itself is stored nowhere.
"""

import datetime as dt
import secrets

from kameng.accounts import errors, store
from kameng.accounts.models import OneTimeCode
from kameng.accounts.rules import CODE_ATTEMPTS, CODE_DIGITS, CODE_SECONDS
from kameng.core import clock
from kameng.core.crypto import blind_digest
from kameng.core.scope import platform_scope, require_site_id

ORDER_LOOKUP = "order_lookup"
PASSWORD_RESET = "password_reset"  # noqa: S105 - the name of a purpose
KEEP_DAYS = 2


def issue_code(*, purpose: str, target: str) -> str:
    """Make a code for a contact (in its stored form) and return it, to be sent and forgotten.

    Callers count the codes sent to one contact (`risk`).
    """
    site_id = require_site_id()
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    OneTimeCode.objects.create(
        site_id=site_id,
        purpose=purpose,
        target_digest=_digest_target(target, site_id=site_id),
        code_digest=_digest_code(code, purpose=purpose, target=target, site_id=site_id),
        attempts_left=CODE_ATTEMPTS,
        expires_at=clock.now() + dt.timedelta(seconds=CODE_SECONDS),
    )
    return code


def redeem_code(*, purpose: str, target: str, code: str) -> None:
    """Use a code up. Raises `CodeRefused`, whatever was wrong. Call outside a transaction."""
    site_id = require_site_id()
    is_right = store.take_code(
        site_id=site_id,
        purpose=purpose,
        target_digest=_digest_target(target, site_id=site_id),
        code_digest=_digest_code(code.strip(), purpose=purpose, target=target, site_id=site_id),
    )
    if not is_right:
        raise errors.CodeRefused


def sweep_codes() -> int:
    """Delete codes that ended two days ago; return how many rows."""
    limit = clock.now() - dt.timedelta(days=KEEP_DAYS)
    with platform_scope("sweep ended codes"):
        return int(OneTimeCode.unscoped.filter(expires_at__lt=limit).delete()[0])


def _digest_target(target: str, *, site_id: int) -> bytes:
    return blind_digest(target.encode("utf-8", "surrogatepass"), domain=f"code_target:{site_id}")


def _digest_code(code: str, *, purpose: str, target: str, site_id: int) -> bytes:
    text = f"{purpose}\x00{target}\x00{code}"
    return blind_digest(text.encode("utf-8", "surrogatepass"), domain=f"code:{site_id}")
