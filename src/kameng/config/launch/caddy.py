"""`kameng caddyfile`: the configuration of Caddy that fits this installation.

Caddy ends TLS, fetches a certificate for every host that leads to a shop by asking Kameng whether
it may, and tells Kameng who really asks. No host stands in the file: one that is verified works at
once, without a reload.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kameng.config import environment
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.options import Options

TEMPLATE = Path(__file__).with_name("Caddyfile")
HTTPS_PORT, HTTP_PORT = 443, 80
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where Kameng may listen
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
MARK = re.compile(r"@([a-z_]+)@")
EMAIL = re.compile(r"[^\s@{}\"']+@[^\s@{}\"']+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person asked for."""

    email: str = ""
    is_internal: bool = False
    https_port: int = HTTPS_PORT
    http_port: int = HTTP_PORT


def read_wish(arguments: Sequence[str]) -> Wish:
    """Read the arguments; end with help or with what is wrong in them."""
    parser = argparse.ArgumentParser(
        prog="kameng caddyfile",
        description="Print the configuration of Caddy that fits this installation.",
        allow_abbrev=False,
    )
    parser.add_argument("--email", default="", help="where the authority writes about trouble")
    parser.add_argument(
        "--internal", action="store_true", help="certificates of Caddy's own authority, for trials"
    )
    parser.add_argument("--https-port", type=_port, default=HTTPS_PORT, metavar="PORT")
    parser.add_argument("--http-port", type=_port, default=HTTP_PORT, metavar="PORT")
    given = parser.parse_args(arguments)
    if given.email and not EMAIL.fullmatch(given.email):
        parser.error("--email must be an e-mail address")
    return Wish(
        email=given.email,
        is_internal=given.internal,
        https_port=given.https_port,
        http_port=given.http_port,
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def render(wish: Wish, options: Options) -> str:
    """Return the text of the file for Kameng where `options` let it listen."""
    host = ANYWHERE.get(options.host, options.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    upstream = f"{host}:{options.port}"
    secret = environment.text("KAMENG_TLS_PERMISSION_SECRET")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{16,}", secret):
        raise LaunchFailed(
            "KAMENG_TLS_PERMISSION_SECRET must be 16 or more letters, digits, - and _.",
            remedy="It stands in an address.",
        )
    if not secret and host not in LOOPBACK:
        raise LaunchFailed(
            f"Kameng listens at {host}, where it cannot tell Caddy from others.",
            remedy="Set KAMENG_TLS_PERMISSION_SECRET, or let it listen at 127.0.0.1.",
        )
    ask = f"http://{upstream}/internal/tls-permission" + (f"/{secret}" if secret else "")
    megabytes = environment.number("KAMENG_UPLOAD_LIMIT_MB", default=128, low=1, high=2048)
    values = {
        "proxy": "127.0.0.1" if host in {"127.0.0.1", "localhost"} else host.strip("[]"),
        "https_port": str(wish.https_port),
        "global": "\n".join(_global_lines(wish)),
        "ask": ask,
        "upstream": upstream,
        "body_megabytes": str(megabytes + 2),  # Kameng says more kindly what is too large
        "issuer": "\t\tissuer internal\n" if wish.is_internal else "",
        "suffix": "" if wish.https_port == HTTPS_PORT else f":{wish.https_port}",
    }
    return MARK.sub(lambda found: values[found[1]], TEMPLATE.read_text(encoding="utf-8"))


def _global_lines(wish: Wish) -> list[str]:
    lines = [f"\temail {wish.email}"] if wish.email else []
    if wish.is_internal:
        lines += ["\tskip_install_trust", "\tadmin off"]
    if wish.https_port != HTTPS_PORT:
        lines.append(f"\thttps_port {wish.https_port}")
    if wish.http_port != HTTP_PORT:
        lines.append(f"\thttp_port {wish.http_port}")
    return ["\tgrace_period 10s", *lines]
