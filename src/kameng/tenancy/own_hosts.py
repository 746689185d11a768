"""What an operator may type as his own domain: parsed from anything pasted, refused with a reason.

Pure: a name is judged by itself and by the platform's own names; who holds it is asked elsewhere.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

import idna

from kameng.core.names import registrable
from kameng.tenancy import errors
from kameng.tenancy.rules import HOST, clean_host

PASTED_MAX = 2000
WIDE_DOTS = str.maketrans({"。": ".", "．": ".", "｡": ".", "：": ":", "／": "/"})
# Names that no registrar sells, or that lead to the visitor's own machine or network.
SPECIAL = (
    *("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp"),
    *("invalid", "test", "onion", "arpa", "alt"),
)
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
WEB_PORTS = frozenset({"", "80", "443"})
WWW = "www."


def parse_own_host(pasted: str, *, platform_hosts: Collection[str]) -> str:
    """Return the host in what was typed or pasted (an address, a path after it), as ASCII.

    Raises `OwnHostInvalid`, `OwnHostIsAddress`, `OwnHostHasPort`, `OwnHostIsSpecial`,
    `OwnHostIsSuffix`, `OwnHostIsPlatforms`.
    """
    text = pasted.strip()[:PASTED_MAX].translate(WIDE_DOTS)
    if not SCHEME.match(text):
        text = f"//{text.lstrip('/')}"
    try:
        name, port = _split(urlsplit(text).netloc)
    except ValueError:
        raise errors.OwnHostInvalid from None
    if _is_address(name):
        raise errors.OwnHostIsAddress
    if port not in WEB_PORTS:
        raise errors.OwnHostHasPort
    host = _ascii_of(name)
    if host is None:
        raise errors.OwnHostInvalid
    _check_sold(host)
    if is_platforms(host, platform_hosts):
        raise errors.OwnHostIsPlatforms
    return host


def parse_target(typed: str) -> str | None:
    """Return the name that the platform publishes, empty for none; None when it is no name."""
    if not typed:
        return ""
    host = clean_host(typed)
    return host if host is not None and ":" not in typed and "." in host else None


def _split(place: str) -> tuple[str, str]:
    place = place.rpartition("@")[2]
    if place.startswith("["):
        return place[1:].partition("]")[0], ""
    name, _, port = place.partition(":")
    return name.removesuffix("."), port


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2].isdigit()  # 1.2.3 and the like: browsers read an address
    return True


def _ascii_of(name: str) -> str | None:
    try:
        host = idna.encode(name, uts46=True, std3_rules=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return None
    return host if HOST.fullmatch(host) else None


def _check_sold(host: str) -> None:
    last = host.rpartition(".")[2]
    if "." not in host or last in SPECIAL:
        raise errors.OwnHostIsSpecial
    if registrable(host) is None:
        raise errors.OwnHostIsSuffix


def is_platforms(host: str, platform_hosts: Collection[str]) -> bool:
    """Tell whether a name is one of the platform's, or shares what can be registered with one."""
    mine = registrable(host)
    for other in platform_hosts:
        if host == other or host.endswith(f".{other}") or other.endswith(f".{host}"):
            return True
        if mine is not None and mine == registrable(other):
            return True
    return False


def base_of(host: str) -> str:
    """Return a host without `www.`: with and without are one domain to the person who bought it."""
    rest = host.removeprefix(WWW)
    return rest if registrable(rest) is not None else host


def twin_of(host: str) -> str | None:
    """Return the other of the pair `shop.com` and `www.shop.com`; None where there is no such pair.

    `www.` belongs before the domain that was registered; `bbs.shop.com` has no twin.
    """
    base = base_of(host)
    if base != registrable(base):
        return None
    return base if host != base else f"{WWW}{base}"


def shown_as(host: str) -> str:
    """Return a host as a person reads it: 店铺.中国 for xn--…; as it is where that is unsafe."""
    try:
        return idna.decode(host)
    except (idna.IDNAError, UnicodeError):
        return host


def record_name(host: str) -> str:
    """Return what stands in a registrar's field for the host: `@`, `www`, `shop`."""
    zone = registrable(host) or host
    return "@" if host == zone else host.removesuffix(f".{zone}")
