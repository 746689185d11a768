"""Addresses of servers as they stand in settings."""

import ipaddress

DNS_PORT = 53
PORTS = 65_536


def split_server(text: str, *, port: int = DNS_PORT) -> tuple[str, int]:
    """Return address and port of `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[…]:5353`.

    `port`: where none stands. Raises `ValueError` for what is none of these.
    """
    address, given = text.strip(), ""
    if address.startswith("["):
        address, _, given = address[1:].partition("]")
        given = given.removeprefix(":")
    elif address.count(":") == 1:
        address, _, given = address.partition(":")
    ipaddress.ip_address(address)
    if not given:
        return address, port
    if not (given.isascii() and given.isdigit() and len(given) < 6 and 0 < int(given) < PORTS):
        raise ValueError(f"no port: {given}")
    return address, int(given)
