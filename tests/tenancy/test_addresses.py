"""Addresses of sites: the primary host, else the oldest, else this machine; many in one query."""

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kameng.tenancy.addresses import host_url, list_letterheads, site_url
from kameng.tenancy.models import Domain, Site


@pytest.mark.parametrize(
    ("scheme", "port", "address"),
    [
        ("http", "80", "http://a.localhost"),
        ("https", "443", "https://a.localhost"),
        ("https", "8443", "https://a.localhost:8443"),
    ],
)
def test_a_usual_port_is_left_out(
    scheme: str, port: str, address: str, settings: LazySettings
) -> None:
    settings.PUBLIC_SCHEME, settings.PUBLIC_PORT = scheme, port

    assert host_url("a.localhost") == address


def test_letterheads_agree_with_the_addresses_one_by_one(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    Domain.objects.create(site=site_a, host="older.localhost")
    Domain.objects.filter(site=site_b).update(is_primary=False)
    Domain.objects.create(site=site_b, host="newest.localhost")
    Domain.objects.filter(site=main_site).delete()
    sites = [main_site, site_a, site_b]

    with CaptureQueriesContext(connection) as queries:
        heads = list_letterheads(site.id for site in sites)

    assert len(queries) == 1
    assert {key: head.name for key, head in heads.items()} == {s.id: s.name for s in sites}
    assert {key: head.url for key, head in heads.items()} == {s.id: site_url(s.id) for s in sites}
    assert "//b.localhost" in heads[site_b.id].url
    assert "//localhost" in heads[main_site.id].url
