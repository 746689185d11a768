"""Throttles in the database, permits to sign in, and the clearance to buy."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from django.conf import settings

from kameng.accounts.permits import SignInPermit
from kameng.core.database import fetch, fetch_one
from kameng.risk import services, store
from kameng.risk.clearance import Clearance
from kameng.risk.errors import TooManyAttempts, TooManyOrders
from kameng.risk.rules import (
    ORDERS_BY_PERSON,
    SIGN_IN_BY_ACCOUNT,
    SIGN_IN_BY_IP,
    Limit,
)
from kameng.risk.services import (
    admit_sign_in,
    assess_checkout,
    forget,
    hit,
    network_of,
    pardon_account,
    peek,
    remember_sign_in,
    sweep_throttles,
)
from tests.concurrency.guards import Meeting


@pytest.fixture(autouse=True)
def _fresh_windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("kameng.risk.windows.time.monotonic_ns", lambda: 1_000_000_000)
    services.forget_windows()
    yield
    services.forget_windows()


def sign_in(login: str, *, ip: str = "192.0.2.1", site_id: int = 1) -> SignInPermit:
    return admit_sign_in(site_id=site_id, login=login, ip=ip)


def test_a_hit_over_the_limit_is_refused_and_says_when_to_come_back(db: None) -> None:
    for _ in range(3):
        hit("test", key="mei", limit=Limit(3, 60))

    with pytest.raises(TooManyAttempts) as refused:
        hit("test", key="mei", limit=Limit(3, 60))

    assert 1 <= int(str(refused.value.params["retry_after_seconds"])) <= 60
    assert refused.value.status == 429
    assert "秒后再试" in refused.value.text()


def test_buckets_and_keys_are_counted_apart(db: None) -> None:
    for bucket, key in (("a", "mei"), ("b", "mei"), ("a", "wei")):
        hit(bucket, key=key, limit=Limit(1, 60))

    assert peek("a", key="mei") == 1
    forget("a", key="mei")
    assert peek("a", key="mei") == 0
    assert peek("b", key="mei") == 1


def test_the_table_holds_no_address_in_clear(db: None) -> None:
    hit("sign_in_ip", key="203.0.113.77", limit=Limit(5, 60))

    assert fetch_one("select count(*) from risk_throttle t where t::text like '%%203.0%%'") == (0,)


def test_a_window_that_ended_counts_from_one_and_is_swept(db: None) -> None:
    for _ in range(3):
        hit("test", key="mei", limit=Limit(3, 60))
    fetch("update risk_throttle set window_ends_at = now() - interval '2 minutes'")

    hit("test", key="mei", limit=Limit(3, 60))
    assert peek("test", key="mei") == 1
    fetch("update risk_throttle set window_ends_at = now() - interval '2 minutes'")

    assert sweep_throttles() == 1


def test_parallel_hits_are_all_counted(
    run_parallel: Callable[[int, Callable[[int], Any]], list[Any]],
) -> None:
    outcomes = run_parallel(20, lambda _: hit("race", key="mei", limit=Limit(5, 60)))

    assert sum(outcome is None for outcome in outcomes) == 5
    assert sum(isinstance(outcome, TooManyAttempts) for outcome in outcomes) == 15


def test_control_reading_before_writing_lets_more_through(
    run_parallel: Callable[[int, Callable[[int], Any]], list[Any]],
) -> None:
    six_have_looked = Meeting(6)

    def racy(key: bytes, window_seconds: int) -> tuple[int, int]:
        hits = store.peek(key)[0] + 1
        six_have_looked.arrive()
        fetch(
            "insert into risk_throttle (key, hits, window_ends_at)"
            " values (%s, %s, now() + interval '1 minute')"
            " on conflict (key) do update set hits = excluded.hits",
            (key, hits),
        )
        return hits, window_seconds

    with mock.patch.object(store, "hit", racy):
        outcomes = run_parallel(20, lambda _: hit("race", key="mei", limit=Limit(5, 60)))

    assert sum(outcome is None for outcome in outcomes) > 5


def test_an_account_is_throttled_however_its_login_is_written(db: None) -> None:
    forms = ["13800138000", "+86 138-0013-8000", "008613800138000", " 13800138000 "]
    for attempt in range(SIGN_IN_BY_ACCOUNT.hits):
        sign_in(forms[attempt % 4], ip=f"192.0.2.{attempt}")

    with pytest.raises(TooManyAttempts):
        sign_in("13800138000", ip="198.51.100.9")
    sign_in("13800138001", ip="198.51.100.9")


def test_an_address_is_throttled_over_all_accounts(db: None) -> None:
    for number in range(SIGN_IN_BY_IP.hits):
        sign_in(f"mei{number}@example.com")

    with pytest.raises(TooManyAttempts):
        sign_in("someone@example.com")


def test_a_success_forgets_the_failures_of_the_account(db: None) -> None:
    for _ in range(SIGN_IN_BY_ACCOUNT.hits):
        permit = sign_in("mei@example.com")
    remember_sign_in(permit)

    assert sign_in("mei@example.com").login == "mei@example.com"


def test_strangers_cannot_lock_an_account_out_of_the_line_it_signs_in_from(db: None) -> None:
    """AUT-01: nobody is locked out for good; the line has limits of its own."""
    remember_sign_in(sign_in("mei@example.com", ip="192.0.2.1"))
    for number in range(SIGN_IN_BY_ACCOUNT.hits):
        sign_in("mei@example.com", ip=f"198.51.100.{number}")

    with pytest.raises(TooManyAttempts):
        sign_in("mei@example.com", ip="203.0.113.9")
    for _ in range(SIGN_IN_BY_ACCOUNT.hits):
        sign_in("mei@example.com", ip="192.0.2.1")
    with pytest.raises(TooManyAttempts):
        sign_in("mei@example.com", ip="192.0.2.1")
    with pytest.raises(TooManyAttempts):
        sign_in("mei@example.com", ip="203.0.113.9", site_id=1)
    assert sign_in("wei@example.com", ip="203.0.113.9").login == "wei@example.com"


def test_who_proved_a_contact_begins_anew_from_any_line(db: None) -> None:
    for number in range(SIGN_IN_BY_ACCOUNT.hits):
        sign_in("mei@example.com", ip=f"198.51.100.{number}")

    pardon_account(site_id=1, login="mei@example.com")

    assert sign_in("mei@example.com", ip="203.0.113.9").ip == "203.0.113.9"


def test_what_an_address_is_refused_for_counts_against_nobody_else(db: None) -> None:
    """One machine alone must not use up the limits of a site or of an account."""
    for number in range(SIGN_IN_BY_IP.hits):
        sign_in(f"mei{number}@example.com")
    for _ in range(5):
        with pytest.raises(TooManyAttempts):
            sign_in("wei@example.com")

    assert peek("sign_in_site", key="1") == SIGN_IN_BY_IP.hits
    assert peek("sign_in", key="1:wei@example.com") == 0


def test_staff_are_counted_over_all_sites(db: None) -> None:
    for number in range(SIGN_IN_BY_ACCOUNT.hits):
        admit_sign_in(site_id=number, login="lin", ip=f"192.0.2.{number}", is_staff=True)

    with pytest.raises(TooManyAttempts):
        admit_sign_in(site_id=99, login="LIN", ip="198.51.100.9", is_staff=True)


@pytest.mark.parametrize("login", ["", "\x00", "\ud800", "😀" * 9, "x" * 100_000])
def test_any_text_may_be_typed_as_a_login(db: None, login: str) -> None:
    assert sign_in(login).login == login


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (":odd", ":odd"),
    ],
)
def test_one_line_of_ipv6_counts_as_one_address(ip: str, network: str) -> None:
    assert network_of(ip) == network


def test_a_checkout_within_the_limits_is_cleared_without_a_query() -> None:
    clearance = assess_checkout(site_id=1, actor="customer:7", ip="192.0.2.1")

    assert (clearance.site_id, clearance.actor) == (1, "customer:7")


def test_a_person_who_orders_in_a_burst_is_refused_and_others_are_not() -> None:
    for number in range(ORDERS_BY_PERSON.hits):
        assess_checkout(site_id=1, actor="customer:7", ip=f"192.0.2.{number}")

    with pytest.raises(TooManyOrders):
        assess_checkout(site_id=1, actor="customer:7", ip="198.51.100.1")
    assess_checkout(site_id=1, actor="customer:8", ip="198.51.100.1")
    assess_checkout(site_id=2, actor="customer:7", ip="198.51.100.1")


def test_an_address_that_orders_in_a_burst_is_refused() -> None:
    for number in range(settings.GUEST_ORDERS_PER_MINUTE):
        assess_checkout(site_id=1, actor=f"guest:{number}", ip="192.0.2.1")

    with pytest.raises(TooManyOrders):
        assess_checkout(site_id=1, actor="guest:9999", ip="192.0.2.1")


def test_a_clearance_cannot_be_made_by_hand_or_changed() -> None:
    with pytest.raises(TypeError):
        Clearance(site_id=1, actor="x", ip="x")
    with pytest.raises(TypeError):
        Clearance(site_id=1, actor="x", ip="x", seal=secrets.token_bytes(8))
    cleared = assess_checkout(site_id=1, actor="customer:7", ip="192.0.2.1")
    with pytest.raises(AttributeError):
        cleared.site_id = 2  # type: ignore[misc]


def test_a_clearance_holds_for_its_own_site() -> None:
    cleared = assess_checkout(site_id=1, actor="customer:7", ip="192.0.2.1")

    cleared.require(1)
    with pytest.raises(ValueError, match="another site"):
        cleared.require(2)


def test_customers_behind_one_address_do_not_count_together() -> None:
    for number in range(settings.GUEST_ORDERS_PER_MINUTE + 1):
        assess_checkout(site_id=1, actor=f"customer:{number}", ip="192.0.2.1")
