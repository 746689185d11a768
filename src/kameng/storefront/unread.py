"""Whether a customer has unread messages, for the dot on every page.

Kept in the process for half a minute, so that the dot does not cost every page a query. Bounded.
"""

import time
from typing import Final

from kameng.messaging.selectors import count_unread

FRESH_NS: Final = 30 * 10**9
KEPT: Final = 20_000

_known: dict[int, tuple[bool, int]] = {}


def has_unread(customer_id: int) -> bool:
    """Tell whether a customer of the site in force has unread messages, as of half a minute ago."""
    known = _known.get(customer_id)
    moment = time.monotonic_ns()
    if known is not None and known[1] > moment:
        return known[0]
    if len(_known) >= KEPT:
        _known.clear()
    has_some = count_unread(customer_id) > 0
    _known[customer_id] = (has_some, moment + FRESH_NS)
    return has_some


def forget_unread(customer_id: int | None = None) -> None:
    """Look again for one customer at the next page (the messages were read), or for all."""
    if customer_id is None:
        _known.clear()
    else:
        _known.pop(customer_id, None)
