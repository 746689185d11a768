"""A paid plan opens a shop that sells at once; more time is added exactly as it was bought."""

import datetime as dt
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from kameng.accounts.errors import StaffLoginTaken
from kameng.accounts.models import User
from kameng.catalog.errors import VariantNotFound
from kameng.catalog.selectors import get_catalogue, get_goods, list_plan_offers, quote_purchase
from kameng.core import clock
from kameng.core.errors import Refusal
from kameng.core.scope import platform_scope
from kameng.orders import errors
from kameng.orders.models import Order, PurchaseAct, SitePurchase
from kameng.orders.rules import State
from kameng.orders.services import opening
from kameng.orders.services.delivering import collect_goods, deliver_by_hand
from kameng.orders.services.opening import carry_out_due, move_address
from kameng.pages.models import Decoration
from kameng.tenancy.errors import (
    NothingToProlong,
    PlanNotSold,
    SlugInvalid,
    SlugTaken,
    TermTooFar,
)
from kameng.tenancy.models import Plan, Site, SlugReservation, TermKind
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.services import create_site
from kameng.tenancy.settings import SiteSettings
from tests.concurrency.shop import STAFF, connect_gateway, count
from tests.factories import make_card_keys, make_product, make_staff, make_variant
from tests.plan_shop import (
    PASSWORD,
    YUAN,
    PlanShop,
    buy_shop,
    checkout_of,
    fulfil,
    new_shop,
    open_plan_shop,
    order_of,
    place_shop,
    place_term,
    rich_buyer,
    sell_plan,
    terms_of,
)


@pytest.fixture
def plans(main_site: Site) -> PlanShop:
    """The main site sells plans and one ordinary product."""
    make_card_keys(make_variant(make_product(main_site)), 3)
    return open_plan_shop(main_site)


def test_a_paid_plan_opens_a_shop_that_sells_at_once(plans: PlanShop) -> None:
    placed, site = buy_shop(plans, new_shop("xiaobei"))

    assert (site.slug, site.name, site.plan_id) == ("xiaobei", "小北的店", plans.basic.id)
    assert order_of(plans, placed).state == State.DELIVERED
    assert len(get_catalogue(get_site_view(site.id)).products) == 1
    shown = Client(headers={"host": "xiaobei.main.localhost"}).get("/")
    assert shown.status_code == 200
    assert "小北的店" in shown.content.decode()
    (term,) = terms_of(site)
    assert (term.kind, term.order_id) == (TermKind.OPENED, placed.order_id)
    assert term.ends_at - term.starts_at == dt.timedelta(days=30)
    assert site.expires_at == term.ends_at
    assert site.lapses_at == term.ends_at + dt.timedelta(days=plans.basic.grace_days)


def test_its_owner_signs_in_with_what_was_typed_at_the_order(plans: PlanShop) -> None:
    placed, site = buy_shop(plans, new_shop("xiaobei"))

    answer = Client(headers={"host": "xiaobei.main.localhost"}).post(
        "/console/sign-in/", {"login": "xiaobei@example.com", "password": PASSWORD}
    )

    assert answer.status_code == 302
    with site_scope(plans.main.id):
        purchase = SitePurchase.objects.get(order_id=placed.order_id)
        assert purchase.owner_password == ""
        (goods,) = collect_goods(order_of(plans, placed), by_buyer=True)
    assert "xiaobei.main.localhost" in goods.text
    assert "xiaobei@example.com" in goods.text
    assert PASSWORD not in goods.text
    assert site.id == purchase.target_id


def test_the_chosen_design_is_worn_from_the_first_look(plans: PlanShop) -> None:
    _placed, site = buy_shop(plans, new_shop(template="mint"))

    with site_scope(site.id):
        assert Decoration.objects.get().template == "mint"


def test_a_design_that_is_gone_keeps_no_shop_closed(plans: PlanShop) -> None:
    _placed, site = buy_shop(plans, new_shop(template="gone-since"))

    with site_scope(site.id):
        assert not Decoration.objects.exists()


def test_a_member_of_staff_gets_another_shop(plans: PlanShop) -> None:
    lin = make_staff(login="lin", name="Lin")

    _placed, site = buy_shop(plans, new_shop(owner_login="", user_id=lin.id))

    with site_scope(site.id):
        assert count("select count(*) from accounts_siterole where user_id = %s", lin.id) == 1
    assert User.objects.count() == 1


def test_doing_it_again_changes_nothing(plans: PlanShop) -> None:
    placed, site = buy_shop(plans)

    fulfil(plans, placed)
    with site_scope(plans.main.id):
        assert carry_out_due() == 0

    assert len(terms_of(site)) == 1
    assert Site.objects.count() == 2


def test_what_is_paid_is_found_by_the_worker(plans: PlanShop) -> None:
    placed = place_shop(plans, new_shop("later"))
    assert not Site.objects.filter(slug="later").exists()

    with site_scope(plans.main.id):
        assert carry_out_due() == 1

    assert order_of(plans, placed).state == State.DELIVERED
    assert Site.objects.filter(slug="later").exists()


@pytest.mark.parametrize(
    "slug", ["", "1shop", "Shop", "小北", "console", "open", "a", "-a", "a" * 33]
)
def test_an_address_that_cannot_be_one_is_refused(plans: PlanShop, slug: str) -> None:
    with pytest.raises(SlugInvalid):
        place_shop(plans, replace(new_shop("fine"), slug=slug))

    assert count("select count(*) from orders_order") == 0


def test_an_address_that_is_held_is_refused_and_costs_nothing(plans: PlanShop) -> None:
    with site_scope(plans.main.id):
        first = checkout_of(plans, plans.month, choice=connect_gateway(plans.main))
    _order(plans, first, new_shop("wanted"))

    with pytest.raises(SlugTaken):
        place_shop(plans, new_shop("wanted", owner_login="other@example.com"))

    assert count("select count(*) from orders_order") == 1
    assert count("select count(*) from ledger_transfer where code = 30") == 0


def _order(plans: PlanShop, checkout: Any, wished: Any) -> Any:
    from kameng.orders.services.buying_plans import order_shop

    with site_scope(plans.main.id):
        return order_shop(checkout, shop=wished)


def test_its_own_buyer_may_begin_again_and_the_first_order_is_given_up(plans: PlanShop) -> None:
    buyer, choice = rich_buyer(plans), connect_gateway(plans.main)
    first = _order(
        plans, checkout_of(plans, plans.month, customer=buyer, choice=choice), new_shop("mine")
    )

    again = _order(plans, checkout_of(plans, plans.month, customer=buyer), new_shop("mine"))

    assert order_of(plans, first).state == State.CANCELLED
    assert fulfil(plans, again).done_at is not None


def test_a_reservation_that_is_over_holds_nobody_up(plans: PlanShop) -> None:
    past = clock.now() - dt.timedelta(seconds=1)
    SlugReservation.objects.create(slug="free", holder="guest:gone", expires_at=past)

    _placed, site = buy_shop(plans, new_shop("free"))

    assert site.slug == "free"
    assert not SlugReservation.objects.filter(slug="free").exists()


def test_an_address_lost_after_payment_waits_for_another_and_loses_no_money(
    plans: PlanShop,
) -> None:
    placed = place_shop(plans, new_shop("lost"))
    with platform_scope("a test takes the address"):
        create_site(
            slug="lost", name="别人", plan=plans.basic, settings=SiteSettings(), actor=STAFF
        )

    assert fulfil(plans, placed).problem == "slug_taken"
    assert order_of(plans, placed).state == State.AWAITING_DELIVERY
    with site_scope(plans.main.id):
        assert carry_out_due() == 0  # waits for a person; is not tried for ever
        with pytest.raises(SlugTaken):
            move_address(order_id=placed.order_id, slug="lost")
        done = move_address(order_id=placed.order_id, slug="lost-2")

    assert (done.problem, done.slug) == ("", "lost-2")
    assert order_of(plans, placed).state == State.DELIVERED


def test_a_login_taken_after_the_order_gets_one_like_it(plans: PlanShop) -> None:
    placed = place_shop(plans, new_shop("named", owner_login="boss"))
    make_staff(login="boss")

    done = fulfil(plans, placed)

    assert done.owner_login == "boss.named"


def test_a_login_that_is_taken_is_refused_before_anything_is_paid(plans: PlanShop) -> None:
    make_staff(login="boss")

    with pytest.raises(StaffLoginTaken):
        place_shop(plans, new_shop(owner_login="boss"))

    assert count("select count(*) from orders_order") == 0


@pytest.mark.parametrize("password", ["", "short", "12345678"])
def test_a_weak_password_is_refused(plans: PlanShop, password: str) -> None:
    with pytest.raises(Refusal):
        place_shop(plans, new_shop(owner_password=password))


def test_a_plan_that_is_not_offered_is_not_sold(plans: PlanShop) -> None:
    Plan.objects.filter(id=plans.basic.id).update(is_offered=False)

    with pytest.raises(PlanNotSold):
        place_shop(plans, new_shop())


def test_nobody_delivers_a_plan_by_hand(plans: PlanShop) -> None:
    placed = place_shop(plans, new_shop())

    with site_scope(plans.main.id), pytest.raises(errors.OpenedByItself):
        deliver_by_hand(order_id=placed.order_id, content="done", actor=STAFF)


# Never on a sub-site, never without saying for which site.


def test_plans_are_in_no_catalogue(plans: PlanShop) -> None:
    _placed, site = buy_shop(plans)
    for view in (get_site_view(plans.main.id), get_site_view(site.id)):
        with site_scope(view.site_id):
            catalogue = get_catalogue(view)
            assert catalogue.find_variant(plans.month.id) is None
            assert catalogue.search("开分站") == []
            with pytest.raises(VariantNotFound):
                quote_purchase(catalogue, variant_id=plans.month.id, quantity=1)
    with site_scope(site.id):
        assert list_plan_offers() == []
        with pytest.raises(Refusal):
            get_goods(plans.month.product_id)
    with site_scope(plans.main.id):
        assert [each.amount for each in list_plan_offers()] == [30 * YUAN, 1460 * YUAN]
        assert get_goods(plans.month.product_id).is_own


# Money: all of it is the main site's.


def test_an_opening_earns_nobody_a_margin(plans: PlanShop) -> None:
    placed, _site = buy_shop(plans)

    codes = "select count(*) from ledger_transfer where reference_id = %s and code = %s"
    assert count(codes, placed.order_id, 30) == 1
    assert count(codes, placed.order_id, 31) == 0


@pytest.mark.parametrize(
    "change",
    [
        "wholesale_amount = total_amount - 1",
        "site_id = site_id + 1",
        "main_site_id = main_site_id + 1",
        "quantity = 2",
        "settlement_way = 1",
    ],
)
def test_the_database_lets_nobody_earn_from_an_opening(plans: PlanShop, change: str) -> None:
    placed, _site = buy_shop(plans)

    with (
        pytest.raises(IntegrityError, match="orders_opening_earns_nobody"),
        platform_scope("a test breaks a row"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"update orders_order set {change} where id = %s", (placed.order_id,))


def test_control_other_orders_may_earn_a_margin(plans: PlanShop) -> None:
    placed, _site = buy_shop(plans)

    with platform_scope("a test breaks a row"), connection.cursor() as cursor:
        cursor.execute(
            "update orders_order set delivery_kind = 2, wholesale_amount = total_amount - 1"
            " where id = %s",
            (placed.order_id,),
        )
        assert cursor.rowcount == 1


# More time.


def test_a_renewal_before_the_end_adds_to_the_end(plans: PlanShop) -> None:
    _placed, site = buy_shop(plans)

    fulfil(plans, place_term(plans, site))

    first, second = terms_of(site)
    site.refresh_from_db()
    assert second.kind == TermKind.RENEWED
    assert second.starts_at == first.ends_at
    assert site.expires_at == first.ends_at + dt.timedelta(days=30)


def test_a_renewal_after_the_end_starts_from_the_payment(
    plans: PlanShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _placed, site = buy_shop(plans)
    later = clock.now() + dt.timedelta(days=35)
    placed = place_term(plans, site)
    monkeypatch.setattr(clock, "now", lambda: later)

    fulfil(plans, placed)

    site.refresh_from_db()
    assert site.expires_at == later + dt.timedelta(days=30)


def test_an_upgrade_keeps_what_is_left_in_days_of_the_new_plan(
    plans: PlanShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 days for ¥30: after 10 of them ¥20 are left, at ¥4 a day that is 5 days."""
    _placed, site = buy_shop(plans)
    placed = place_term(plans, site, variant=plans.year)
    (first,) = terms_of(site)
    later = first.starts_at + dt.timedelta(days=10)
    monkeypatch.setattr(clock, "now", lambda: later)

    done = fulfil(plans, placed)

    old, new = terms_of(site)
    site.refresh_from_db()
    assert done.act == PurchaseAct.CHANGE
    assert old.replaced_at == later
    assert new.ends_at - later == dt.timedelta(days=365 + 5)
    assert (site.plan_id, site.expires_at) == (plans.pro.id, new.ends_at)
    assert new.value_amount == 1480 * YUAN


def test_a_site_without_an_end_has_nothing_to_prolong(plans: PlanShop, site_a: Site) -> None:
    with pytest.raises(NothingToProlong):
        place_term(plans, site_a)


def test_a_term_is_not_prolonged_beyond_every_calendar(plans: PlanShop) -> None:
    _placed, site = buy_shop(plans)
    far = clock.now() + dt.timedelta(days=36_480)
    with platform_scope("a test prolongs a shop very often"):
        Site.objects.filter(id=site.id).update(expires_at=far, lapses_at=far)

    with pytest.raises(TermTooFar):
        place_term(plans, site)


def test_an_order_that_cannot_be_carried_out_keeps_no_other_waiting(plans: PlanShop) -> None:
    broken, whole = place_shop(plans, new_shop("broken")), place_shop(plans, new_shop("whole"))
    real = opening.carry_out

    def fail_once(order_id: int) -> SitePurchase:
        if order_id == broken.order_id:
            raise OverflowError
        return real(order_id)

    with site_scope(plans.main.id):
        SitePurchase.objects.update(problem="")
        with mock.patch.object(opening, "carry_out", fail_once):
            assert carry_out_due() == 2

        assert SitePurchase.objects.get(order_id=whole.order_id).done_at is not None
        assert SitePurchase.objects.get(order_id=broken.order_id).done_at is None
        assert carry_out_due() == 1  # the next time it is tried again
        assert SitePurchase.objects.get(order_id=broken.order_id).done_at is not None


def test_a_plan_for_good_ends_never(plans: PlanShop) -> None:
    forever = sell_plan(plans.month.product, plan=plans.pro, days=None, amount=5000 * YUAN)

    _placed, site = buy_shop(plans, variant=forever)

    assert (site.expires_at, site.lapses_at) == (None, None)
    with pytest.raises(NothingToProlong):
        place_term(plans, site, variant=plans.year)


def test_the_same_request_again_gets_the_first_answer(plans: PlanShop) -> None:
    buyer = rich_buyer(plans)
    first = place_shop(plans, new_shop("once"), customer=buyer, key="the-key")
    again = place_shop(plans, new_shop("once"), customer=buyer, key="the-key")

    assert (again.order_id, again.is_repeat) == (first.order_id, True)
    with site_scope(plans.main.id):
        assert Order.objects.count() == SitePurchase.objects.count() == 1
