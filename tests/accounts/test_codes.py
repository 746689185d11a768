"""One-time codes: once, in time, in five tries, for one contact, purpose and site."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from kameng.accounts import errors, store
from kameng.accounts.models import OneTimeCode
from kameng.accounts.services.codes import (
    ORDER_LOOKUP,
    PASSWORD_RESET,
    issue_code,
    redeem_code,
    sweep_codes,
)
from kameng.core import clock
from kameng.core.database import fetch_one
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting

MEI = "mei@example.com"
Parallel = Callable[[int, Callable[[int], Any]], list[Any]]


def redeem(code: str, *, purpose: str = ORDER_LOOKUP, target: str = MEI) -> None:
    redeem_code(purpose=purpose, target=target, code=code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_a_code_is_six_digits_and_works_once(site_a: Site) -> None:
    with site_scope(site_a.id):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)

        assert (len(code), code.isdecimal()) == (6, True)
        redeem(f" {code} ")
        with pytest.raises(errors.CodeRefused):
            redeem(code)


def test_the_code_is_stored_nowhere(site_a: Site) -> None:
    with site_scope(site_a.id):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        row = fetch_one("select c::text from accounts_onetimecode c")

    assert row is not None
    assert code not in row[0].replace("-", "").split(",")
    assert MEI not in row[0]


def test_a_code_is_bound_to_contact_purpose_and_site(site_a: Site, site_b: Site) -> None:
    with site_scope(site_a.id):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        for purpose, target in ((PASSWORD_RESET, MEI), (ORDER_LOOKUP, "wei@example.com")):
            with pytest.raises(errors.CodeRefused):
                redeem(code, purpose=purpose, target=target)
    with site_scope(site_b.id), pytest.raises(errors.CodeRefused):
        redeem(code)
    with site_scope(site_a.id):
        redeem(code)


def test_after_five_wrong_tries_the_right_code_is_refused(site_a: Site) -> None:
    with site_scope(site_a.id):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        for _ in range(5):
            with pytest.raises(errors.CodeRefused):
                redeem(wrong(code))
        with pytest.raises(errors.CodeRefused):
            redeem(code)


def test_after_four_wrong_tries_the_right_code_still_works(site_a: Site) -> None:
    with site_scope(site_a.id):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        for _ in range(4):
            with pytest.raises(errors.CodeRefused):
                redeem(wrong(code))
        redeem(code)


def test_a_code_ends_after_ten_minutes_and_is_swept(site_a: Site) -> None:
    with site_scope(site_a.id):
        before = clock.now()
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        ends_at = OneTimeCode.objects.get().expires_at
        assert before <= ends_at - dt.timedelta(minutes=10) <= clock.now()
        OneTimeCode.objects.update(expires_at=clock.now() - dt.timedelta(seconds=1))
        with pytest.raises(errors.CodeRefused):
            redeem(code)
        assert sweep_codes() == 0
        OneTimeCode.objects.update(expires_at=clock.now() - dt.timedelta(days=3))
    assert sweep_codes() == 1


def test_a_newer_code_takes_the_place_of_the_older(site_a: Site) -> None:
    with site_scope(site_a.id):
        older = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        newer = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        if older != newer:
            with pytest.raises(errors.CodeRefused):
                redeem(older)
        redeem(newer)


@pytest.mark.parametrize(
    "code", ["", "\x00", "12345", "１２３４５６", "1e5", "😀", "\ud800", "9" * 9999]
)
def test_any_text_may_be_typed_as_a_code(site_a: Site, code: str) -> None:
    with site_scope(site_a.id):
        issue_code(purpose=ORDER_LOOKUP, target=MEI)
        with pytest.raises(errors.CodeRefused):
            redeem(code)


def test_of_twenty_tries_at_once_with_the_right_code_one_wins(
    run_parallel: Parallel, site_a: Site
) -> None:
    with site_scope(site_a.id):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        outcomes = run_parallel(20, lambda _: redeem(code))

    assert outcomes.count(None) == 1
    assert sum(isinstance(each, errors.CodeRefused) for each in outcomes) == 19


def test_of_twenty_wrong_tries_at_once_five_are_looked_at(
    run_parallel: Parallel, site_a: Site
) -> None:
    with site_scope(site_a.id):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        run_parallel(20, lambda _: redeem(wrong(code)))

        assert OneTimeCode.objects.get().attempts_left == 0


def test_control_reading_before_writing_lets_several_win(
    run_parallel: Parallel, site_a: Site
) -> None:
    two_have_looked = Meeting(2)

    def racy(*, site_id: int, purpose: str, target_digest: bytes, code_digest: bytes) -> bool:
        row = OneTimeCode.objects.filter(purpose=purpose, used_at=None).order_by("-id").first()
        if row is None or bytes(row.code_digest) != code_digest:
            return False
        two_have_looked.arrive()
        OneTimeCode.objects.filter(id=row.id).update(used_at=clock.now())
        return True

    with site_scope(site_a.id), mock.patch.object(store, "take_code", racy):
        code = issue_code(purpose=ORDER_LOOKUP, target=MEI)
        outcomes = run_parallel(20, lambda _: redeem(code))

    assert outcomes.count(None) > 1
