"""Pure decisions about host names and site names."""

import re

HOST = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
SLUG = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")


def clean_host(raw: str) -> str | None:
    """Return the host of a header or a form: lower-case, no port, IDNA; None when unusable."""
    text = raw.strip().lower()
    if text.startswith("["):
        return None
    host, _, port = text.partition(":")
    host = host.removesuffix(".")  # the root's own name, as some clients write it
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return host if HOST.fullmatch(host) else None


def is_openable(host: str) -> bool:
    """Tell whether browsers open a clean host: what ends in a number must be a whole address."""
    if not host.rpartition(".")[2].isdigit():
        return True
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)


# Addresses of the back office that stand where a site's name would.
RESERVED = frozenset(
    {"sign-in", "sign-out", "language", "console", "static", "admin", "api", "www"}
)


def is_slug(text: str) -> bool:
    """Tell whether `text` may name a site."""
    return SLUG.fullmatch(text) is not None and text not in RESERVED
