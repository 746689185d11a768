"""Addresses of servers as they stand in settings."""

import ipaddress

DNS_PORT = 53
PORTS = 65_536


def split_server(text: str) -> tuple[str, int]:
    """Return address and port of `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[…]:5353`.

    Raises `ValueError` for what is none of these.
    """
    address, port = text.strip(), str(DNS_PORT)
    if address.startswith("["):
        address, _, port = address[1:].partition("]")
        port = port.removeprefix(":") or str(DNS_PORT)
    elif address.count(":") == 1:
        address, _, port = address.partition(":")
    ipaddress.ip_address(address)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < PORTS):
        raise ValueError(f"no port: {port}")
    return address, int(port)
