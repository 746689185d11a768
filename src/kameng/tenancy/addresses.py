"""The address of a site as it is written into mails and given to gateways."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import OuterRef, Subquery

from kameng.tenancy.models import Domain, Site
from kameng.tenancy.selectors import primary_host

DEFAULT_PORTS = {"http": "80", "https": "443"}
NO_HOST = "localhost"


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands at the head of a site's mails: its name, and `site_url`."""

    name: str
    url: str


def site_url(site_id: int) -> str:
    """Return scheme, host and port of a site's primary domain, without a slash at the end."""
    return host_url(primary_host(site_id) or NO_HOST)


def list_letterheads(site_ids: Iterable[int]) -> dict[int, Letterhead]:
    """Return the letterheads of many sites by id, in one query."""
    hosts = Domain.objects.filter(site_id=OuterRef("id")).order_by("-is_primary", "is_own", "id")
    rows = Site.objects.filter(id__in=set(site_ids)).annotate(
        host=Subquery(hosts.values("host")[:1])
    )
    return {
        site_id: Letterhead(name, host_url(host or NO_HOST))
        for site_id, name, host in rows.values_list("id", "name", "host")
    }


def host_url(host: str) -> str:
    """Return the public address of one host."""
    scheme, port = settings.PUBLIC_SCHEME, settings.PUBLIC_PORT
    suffix = "" if DEFAULT_PORTS.get(scheme) == port else f":{port}"
    return f"{scheme}://{host}{suffix}"
