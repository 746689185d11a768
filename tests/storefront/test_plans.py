"""Opening a shop on the main site, as a person does it: compare, fill in, pay, and walk in."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from kameng.accounts.models import Session, User
from kameng.core.scope import platform_scope
from kameng.orders.models import Order, SitePurchase
from kameng.orders.rules import State
from kameng.orders.services.opening import carry_out_due
from kameng.payments.models import Payment
from kameng.risk.services import forget_windows
from kameng.storefront.views.prolonging import Choice, list_choices
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from kameng.tenancy.services import create_site
from kameng.tenancy.settings import SiteSettings
from tests.concurrency.shop import STAFF, Shop, connect_gateway, notify
from tests.factories import fund_wallet, make_customer, make_staff
from tests.orders.test_free_plans import give
from tests.people import Buyer, Staff
from tests.plan_shop import PASSWORD, YUAN, PlanShop, open_plan_shop

ClientFor = Callable[..., Client]


@pytest.fixture
def plans(main_site: Site) -> PlanShop:
    """Two plans on sale."""
    forget_windows()
    return open_plan_shop(main_site)


@pytest.fixture
def rich(main_site: Site, client_for: ClientFor) -> Client:
    """A customer of the main site with a thousand yuan."""
    customer = make_customer(main_site, login="bei@example.com")
    fund_wallet(customer, 1000 * YUAN)
    return client_for(main_site, Buyer(customer=customer, login="bei@example.com"))


def list_choices_of(plans: PlanShop, site: Site) -> list[Choice]:
    """Return what a shop may buy."""
    with site_scope(plans.main.id):
        return list_choices(site)


def form(plans: PlanShop, **changes: str) -> dict[str, str]:
    """Return what the opening form sends."""
    values = {
        "variant": str(plans.month.id),
        "shown_total": "30.00",
        "idempotency_key": "key-of-this-form",
        "name": "小北的店",
        "slug": "xiaobei",
        "login": "bei@example.com",
        "password": PASSWORD,
        "template": "",
        "pay": "wallet",
        "agree": "1",
    }
    return values | changes


def test_plans_are_compared_with_all_they_hold(plans: PlanShop, client_for: ClientFor) -> None:
    page = client_for(plans.main).get("/open/").content.decode()

    for words in ("普及版", "专业版", "1 个月", "1 年", "合每月", "不卖自营商品"):
        assert words in page
    assert f"variant={plans.month.id}" in page


def test_without_a_plan_on_sale_the_page_says_so(main_site: Site, client_for: ClientFor) -> None:
    assert "暂时不开放开店" in client_for(main_site).get("/open/").content.decode()


@pytest.mark.parametrize(
    "path", ["/open/", "/open/start/?variant=1", "/open/address/?q=a1", "/open/more/?k=1"]
)
def test_a_sub_site_opens_no_shops(site_a: Site, client_for: ClientFor, path: str) -> None:
    assert client_for(site_a).get(path).status_code == 404


def test_one_form_opens_a_shop_and_leads_into_it(
    plans: PlanShop, rich: Client, client_for: ClientFor
) -> None:
    led = rich.post("/open/start/", form(plans))

    assert led.status_code == 303
    ready = rich.get(led["Location"])
    assert "“小北的店”开好了" in ready.content.decode()
    assert "xiaobei.main.localhost" in ready.content.decode()
    token = re.search(r'name="t" value="([^"]+)"', ready.content.decode())
    assert token is not None
    no_cookies = client_for(plans.main)
    entered = no_cookies.post(led["Location"].partition("?")[0] + "enter/", {"t": token[1]})
    assert entered["Location"] == "/console/xiaobei/"
    assert no_cookies.get("/console/xiaobei/").status_code == 200


def test_the_way_in_works_once(plans: PlanShop, rich: Client, client_for: ClientFor) -> None:
    led = rich.post("/open/start/", form(plans))["Location"]
    path, _, query = led.partition("?")
    browsers = [client_for(plans.main) for _ in range(2)]
    for browser in browsers:
        browser.post(f"{path}enter/", {"t": query.removeprefix("t=")})

    assert settings.SESSION_COOKIE in browsers[0].cookies
    assert settings.SESSION_COOKIE not in browsers[1].cookies
    assert browsers[1].get("/console/xiaobei/").status_code == 302
    with site_scope(plans.main.id):
        assert Session.objects.filter(user__isnull=False).count() == 1


def test_the_way_in_is_closed_once_the_owner_has_signed_in_by_the_password(
    plans: PlanShop, rich: Client, client_for: ClientFor
) -> None:
    path, _, query = rich.post("/open/start/", form(plans))["Location"].partition("?")
    owner = {"login": "bei@example.com", "password": PASSWORD}
    assert client_for(plans.main).post("/console/sign-in/", owner).status_code == 302

    finder = client_for(plans.main)  # of the link of the order
    led = finder.post(f"{path}enter/", {"t": query.removeprefix("t=")})

    assert led["Location"] == "/console/xiaobei/"
    assert settings.SESSION_COOKIE not in finder.cookies
    assert finder.get("/console/xiaobei/").status_code == 302
    with site_scope(plans.main.id):
        assert SitePurchase.objects.get().entered_at is None


def test_who_has_no_link_gets_nowhere(plans: PlanShop, rich: Client, client_for: ClientFor) -> None:
    led = rich.post("/open/start/", form(plans))["Location"].partition("?")[0]
    stranger = client_for(plans.main)

    assert stranger.get(led).status_code == 404
    assert stranger.post(f"{led}enter/", {"t": "wrong"}).status_code == 404
    assert stranger.post(f"{led}move/", {"t": "wrong", "slug": "other"}).status_code == 404


def test_the_same_form_twice_opens_one_shop(plans: PlanShop, rich: Client) -> None:
    first, again = (rich.post("/open/start/", form(plans)) for _ in range(2))

    assert first["Location"] == again["Location"]
    assert Site.objects.filter(slug="xiaobei").count() == 1
    with site_scope(plans.main.id):
        assert Order.objects.count() == 1


def test_the_same_key_with_another_address_is_refused(plans: PlanShop, rich: Client) -> None:
    rich.post("/open/start/", form(plans))
    other = rich.post("/open/start/", form(plans, slug="other", login="o@example.com"))

    assert other.status_code == 409
    assert not Site.objects.filter(slug="other").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slug": "console"}, "slug-error"),
        ({"slug": "star_1"}, "slug-error"),
        ({"name": ""}, "name-error"),
        ({"login": "nonsense"}, "login-error"),
        ({"login": "boss@example.com"}, "login-error"),
        ({"password": "short"}, "password-error"),
        ({"agree": ""}, "agree-error"),
        ({"pay": "987"}, "problem"),
        ({"shown_total": "29.00"}, "problem"),
        ({"idempotency_key": "x"}, "problem"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(
    plans: PlanShop, rich: Client, changes: dict[str, str], words: str
) -> None:
    make_staff(login="boss@example.com")

    page = rich.post("/open/start/", form(plans, **changes))

    body = page.content.decode()
    assert 400 <= page.status_code < 500
    kept = form(plans, **changes)
    assert f'value="{kept["slug"]}"' in body
    assert PASSWORD not in body
    if words.endswith("-error"):
        found = re.search(rf'id="{words}"[^>]*>(.*?)</p>', body, flags=re.S)
        assert found is not None
        assert "<span>" in found[1]
    assert not Site.objects.filter(name="小北的店").exists()


@pytest.mark.parametrize("data", [{}, {"variant": "x"}, {"variant": "987654"}])
def test_a_plan_that_is_not_there_is_a_clear_answer(
    plans: PlanShop, client_for: ClientFor, data: dict[str, str]
) -> None:
    browser = client_for(plans.main)
    assert 400 <= browser.post("/open/start/", data).status_code < 500
    shown = browser.get("/open/start/", data)
    if data:
        assert 400 <= shown.status_code < 500
    else:  # a plan is chosen first
        assert (shown.status_code, shown["Location"]) == (303, "/open/")


@pytest.mark.parametrize(
    ("slug", "state"),
    [("free-one", "free"), ("site-taken", "taken"), ("main", "taken"), ("pay", "reserved"),
     ("console", "reserved"), ("x", "invalid"), ("小北", "invalid"), ("", "invalid")],
)  # fmt: skip
def test_an_address_is_looked_up_while_it_is_typed(
    plans: PlanShop, client_for: ClientFor, slug: str, state: str
) -> None:
    with platform_scope("a test opens a shop"):
        create_site(
            slug="site-taken", name="别人", plan=plans.basic, settings=SiteSettings(), actor=STAFF
        )

    answer = client_for(plans.main).get("/open/address/", {"q": slug}).json()

    assert answer["state"] == state
    assert bool(answer["suggestions"]) == (state in {"taken", "reserved"})
    assert slug not in answer["suggestions"]


def test_a_member_of_staff_gets_the_shop_on_the_same_account(
    plans: PlanShop, lin: Staff, site_a: Site, client_for: ClientFor
) -> None:
    choice = connect_gateway(plans.main)
    browser = client_for(plans.main, lin)
    page = browser.get("/open/start/", {"variant": plans.month.id}).content.decode()
    assert 'name="password"' not in page

    led = browser.post("/open/start/", form(plans, pay=str(choice.gateway_id), password=""))
    assert "/pay/" in led["Location"]
    with site_scope(plans.main.id):
        order = Order.objects.get()
    shop = Shop(site=plans.main, variant=plans.month, choice=choice)
    with site_scope(plans.main.id):
        payment = Payment.objects.get(subject_id=order.id)
    assert notify(shop, payment).accepted
    path = f"/open/ready/{order.order_no}/?{led['Location'].partition('?')[2]}"
    assert "正在开通" in browser.get(path).content.decode()
    with site_scope(plans.main.id):
        assert carry_out_due() == 1

    assert "开好了" in browser.get(path).content.decode()
    assert User.objects.filter(login="bei@example.com").count() == 0
    with site_scope(plans.main.id):
        assert SitePurchase.objects.get().user_id == lin.user.id


def test_the_order_page_leads_to_the_shop(plans: PlanShop, rich: Client) -> None:
    led = rich.post("/open/start/", form(plans))["Location"]

    order = rich.get(led.replace("/open/ready/", "/o/"))

    assert order.status_code == 303
    assert order["Location"] == led


def test_an_address_lost_after_payment_is_chosen_anew_without_paying(
    plans: PlanShop, client_for: ClientFor
) -> None:
    choice = connect_gateway(plans.main)
    browser = client_for(plans.main)
    led = browser.post("/open/start/", form(plans, pay=str(choice.gateway_id)))["Location"]
    with platform_scope("a test takes the address"):
        create_site(
            slug="xiaobei", name="别人", plan=plans.basic, settings=SiteSettings(), actor=STAFF
        )
    with site_scope(plans.main.id):
        payment, order = Payment.objects.get(), Order.objects.get()
    notify(Shop(site=plans.main, variant=plans.month, choice=choice), payment)
    with site_scope(plans.main.id):
        carry_out_due()
    query = led.partition("?")[2]
    path = f"/open/ready/{order.order_no}/"
    assert "网址要换一个" in browser.get(f"{path}?{query}").content.decode()

    token = query.removeprefix("t=")
    taken = browser.post(f"{path}move/", {"t": token, "slug": "xiaobei"})
    moved = browser.post(f"{path}move/", {"t": token, "slug": "xiaobei-2"})

    assert taken.status_code == 409
    assert moved.status_code == 303
    with site_scope(plans.main.id):
        assert Order.objects.get().state == State.DELIVERED
    assert Site.objects.filter(slug="xiaobei-2").exists()


def test_designs_are_drawn_for_frames_of_this_host(plans: PlanShop, client_for: ClientFor) -> None:
    page = client_for(plans.main).get("/open/design/mint/")

    assert page.status_code == 200
    assert "frame-ancestors 'self'" in page["Content-Security-Policy"]
    assert client_for(plans.main).get("/open/design/nothing/").status_code == 404


def test_plans_are_not_bought_at_the_ordinary_checkout(plans: PlanShop, rich: Client) -> None:
    values = {
        "variant": str(plans.month.id),
        "quantity": "1",
        "shown_total": "30.00",
        "idempotency_key": "an-ordinary-key",
        "pay": "wallet",
        "agree": "1",
    }

    assert rich.post("/checkout/", values).status_code == 404
    assert rich.get(f"/p/{plans.month.product_id}/").status_code == 404
    found = rich.get("/search/?q=开分站").content.decode()
    assert f"/p/{plans.month.product_id}/" not in found


def test_a_trial_is_shown_and_opened_without_paying(plans: PlanShop, client_for: ClientFor) -> None:
    trial = give(plans, days=14)
    visitor = client_for(plans.main)
    shown = visitor.get("/open/").content.decode()
    assert "试用 14 天" in shown
    assert "免费" in shown
    page = visitor.get(f"/open/start/?variant={trial.id}").content.decode()
    assert 'name="pay"' not in page
    sent = form(plans, variant=str(trial.id), shown_total="0.00", pay="")

    led = visitor.post("/open/start/", sent)

    assert led.status_code == 303
    assert "“小北的店”开好了" in visitor.get(led["Location"]).content.decode()
    again = client_for(plans.main).post(
        "/open/start/", sent | {"slug": "second", "idempotency_key": "another-key"}
    )
    assert again.status_code == 409
    assert "每人只有一次" in again.content.decode()
    assert not Site.objects.filter(slug="second").exists()


def test_free_plans_are_not_offered_to_shops_that_stand(
    plans: PlanShop, rich: Client, client_for: ClientFor
) -> None:
    trial = give(plans, days=14)
    rich.post("/open/start/", form(plans))
    site = Site.objects.get(slug="xiaobei")

    offered = [each.offer.variant_id for each in list_choices_of(plans, site)]

    assert trial.id not in offered
    assert plans.month.id in offered
