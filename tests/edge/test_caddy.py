"""The packaged configuration with a real Caddy in front of a real Kameng.

Certificates come from Caddy's own authority: no name is asked of anybody outside. The domain name
system is a little server of the tests.
"""

import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.edge.caddy import Edge, root_of, run_caddy
from tests.journeys.stack import ROOT, Stack, run_stack
from tests.ports import free_port

HERE = "203.0.113.10"  # where the little domain name system says that the platform is
LIVE = 3
HOST_CACHE_SECONDS = 30
PROCESSES_SURELY = 10
LIVE_SECONDS = 120
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("edge")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Kameng with Caddy before it."""

    stack: Stack
    edge: Edge


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """Both, started as the manual says."""
    folder = Path(tempfile.mkdtemp(prefix="kameng-edge-", dir="/tmp"))
    port = free_port(in_a_row=2)
    try:
        with run_stack(
            KAMENG_PUBLIC_SCHEME="https",
            KAMENG_PUBLIC_PORT=str(port),
            KAMENG_TRUSTED_PROXIES="127.0.0.1",
            KAMENG_EDGE_ADDRESS=f"127.0.0.1:{port}",
            KAMENG_EDGE_CA=str(root_of(folder)),
        ) as stack:
            stack.set_record("star.localhost", "A", HERE)
            text = _write_file(stack, port)
            with run_caddy(
                text, folder=folder, environment=stack.environment, ports=(port, port + 1)
            ) as edge:
                yield Platform(stack=stack, edge=edge)
            assert stack.act("audit") == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_file(stack: Stack, port: int) -> str:
    words = ["caddyfile", "--internal", "--https-port", str(port), "--http-port", str(port + 1)]
    done = subprocess.run(
        [sys.executable, "-m", "kameng.config.cli", *words],
        cwd=ROOT,
        env=dict(stack.environment),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def _wait_until_live(stack: Stack, *hosts: str) -> None:
    end = time.monotonic() + LIVE_SECONDS
    told = {}
    while time.monotonic() < end:
        told = stack.act("tell-domains")
        if all(told.get(host, {}).get("state") == LIVE for host in hosts):
            return
        time.sleep(1)
    raise AssertionError(f"not live: {told}")


def _wait_until_moved(client: httpx.Client) -> None:
    """Wait until every web process has noticed the new primary host: at most half a minute."""
    end, in_a_row = time.monotonic() + HOST_CACHE_SECONDS + 10, 0
    while in_a_row < PROCESSES_SURELY:
        in_a_row = in_a_row + 1 if client.get("/").status_code == 301 else 0
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_host_of_the_platform_gets_a_certificate_and_its_page(platform: Platform) -> None:
    with platform.edge.client("star.localhost") as client:
        answer = client.get("/", headers={"Accept-Encoding": "zstd, gzip"})

    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] in {"zstd", "gzip"}
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert "h3=" in answer.headers["Alt-Svc"]
    assert "Server" not in answer.headers
    assert "Via" not in answer.headers


def test_a_host_that_leads_to_no_shop_gets_no_certificate(platform: Platform) -> None:
    for host in ("unknown.example.com", "star.localhost.example.com", "127.0.0.1.example.com"):
        with platform.edge.client(host) as client, pytest.raises(httpx.ConnectError) as refused:
            client.get("/")

        assert "alert" in str(refused.value).lower(), host


def test_a_domain_works_as_soon_as_its_records_are_right(platform: Platform) -> None:
    stack, edge = platform.stack, platform.edge
    stack.set_record("yunka.com", "A", "198.51.100.7")
    claims = stack.act("claim", "star", "https://yunka.com/path")
    with edge.client("yunka.com") as client, pytest.raises(httpx.ConnectError):
        client.get("/")

    token = claims[0]["token"]
    stack.set_record("_kameng.yunka.com", "TXT", f"kameng-site={token}")
    stack.set_record("yunka.com", "A", HERE)
    stack.set_record("www.yunka.com", "CNAME", "star.localhost")
    _wait_until_live(stack, "yunka.com", "www.yunka.com")

    told = stack.act("tell-domains")
    assert [told[each["host"]]["fault"] for each in claims] == ["", ""]
    assert all(told[each["host"]]["ends_at"] for each in claims)
    with edge.client("yunka.com") as client:
        page = client.get("/")
    assert page.status_code == 200
    for other in ("www.yunka.com", "star.localhost"):
        with edge.client(other) as client:
            _wait_until_moved(client)
            moved = client.get("/search/?q=%E5%8D%A1&page=2")
            kept = client.get("/console/")
            asked = client.get("/notify/1/")
        assert moved.status_code == 301, other
        expected = f"https://yunka.com:{edge.https_port}/search/?q=%E5%8D%A1&page=2"
        assert moved.headers["Location"] == expected
        assert "/console/sign-in/" in kept.headers["Location"]
        assert kept.headers["Location"].startswith("/")
        assert asked.status_code != 301


def test_plain_http_leads_to_https_with_path_and_query(platform: Platform) -> None:
    edge = platform.edge
    answer = httpx.get(
        f"http://127.0.0.1:{edge.http_port}/p/1/?a=1&b=%20",
        headers={"Host": f"star.localhost:{edge.http_port}"},
    )

    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://star.localhost:{edge.https_port}/p/1/?a=1&b=%20"


def test_the_true_address_of_a_visitor_is_seen_and_a_forged_one_is_not(platform: Platform) -> None:
    stack = platform.stack
    forged = {
        "X-Forwarded-For": "192.0.2.66",
        "X-Real-IP": "192.0.2.66",
        "Forwarded": "for=192.0.2.66",
    }
    with platform.edge.client("star.localhost", address="127.0.0.5") as client:
        page = client.get("/console/sign-in/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        answer = client.post(
            "/console/sign-in/",
            data={
                "csrfmiddlewaretoken": token[1],
                "login": "lin",
                "password": stack.facts["password"],
            },
            headers={**forged, "Referer": str(page.url.copy_with(host="star.localhost"))},
        )

    assert answer.status_code in {302, 303}, answer.text[:2000]
    assert stack.act("tell-last-ip") == "127.0.0.5"


def test_what_only_this_machine_asks_for_is_not_shown_outside(platform: Platform) -> None:
    with platform.edge.client("star.localhost") as client:
        for path in ("/metrics", "/internal/tls-permission?domain=star.localhost"):
            assert client.get(path).status_code == 404, path


def test_the_newest_http_and_no_old_tls(platform: Platform) -> None:
    context = ssl.create_default_context(cafile=str(platform.edge.root))
    context.set_alpn_protocols(["h2"])

    with (
        socket.create_connection(("127.0.0.1", platform.edge.https_port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="star.localhost") as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"
        assert secured.version() == "TLSv1.3"
