"""Sales on a child site: main site, upline and child each get their own part, and give it back."""

import datetime as dt

import pytest
from django.db import connection

from kameng.accounts.models import Customer
from kameng.catalog.models import Variant
from kameng.config.audit import find_breaches
from kameng.core import clock
from kameng.core.scope import open_scope, platform_scope
from kameng.ledger.accounts import AccountKind, Code, account_id
from kameng.ledger.models import Transfer
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.store import balance_of
from kameng.orders import errors
from kameng.orders.models import Order
from kameng.orders.rules import State
from kameng.orders.services.placing import Buyer, Wish
from kameng.orders.shares import sum_children
from kameng.tenancy.children import ChildTerms, move_child, set_terms
from kameng.tenancy.models import Plan, SettlementWay, Site, SiteState
from kameng.tenancy.selectors import scope_of, site_scope
from kameng.tenancy.services import (
    bump_catalogue_version,
    change_settings,
    set_site_state,
)
from kameng.tenancy.terms import set_term_by_hand
from tests.concurrency.shop import (
    STAFF,
    Shop,
    count,
    fresh,
    make_buyers,
    notify,
    open_shop,
    order,
    payment_of,
    place,
    price_of,
    refund,
)
from tests.damage import as_owner
from tests.factories import make_child, make_plan

COST, PRICE = 90_000, 130_000  # per piece
WHOLESALE = 99_000  # the plan asks 10 % over cost
ASKED = 108_900  # the upline asks 10 % over that
PART = ASKED - WHOLESALE
PRIVATE = (30, 31, 38, 39, 40, 41, 47, 48)


def allow_children(most: int) -> None:
    """Let the platform and every plan allow child sites."""
    main = Site.objects.get(kind=1)
    with platform_scope("a test allows child sites"):
        change_settings(site_id=main.id, changes={"child_sites_allowed": True}, actor=STAFF)
    Plan.objects.update(child_sites_most=most)


def ask(site: Site, *, markup_bps: int, minimum_amount: int = 0) -> None:
    """Set what a child, or the children of a sub-site, pay."""
    terms = ChildTerms(markup_bps=markup_bps, minimum_amount=minimum_amount)
    with platform_scope("a test sets terms"):
        set_terms(site_id=site.id, terms=terms, actor=STAFF)


def buyer_of(customer: Customer) -> Buyer:
    return Buyer(
        customer_id=customer.id, contact="", ip="11.1.1.1", actor=f"customer:{customer.id}"
    )


def wish_of(shop: Shop) -> Wish:
    return Wish(
        variant_id=shop.variant.id,
        quantity=1,
        answers={},
        shown_amount=None,
        idempotency_key="stale",
        choice=None,
    )


@pytest.fixture
def child(main_site: Site, site_a: Site) -> Site:
    """A child of site A, which asks 10 % over its wholesale price."""
    return make_child(site_a, slug="child-a", host="child.localhost", terms=(1000, 0))


@pytest.fixture
def below(db: None, main_site: Site, child: Site) -> Shop:
    """The child sells one variant of the main site at 13 yuan."""
    shop = open_shop(main_site, child, keys=6)
    with platform_scope("a test sets a list price"):
        Variant.unscoped.filter(id=shop.variant.id).update(list_amount=PRICE)
    return shop


def balances(shop: Shop) -> tuple[int, int, int, int]:
    """Return what main site, upline and child have got, and what lies in between."""
    site, kinds = shop.site, AccountKind
    return (
        balance_of(account_id(kinds.SALES, site.parent_id or 0)),
        balance_of(account_id(kinds.SITE_MARGIN, site.upline_id or 0)),
        balance_of(account_id(kinds.SITE_MARGIN, site.id)),
        balance_of(account_id(kinds.ORDER_SUSPENSE, site.id)),
    )


def test_a_sale_by_wallet_pays_three(below: Shop) -> None:
    (mei,) = make_buyers(below.site, 1, amount=PRICE)
    placed = order(below, customer=mei, by_wallet=True)

    row = fresh(below, placed)
    assert (row.wholesale_amount, row.upline_amount, row.upline_site_id) == (
        WHOLESALE,
        PART,
        below.site.upline_id,
    )
    assert balances(below) == (WHOLESALE, PART, PRICE - ASKED, 0)
    assert not find_breaches()


def test_a_sale_through_a_gateway_takes_the_fee_from_the_child(below: Shop) -> None:
    placed = order(below, quantity=3)
    notify(below, payment_of(below, placed))

    fee = fresh(below, placed).fee_amount
    assert fee > 0
    assert balances(below) == (3 * WHOLESALE, 3 * PART, 3 * (PRICE - ASKED) - fee, 0)
    assert not find_breaches()


def test_parts_of_any_size_add_up_to_the_sale(below: Shop) -> None:
    (mei,) = make_buyers(below.site, 1, amount=0)
    placed = order(below, customer=mei, quantity=3)
    notify(below, payment_of(below, placed))

    for number, part in enumerate([100, 33_300, 12_300, 700]):
        before = balances(below)
        refund(below, placed, key=f"r{number}", amount=part, to_wallet=True)
        after = balances(below)
        assert all(new <= old for new, old in zip(after[:3], before[:3], strict=True))
        assert min(after[:3]) >= 0
        assert not find_breaches()
    refund(below, placed, key="rest", to_wallet=True)

    assert balances(below) == (0, 0, 0, 0)
    assert fresh(below, placed).state == State.REFUNDED
    with site_scope(below.site.id):
        assert wallet_amount(mei.id) == 3 * PRICE
    assert not find_breaches()


def test_a_fee_is_borne_by_the_child_then_the_main_site_then_the_upline(below: Shop) -> None:
    with platform_scope("a test makes goods that cost nothing"):
        Variant.unscoped.filter(id=below.variant.id).update(cost_amount=0, list_amount=100)
    ask(below.site, markup_bps=0, minimum_amount=PRICE)
    bump_catalogue_version(below.site.parent_id or 0)
    (mei,) = make_buyers(below.site, 1, amount=0)
    placed = order(below, customer=mei)
    notify(below, payment_of(below, placed))

    fee = fresh(below, placed).fee_amount
    assert fee > 0
    assert balances(below) == (0, PRICE - fee, 0, 0)
    refund(below, placed, key="all", to_wallet=True)
    assert balances(below) == (0, 0, 0, 0)
    assert not find_breaches()


def test_the_child_reads_one_price_and_the_upline_its_own_leg(below: Shop) -> None:
    (mei,) = make_buyers(below.site, 1, amount=PRICE)
    placed = order(below, customer=mei, by_wallet=True)
    refund(below, placed, key="part", amount=30_000, to_wallet=True)

    with site_scope(below.site.id):
        seen = dict(Transfer.objects.filter(code__in=PRIVATE).values_list("code", "amount"))
        assert not Transfer.objects.filter(code__in=(30, 39, 40, 48)).exists()
    assert seen[Code.SALE_UPLINE] == ASKED
    with site_scope(below.site.upline_id or 0), connection.cursor() as cursor:
        assert set(Transfer.objects.values_list("code", flat=True)) == {39, 48}
        assert not Order.objects.exists()
        cursor.execute("select count(*) from orders_order")  # past the manager: the second wall
        assert cursor.fetchone() == (0,)
        cursor.execute("select count(*) from ledger_transfer where site_id = %s", [below.site.id])
        assert cursor.fetchone() == (0,)
        sums = sum_children(since=clock.now() - dt.timedelta(days=1))[below.site.id]
    assert (sums.order_count, sums.sold_amount, sums.refunded_amount) == (1, PRICE, 30_000)
    assert sums.part_amount == balances(below)[1]


def test_another_sub_site_sees_no_sums(below: Shop, site_b: Site) -> None:
    (mei,) = make_buyers(below.site, 1, amount=PRICE)
    order(below, customer=mei, by_wallet=True)

    with site_scope(site_b.id):
        assert sum_children(since=clock.now() - dt.timedelta(days=1)) == {}


def test_terms_that_move_make_an_old_price_stale(below: Shop, site_a: Site) -> None:
    (mei,) = make_buyers(below.site, 1, amount=10 * PRICE)
    with site_scope(below.site.id) as stale:
        pass
    ask(below.site, markup_bps=5000)

    assert price_of(below) == 148_500  # the floor is above the list price now
    with pytest.raises(errors.PriceMoved), open_scope(scope_of(stale)):
        place(stale, buyer_of(mei), wish_of(below))
    assert count("select count(*) from orders_order") == 0


@pytest.mark.parametrize("change", ["plan", "terms", "state"])
def test_what_the_upline_changes_moves_its_children(below: Shop, site_a: Site, change: str) -> None:
    with platform_scope("a test goes back to the upline's terms"):
        set_terms(site_id=below.site.id, terms=None, actor=STAFF)
    with site_scope(below.site.id) as before:
        pass
    if change == "plan":
        plan = make_plan("贵", markup_bps=5000)
        with platform_scope("a test changes the plan"):
            set_term_by_hand(
                site_id=site_a.id, plan=plan, ends_at=None, reason="试一试", actor=STAFF
            )
        assert price_of(below) == 135_000
    elif change == "terms":
        ask(site_a, markup_bps=0)
    else:
        with platform_scope("a test suspends"):
            set_site_state(site_id=site_a.id, state=SiteState.SUSPENDED, reason="年审", actor=STAFF)
    with site_scope(below.site.id) as after:
        pass
    assert after.catalogue_version > before.catalogue_version
    assert after.plan_id == Site.objects.get(id=site_a.id).plan_id
    assert not find_breaches()


def test_a_suspended_upline_stops_its_children(below: Shop, site_a: Site) -> None:
    (mei,) = make_buyers(below.site, 1, amount=PRICE)
    with platform_scope("a test suspends"):
        set_site_state(site_id=site_a.id, state=SiteState.SUSPENDED, reason="年审", actor=STAFF)

    with site_scope(below.site.id) as view:
        assert (view.state, view.is_held, view.closed_reason) == (2, True, "上级站点暂停营业")
    with pytest.raises(errors.PriceMoved):
        order(below, customer=mei, by_wallet=True)
    with platform_scope("a test opens again"):
        set_site_state(site_id=site_a.id, state=SiteState.OPEN, reason="", actor=STAFF)
    assert order(below, customer=mei, by_wallet=True).state == State.DELIVERED


def test_orders_keep_the_upline_that_they_were_bought_through(
    below: Shop, site_a: Site, site_b: Site
) -> None:
    (mei,) = make_buyers(below.site, 1, amount=2 * PRICE)
    allow_children(2)
    first = order(below, customer=mei, by_wallet=True)
    with platform_scope("a test moves a child"):
        move_child(site_id=below.site.id, upline_id=site_b.id, plan_id=None, actor=STAFF)
    second = order(below, customer=mei, by_wallet=True)

    assert fresh(below, first).upline_site_id == site_a.id
    assert (fresh(below, second).upline_site_id, fresh(below, second).upline_amount) == (
        site_b.id,
        0,
    )
    refund(below, first, key="all", to_wallet=True)
    margin = AccountKind.SITE_MARGIN
    assert balance_of(account_id(margin, site_a.id)) == 0
    assert not find_breaches()


def test_a_child_that_moves_to_the_main_site_buys_there(below: Shop) -> None:
    (mei,) = make_buyers(below.site, 1, amount=PRICE)
    plan_id = Site.objects.get(id=below.site.id).plan_id
    with platform_scope("a test moves a child"):
        move_child(site_id=below.site.id, upline_id=None, plan_id=plan_id, actor=STAFF)
    placed = order(below, customer=mei, by_wallet=True)

    row = fresh(below, placed)
    assert (row.upline_site_id, row.upline_amount, row.wholesale_amount) == (None, None, WHOLESALE)
    assert not find_breaches()


def test_an_upline_that_takes_its_own_money_still_gets_its_part(below: Shop, site_a: Site) -> None:
    Site.objects.filter(id=site_a.id).update(settlement_way=SettlementWay.PREPAID)
    (mei,) = make_buyers(below.site, 1, amount=PRICE)
    order(below, customer=mei, by_wallet=True)

    assert balances(below) == (WHOLESALE, PART, PRICE - ASKED, 0)
    assert not find_breaches()


BREAKS = [
    ("I10", "delete from ledger_transfer where code = 39"),
    ("I10", "update ledger_transfer set amount = amount + 1 where code = 38"),
    ("I10", "update ledger_transfer set credit_account = 99950 where code = 38"),
    ("I10", "update ledger_transfer set debit_account = 99950 where code = 47"),
    ("I10", "delete from ledger_transfer where code = 48"),
    ("I10", "update orders_order set upline_amount = upline_amount - 1"),
    ("I10", ("update orders_orderrefund set own_amount = own_amount - 1, upline_amount ="
            " upline_amount + 1")),
    ("I29", ("update ledger_transfer set site_id = (select min(id) from tenancy_site)"
            " where code = 39")),
    ("I29", "update orders_orderrefund set upline_site_id = upline_site_id + 1"),
    ("I29", ("set constraints all immediate; alter table tenancy_site disable trigger user;"
             " update tenancy_site set plan_id ="
            " (select max(id) from tenancy_plan) where upline_id is not null;"
            " alter table tenancy_site enable trigger user")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_the_audit_finds_what_is_wrong(below: Shop, name: str, damage: str) -> None:
    (mei,) = make_buyers(below.site, 1, amount=PRICE)
    placed = order(below, customer=mei, by_wallet=True)
    refund(below, placed, key="part", amount=30_000, to_wallet=True)
    make_plan("别的", markup_bps=7)
    assert not find_breaches()

    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)

    assert any(line.startswith(f"{name}:") for line in find_breaches())
