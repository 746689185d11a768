"""Typed readers of the process environment: they refuse what they do not know.

A variable that is empty counts as unset: service files and containers often pass one on.
"""

import ipaddress
import os
from collections.abc import Collection

from django.core.exceptions import ImproperlyConfigured

from kameng.core.addresses import split_server

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """Return a text setting."""
    raw = os.environ.get(name, "")
    return raw if raw.strip() else default


def flag(name: str, *, default: bool) -> bool:
    """Return a yes/no setting; anything else than a yes or a no is refused."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in TRUE:
        return True
    if raw.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}")


def number(name: str, *, default: int, low: int, high: int) -> int:
    """Return a whole number within bounds."""
    raw = text(name).strip()
    if not raw:
        return default
    # Its length first: a number of thousands of digits is refused like any other.
    if not (raw.isascii() and raw.isdigit() and len(raw) < 19 and low <= int(raw) <= high):
        raise ImproperlyConfigured(
            f"{name} must be a whole number from {low} to {high}, not {raw[:40]!r}"
        )
    return int(raw)


def choice(name: str, *, default: str, allowed: Collection[str]) -> str:
    """Return one of a few words, however its letters are written."""
    raw = text(name, default).strip()
    for word in allowed:
        if raw.lower() == word.lower():
            return word
    raise ImproperlyConfigured(f"{name} must be {' or '.join(allowed)}, not {raw[:40]!r}")


def networks(name: str) -> tuple[str, ...]:
    """Return addresses and networks that stand in a list with commas."""
    named = tuple(part.strip() for part in text(name).split(",") if part.strip())
    for part in named:
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must hold addresses or networks like 127.0.0.1, 10.0.0.0/8,"
                f" not {part[:40]!r}"
            ) from None
    return named


def servers(name: str) -> tuple[str, ...]:
    """Return addresses, each with a port or without, that stand in a list with commas."""
    named = tuple(part.strip() for part in text(name).split(",") if part.strip())
    for part in named:
        try:
            split_server(part)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must hold addresses like 192.0.2.53 or 192.0.2.53:5353, not {part[:40]!r}"
            ) from None
    return named
