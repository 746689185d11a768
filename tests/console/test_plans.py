"""Plans in the back office: put on sale, given by hand, seen and prolonged by operators."""

import datetime as dt
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.test import Client

from kameng.accounts.models import Role
from kameng.catalog.models import DeliveryKind, Product, Variant
from kameng.catalog.selectors import list_plan_offers
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.insight.attention import list_steps
from kameng.orders.rules import State
from kameng.tenancy.models import Plan, Site, TermKind
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.services import bump_catalogue_version, change_settings, create_site
from kameng.tenancy.settings import SiteSettings
from kameng.tenancy.terms import set_term_by_hand
from tests.console.conftest import Desk
from tests.console.pages import text_of
from tests.people import Staff, make_operator
from tests.plan_shop import (
    YUAN,
    fulfil,
    new_shop,
    open_plan_shop,
    order_of,
    place_shop,
    terms_of,
)

DAY = dt.timedelta(days=1)
DeskOf = Callable[..., Desk]


@pytest.fixture
def hers(desk_of: DeskOf, ada: Staff, main_site: Site) -> Desk:
    """Ada at the back office of the main site."""
    return desk_of(ada, main_site)


def give(site: Site, *, days: float) -> None:
    """Let the term of a site end so many days from now, or have ended."""
    plan = Plan.objects.get(id=site.plan_id)
    ends_at = clock.now() + days * DAY
    with platform_scope("a test gives a term"):
        set_term_by_hand(
            site_id=site.id, plan=plan, ends_at=clock.now() + DAY, reason="x", actor=SYSTEM
        )
    lapses_at = ends_at + plan.grace_days * DAY
    Site.objects.filter(id=site.id).update(expires_at=ends_at, lapses_at=lapses_at)


# Putting plans on sale.


def test_a_price_puts_a_plan_on_sale_and_the_goods_are_made(hers: Desk, main_site: Site) -> None:
    plan = Plan.objects.get(name="普及版")

    for days, amount in (("30", "39"), ("365", "369.50"), ("", "999")):
        assert hers.post(f"plans/{plan.id}/sell/", days=days, amount=amount).status_code == 303

    with site_scope(main_site.id):
        offers = [(each.days, each.amount) for each in list_plan_offers()]
        assert Product.objects.get().delivery_kind == DeliveryKind.SITE_PLAN
    assert offers == [(30, 39 * YUAN), (365, 3_695_000), (None, 999 * YUAN)]
    assert "1 个月" in text_of(hers.get(f"plans/{plan.id}/"))
    assert "¥39.00" in text_of(hers.get("plans/"))


def test_the_same_length_again_is_another_price(hers: Desk, main_site: Site) -> None:
    plan = Plan.objects.get(name="普及版")
    for amount in ("39", "29"):
        hers.post(f"plans/{plan.id}/sell/", days="30", amount=amount)

    with site_scope(main_site.id):
        (offer,) = list_plan_offers()
    assert offer.amount == 29 * YUAN


@pytest.mark.parametrize(
    ("days", "amount"), [("0", "39"), ("x", "39"), ("3661", "39"), ("30", ""), ("30", "-1")]
)
def test_a_bad_offer_is_refused_and_kept(
    hers: Desk, main_site: Site, days: str, amount: str
) -> None:
    plan = Plan.objects.get(name="普及版")

    answer = hers.post(f"plans/{plan.id}/sell/", days=days, amount=amount)

    assert answer.status_code == 400
    assert f'value="{days}"' in answer.content.decode()
    with site_scope(main_site.id):
        assert not Variant.objects.exists()


def test_what_is_taken_off_sale_is_not_offered(hers: Desk, main_site: Site) -> None:
    plan = Plan.objects.get(name="普及版")
    hers.post(f"plans/{plan.id}/sell/", days="30", amount="39")
    with site_scope(main_site.id):
        (offer,) = list_plan_offers()

    assert hers.post(f"plans/{plan.id}/unsell/", variant=offer.variant_id).status_code == 303

    with site_scope(main_site.id):
        assert list_plan_offers() == []


def test_the_goods_form_shows_which_plan_for_how_long(hers: Desk, main_site: Site) -> None:
    plans = open_plan_shop(main_site)
    path = f"goods/{plans.month.product_id}/variants/{plans.month.id}/"
    form = {
        "name": "季卡",
        "cost_amount": "0",
        "list_amount": "90",
        "position": "0",
        "is_listed": "on",
        "plan_id": str(plans.pro.id),
        "term_days": "90",
    }

    assert "开通哪个套餐" in text_of(hers.get(path))
    assert hers.post(path, **form).status_code == 303

    with site_scope(main_site.id):
        stored = Variant.objects.get(id=plans.month.id)
    assert (stored.plan_id, stored.term_days) == (plans.pro.id, 90)
    assert hers.post(path, **{**form, "plan_id": "987654"}).status_code == 400


def test_other_goods_cannot_become_plans(hers: Desk, main_site: Site) -> None:
    page = hers.get("goods/new/").content.decode()

    kinds = re.findall(r'name="delivery_kind" value="(\d)"', page)
    assert kinds == ["1", "2", "3"]


def test_a_suffix_says_where_new_shops_stand(hers: Desk, main_site: Site) -> None:
    assert hers.post("plans/address/", suffix="*.shop.example.com").status_code == 303
    assert get_site_view(main_site.id).settings.branch_suffix == "shop.example.com"
    assert "xiaobei.shop.example.com" in text_of(hers.get("plans/"))
    assert hers.post("plans/address/", suffix="no host").status_code == 400


# Given by hand.


def test_a_term_is_set_by_hand_with_a_reason(hers: Desk, main_site: Site, site_a: Site) -> None:
    plan, last = Plan.objects.get(name="专业版"), (clock.now() + 40 * DAY).date()

    saved = hers.post(
        f"sites/{site_a.id}/term/", plan_id=plan.id, ends_on=str(last), reason="线下收款"
    )

    site_a.refresh_from_db()
    (term,) = terms_of(site_a)
    assert saved.status_code == 303
    assert (site_a.plan_id, term.kind, term.reason) == (plan.id, TermKind.BY_HAND, "线下收款")
    zone = get_site_view(main_site.id).settings.zone
    assert term.ends_at is not None
    assert term.ends_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") == f"{last} 23:59"
    page = text_of(hers.get(f"sites/{site_a.id}/"))
    assert "线下收款" in page


@pytest.mark.parametrize(
    "form",
    [
        {"ends_on": "2020-01-01", "reason": "x"},
        {"ends_on": "tomorrow", "reason": "x"},
        {"ends_on": "2030-12-31", "reason": ""},
        {"ends_on": "", "reason": "x", "plan_id": "987654"},
    ],
)
def test_a_bad_term_is_refused(form: dict[str, str], hers: Desk, site_a: Site) -> None:
    form = {"plan_id": str(site_a.plan_id)} | form

    assert hers.post(f"sites/{site_a.id}/term/", **form).status_code == 400
    assert terms_of(site_a) == []


def test_an_operator_sets_no_term(desk: Desk, site_a: Site) -> None:
    assert desk.post(f"sites/{site_a.id}/term/", reason="x").status_code == 403


def test_the_list_of_sites_is_filtered_by_their_end(hers: Desk, site_a: Site, site_b: Site) -> None:
    give(site_a, days=3)
    give(site_b, days=-30)

    assert "快到期" in text_of(hers.get("sites/"))
    ending, over = hers.get("sites/", view="ending"), hers.get("sites/", view="over")
    assert site_a.slug in text_of(ending)
    assert f"/sites/{site_b.id}/" not in ending.content.decode()
    assert "到期停业" in text_of(over)
    assert "没有符合条件的站点" in text_of(hers.get("sites/", q="nobody"))


# The operator's own page.


def test_the_operator_sees_plan_use_and_end(desk: Desk, site_a: Site) -> None:
    give(site_a, days=5)

    page = text_of(desk.get("my-plan/"))

    assert "普及版" in page
    assert "还有 5 天" in page
    assert "0 / 1" in page


def test_a_line_stands_above_every_page_near_the_end(desk: Desk, site_a: Site) -> None:
    assert "去续期" not in text_of(desk.get("orders/"))
    for days, words in ((5, "到期。"), (-1, "宽限期里照常营业"), (-8, "店铺已停业")):
        give(site_a, days=days)
        assert words in text_of(desk.get("orders/"))


def test_the_button_leads_to_the_main_site_with_a_proof(
    desk: Desk, main_site: Site, site_a: Site, client_for: Callable[..., Client]
) -> None:
    open_plan_shop(main_site)
    give(site_a, days=5)

    led = desk.get("my-plan/more/")

    parts = urlsplit(led["Location"])
    assert parts.hostname == "main.localhost"
    page = client_for(main_site).get(f"{parts.path}?{parts.query}")
    assert page.status_code == 200
    assert site_a.name in text_of(page)
    forged = f"{parts.path}?{parts.query[:-4]}AAAA"
    assert client_for(main_site).get(forged).status_code == 404


def test_who_may_not_spend_sees_no_button(desk_of: DeskOf, site_a: Site) -> None:
    manager = make_operator(site_a, login="man", name="Man", role=Role.MANAGER)
    desk = desk_of(manager, site_a)

    assert "续期或升级" not in text_of(desk.get("my-plan/"))
    assert desk.get("my-plan/more/").status_code == 403


# The checklist.


def test_a_step_is_put_away_and_brought_back(desk: Desk, site_a: Site) -> None:
    assert "放上店铺标志" in text_of(desk.get())

    assert desk.post("steps/logo/").status_code == 303
    assert "已收起 1 项" in text_of(desk.get())
    assert get_site_view(site_a.id).settings.hidden_steps == "logo"
    desk.post("steps/logo/", back="1")

    assert "已收起 1 项" not in text_of(desk.get())


def test_steps_that_are_all_put_away_can_be_brought_back(desk: Desk, site_a: Site) -> None:
    with site_scope(site_a.id):
        codes = [step.code for step in list_steps(get_site_view(site_a.id)) if not step.is_done]
    for code in codes:
        desk.post(f"steps/{code}/")

    shown = text_of(desk.get())
    assert (f"已收起 {len(codes)} 项" in shown, "剩下的都收起了" in shown) == (True, True)
    desk.post("steps/logo/", back="1")
    shown = text_of(desk.get())
    assert (f"已收起 {len(codes) - 1} 项" in shown, "剩下的都收起了" in shown) == (True, False)


def test_the_checklist_names_what_the_shop_needs_and_may(main_site: Site, site_a: Site) -> None:
    def codes() -> set[str]:
        with site_scope(site_a.id) as view:
            return {step.code for step in list_steps(view)}

    assert not {"legal", "own_goods"} & codes()
    with platform_scope("a test asks for details"):
        change_settings(site_id=main_site.id, changes={"licence_required": True}, actor=SYSTEM)
    Plan.objects.update(own_goods_most=5)
    bump_catalogue_version(site_a.id)

    assert {"legal", "own_goods"} <= codes()


# An order that could not be carried out.


def test_staff_try_again_what_could_not_be_opened(hers: Desk, main_site: Site) -> None:
    plans = open_plan_shop(main_site)
    placed = place_shop(plans, new_shop("lost"))
    with platform_scope("a test takes the address"):
        other = create_site(
            slug="lost", name="别人", plan=plans.basic, settings=SiteSettings(), actor=SYSTEM
        )
    fulfil(plans, placed)
    page = text_of(hers.get(f"orders/{placed.order_no}/"))
    assert "没能自动开通" in page
    assert "再试一次" in page

    hers.post(f"orders/{placed.order_no}/open/")
    assert order_of(plans, placed).state == State.AWAITING_DELIVERY
    Site.objects.filter(id=other.id).update(slug="gone")
    hers.post(f"orders/{placed.order_no}/open/")

    assert order_of(plans, placed).state == State.DELIVERED
