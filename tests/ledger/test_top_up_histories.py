"""Random histories of one wallet: program and model agree after every step."""

import random

import pytest

from kameng.accounts.services.marking import mark_named
from kameng.config.audit import find_breaches
from kameng.ledger.errors import WalletShort
from kameng.ledger.services import adjust_wallet
from kameng.payments.errors import NotReturnable, WalletFull
from kameng.payments.models import TopUp
from kameng.payments.providers.port import RefundStatus
from kameng.payments.services import refunding, returning
from kameng.payments.services.returning import ReturnWish, return_top_up
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, open_shop
from tests.factories import make_customer
from tests.ledger.top_ups import Wallet
from tests.payments.filling import YUAN, Purse, RefundDesk, ask_gateways, give

STEPS = 40
CAP = 5000 * YUAN


class Pair:
    """A wallet of the program and its model, moved together."""

    def __init__(self, purse: Purse) -> None:
        self.purse, self.model = purse, Wallet(cap=CAP)
        self.top_ups: list[TopUp] = []

    def fill(self, amount: int) -> None:
        bonus = amount * 1000 // 10_000 // 100 * 100 if amount >= 300 * YUAN else 0
        try:
            self.top_ups.append(self.purse.fill(amount))
        except WalletFull:
            assert not self.model.fill(amount, bonus)
        else:
            assert self.model.fill(amount, bonus)

    def move(self, amount: int) -> None:
        """Spend (below zero) or receive money that is no top-up."""
        with site_scope(self.purse.shop.site.id):
            try:
                adjust_wallet(
                    site_id=self.purse.shop.site.id,
                    customer_id=self.purse.customer.id,
                    amount=amount,
                    reason="试",
                    actor=STAFF,
                )
            except WalletShort:
                assert not self.model.spend(-amount)
                return
        if amount > 0:
            self.model.receive(amount)
        else:
            assert self.model.spend(-amount)

    def give_back(self, number: int, amount: int, *, key: str) -> None:
        with site_scope(self.purse.shop.site.id):
            wish = ReturnWish(amount=amount, reason="退", idempotency_key=key)
            try:
                return_top_up(top_up_id=self.top_ups[number].id, wish=wish, actor=STAFF)
            except NotReturnable:
                assert not self.model.give_back(number, amount)
            else:
                assert self.model.give_back(number, amount)

    def check(self) -> None:
        assert self.purse.held == self.model.held
        measured = {each.top_up.id: each.amount for each in self.purse.returnable()}
        assert [measured[each.id] for each in self.top_ups] == [
            each.principal for each in self.model.fillings
        ]


@pytest.fixture
def pair(db: None, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(
        refunding, "provider_of", lambda _gateway: RefundDesk(status=RefundStatus.DONE)
    )
    shop = open_shop(main_site, site_a)
    customer = make_customer(site_a)
    with site_scope(site_a.id):
        mark_named(customer.id, is_named=True, reason="看过", actor=STAFF)
    give(shop, min_amount=300 * YUAN, bonus_bps=1000)
    return Pair(Purse(shop=shop, customer=customer))


@pytest.mark.parametrize("seed", range(6))
def test_a_random_history_of_a_wallet_ends_as_in_the_model(pair: Pair, seed: int) -> None:
    _live(pair, seed)

    assert find_breaches() == []


def _live(pair: Pair, seed: int) -> None:
    dice = random.Random(seed)
    for step in range(STEPS):
        roll = dice.random()
        if roll < 0.3:
            pair.fill(dice.choice([50, 123, 300, 777, 2000]) * YUAN)
        elif roll < 0.6:
            pair.move(-dice.choice([10, 99, 350, 1200]) * YUAN)
        elif roll < 0.7:
            pair.move(dice.choice([5, 60, 400]) * YUAN)
        elif pair.top_ups:
            number = dice.randrange(len(pair.top_ups))
            pair.give_back(number, dice.choice([100, 33, 50 * 3, 7]) * YUAN, key=str(step))
        if dice.random() < 0.2:
            ask_gateways(pair.purse.shop)
        pair.check()


def test_control_a_program_that_keeps_bonuses_differs(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returning, "bonus_to_revoke", lambda **_amounts: 0)
    pair.fill(300 * YUAN)
    pair.give_back(0, 100 * YUAN, key="one")

    with pytest.raises(AssertionError):
        pair.check()
