"""One sentence for the next page: "saved", "refunded". Kept in a signed cookie for a minute.

`flash(request, text)` in the view that acts; the page that follows shows it once. No session and
no table; texts are the program's own and hold no secrets.
"""

import json
from dataclasses import dataclass

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

COOKIE = "kameng_flash"
SECONDS = 60
LIMIT = 3
TEXT_MAX = 300
KINDS = frozenset({"success", "warning", "error"})
_SALT = "kameng.web.flash"


@dataclass(frozen=True, slots=True)
class Flash:
    """A sentence and its kind: success, warning, error."""

    text: str
    kind: str = "success"

    @property
    def tags(self) -> str:
        """The kind, under the name that the template of the toasts reads."""
        return self.kind

    def __str__(self) -> str:
        return self.text


def flash(request: HttpRequest, text: str, kind: str = "success") -> None:
    """Say `text` on the next page that this browser shows."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}")
    request.new_flashes.append(Flash(str(text)[:TEXT_MAX], kind))  # type: ignore[attr-defined]


def read_flashes(request: HttpRequest) -> list[Flash]:
    """Return what the page has to say; the cookie is deleted with the answer."""
    request.has_read_flashes = True  # type: ignore[attr-defined]
    return [*_stored(request), *request.new_flashes]  # type: ignore[attr-defined]


def write_flashes(request: HttpRequest, response: HttpResponseBase) -> None:
    """Keep what was said for the next page, or forget what this page has shown."""
    new: list[Flash] = request.new_flashes  # type: ignore[attr-defined]
    if getattr(request, "has_read_flashes", False):
        if COOKIE in request.COOKIES:
            response.delete_cookie(COOKIE)
        return
    if not new:
        return
    kept = [*_stored(request), *new][-LIMIT:]
    text = json.dumps([[each.text, each.kind] for each in kept], separators=(",", ":"))
    value = signing.dumps(text, salt=_SALT, compress=True)
    response.set_cookie(
        COOKIE,
        value,
        max_age=SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
    )


def _stored(request: HttpRequest) -> list[Flash]:
    value = request.COOKIES.get(COOKIE)
    if not value or len(value) > 3000:
        return []
    try:
        pairs = json.loads(signing.loads(value, salt=_SALT, max_age=SECONDS))
        return [Flash(text, kind) for text, kind in pairs]
    except (signing.BadSignature, ValueError, TypeError):
        return []
