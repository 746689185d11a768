"""The configuration of Caddy that is written: for these settings, or refused with a reason."""

import subprocess

import pytest

from kameng.config.launch import caddy
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.options import read_options
from tests.edge.caddy import find_caddy


def write(*arguments: str, **settings: str) -> str:
    """Return the file for these arguments and settings, nothing else in the environment."""
    options = read_options({f"KAMENG_{name}": value for name, value in settings.items()})
    return caddy.render(caddy.read_wish(arguments), options)


@pytest.mark.parametrize("arguments", [(), ("--email", "ada@kameng.cn"), ("--internal",)])
def test_caddy_takes_what_is_written(arguments: tuple[str, ...]) -> None:
    program = find_caddy()
    assert program is not None
    checked = subprocess.run(
        [program, "adapt", "--config", "-", "--adapter", "caddyfile", "--validate"],
        input=write(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert checked.returncode == 0, checked.stderr


def test_the_file_says_where_kameng_listens_and_what_it_must_be_told() -> None:
    text = write("--email", "ada@kameng.cn", PORT="8123")

    assert "reverse_proxy 127.0.0.1:8123 {" in text
    assert "ask http://127.0.0.1:8123/internal/tls-permission\n" in text
    assert (
        "KAMENG_TRUSTED_PROXIES=127.0.0.1 KAMENG_PUBLIC_SCHEME=https KAMENG_PUBLIC_PORT=443" in text
    )
    assert "email ada@kameng.cn" in text
    assert "issuer internal" not in text
    assert "@" not in text.replace("ada@kameng.cn", "").replace("@machines", "")
    assert "redir https://{host}{uri} 308" in text


def test_a_trial_stands_on_other_ports_with_its_own_authority() -> None:
    text = write("--internal", "--https-port", "8443", "--http-port", "8480")

    for line in ("issuer internal", "skip_install_trust", "https_port 8443", "http_port 8480"):
        assert line in text
    assert "redir https://{host}:8443{uri} 308" in text


@pytest.mark.parametrize(
    ("host", "upstream", "proxy"),
    [
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("::", "[::1]", "::1"),
        ("10.0.0.7", "10.0.0.7", "10.0.0.7"),
    ],
)
def test_kameng_is_reached_where_it_listens(
    host: str, upstream: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if host == "10.0.0.7":  # there this machine is not told from others by its address
        with pytest.raises(LaunchFailed):
            write(HOST=host)
        monkeypatch.setenv("KAMENG_TLS_PERMISSION_SECRET", "a-long-secret-of-the-proxy")

    text = write(HOST=host)

    assert f"reverse_proxy {upstream}:8000 {{" in text
    assert f"KAMENG_TRUSTED_PROXIES={proxy} " in text


def test_a_secret_stands_in_the_address_and_must_fit_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAMENG_TLS_PERMISSION_SECRET", "a-long-secret-of-the-proxy")
    assert "/internal/tls-permission/a-long-secret-of-the-proxy\n" in write()
    for bad in (
        "short",
        "with space in the middle",
        "a/long/secret/of/the/proxy",
        "{env.HOME}xxxxxxxx",
    ):
        monkeypatch.setenv("KAMENG_TLS_PERMISSION_SECRET", bad)
        with pytest.raises(LaunchFailed):
            write()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--email", "x y"),
        ("--email", "a@b\n}"),
        ("--https-port", "0"),
        ("--http-port", "x"),
        ("x",),
    ],
)
def test_what_does_not_fit_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        write(*arguments)
