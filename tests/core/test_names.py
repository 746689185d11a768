"""Questions to a real little domain name system: what is found, and what is said of what is not."""

import time
from collections.abc import Iterator

import pytest

from kameng.core import names
from kameng.core.addresses import split_server
from kameng.core.names import NO_NAME, UNREACHABLE, Found, look_up, registrable
from tests.names_server import NamesServer, names_server


@pytest.fixture
def server() -> Iterator[NamesServer]:
    with names_server() as running:
        yield running


def ask(server: NamesServer, host: str, *text_names: str) -> Found:
    return look_up(host, text_names=text_names, servers=(server.address,))


def test_everything_about_a_host_is_found_at_once(server: NamesServer) -> None:
    server.set("shop.com", "A", "203.0.113.9", "203.0.113.10")
    server.set("shop.com", "AAAA", "2001:db8::10")
    server.set("shop.com", "NS", "dns1.hichina.com", "DNS2.hichina.com")
    server.set("_kameng.shop.com", "TXT", "kameng-site=1", "other")

    assert ask(server, "shop.com", "_kameng.shop.com") == Found(
        addresses=("203.0.113.10", "203.0.113.9"),
        v6_addresses=("2001:db8::10",),
        texts=("kameng-site=1", "other"),
        servers=("dns1.hichina.com", "dns2.hichina.com"),
    )


def test_a_chain_of_names_is_told_in_order(server: NamesServer) -> None:
    server.set("www.shop.com", "CNAME", "Star.kameng.cn")
    server.set("star.kameng.cn", "CNAME", "edge.kameng.cn")
    server.set("edge.kameng.cn", "A", "203.0.113.10")

    found = ask(server, "www.shop.com")

    assert found.names == ("star.kameng.cn", "edge.kameng.cn")
    assert found.addresses == ("203.0.113.10",)
    server.set("edge.kameng.cn", "A")
    broken = ask(server, "www.shop.com")
    assert (broken.fault, broken.names) == (NO_NAME, ("star.kameng.cn", "edge.kameng.cn"))


def test_no_such_name_and_no_such_record_are_two_things(server: NamesServer) -> None:
    server.set("mail.shop.com", "A", "203.0.113.1")

    assert ask(server, "shop.com") == Found()
    assert ask(server, "nowhere.com") == Found(fault=NO_NAME)


def test_who_does_not_answer_is_not_waited_for(
    server: NamesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.is_silent = True
    monkeypatch.setattr(names, "TOTAL_SECONDS", 1)
    begun = time.monotonic()

    assert ask(server, "shop.com", "_kameng.shop.com") == Found(fault=UNREACHABLE)
    assert time.monotonic() - begun < 5


def test_a_flood_of_records_is_cut(server: NamesServer) -> None:
    server.set("shop.com", "A", *(f"203.0.113.{number}" for number in range(60)))
    server.set("_kameng.shop.com", "TXT", "x" * 250)

    found = ask(server, "shop.com", "_kameng.shop.com")

    assert len(found.addresses) == names.ANSWERS_MOST
    assert found.texts == ("x" * 250,)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        (" 192.0.2.53:5353 ", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:54", ("2001:db8::53", 54)),
    ],
)
def test_a_server_is_read(text: str, server: tuple[str, int]) -> None:
    assert split_server(text) == server
    assert split_server(text, port=443)[1] in (server[1], 443)


@pytest.mark.parametrize(
    "text", ["", "dns.example.com", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:70000", "1.2.3"]
)
def test_what_is_no_server_is_refused(text: str) -> None:
    if text == "192.0.2.53:":
        assert split_server(text) == ("192.0.2.53", 53)
        return
    with pytest.raises(ValueError, match="."):
        split_server(text)


def test_what_can_be_registered() -> None:
    told = {host: registrable(host) for host in ("a.b.com.cn", "com.cn", "x.github.io", "com")}

    assert told == {
        "a.b.com.cn": "b.com.cn",
        "com.cn": None,
        "x.github.io": "x.github.io",
        "com": None,
    }
