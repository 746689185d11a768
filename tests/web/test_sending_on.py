"""Visitors of a shop's other hosts are led to its primary one, with path and query."""

from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client

from kameng.tenancy.models import Domain, Site
from kameng.tenancy.selectors import forget_hosts
from tests import people

ClientFor = Callable[..., Client]


@pytest.fixture(autouse=True)
def _own_domain(site_a: Site, settings: LazySettings) -> None:
    settings.PUBLIC_SCHEME, settings.PUBLIC_PORT = "https", "443"
    Domain.objects.filter(site=site_a).update(is_primary=False)
    Domain.objects.create(site=site_a, host="shop.com", is_own=True, is_primary=True)
    Domain.objects.create(site=site_a, host="www.shop.com", is_own=True)
    forget_hosts()


@pytest.mark.parametrize("host", ["a.localhost", "www.shop.com", "WWW.SHOP.COM:8000"])
def test_pages_are_moved_for_good_with_path_and_query(host: str) -> None:
    client = Client(HTTP_HOST=host)

    for method in (client.get, client.head):
        moved = method("/search/", QUERY_STRING="q=%E5%8D%A1&page=2")
        assert moved.status_code == 301
        assert moved["Location"] == "https://shop.com/search/?q=%E5%8D%A1&page=2"
        assert moved["Cache-Control"] == "private, no-cache"
    assert client.get("/")["Location"] == "https://shop.com/"


def test_the_primary_host_itself_stays() -> None:
    assert Client(HTTP_HOST="shop.com").get("/").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/sign-in/"),
        ("get", "/console/"),
        ("get", "/console/sign-in/"),
        ("post", "/notify/1/"),
        ("get", "/notify/1/"),
        ("get", "/pay/20261128000000000001/?returned=1"),
        ("get", "/receive/20261128000000000001/"),
        ("get", "/healthz"),
        ("get", "/no-such-page/"),
    ],
)
def test_forms_gateways_payments_and_the_back_office_stay(method: str, path: str) -> None:
    answer = getattr(Client(HTTP_HOST="a.localhost"), method)(path)

    assert answer.status_code not in (301, 308)
    assert "shop.com" not in answer.get("Location", "")


def test_what_an_open_page_asks_for_stays() -> None:
    client = Client(HTTP_HOST="a.localhost")

    for mode, dest in (("cors", "empty"), ("no-cors", "image"), ("navigate", "iframe")):
        headers = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert client.get("/", headers=headers).status_code == 200, mode
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=headers).status_code == 301


def test_a_suspended_shop_is_moved_too_and_says_so_there(site_a: Site) -> None:
    Site.objects.filter(id=site_a.id).update(state=2, suspended_reason="盘点")

    assert Client(HTTP_HOST="a.localhost").get("/").status_code == 301
    assert Client(HTTP_HOST="shop.com").get("/").status_code == 403


def test_a_change_is_followed_at_once_by_who_would_send_on(site_a: Site) -> None:
    """Two processes that remember different primary hosts must not send a visitor to and fro."""
    client = Client(HTTP_HOST="a.localhost")
    assert client.get("/").status_code == 301
    Domain.objects.filter(site=site_a).update(is_primary=False)
    Domain.objects.filter(host="a.localhost").update(is_primary=True)

    assert client.get("/").status_code == 200  # although this process remembers the other


def test_between_hosts_of_the_platform_nobody_is_moved(site_b: Site, client_for: ClientFor) -> None:
    Domain.objects.create(site=site_b, host="other.localhost")

    assert Client(HTTP_HOST="other.localhost").get("/").status_code == 200
    assert Client(HTTP_HOST="b.localhost").get("/").status_code == 200


def test_an_unknown_host_is_no_shop(mei: people.Buyer) -> None:
    assert Client(HTTP_HOST="shop.org").get("/").status_code == 404
