"""What an act over many own goods took off sale, signed, so that one press takes it back.

Promises nothing by itself: `catalog` takes back only what nobody has judged since.
"""

from collections.abc import Sequence
from typing import Final

from django.core import signing

from kameng.catalog.services.judging import TakenDown

SECONDS: Final = 3600
_SALT: Final = "kameng.console.goods_undo"


def pack(taken: Sequence[TakenDown], *, reason: str, site_id: int) -> str:
    """Return the act as a token that only this site's pages take."""
    rows = [[each.product_id, int(each.was_listed)] for each in taken]
    return signing.dumps([reason, rows], salt=f"{_SALT}.{site_id}", compress=True)


def unpack(token: str, *, site_id: int) -> tuple[list[TakenDown], str] | None:
    """Return what a token says; None for one that is old, of another site, or of nobody's."""
    try:
        reason, rows = signing.loads(token[:8000], salt=f"{_SALT}.{site_id}", max_age=SECONDS)
        taken = [TakenDown(product_id=row[0], was_listed=bool(row[1])) for row in rows]
    except (signing.BadSignature, IndexError, TypeError, ValueError):
        return None
    return taken, str(reason)
