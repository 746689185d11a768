"""What a person may set for the machine layer by environment; wrong values are refused by name.

Owns the addresses and sizes of the running program. Pure but for the default environment it reads.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from kameng.config.launch.failure import LaunchFailed

# Set for every process that the supervisor starts: it tells children that the database is there,
# and lets the next supervisor find those that a killed one left behind.
SUPERVISED = "KAMENG_SUPERVISED"

# Every setting that docs/settings.md knows, without the KAMENG_ before it.
NAMES = frozenset(
    [
        "ALLOW_LOOPBACK",
        "APP_DATABASE_URL",
        "CHROMIUM",
        "DATABASE_URL",
        "DEBUG",
        "DNS_SERVERS",
        "EDGE_ADDRESS",
        "EDGE_CA",
        "GUEST_ORDERS_PER_MINUTE",
        "HOME",
        "HOST",
        "KEYRING",
        "LOG_LEVEL",
        "MAIL_FROM",
        "MAIL_HOST",
        "MAIL_PASSWORD",
        "MAIL_PORT",
        "MAIL_TLS",
        "MAIL_USER",
        "METRICS_TOKEN",
        "PORT",
        "POSTGRES_BIN",
        "PUBLIC_PORT",
        "PUBLIC_SCHEME",
        "SECRET_KEY",
        "SESSION_HOURS",
        "SUPERVISED",
        "TEST_DATABASE_URL",
        "TLS_PERMISSION_SECRET",
        "TRUSTED_PROXIES",
        "UPLOAD_LIMIT_MB",
        "WEB_THREADS",
        "WEB_WORKERS",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Addresses and sizes of the running program."""

    host: str
    port: int
    web_workers: int
    web_threads: int
    database_url: str
    app_database_url: str
    is_supervised: bool

    @property
    def simulator_port(self) -> int:
        """The gateway simulator of the demo listens next to the web server."""
        return self.port + 1

    @property
    def mail_port(self) -> int:
        """The demo's mail sink listens next to the simulator."""
        return self.port + 2

    @property
    def probe_host(self) -> str:
        """Return an address by which this machine reaches its own web server."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104


def _whole(environ: Mapping[str, str], name: str, *, default: int, top: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if text.isascii() and text.isdigit() and 1 <= int(text) <= top:
        return int(text)
    raise LaunchFailed(
        f"{name} is {text!r}, which is no whole number from 1 to {top}.",
        remedy=f"Set it to one, or unset it ({default} then).",
    )


def read_options(environ: Mapping[str, str] | None = None) -> Options:
    """Read the environment; raise with the name and the allowed values of a wrong one."""
    env = os.environ if environ is None else environ
    return Options(
        host=env.get("KAMENG_HOST", "").strip() or "127.0.0.1",
        port=_whole(env, "KAMENG_PORT", default=8000, top=65533),
        web_workers=_whole(env, "KAMENG_WEB_WORKERS", default=2, top=64),
        web_threads=_whole(env, "KAMENG_WEB_THREADS", default=8, top=512),
        database_url=env.get("KAMENG_DATABASE_URL", "").strip(),
        app_database_url=env.get("KAMENG_APP_DATABASE_URL", "").strip(),
        is_supervised=bool(env.get(SUPERVISED, "")),
    )


def find_strange(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none: slips of the pen."""
    prefix = "KAMENG_"
    return sorted(
        name for name in environ if name.startswith(prefix) and name[len(prefix) :] not in NAMES
    )
