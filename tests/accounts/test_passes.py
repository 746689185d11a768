"""Passes to a shop that others do not see yet: one browser, once, two minutes, one shop."""

import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from kameng.accounts import errors, store
from kameng.accounts.models import OneTimeCode
from kameng.accounts.services.passes import issue_pass, redeem_pass
from kameng.core.database import fetch_one
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from kameng.web.away import make_pass
from tests.concurrency.guards import Meeting

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]


def test_a_pass_works_once(site_a: Site) -> None:
    with site_scope(site_a.id):
        first, second = issue_pass(), issue_pass()
        redeem_pass(first)
        with pytest.raises(errors.PassRefused):
            redeem_pass(first)
        redeem_pass(second)


def test_a_pass_is_of_one_shop_and_of_two_minutes(
    site_a: Site, site_b: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_scope(site_a.id):
        given = issue_pass()
    with site_scope(site_b.id), pytest.raises(errors.PassRefused):
        redeem_pass(given)

    late = time.time() + 121
    monkeypatch.setattr(time, "time", lambda: late)
    with site_scope(site_a.id), pytest.raises(errors.PassRefused):
        redeem_pass(given)


@pytest.mark.parametrize("text", ["", "forged", "\x00", "a:b:c", "\ud800"])
def test_any_text_may_stand_for_a_pass(site_a: Site, text: str) -> None:
    with site_scope(site_a.id), pytest.raises(errors.PassRefused):
        redeem_pass(text)


def test_the_cookie_of_who_is_inside_is_no_pass_for_others(site_a: Site) -> None:
    with site_scope(site_a.id), pytest.raises(errors.PassRefused):
        redeem_pass(make_pass(site_a.id))


def test_of_twenty_browsers_with_one_link_one_gets_in(run_parallel: Parallel, site_a: Site) -> None:
    with site_scope(site_a.id):
        given = issue_pass()
        outcomes = run_parallel(20, lambda _: redeem_pass(given))

    assert outcomes.count(None) == 1
    assert sum(isinstance(each, errors.PassRefused) for each in outcomes) == 19


def test_two_get_in_when_the_pass_is_read_before_it_is_used_up(
    run_parallel: Parallel, site_a: Site
) -> None:
    """The negative control: the same with a look and an act instead of one statement."""
    meeting = Meeting(2)

    def look_then_take(*, site_id: int, code_digest: bytes, **_other: object) -> bool:
        row = fetch_one(
            "select id from accounts_onetimecode where code_digest = %s and used_at is null",
            (code_digest,),
        )
        meeting.arrive()
        fetch_one(
            "update accounts_onetimecode set used_at = now() where site_id = %s returning id",
            (site_id,),
        )
        return row is not None

    with mock.patch.object(store, "take_code", look_then_take), site_scope(site_a.id):
        given = issue_pass()
        outcomes = run_parallel(2, lambda _: redeem_pass(given))
        assert outcomes == [None, None]
        assert OneTimeCode.objects.get().used_at is not None
