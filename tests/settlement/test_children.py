"""The claims of an upline and of its child: each its own, held, disputed and paid out apart."""

import pytest
from django.db import connection, transaction

from kameng.config.audit import find_breaches
from kameng.ledger.accounts import AccountKind
from kameng.payments.providers.port import DisputeStatus
from kameng.settlement import errors
from kameng.settlement.rules import State
from kameng.tenancy.models import SettlementWay, Site
from tests.concurrency.shop import Shop, connect_gateway, refund
from tests.damage import as_owner
from tests.factories import make_card_keys, make_child, make_product, make_variant
from tests.settlement.fakes import Bank
from tests.settlement.test_contesting import dispute
from tests.settlement.world import Desk

WON, LOST = DisputeStatus.WON, DisputeStatus.LOST
PRICE, FEE = 100_000, 600
WHOLESALE, ASKED = 55_000, 66_000  # 10 % over a cost of 5 yuan, 20 % over that
PART = ASKED - WHOLESALE
MARGIN = PRICE - ASKED - FEE


@pytest.fixture
def below(bank: Bank, any_db: None, main_site: Site, site_a: Site) -> Desk:
    """A child of site A."""
    variant = make_variant(make_product(main_site, title="点卡"), cost_amount=50_000)
    make_card_keys(variant, 40)
    child = make_child(site_a, terms=(2000, 0))
    shop = Shop(site=child, variant=variant, choice=connect_gateway(main_site))
    return Desk(shop=shop, main=main_site)


@pytest.fixture
def above(below: Desk, site_a: Site) -> Desk:
    """Site A itself, the upline."""
    shop = Shop(site=site_a, variant=below.shop.variant, choice=below.shop.choice)
    return Desk(shop=shop, main=below.main)


def test_each_has_its_own_claim_and_takes_it_out(below: Desk, above: Desk) -> None:
    below.set_terms()
    below.sell()

    assert below.claim().available_amount == MARGIN
    assert above.claim().available_amount == PART
    for desk, amount in ((below, MARGIN), (above, PART)):
        account = desk.add_account()
        with pytest.raises(errors.ClaimShort):
            desk.ask(amount + 100, account)
        asked = desk.ask(amount, account)
        assert desk.approve(asked).state == State.APPROVED
    assert (below.margin(), above.margin()) == (0, 0)
    assert below.amount(AccountKind.SALES, below.main.id) == WHOLESALE
    assert not find_breaches()


def test_the_uplines_part_is_held_as_long_as_the_childs(below: Desk, above: Desk) -> None:
    below.set_terms(hold_hours=24)
    below.sell(hours_ago=30)
    below.sell(hours_ago=1)

    for desk, amount in ((below, MARGIN), (above, PART)):
        claim = desk.claim()
        assert (claim.balance_amount, claim.held_amount) == (2 * amount, amount)


def test_a_refund_under_way_holds_what_is_left(below: Desk, above: Desk) -> None:
    below.set_terms()
    placed = below.sell()
    below.sell()
    refund(below.shop, placed, key="some", amount=30_000)

    assert below.claim().held_amount == below.margin() - MARGIN
    assert above.claim().held_amount == above.margin() - PART > 0
    assert not find_breaches()


def test_a_dispute_holds_and_takes_both_parts(below: Desk, above: Desk) -> None:
    below.set_terms()
    placed = below.sell()
    below.sell()
    account = above.add_account()
    asked = above.ask(PART, account)
    dispute(below, placed)

    for desk, amount in ((below, MARGIN), (above, PART)):
        claim = desk.claim()
        assert (claim.held_amount, claim.disputed_amount) == (amount, amount)
    assert "open_dispute" in above.fresh(asked).risk_codes
    dispute(below, placed, LOST)
    assert (below.margin(), above.margin()) == (MARGIN, 0)
    assert above.claim().disputed_amount == 0
    assert "open_dispute" not in above.fresh(asked).risk_codes
    assert not find_breaches()


def test_a_dispute_that_was_won_takes_nothing(below: Desk, above: Desk) -> None:
    below.set_terms()
    placed = below.sell()
    dispute(below, placed)
    dispute(below, placed, WON)

    assert (below.margin(), above.margin()) == (MARGIN, PART)
    assert above.claim().available_amount == PART
    assert not find_breaches()


def test_half_a_loss_takes_half_and_an_approval_that_is_short_comes_back(
    below: Desk, above: Desk
) -> None:
    below.set_terms()
    placed = below.sell()
    account = above.add_account()
    asked = above.ask(PART, account)
    assert above.approve(asked).state == State.APPROVED
    dispute(below, placed, amount=PRICE // 2)
    assert above.fresh(asked).state == State.REQUESTED
    dispute(below, placed, LOST, amount=PRICE // 2)

    assert above.margin() == -(PART // 2)
    assert above.claim().owed_amount == PART // 2
    assert not find_breaches()


@pytest.mark.parametrize("way", [SettlementWay.SPLIT, SettlementWay.PREPAID])
def test_an_upline_of_another_way_claims_what_its_children_bring(
    below: Desk, above: Desk, way: SettlementWay
) -> None:
    above.settle_by(way)
    below.set_terms()
    placed = below.sell()
    assert below.plan(placed) == 0

    assert above.claim().available_amount == PART
    above.ask(PART, above.add_account())
    assert not find_breaches()


BREAKS = [
    ("I28", "update ledger_transfer set amount = amount - 1 where code = 94"),
    ("I28", "update ledger_transfer set credit_account = 99984 where code = 94"),
    ("I28", "delete from ledger_transfer where code = 94"),
]


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_the_audit_finds_a_part_that_was_taken_wrongly(
    wrecked_db: None, below: Desk, above: Desk, name: str, damage: str
) -> None:
    below.set_terms()
    placed = below.sell()
    dispute(below, placed)
    dispute(below, placed, LOST)
    assert not find_breaches()

    with transaction.atomic(), as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)

    assert any(line.startswith(f"{name}:") for line in find_breaches())
