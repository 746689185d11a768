"""Which hosts may have a certificate: asked by the proxy before it fetches one.

Cheap and bounded: an answer is remembered for a while, and a flood of made-up names asks the
database only so often.
"""

import ipaddress
import time

from kameng.tenancy import store
from kameng.tenancy.errors import AskedTooOften
from kameng.tenancy.rules import clean_host

YES_NS, NO_NS = 30 * 10**9, 2 * 10**9  # a host is verified at any moment
KEPT_MOST = 20_000
ASKED_A_SECOND = 50  # questions to the database, each process
_kept: dict[str, tuple[bool, int]] = {}
_spent: dict[int, int] = {}


def may_have_certificate(raw_host: str) -> bool:
    """Tell whether a host leads to a site, so that a certificate is fetched for it.

    A site that is suspended or closed has one as long as it has its address: its buyers still look
    up what they bought. Raises `AskedTooOften` when this process was asked for too many unknown
    names within a second.
    """
    host = clean_host(raw_host)
    if host is None or ":" in raw_host or "." not in host or _is_address(host):
        return False
    now = time.monotonic_ns()
    known = _kept.get(host)
    if known is not None and known[1] > now:
        return known[0]
    _spend(now // 10**9)
    is_served = store.is_served(host)
    if len(_kept) >= KEPT_MOST:
        _kept.clear()
    _kept[host] = is_served, now + (YES_NS if is_served else NO_NS)
    return is_served


def forget_permits() -> None:
    """Empty what this process remembers."""
    _kept.clear()
    _spent.clear()


def _spend(second: int) -> None:
    count = _spent.get(second, 0)
    if count >= ASKED_A_SECOND:
        raise AskedTooOften
    if not count:
        _spent.clear()
    _spent[second] = count + 1


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
