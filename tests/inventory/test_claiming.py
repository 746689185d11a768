"""A key is refused only when somebody else keeps it: parallel claims of the last ones."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import transaction

from kameng.catalog.models import Variant
from kameng.core.database import fetch
from kameng.core.scope import platform_scope
from kameng.inventory.store import claim_one
from kameng.tenancy.models import Site
from tests.concurrency.guards import MEET_TWO, meetings, without_guard
from tests.factories import make_card_keys, make_product, make_variant

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
HASTY = (
    "raise exception 'inventory: a key may yet come back' using errcode = 'KM002';",
    "null;",
)
SLOW = ("        taken := 0;", "        perform pg_sleep(0.02);\n        taken := 0;")
# One waits until the other has come to its end with the keys that it holds, and both go on.
BEHIND = (
    "    if 1 = all (p_quantity) and",
    """    if 1 = any (p_quantity) then
        perform test_await('select is_called from test_arrivals');
    end if;
    if 1 = all (p_quantity) and""",
)
MEETING = ("        taken := 0;", f"    {MEET_TWO}        taken := 0;")
BATCHES = ((2, 3, 1), (1, 1, 4), (3, 2), (1, 2, 2), (4,), (1, 1))
UNSOLD = "select count(*) from inventory_cardkey where variant_id = %s and state = 0"


@pytest.fixture
def variant(main_site: Site) -> Variant:
    return make_variant(make_product(main_site))


class Undone(Exception):
    """Ends a transaction without a trace: claims of these tests belong to no order."""


def claim(variant: Variant, quantity: int, *, then: Callable[[], object] = bool) -> bool:
    """Claim keys for an order, do something, roll back; tell whether they were there."""
    found = False
    try:
        with platform_scope("a test claims"), transaction.atomic():
            found = claim_one(variant.id, order_id=1, quantity=quantity, has_keys=True)
            then()
            raise Undone
    except Undone:
        return found


def claim_beside(variant: Variant, run_parallel: Parallel, quantities: tuple[int, int]) -> Any:
    """Let the second claim while the first, that claimed before it, is not at its end."""
    claimed, done = threading.Event(), threading.Event()

    def act(index: int) -> bool:
        if index == 0:

            def hold() -> None:
                claimed.set()
                done.wait(60)

            return claim(variant, quantities[0], then=hold)
        claimed.wait(60)
        try:
            return claim(variant, quantities[1])
        finally:
            done.set()

    return run_parallel(2, act)


def test_keys_that_a_hopeless_wish_looked_at_are_free_for_the_next(
    committed_db: None, variant: Variant, run_parallel: Parallel
) -> None:
    make_card_keys(variant, 2)

    assert claim_beside(variant, run_parallel, (3, 2)) == [False, True]


def test_control_a_refusal_that_always_stands_keeps_the_last_keys_from_everyone(
    committed_db: None, variant: Variant, run_parallel: Parallel
) -> None:
    make_card_keys(variant, 2)

    with without_guard("inventory_claim_free", HASTY):
        assert claim_beside(variant, run_parallel, (3, 2)) == [False, False]


@pytest.mark.parametrize("quantity", [1, 2])
def test_keys_that_somebody_holds_for_a_moment_are_waited_for(
    quantity: int, committed_db: None, variant: Variant, run_parallel: Parallel
) -> None:
    make_card_keys(variant, 2)
    held = threading.Event()

    def act(index: int) -> bool:
        if index:
            held.wait(60)
            return claim(variant, quantity)
        with platform_scope("a test holds keys"), transaction.atomic():
            fetch("select id from inventory_cardkey where state = 0 for no key update")
            held.set()
            time.sleep(0.3)
        return True

    assert run_parallel(2, act) == [True, True]


def claims_in_parallel(
    variant: Variant,
    run_parallel: Parallel,
    batches: Sequence[tuple[int, ...]] = BATCHES,
) -> tuple[int, list[int]]:
    """Batches of several wishes at once, committed; return what is left and what was refused."""

    def act(index: int) -> list[int]:
        wishes = batches[index]
        with platform_scope("a test claims"):
            rows = fetch(
                "select i, claimed from inventory_claim(%s::bigint[], %s::bigint[], %s::int[],"
                " %s::bigint[], %s::boolean[], 2::smallint)",
                (
                    [variant.id] * len(wishes),
                    [100 * index + number for number in range(len(wishes))],
                    list(wishes),
                    [0] * len(wishes),
                    [True] * len(wishes),
                ),
            )
        return [wishes[number - 1] for number, claimed in rows if not claimed]

    refused = [quantity for each in run_parallel(len(batches), act) for quantity in each]
    with platform_scope("a test counts"):
        return fetch(UNSOLD, (variant.id,))[0][0], refused


@pytest.mark.parametrize("stock", [1, 2, 5, 9, 14])
def test_no_refused_wish_would_fit_into_what_is_left(
    stock: int, wrecked_claims: None, main_site: Site, run_parallel: Parallel
) -> None:
    with without_guard("inventory_claim_free", SLOW):
        for _round in range(8):
            variant = make_variant(make_product(main_site))
            make_card_keys(variant, stock)

            left, refused = claims_in_parallel(variant, run_parallel)

            assert refused
            assert left < min(refused)


def test_control_without_patience_some_refused_wish_would_have_fitted(
    wrecked_claims: None, main_site: Site, run_parallel: Parallel
) -> None:
    """A single key is asked for while a hopeless wish holds both."""
    variant = make_variant(make_product(main_site))
    make_card_keys(variant, 2)

    with meetings(), without_guard("inventory_claim_free", BEHIND, MEETING, HASTY):
        left, refused = claims_in_parallel(variant, run_parallel, [(3,), (1,)])

    assert (left, sorted(refused)) == (2, [1, 3])


def test_with_patience_a_key_that_a_hopeless_wish_holds_is_claimed(
    wrecked_claims: None, main_site: Site, run_parallel: Parallel
) -> None:
    variant = make_variant(make_product(main_site))
    make_card_keys(variant, 2)

    with meetings(), without_guard("inventory_claim_free", BEHIND, MEETING):
        left, refused = claims_in_parallel(variant, run_parallel, [(3,), (1,)])

    assert (left, refused) == (1, [3])


def reserve(variant: Variant, quantities: list[int], *, first_order: int) -> list[int]:
    """Reserve a batch for as many persons; return the quantities that were refused."""
    count = len(quantities)
    orders = [first_order + number for number in range(count)]
    with platform_scope("a test reserves"):
        rows = fetch(
            "select i, outcome from inventory_reserve(%s::bigint[], %s::bigint[], %s::bigint[],"
            " %s::int[], %s::bigint[], %s::boolean[], %b::bytea[],"
            " array_fill(now() + interval '1 hour', array[%s]), %s::int[], %s::int[])",
            (
                [variant.site_id] * count,
                [variant.id] * count,
                orders,
                quantities,
                [0] * count,
                [True] * count,
                [order.to_bytes(16, "big") for order in orders],
                count,
                [5] * count,
                [10_000] * count,
            ),
        )
    return [quantities[number - 1] for number, outcome in rows if outcome]


def test_batches_of_reservations_share_the_last_keys_without_a_circle(
    wrecked_claims: None, main_site: Site, run_parallel: Parallel
) -> None:
    batches = [[1, 1, 2], [2, 1], [1, 1, 1, 1], [3, 1]]
    with without_guard("inventory_claim_free", SLOW):
        for number in range(8):
            variant = make_variant(make_product(main_site))
            make_card_keys(variant, 5)

            def act(index: int, variant: Variant = variant, number: int = number) -> list[int]:
                first = 1 + 1000 * number + 10 * index
                return reserve(variant, batches[index], first_order=first)

            answers = run_parallel(len(batches), act)

            refused = [quantity for each in answers for quantity in each]
            with platform_scope("a test counts"):
                assert fetch(UNSOLD, (variant.id,))[0][0] < min(refused)
