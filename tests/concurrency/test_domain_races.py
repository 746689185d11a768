"""Two sites prove one host at the same moment, and one site claims more than its plan allows."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core.audit import SYSTEM
from kameng.core.names import Found
from kameng.core.scope import platform_scope
from kameng.tenancy import claiming, store
from kameng.tenancy.claiming import claim_hosts, note_look
from kameng.tenancy.errors import DomainsMost
from kameng.tenancy.models import ClaimState, Domain, DomainClaim, Site
from kameng.tenancy.proving import Expected
from kameng.tenancy.selectors import site_scope

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
HERE = "203.0.113.10"


def claim(site: Site, host: str) -> DomainClaim:
    with site_scope(site.id):
        return claim_hosts(host, with_twin=False, wants_primary=False, actor=SYSTEM)[0]


def prove(row: DomainClaim, *, tokens: tuple[str, ...]) -> DomainClaim | None:
    """Look at a host whose records hold the proofs of both sites, as a mistake may leave them."""
    expected = Expected(site_host="", target="", addresses=frozenset({HERE}), token=row.token)
    found = Found(addresses=(HERE,), texts=tuple(f"kameng-site={each}" for each in tokens))
    return note_look(row.id, found, expected=expected)


def proved() -> list[int]:
    with platform_scope("who holds the host"):
        rows = DomainClaim.unscoped.filter(state__in=(2, 3, 4))
        return list(rows.values_list("site_id", flat=True))


def test_one_of_two_sites_holds_a_host_that_both_prove(
    site_a: Site, site_b: Site, run_parallel: Parallel
) -> None:
    for round_no in range(5):
        host = f"shop{round_no}.com"
        with platform_scope("the next round"):
            DomainClaim.unscoped.all().delete()
            Domain.objects.filter(is_own=True).delete()
        rows = [claim(site_a, host), claim(site_b, host)]
        tokens = tuple(row.token for row in rows)

        outcomes = run_parallel(2, lambda index: prove(rows[index], tokens=tokens))  # noqa: B023

        assert not [each for each in outcomes if isinstance(each, Exception)]
        holder = Domain.objects.get(host=host)
        assert proved() == [holder.site_id]


def test_without_the_unique_key_asked_in_one_statement_a_race_is_lost(
    wrecked_db: None,
    site_a: Site,
    site_b: Site,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: looking first and writing afterwards, without the lock of the claims."""
    rows = [claim(site_a, "shop.com"), claim(site_b, "shop.com")]
    tokens = tuple(row.token for row in rows)
    meeting = threading.Barrier(2, timeout=30)
    with monkeypatch.context() as weak:

        def look_then_write(host: str, *, site_id: int) -> bool:
            is_free = not Domain.objects.filter(host=host).exists()
            meeting.wait()
            if is_free:
                Domain.objects.create(host=host, site_id=site_id, is_own=True)
            return is_free

        weak.setattr(store, "take_host", look_then_write)
        weak.setattr(
            claiming,
            "lock_claims",
            lambda host: list(DomainClaim.unscoped.filter(host=host).order_by("id")),
        )
        outcomes = run_parallel(2, lambda index: prove(rows[index], tokens=tokens))

    assert [each for each in outcomes if isinstance(each, Exception)]


def test_a_plan_for_one_domain_takes_one_of_many_claims_at_once(
    site_a: Site, run_parallel: Parallel
) -> None:
    outcomes = run_parallel(6, lambda index: claim(site_a, f"shop{index}.com"))

    assert sum(isinstance(each, DomainClaim) for each in outcomes) == 1
    assert sum(isinstance(each, DomainsMost) for each in outcomes) == 5
    with platform_scope("count the claims"):
        assert DomainClaim.unscoped.filter(state=ClaimState.WAITING).count() == 1


def test_without_the_lock_of_the_site_a_plan_is_overdrawn(
    wrecked_db: None, site_a: Site, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(2, timeout=30)
    with monkeypatch.context() as weak:
        check = claiming._check_limit

        def check_and_meet(*words: Any, **more: Any) -> None:
            check(*words, **more)
            meeting.wait()

        weak.setattr(claiming, "_check_limit", check_and_meet)
        weak.setattr(claiming, "lock_site", lambda _site_id: None)
        run_parallel(2, lambda index: claim(site_a, f"shop{index}.com"))

    with platform_scope("count the claims"):
        assert DomainClaim.unscoped.filter(state=ClaimState.WAITING).count() == 2
