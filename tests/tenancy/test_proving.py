"""Whose a name is and where it leads, decided from what the domain name system said."""

import pytest

from kameng.core.names import NO_NAME, UNREACHABLE, Found
from kameng.tenancy.proving import (
    AWAY_LOOK_SECONDS,
    SLOW_SECONDS,
    STEADY_SECONDS,
    Expected,
    Proof,
    Standing,
    judge,
    next_wait,
)

HERE, THERE = "203.0.113.10", "198.51.100.7"
EXPECTED = Expected(
    site_host="star.kameng.cn",
    target="sites.kameng.cn",
    addresses=frozenset({HERE, "2001:db8::10"}),
    token="0123456789abcdef",
)
TEXT = ("kameng-site=0123456789abcdef",)
TURNED = Standing(was_elsewhere=True)


def codes(found: Found, standing: Standing = TURNED) -> tuple[Proof, bool, list[str]]:
    verdict = judge(found, expected=EXPECTED, standing=standing)
    return verdict.proof, verdict.points, [each.code for each in verdict.problems]


@pytest.mark.parametrize(
    ("found", "proof", "points", "problems"),
    [
        (Found(fault=NO_NAME), Proof.NONE, False, ["no_name"]),
        (Found(), Proof.NONE, False, ["no_address"]),
        (Found(addresses=(THERE,)), Proof.NONE, False, ["wrong_address"]),
        (Found(addresses=(HERE, THERE)), Proof.NONE, False, ["extra_address"]),
        (Found(addresses=(HERE,), v6_addresses=("2001:db8::7",)), Proof.NONE, False, ["stray_v6"]),
        (Found(addresses=(HERE,), v6_addresses=("2001:db8:0::10",)), Proof.ADDRESS, True, []),
        (Found(addresses=(HERE,)), Proof.ADDRESS, True, []),
        (Found(names=("sites.kameng.cn",), addresses=(THERE,)), Proof.ADDRESS, True, []),
        (Found(names=("star.kameng.cn",), addresses=(HERE,)), Proof.OWN_NAME, True, []),
        (Found(names=("lemon.kameng.cn",), addresses=(HERE,)), Proof.ADDRESS, True, []),
        (Found(addresses=(THERE,), texts=TEXT), Proof.TEXT, False, ["wrong_address"]),
        (Found(addresses=(HERE,), texts=TEXT), Proof.TEXT, True, []),
        (Found(fault=NO_NAME, texts=TEXT), Proof.TEXT, False, ["no_name"]),
        (Found(texts=(f'"{TEXT[0]}"', "v=spf1 -all")), Proof.TEXT, False, ["no_address"]),
        (
            Found(addresses=(THERE,), texts=("kameng-site=other",)),
            Proof.NONE,
            False,
            ["wrong_address", "other_text"],
        ),
    ],
)
def test_a_look_is_judged(found: Found, proof: Proof, points: object, problems: list[str]) -> None:
    assert codes(found) == (proof, points, problems)


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (Standing(), "led_here_before"),
        (Standing(is_held=True, was_elsewhere=True), "held_by_other"),
        (Standing(has_rivals=True, was_elsewhere=True), "claimed_by_other"),
    ],
)
def test_an_address_of_the_platform_names_no_site_and_proves_nothing_then(
    standing: Standing, reason: str
) -> None:
    here = Found(addresses=(HERE,))

    assert codes(here, standing) == (Proof.NONE, True, [reason])
    assert codes(Found(addresses=(HERE,), texts=TEXT), standing) == (Proof.TEXT, True, [])
    own = Found(addresses=(HERE,), names=("star.kameng.cn",))
    assert codes(own, standing) == (Proof.OWN_NAME, True, [])


def test_no_proof_takes_what_the_platform_gave() -> None:
    standing = Standing(is_held=True, is_platforms=True, was_elsewhere=True)

    assert codes(Found(addresses=(HERE,), texts=TEXT), standing) == (
        Proof.NONE,
        True,
        ["platforms"],
    )


def test_nothing_is_learned_when_nobody_answers() -> None:
    verdict = judge(Found(fault=UNREACHABLE), expected=EXPECTED, standing=TURNED)

    assert not verdict.is_answered
    assert (verdict.proof, verdict.points) == (Proof.NONE, False)
    assert [each.code for each in verdict.problems] == ["no_reply"]


def test_a_host_is_looked_at_often_while_a_person_waits_and_rarely_later() -> None:
    def wait(age: int) -> int:
        return next_wait(is_settled=False, is_away=False, age_seconds=age)

    assert [wait(age) for age in (0, 599, 600, 3599, 3600, 86_399, 86_400)] == [
        *(20, 20, 60, 60, 600, 600, SLOW_SECONDS)
    ]
    assert next_wait(is_settled=True, is_away=False, age_seconds=9) == STEADY_SECONDS
    assert next_wait(is_settled=True, is_away=True, age_seconds=9) == AWAY_LOOK_SECONDS
    assert next_wait(is_settled=False, is_away=True, age_seconds=9) == SLOW_SECONDS
