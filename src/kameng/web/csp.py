"""The security headers of every answer, the content security policy above all.

No inline script, style or handler anywhere: what is not from this host or does not carry the
nonce of the answer does not run. A page that sends a form to a gateway names it first.
"""

from urllib.parse import urlsplit

from django.http.response import HttpResponseBase

from kameng.pages.players import HOSTS

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"),
)
_PREPARED = tuple((name.lower(), (name, value)) for name, value in HEADERS)
STRICT_TRANSPORT = "max-age=31536000"
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'{targets};"
    "{frames} base-uri 'none'; frame-ancestors {ancestors}"
)


def allow_form_target(response: HttpResponseBase, url: str) -> None:
    """Let the forms of this page be sent to the origin of `url` (a gateway), redirects included."""
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"} and parts.netloc and not set(parts.netloc) & set(" ;,'\""):
        known = getattr(response, "form_targets", "")
        response.form_targets = f"{known} {parts.scheme}://{parts.netloc}"  # type: ignore[attr-defined]


def allow_own_frames(response: HttpResponseBase) -> None:
    """Let this page show pages of this host in frames."""
    response.own_frames = " frame-src 'self';"  # type: ignore[attr-defined]


def allow_players(response: HttpResponseBase) -> None:
    """Let this page frame the players of films that operators put on pages."""
    response.own_frames = f" frame-src {' '.join(HOSTS)};"  # type: ignore[attr-defined]


def allow_framing(response: HttpResponseBase) -> None:
    """Let pages of this host show this page in a frame; other hosts may not."""
    response.frame_ancestors = "'self'"  # type: ignore[attr-defined]
    response.headers["X-Frame-Options"] = "SAMEORIGIN"


def protect(response: HttpResponseBase, *, nonce: str, is_secure: bool) -> None:
    """Set the security headers; a header that the view has set stays."""
    headers = response.headers
    stored = headers._store  # ASCII all of them: checking each anew costs every answer 25 µs
    for key, pair in _PREPARED:
        if key not in stored:
            stored[key] = pair
    if is_secure:
        headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
    if "Content-Security-Policy" not in headers:
        targets = getattr(response, "form_targets", "")
        headers["Content-Security-Policy"] = POLICY.format(
            nonce=nonce,
            targets=targets,
            frames=getattr(response, "own_frames", ""),
            ancestors=getattr(response, "frame_ancestors", "'none'"),
        )
    # What depends on a person or a site is never shared; views of public pictures say otherwise.
    headers.setdefault("Cache-Control", "private, no-cache")
