"""Reading of KAMENG_DATABASE_URL and the two ways in: as owner, and as the application role."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

APP_ROLE = "kameng_app"  # owns nothing; row-level security applies to it
ENGINE_ROLE = "kameng_engine"  # owns the hot SQL functions; has policies of its own


def parse_url(url: str, *, name: str = "KAMENG_DATABASE_URL") -> dict[str, Any]:
    """Return Django's database settings of a `postgresql://` URL (socket folder as ?host=…)."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(f"{name} must begin with postgresql://")
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or unquote(parts.hostname or "")
    port = options.pop("port", "") or str(parts.port or "")
    database = unquote(parts.path.lstrip("/"))
    if not database:
        raise ImproperlyConfigured(f"{name} names no database")
    return {
        "NAME": database,
        "USER": unquote(parts.username or options.pop("user", "") or "postgres"),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": port,
        "OPTIONS": options,
    }


def django_databases(url: str, *, app_url: str = "") -> dict[str, dict[str, Any]]:
    """Return `default` (the application role) and `owner` (migrations, nothing else).

    With `app_url` the program signs in as a role that owns nothing, and has no way to become the
    owner. Without one it signs in as the owner and acts as the application role from its first
    statement: a server that we may not give a sign-in to allows no more (docs/adr/0019).
    """
    base = parse_url(url)
    app = parse_url(app_url, name="KAMENG_APP_DATABASE_URL") if app_url else base
    common = {
        "ENGINE": "kameng.core.postgres",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
    app_options = {
        **app["OPTIONS"],
        "options": f"-c role={APP_ROLE} -c lock_timeout=10s"
        " -c idle_in_transaction_session_timeout=60s",
        "prepare_threshold": 5,
        "connect_timeout": 5,
    }
    return {
        "default": {**app, **common, "OPTIONS": app_options},
        "owner": {**base, **common, "OPTIONS": {**base["OPTIONS"], "connect_timeout": 5}},
    }
