"""Questions to the domain name system, and what part of a name somebody can own.

Owns the resolver, its time limits and the public suffix list. `look_up` asks for everything that
decides about a host at once and never raises for what the network does: an answer that did not
come is said as such (`fault`). Never called inside a transaction.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import dns.exception
import dns.flags
import dns.name
import dns.rdatatype
import dns.resolver
from publicsuffixlist import PublicSuffixList

from kameng.core.addresses import split_server
from kameng.core.database import in_transaction

TOTAL_SECONDS = 5  # for all questions about one host together
QUESTION_SECONDS = 3  # to one server; then the next one is asked
ANSWERS_MOST = 20  # of one kind; the rest is not looked at
TEXT_MOST = 300  # characters of one TXT record
NO_NAME, NO_ANSWER, UNREACHABLE = "no_name", "", "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the domain name system says about a host. Names lower-case, without the last dot."""

    addresses: tuple[str, ...] = ()  # A
    v6_addresses: tuple[str, ...] = ()  # AAAA
    names: tuple[str, ...] = ()  # the chain of CNAMEs, in order
    texts: tuple[str, ...] = ()  # TXT of the names asked for
    servers: tuple[str, ...] = ()  # NS of the domain that can be registered
    fault: str = ""  # NO_NAME: there is no such host; UNREACHABLE: nobody answered in time


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    values: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    fault: str = ""


def look_up(host: str, *, text_names: Sequence[str] = (), servers: Sequence[str] = ()) -> Found:
    """Return what is found about a clean host within `TOTAL_SECONDS`.

    `text_names`: where TXT records are looked for. `servers`: `address` or `address:port` of the
    resolvers; none: those of the machine. Must not be called inside a transaction.
    """
    if in_transaction():
        raise RuntimeError("the domain name system is never asked inside a transaction")
    deadline = time.monotonic() + TOTAL_SECONDS
    zone = registrable(host) or host
    questions = [(host, "A"), (host, "AAAA"), (zone, "NS"), *((name, "TXT") for name in text_names)]
    with ThreadPoolExecutor(max_workers=len(questions), thread_name_prefix="names") as pool:
        waiting = [pool.submit(_ask, *each, tuple(servers), deadline) for each in questions]
        four, six, zone_servers, *texts = [each.result() for each in waiting]
    return Found(
        addresses=four.values,
        v6_addresses=six.values,
        names=four.names or six.names,
        texts=tuple(dict.fromkeys(value for each in texts for value in each.values)),
        servers=zone_servers.values,
        fault=four.fault or ("" if four.values else six.fault),
    )


def _ask(name: str, kind: str, servers: tuple[str, ...], deadline: float) -> _Reply:
    resolver = _resolver(servers)
    left = max(0, deadline - time.monotonic())
    try:
        answer = resolver.resolve(name, kind, search=False, lifetime=left, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN as fault:
        # A CNAME that leads to a name which is not there is worth showing.
        chain = fault.response(fault.qnames()[-1]).answer if fault.qnames() else []  # type: ignore[no-untyped-call]
        return _Reply(names=_names_of(chain), fault=NO_NAME)
    except (dns.exception.DNSException, OSError, ValueError):
        return _Reply(fault=UNREACHABLE)
    chain = answer.response.answer
    return _Reply(values=_values_of(answer, kind), names=_names_of(chain), fault=NO_ANSWER)


def _values_of(answer: dns.resolver.Answer, kind: str) -> tuple[str, ...]:
    values = []
    for item in list(answer.rrset or ())[:ANSWERS_MOST]:
        if kind == "TXT":
            values.append(b"".join(item.strings).decode("utf-8", "replace")[:TEXT_MOST])
        else:
            values.append(item.to_text().rstrip(".").lower())
    return tuple(sorted(values))


def _names_of(chain: Sequence[object]) -> tuple[str, ...]:
    return tuple(
        item.target.to_text().rstrip(".").lower()
        for rrset in chain
        if getattr(rrset, "rdtype", None) == dns.rdatatype.CNAME
        for item in rrset  # type: ignore[attr-defined]
    )[:ANSWERS_MOST]


@cache
def _resolver(servers: tuple[str, ...]) -> dns.resolver.Resolver:
    """Return the resolver of a list of servers; it keeps no answers, so that a check is fresh."""
    resolver = dns.resolver.Resolver(configure=not servers)
    resolver.timeout = QUESTION_SECONDS
    if servers:
        pairs = [split_server(each) for each in servers]
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(address, port) for address, port in pairs
        ]
    return resolver


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def registrable(host: str) -> str | None:
    """Return the part of a host that somebody can register; None for a public suffix itself.

    `www.shop.com.cn` gives `shop.com.cn`; `com.cn` and `github.io` give None.
    """
    found = _suffixes().privatesuffix(host)
    return str(found) if found else None
