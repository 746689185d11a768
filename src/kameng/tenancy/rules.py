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
    {"sign-in", "sign-out", "language", "console", "static", "admin", "api", "www", "take-over"}
)


def is_slug(text: str) -> bool:
    """Tell whether `text` may name a site."""
    return SLUG.fullmatch(text) is not None and text not in RESERVED


# GB 32100-2015: digits and letters without I, O, S, V and Z; the last one proves the others.
CREDIT_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_CODE = re.compile(f"[{CREDIT_SIGNS}]{{2}}[0-9]{{6}}[{CREDIT_SIGNS}]{{10}}")
PHONE = re.compile(r"\+?[0-9][0-9 ()-]{4,28}")


def clean_credit_code(raw: str) -> str:
    """Return a unified social credit code in the one form in which it is compared."""
    return "".join(raw.split()).replace("-", "").upper()


def is_credit_code(code: str) -> bool:
    """Tell whether a clean code is well made: its form, and its check sign (GB 32100)."""
    if CREDIT_CODE.fullmatch(code) is None:
        return False
    total = sum(
        CREDIT_SIGNS.index(sign) * pow(3, place, 31) for place, sign in enumerate(code[:17])
    )
    return CREDIT_SIGNS[-total % 31] == code[17]


def is_phone(text: str) -> bool:
    """Tell whether a text may be a telephone number, 400 and fixed lines included."""
    return PHONE.fullmatch(text) is not None
