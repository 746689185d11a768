"""Decides from what the domain name system says whether a host is the claimant's, and leads here.

Pure. Two questions, never mixed: *whose* is the name (a proof), and *where* does it lead (points).
A TXT record with the claim's token, or a CNAME to the site's own platform address, proves by
itself: nobody but who keeps the domain's records could write it, and it names this site. An
address of the platform names no site: it proves only while nobody else has anything to do with
the name, and only if the name was seen elsewhere since it was claimed. A record left behind by
somebody who went (a dangling name) or a wildcard therefore proves nothing; nor does a CNAME to a
platform address that it named already for the site that had that address before.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum

from kameng.core.names import NO_NAME, UNREACHABLE, Found

TEXT_PREFIX = "kameng-site="


class Proof(IntEnum):
    """By what a name was proved to be the claimant's."""

    NONE = 0
    TEXT = 1
    OWN_NAME = 2  # a CNAME to this site's platform address
    ADDRESS = 3  # an address of the platform, which names no site


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Where a host of one site has to lead, and the token that proves it."""

    site_host: str  # the site's own address on the platform
    target: str  # the name that the platform publishes for all, or empty
    addresses: frozenset[str]  # the platform's public addresses
    token: str

    @property
    def text(self) -> str:
        """Return the TXT record that proves the claim."""
        return f"{TEXT_PREFIX}{self.token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What else is known of a host when a claim on it is judged."""

    is_held: bool = False  # it leads to another site
    is_platforms: bool = False  # given by the platform to a site: no proof moves it
    has_rivals: bool = False  # another site claims it, or once proved it
    is_left_behind: bool = False  # it named this platform address for the site that had it before
    was_elsewhere: bool = False  # it was seen leading elsewhere since this claim was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to put right: a stable code, and what was found."""

    code: str
    found: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a look at the domain name system came to."""

    proof: Proof
    points: bool
    is_answered: bool  # False: nobody answered, so nothing was learned
    problems: tuple[Problem, ...] = field(default=())


def judge(found: Found, *, expected: Expected, standing: Standing) -> Verdict:
    """Return whether the claim is proved, whether the host leads here, and what is in the way."""
    if found.fault == UNREACHABLE and not found.texts:
        return Verdict(
            proof=Proof.NONE, points=False, is_answered=False, problems=(Problem(code="no_reply"),)
        )
    astray = find_astray(found, expected)
    proof = _proof(found, expected, is_here=not astray)
    doubt: tuple[Problem, ...] = ()
    if standing.is_platforms:
        doubt = (Problem(code="platforms"),)
    elif proof == Proof.ADDRESS and (reason := _why_address_is_not_enough(standing)):
        doubt = (Problem(code=reason),)
    elif proof == Proof.OWN_NAME and standing.is_left_behind:
        doubt = (Problem(code="led_here_before"),)
    others = _other_texts(found, expected)
    if others and (doubt or proof == Proof.NONE):
        doubt += (Problem(code="other_text", found=others),)
    return Verdict(
        proof=Proof.NONE if doubt else proof,
        points=not astray,
        is_answered=True,
        problems=(*astray, *doubt),
    )


def _proof(found: Found, expected: Expected, *, is_here: bool) -> Proof:
    if expected.text in {text.strip().strip('"') for text in found.texts}:
        return Proof.TEXT
    if expected.site_host in found.names:
        return Proof.OWN_NAME
    return Proof.ADDRESS if is_here else Proof.NONE


def _why_address_is_not_enough(standing: Standing) -> str:
    if standing.is_held:
        return "held_by_other"
    if standing.has_rivals:
        return "claimed_by_other"
    return "" if standing.was_elsewhere else "led_here_before"


def _other_texts(found: Found, expected: Expected) -> tuple[str, ...]:
    """Return the TXT records of Kameng that carry another token."""
    given = (text.strip().strip('"') for text in found.texts)
    return tuple(text for text in given if text.startswith(TEXT_PREFIX) and text != expected.text)


def find_astray(found: Found, expected: Expected) -> tuple[Problem, ...]:
    """Return what keeps a host from leading here; nothing when it does."""
    ways = {expected.site_host, expected.target} - {""}
    if ways & set(found.names) and found.fault != NO_NAME:
        return ()
    every = (*found.addresses, *found.v6_addresses)
    if not every:
        code = "no_name" if found.fault == NO_NAME and not found.names else "no_address"
        return (Problem(code=code, found=found.names),)
    wrong = tuple(one for one in every if not _is_among(one, expected.addresses))
    if not wrong:
        return ()
    if len(wrong) == len(every):
        return (Problem(code="wrong_address", found=found.names or wrong),)
    if set(wrong) <= set(found.v6_addresses):
        return (Problem(code="stray_v6", found=wrong),)
    return (Problem(code="extra_address", found=wrong),)


def _is_among(address: str, addresses: Collection[str]) -> bool:
    try:
        one = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(one == ipaddress.ip_address(each) for each in addresses)


WAITING_DAYS = 14  # to prove a claim
AWAY_DAYS = 30  # a proved domain that leads elsewhere for longer is given up
AWAY_SECONDS = 3600  # it counts as gone away only when it has led elsewhere for so long
# How long after the claim, and how often it is looked at then; in seconds.
PATIENCE = ((600, 20), (3600, 60), (86_400, 600))
SLOW_SECONDS, STEADY_SECONDS, AWAY_LOOK_SECONDS = 3600, 21_600, 1800


def next_wait(*, is_settled: bool, is_away: bool, age_seconds: int) -> int:
    """Return after how many seconds a host is looked at again.

    `is_settled`: live. `age_seconds`: since the claim; a person waits for the answer at first.
    """
    if is_settled:
        return AWAY_LOOK_SECONDS if is_away else STEADY_SECONDS
    if is_away:
        return SLOW_SECONDS
    for until, wait in PATIENCE:
        if age_seconds < until:
            return wait
    return SLOW_SECONDS
