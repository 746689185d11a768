"""Help, legal texts, and what machines ask for."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.tenancy.models import Site
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]


@pytest.mark.parametrize("path", ["/help/", "/terms/", "/privacy/"])
def test_texts_name_the_shop(path: str, site_a: Site, client_for: ClientFor) -> None:
    page = client_for(site_a).get(path)

    assert page.status_code == 200
    assert "甲站" in page.content.decode()


def test_machines_are_kept_out_of_what_is_one_persons(site_a: Site, client_for: ClientFor) -> None:
    text = client_for(site_a).get("/robots.txt").content.decode()

    for path in ("/o/", "/pay/", "/account/", "/checkout/"):
        assert f"Disallow: {path}" in text


def test_the_mark_is_the_first_character_of_the_name(site_a: Site, client_for: ClientFor) -> None:
    Site.objects.filter(id=site_a.id).update(name="<b>店")
    client = client_for(site_a)

    icon = client.get("/favicon.svg")
    manifest = client.get("/manifest.webmanifest").json()

    assert icon["Content-Type"] == "image/svg+xml"
    assert "&lt;</text>" in icon.content.decode()
    assert manifest["name"] == "<b>店"
    assert manifest["icons"][0]["src"] == "/favicon.svg"


def test_the_json_addresses_are_described(
    site_a: Site, cards: Goods, client_for: ClientFor
) -> None:
    client = client_for(site_a)

    paths = client.get("/openapi.json").json()["paths"]

    assert {"/suggest/", "/p/{product_id}/stock/", "/pay/{order_no}/status/", "/checkout/"} <= set(
        paths
    )
    answer = client.get(f"/p/{cards.product.id}/stock/").json()
    described = paths["/p/{product_id}/stock/"]["get"]["responses"]["200"]
    schema = described["content"]["application/json"]["schema"]
    assert set(schema["required"]) <= set(answer)
