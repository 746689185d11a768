"""Caddy as an operator of the platform runs it, with its own authority, in front of a shop."""

import contextlib
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A running Caddy: its ports, and the root certificate of its authority."""

    https_port: int
    http_port: int
    root: Path

    def client(
        self, host: str, *, address: str = "127.0.0.1", with_http2: bool = False
    ) -> httpx.Client:
        """Return a client that opens `host` here, from an address of this machine."""
        context = ssl.create_default_context(cafile=str(self.root))
        transport = _AsHost(
            host,
            httpx.HTTPTransport(verify=context, local_address=address, http2=with_http2),
        )
        return httpx.Client(
            transport=transport,
            base_url=f"https://127.0.0.1:{self.https_port}",
            headers={"Host": f"{host}:{self.https_port}"},
            timeout=60,
        )


class _AsHost(httpx.BaseTransport):
    """Shakes hands by the name of a host, as a browser does that found this address for it."""

    def __init__(self, host: str, inner: httpx.HTTPTransport) -> None:
        self.host, self.inner = host, inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": self.host}
        return self.inner.handle_request(request)


def find_caddy() -> str | None:
    """Return Caddy: of the virtual environment, which set-up brings, or of the system."""
    near = Path(sys.executable).with_name("caddy")
    return str(near) if near.exists() else shutil.which("caddy")


def root_of(folder: Path) -> Path:
    """Return where Caddy writes the root certificate of its own authority."""
    return folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"


@contextlib.contextmanager
def run_caddy(
    text: str, *, folder: Path, environment: Mapping[str, str], ports: tuple[int, int]
) -> Iterator[Edge]:
    """Run Caddy with a configuration for the block; its files lie in `folder`."""
    program = find_caddy()
    assert program is not None, "no Caddy: `python3 tools/setup.py --test` brings it"
    configuration = folder / "Caddyfile"
    configuration.write_text(text)
    with (folder / "caddy.out").open("wb") as out:
        child = subprocess.Popen(
            [program, "run", "--config", str(configuration), "--adapter", "caddyfile"],
            env={**environment, "XDG_DATA_HOME": str(folder), "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            edge = Edge(https_port=ports[0], http_port=ports[1], root=root_of(folder))
            _wait(edge, folder / "caddy.out")
            yield edge
        finally:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait(edge: Edge, out: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"http://127.0.0.1:{edge.http_port}/", timeout=2)
            if answer.status_code == 308 and edge.root.exists():
                return
        time.sleep(0.1)
    raise AssertionError(f"Caddy does not answer:\n{out.read_text(errors='replace')}")
