"""What a request carries besides Django's own, and how its sender is told.

`KamengRequest` is for type checks: the middleware sets these on every request. The address of the
client comes from the connection; a proxy is believed only when it is named in the settings.
"""

import ipaddress
from functools import cache

from django.conf import settings
from django.http import HttpRequest

from kameng.accounts.people import Person
from kameng.core.audit import Actor
from kameng.tenancy.selectors import SiteView
from kameng.web.flash import Flash

# What proxies add. A browser that sends it straight is not believed either.
FORWARDED = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED"})
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class KamengRequest(HttpRequest):
    """A request inside the middleware."""

    site: SiteView  # type: ignore[assignment]
    site_id: int | None
    person: Person
    client_ip: str
    request_id: str
    nonce: str
    new_flashes: list[Flash]
    stamp: str  # of `site`, where the act itself must compare it; express way only


def actor_of(request: HttpRequest) -> Actor:
    """Return who the audit log names for an act of this request."""
    person: Person = request.person  # type: ignore[attr-defined]
    return person.actor(request.client_ip)  # type: ignore[attr-defined]


@cache
def trusted_networks(named: tuple[str, ...]) -> tuple[Network, ...]:
    """Return the networks of the setting TRUSTED_PROXIES; raise ValueError for one that is none."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in named)


def is_trusted(address: str) -> bool:
    """Tell whether an address is a proxy of ours."""
    named = settings.TRUSTED_PROXIES
    if not named:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted_networks(named))


def is_behind_stranger(request: HttpRequest) -> bool:
    """Tell whether a proxy passed this request on that the settings do not name.

    Every visitor has the proxy's address then, and shares its limits with all others.
    """
    is_passed_on = bool(FORWARDED & request.META.keys())
    return is_passed_on and not is_trusted(request.META.get("REMOTE_ADDR", ""))


def find_client_ip(meta: dict[str, str]) -> str:
    """Return the address of the client.

    X-Forwarded-For is read from the right, through proxies of ours only: what stands left of the
    first stranger was written by the client.
    """
    address = meta.get("REMOTE_ADDR", "") or "0.0.0.0"  # noqa: S104 - a unix socket has no address
    if not is_trusted(address):
        return address
    for hop in reversed(meta.get("HTTP_X_FORWARDED_FOR", "")[-2000:].split(",")):
        candidate = hop.strip()
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            break
        address = candidate
        if not is_trusted(candidate):
            break
    return address
