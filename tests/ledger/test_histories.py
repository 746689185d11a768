"""Random histories and all short ones: program and model agree after every single step."""

import os
import random
from collections.abc import Callable

import pytest
from django.db import DatabaseError, transaction

from kameng.config.audit import find_breaches
from kameng.core.scope import platform_scope
from kameng.ledger.services import roll_up_balances
from kameng.tenancy.models import Site
from tests.concurrency.guards import without_guard
from tests.ledger.driver import GATEWAYS, Driver, Gatekeeper
from tests.ledger.model import Deal

STEPS = 45
# The long run is 2 300 histories, more than 100 000 steps: docs/proofs.md.
HISTORIES = int(os.environ.get("KAMENG_HISTORIES", "24"))
DEPTH = 6


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_random_history_ends_as_in_the_model(
    seed: int,
    committed_db: None,
    main_site: Site,
    site_a: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(seed)
    partial = bool(seed % 2)
    driver = Driver(
        main_site,
        site_a,
        Gatekeeper(monkeypatch, partial=partial),
        list_amount=dice.choice([103_700, 100_400, 250_000]),
        stock=dice.choice([4, 8, 30]),
        partial=partial,
        by_buyer=seed % 3 == 1,
        prepaid=seed % 24 >= 12,
        credit=60_000 if seed % 24 >= 12 and seed % 4 == 3 else 0,
    )
    driver.fund("mei", 500_000)
    if driver.model.prepaid:
        driver.prepay(dice.choice([250_000, 1_000_000]))
    for _step in range(STEPS):
        _act(driver, dice)
        if dice.random() < 0.1:
            with platform_scope("roll up"):
                roll_up_balances()

    assert find_breaches() == [], driver.story()


# One letter, one thing that may happen to an order which has a payment open at two gateways.
# A late payment is one that comes after the order was given up, so any order of letters has them.
Step = Callable[[Driver, Deal], None]
LETTERS: dict[str, Step] = {
    "pay": lambda d, deal: d.pay(deal, deal.attempts[0]),
    "dup-pay": lambda d, deal: d.pay(deal, deal.attempts[0], external="OTHER"),
    "pay elsewhere": lambda d, deal: d.pay(deal, deal.attempts[1]),
    "cancel": lambda d, deal: d.cancel(deal),
    "expire": lambda d, deal: d.expire(deal),
    "gateway-close": lambda d, deal: d.close_at_gateway(deal, deal.attempts[0]),
    "refund": lambda d, deal: d.refund(deal, "one", None, to="source"),
    "dup-refund": lambda d, deal: d.refund(deal, "two", None, to="source"),
    "money back": lambda d, deal: d.answer(d.model.backs[0], done=True) if d.model.backs else None,
}


@pytest.mark.slow
@pytest.mark.parametrize("stock", [2, 1])
def test_all_histories_of_an_order_up_to_six_steps_end_as_in_the_model(
    stock: int, db: None, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one key, whatever is given up is bought by someone else at once.

    Every letter is tried in every state that can be reached. Histories that lead to one state are
    one from there on, as program and model have just been found equal in all that they hold.
    """
    driver = _start(main_site, site_a, monkeypatch, stock=stock)
    known = {_state(driver): DEPTH}

    def descend(left: int) -> None:
        for letter in LETTERS:
            kept = driver.keep()
            with transaction.atomic():
                _take(driver, letter, rival=stock == 1)
                state = _state(driver)
                if state not in known:
                    assert find_breaches() == [], driver.story()
                if known.get(state, -1) < left - 1:
                    known[state] = left - 1
                    if left > 1:
                        descend(left - 1)
                transaction.set_rollback(True)
            driver.go_back(kept)

    descend(DEPTH)

    assert len(known) > 50


def _state(driver: Driver) -> str:
    model = driver.model
    return repr((sorted(model.accounts.items()), model.deals, model.backs, model.stock))


@pytest.mark.parametrize(
    ("function", "guard", "instead"),
    [
        ("orders_settle", "o.state not in (1, 4, 5)", "false"),
        ("orders_close", "and state = 1 and", "and"),
        ("payments_confirm", "array[p_amount], array[20", "array[p_amount - 1], array[20"),
        (
            "inventory_take_back",
            "state = inventory_place_of(c.batch_id), order_id = null, sold_at = null",
            "state = 4",
        ),
        ("orders_post_sales", "(select b.by_site, least(", "(select 0::bigint by_site, least("),
    ],
)
def test_control_a_program_without_a_guard_differs_from_the_model(
    function: str,
    guard: str,
    instead: str,
    db: None,
    main_site: Site,
    site_a: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = _start(main_site, site_a, monkeypatch, stock=2)

    def live() -> None:
        for letter in ("pay", "cancel", "pay elsewhere", "dup-pay", "refund", "money back"):
            _take(driver, letter, rival=False)

    with without_guard(function, (guard, instead)), pytest.raises((AssertionError, DatabaseError)):
        live()


@pytest.mark.parametrize("seed", range(20))
def test_longer_histories_of_an_order_end_as_in_the_model(
    seed: int, db: None, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    driver = _start(main_site, site_a, monkeypatch, stock=1 + seed % 2)

    for letter in dice.choices(list(LETTERS), k=8):
        _take(driver, letter, rival=not seed % 2)

    assert find_breaches() == [], driver.story()


def _start(main: Site, site: Site, patch: pytest.MonkeyPatch, *, stock: int) -> Driver:
    driver = Driver(main, site, Gatekeeper(patch, partial=False), stock=stock)
    driver.place("", 1, by_wallet=False)
    driver.open_attempt(driver.model.deals[0], "y")
    driver.fund("tom", 10**7)
    return driver


def _take(driver: Driver, letter: str, *, rival: bool) -> None:
    LETTERS[letter](driver, driver.model.deals[0])
    if rival and driver.model.stock:
        driver.place("tom", 1, by_wallet=True)


def _act(driver: Driver, dice: random.Random) -> None:
    model = driver.model
    deal = dice.choice(model.deals) if model.deals else None
    if deal is not None and dice.random() < 0.08:
        _complete(driver, deal, dice)
        return
    roll = dice.random()
    if deal is None or roll < 0.2:
        buyer = dice.choice(["mei", "tom", ""])
        by_wallet = bool(buyer) and dice.random() < 0.4
        pieces, gateway = dice.choice([1, 1, 2, 3]), dice.choice(GATEWAYS)
        part = 0 if by_wallet or not buyer else dice.choice([0, 0, 100, 33_300, 90_000, 500_000])
        driver.place(buyer, pieces, by_wallet=by_wallet, gateway=gateway, part=part)
    elif roll < 0.45:
        _pay(driver, deal, dice)
    elif roll < 0.55:
        dice.choice([driver.cancel, driver.expire, driver.look, driver.pay_from_wallet])(deal)
    elif roll < 0.8:
        amount = dice.choice([None, None, 100, 33_300, deal.total, deal.total // 300 * 100])
        key = dice.choice(["one", "two", str(len(driver.written))])
        driver.refund(deal, key, amount, to=dice.choice(["wallet", "source", "hand"]))
    elif roll < 0.9 and model.backs:
        driver.answer(dice.choice(model.backs), done=dice.random() < 0.7)
    elif roll < 0.93 and deal.attempts:
        driver.give_back(deal, dice.choice(deal.attempts), by_hand=dice.random() < 0.5)
    elif roll < 0.96:
        refused = [key for key, refund in deal.refunds.items() if refund.state == "refused"]
        if refused and not any(key.startswith("late") for key in refused):
            driver.decide(deal, refused[0], dice.choice(["again", "wallet", "hand"]))
    elif roll < 0.98 and driver.model.prepaid and dice.random() < 0.6:
        driver.prepay(dice.choice([120_000, 350_000, -80_000]))
    elif roll < 0.98:
        driver.adjust(dice.choice(["mei", "tom"]), dice.choice([70_000, -50_000]))
    else:
        driver.top_up(dice.choice(["mei", "tom"]), dice.choice(GATEWAYS), 120_000)


def _complete(driver: Driver, deal: Deal, dice: random.Random) -> None:
    """Something about the rest of a short payment: asked for, begun, paid, or not in time."""
    asked = driver.model.rest_of(deal)
    rests = [each for each in deal.attempts if each.completes is not None]
    roll = dice.random()
    if asked is None and deal.attempts:
        driver.ask_rest(deal, dice.choice(deal.attempts))
    elif roll < 0.4:
        driver.open_rest(deal, dice.choice(GATEWAYS))
    elif roll < 0.5:
        driver.pay_rest_from_wallet(deal)
    elif roll < 0.6:
        driver.end_rests()
    elif rests:
        rest = dice.choice(rests)
        driver.pay(deal, rest, short=dice.choice([0, 0, 0, 100]) if rest.amount > 100 else 0)


@pytest.mark.parametrize("seed", range(HISTORIES * 2 // 3))
def test_histories_of_short_payments_end_as_in_the_model(
    seed: int,
    committed_db: None,
    main_site: Site,
    site_a: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every order is paid short first; then anything may happen to it and to the rest."""
    dice = random.Random(seed)
    partial = bool(seed % 2)
    driver = Driver(
        main_site,
        site_a,
        Gatekeeper(monkeypatch, partial=partial),
        stock=dice.choice([2, 6]),
        partial=partial,
        by_buyer=seed % 3 == 1,
        prepaid=seed % 8 == 5,
    )
    driver.fund("mei", 300_000)
    if driver.model.prepaid:
        driver.prepay(250_000)
    for _order in range(3):
        buyer = dice.choice(["mei", ""])
        part = dice.choice([0, 33_300]) if buyer else 0
        driver.place(buyer, 1, by_wallet=False, gateway=dice.choice(GATEWAYS), part=part)
    for deal in driver.model.deals:
        driver.pay(deal, deal.attempts[0], short=dice.choice([100, 20_000]))
        driver.ask_rest(deal, deal.attempts[0])
    for _step in range(30):
        _act(driver, dice)
        if driver.model.deals:
            _complete(driver, dice.choice(driver.model.deals), dice)

    assert find_breaches() == [], driver.story()


@pytest.mark.parametrize(
    ("function", "guard", "instead"),
    [
        ("orders_post_sales", "o.fee_amount - o.first_fee_amount", "o.fee_amount"),
        (
            "payments_terms_of",
            "coalesce(f.received_amount, 0),\n           case",
            "0,\n           case",
        ),
        ("payments_join", "set state = 2, completed_amount", "set completed_amount"),
    ],
)
def test_control_a_program_that_joins_wrongly_differs_from_the_model(
    function: str,
    guard: str,
    instead: str,
    db: None,
    main_site: Site,
    site_a: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = _start(main_site, site_a, monkeypatch, stock=2)
    deal = driver.model.deals[0]

    def live() -> None:
        driver.pay(deal, deal.attempts[0], short=20_000)
        driver.ask_rest(deal, deal.attempts[0])
        driver.open_rest(deal, "y")
        driver.pay(deal, deal.attempts[-1])
        driver.refund(deal, "one", None, to="source")

    with without_guard(function, (guard, instead)), pytest.raises((AssertionError, DatabaseError)):
        live()


def _pay(driver: Driver, deal: Deal, dice: random.Random) -> None:
    if dice.random() < 0.2:
        part = dice.choice([None, None, 0, 100, 47_100]) if deal.buyer else None
        driver.open_attempt(deal, dice.choice(GATEWAYS), part)
    elif deal.attempts:
        attempt = dice.choice(deal.attempts)
        roll = dice.random()
        if roll < 0.1:
            driver.close_at_gateway(deal, attempt)
        elif roll < 0.2:
            driver.pay(deal, attempt, short=100 if attempt.amount > 100 else 0)
        elif roll < 0.3:
            driver.pay(deal, attempt, external=f"OTHER{len(driver.written)}")
        else:
            driver.pay(deal, attempt)
