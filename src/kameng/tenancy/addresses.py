"""The address of a site as it is written into mails and given to gateways."""

from django.conf import settings

from kameng.tenancy.selectors import primary_host

DEFAULT_PORTS = {"http": "80", "https": "443"}


def site_url(site_id: int) -> str:
    """Return scheme, host and port of a site's primary domain, without a slash at the end."""
    return host_url(primary_host(site_id) or "localhost")


def host_url(host: str) -> str:
    """Return the public address of one host."""
    scheme, port = settings.PUBLIC_SCHEME, settings.PUBLIC_PORT
    suffix = "" if DEFAULT_PORTS.get(scheme) == port else f":{port}"
    return f"{scheme}://{host}{suffix}"
