"""Passes from the back office to a shop that others do not see yet: two minutes, and used up once.

A pass is a one-time code behind a signature that knows its age; the code is used up by one
statement (sql/codes.sql), so that of two browsers with the same link one gets in.
"""

import secrets
from typing import Final

from django.core import signing

from kameng.accounts import errors
from kameng.accounts.services.codes import issue_code, redeem_code
from kameng.core.scope import require_site_id

PASS_SECONDS: Final = 120
LOOK_INSIDE: Final = "look_inside"
_SALT: Final = "kameng.handover"


def issue_pass() -> str:
    """Return a word for the address of the site in force that lets one browser in, once."""
    key = secrets.token_urlsafe(16)
    code = issue_code(purpose=LOOK_INSIDE, target=key)
    return signing.dumps([require_site_id(), key, code], salt=_SALT)


def redeem_pass(text: str) -> None:
    """Use a pass up. Raises `PassRefused`, whatever was wrong. Call outside a transaction."""
    try:
        site_id, key, code = signing.loads(text, salt=_SALT, max_age=PASS_SECONDS)
    except (signing.BadSignature, TypeError, ValueError):
        raise errors.PassRefused from None
    if site_id != require_site_id():
        raise errors.PassRefused
    try:
        redeem_code(purpose=LOOK_INSIDE, target=key, code=code)
    except errors.CodeRefused:
        raise errors.PassRefused from None
