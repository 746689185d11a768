"""Rotation of keys beside the sale: nobody waits in a circle, nothing is left under an old key."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from kameng.catalog.models import Variant
from kameng.core import keyring
from kameng.core.database import fetch
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey
from kameng.inventory.services.rotating import rotate_inventory
from kameng.orders import errors
from kameng.orders.models import OrderRefund
from kameng.orders.services.placing import PlacedOrder
from kameng.tenancy.models import Site
from tests.concurrency.shop import (
    count,
    make_buyers,
    notify,
    of_kind,
    open_shop,
    order,
    payment_of,
    refund,
)
from tests.factories import make_card_keys, make_product, make_variant

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = keyring.ensure(tmp_path / "keyring.json")
    monkeypatch.setattr(settings, "KEYRING_PATH", path)
    return path


@pytest.fixture
def variant(main_site: Site) -> Variant:
    return make_variant(make_product(main_site))


def versions() -> set[int]:
    with platform_scope("a test reads"):
        return {bytes(secret)[0] for secret in CardKey.unscoped.values_list("secret", flat=True)}


def test_a_key_that_is_held_is_passed_over_and_taken_in_a_later_round(
    committed_db: None, variant: Variant, ring: Path, run_parallel: Parallel
) -> None:
    keys = make_card_keys(variant, 6)
    keyring.add_key(ring)
    held, seen = threading.Event(), threading.Event()

    def act(index: int) -> list[int]:
        if index:
            held.wait(60)
            pages = []
            for page in rotate_inventory():
                pages.append(page)
                seen.set()
            return pages
        with platform_scope("a test holds a key"), transaction.atomic():
            fetch("select 1 from inventory_cardkey where id = %s for no key update", (keys[2].id,))
            held.set()
            return [int(seen.wait(60))]

    answers = run_parallel(2, act)

    assert answers[0] == [1], "the rotation waited for the one who holds a key"
    assert answers[1][0] == 5
    assert sum(answers[1]) == 6
    assert versions() == {2}


def test_whoever_takes_keys_against_their_order_does_not_meet_the_rotation_in_a_circle(
    committed_db: None, variant: Variant, ring: Path, run_parallel: Parallel
) -> None:
    keys = make_card_keys(variant, 20)
    keyring.add_key(ring)
    held = threading.Event()

    def act(index: int) -> int:
        if index:
            held.wait(60)
            return sum(rotate_inventory())
        with platform_scope("a test holds keys"), transaction.atomic():
            for number, key in enumerate(reversed(keys)):
                fetch("select 1 from inventory_cardkey where id = %s for no key update", (key.id,))
                held.set()
                time.sleep(0.2 if number == 0 else 0)
        return 0

    assert run_parallel(2, act) == [0, 20]
    assert versions() == {2}


def test_rotation_beside_sales_and_refunds_of_several_keys(
    committed_db: None,
    main_site: Site,
    site_a: Site,
    ring: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_parallel: Parallel,
) -> None:
    monkeypatch.setattr("kameng.inventory.services.rotating.PAGE_KEYS", 40)
    shop = open_shop(main_site, site_a, keys=150)
    buyers = make_buyers(site_a, 7, amount=10**8)
    sold = threading.Event()
    done: list[int] = []

    def act(index: int) -> list[Any]:
        if index == 7:
            rounds = []
            while not rounds or not sold.is_set():
                keyring.add_key(ring)
                time.sleep(0.02)
                rounds.append(sum(rotate_inventory()))
            return rounds
        answers: list[Any] = []
        try:
            for number in range(6):
                placed = order(shop, customer=buyers[index], by_wallet=number % 2 == 0, quantity=3)
                answers.append(placed)
                if number % 2:
                    notify(shop, payment_of(shop, placed))
                if number % 3 == 0:
                    to_wallet = number % 2 == 0
                    answers.append(refund(shop, placed, key=f"r{index}", to_wallet=to_wallet))
        finally:
            done.append(index)
            if len(done) == len(buyers):
                sold.set()
        return answers

    *answers, rounds = run_parallel(8, act)

    flat = [answer for each in answers for answer in each]
    assert len(of_kind(flat, PlacedOrder)) == 42
    assert not of_kind(flat, errors.OutOfStock)
    assert len(of_kind(flat, OrderRefund)) == 7 * 2 - len(of_kind(flat, Exception))
    assert rounds
    assert sum(rotate_inventory()) == 0
    assert len(versions()) == 1
    assert count("select count(*) from inventory_cardkey where state = 2") > 0
