"""Which hosts the proxy may fetch certificates for, and who may ask."""

import pytest
from django.conf import LazySettings
from django.test import Client

from kameng.tenancy.models import Domain, Site
from kameng.tenancy.permits import forget_permits

PATH = "/internal/tls-permission"


@pytest.fixture(autouse=True)
def _forget(main_site: Site, site_a: Site) -> None:
    forget_permits()


def ask(path: str = PATH, *, host: str = "127.0.0.1:8000", **more: str) -> int:
    options = {"HTTP_HOST": host, "REMOTE_ADDR": "127.0.0.1", **more}
    return Client(**options).get(path, {"domain": "a.localhost"}).status_code


def test_this_machine_is_told() -> None:
    machine = Client(HTTP_HOST="127.0.0.1:8000", REMOTE_ADDR="127.0.0.1")

    assert machine.get(PATH, {"domain": "a.localhost"}).status_code == 200
    assert machine.get(PATH, {"domain": "main.localhost"}).status_code == 200
    for host in ("unknown.com", "", "127.0.0.1", "*", "a.localhost/x", "\u5e97.com", "x" * 9000):
        assert machine.get(PATH, {"domain": host[:5000]}).status_code == 404, host
    assert machine.get(PATH).status_code == 404
    assert machine.post(PATH).status_code == 405


def test_nobody_else_is() -> None:
    assert ask(REMOTE_ADDR="192.0.2.1") == 404
    assert ask(host="a.localhost") == 404
    for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"):
        assert ask(**{name: "127.0.0.1"}) == 404, name


def test_a_proxy_elsewhere_is_told_by_the_secret(settings: LazySettings) -> None:
    settings.TLS_PERMISSION_SECRET = "a-long-secret-of-the-proxy"
    far = {"host": "10.0.0.2:8000", "REMOTE_ADDR": "10.0.0.9"}

    assert ask(f"{PATH}/a-long-secret-of-the-proxy", **far) == 200
    assert ask(f"{PATH}/a-long-secret-of-the-prox", **far) == 404
    assert ask(f"{PATH}/%E5%BA%97", **far) == 404
    assert ask(**far) == 404
    settings.TLS_PERMISSION_SECRET = ""
    assert ask(f"{PATH}/a-long-secret-of-the-proxy", **far) == 404
    assert ask(f"{PATH}/", **far) == 404


def test_a_host_that_was_taken_away_is_not_served() -> None:
    Domain.objects.filter(host="a.localhost").delete()

    assert ask() == 404
