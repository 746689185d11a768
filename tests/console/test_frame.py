"""Who opens which page of which site, on which host."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from kameng.accounts.models import Role
from kameng.console.navigation import NAV, build_links
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.console.conftest import Desk
from tests.factories import PASSWORD, make_child, make_customer
from tests.people import Buyer, Staff, make_operator


def test_guest_is_led_to_the_sign_in_page_and_back(
    client_for: Callable[..., Client], site_a: Site
) -> None:
    client = client_for(site_a)

    response = client.get("/console/site-a/orders/?view=waiting")

    assert response.status_code == 302
    assert response["Location"] == (
        "/console/sign-in/?next=%2Fconsole%2Fsite-a%2Forders%2F%3Fview%3Dwaiting"
    )


def test_customer_is_no_staff(client_for: Callable[..., Client], site_a: Site, mei: Buyer) -> None:
    response = client_for(site_a, mei).get("/console/site-a/")

    assert response.status_code == 302
    assert response["Location"].startswith("/console/sign-in/")


def test_guest_post_is_refused_without_a_redirect(
    client_for: Callable[..., Client], site_a: Site
) -> None:
    assert client_for(site_a).post("/console/site-a/orders/1/resend/").status_code == 401


def test_operator_signs_in_and_stands_in_the_own_site(
    client_for: Callable[..., Client], site_a: Site, lin: Staff
) -> None:
    client = client_for(site_a)

    response = client.post("/console/sign-in/", {"login": "lin", "password": PASSWORD})

    assert response.status_code == 302
    assert response.cookies[settings.SESSION_COOKIE]["httponly"]
    response = client.get("/console/", follow=True)
    assert response.redirect_chain == [("/console/site-a/", 302)]
    assert response.status_code == 200
    assert "甲站" in response.content.decode()


def test_wrong_password_is_refused_in_place(
    client_for: Callable[..., Client], site_a: Site, lin: Staff
) -> None:
    response = client_for(site_a).post("/console/sign-in/", {"login": "lin", "password": "wrong"})

    assert response.status_code == 400
    assert "账号或密码不正确" in response.content.decode()
    assert 'value="lin"' in response.content.decode()


@pytest.mark.parametrize(
    "goal", ["https://evil.example/", "//evil.example/", "/console/\\evil", "/p/1/", "javascript:1"]
)
def test_sign_in_goes_on_within_the_back_office_only(
    client_for: Callable[..., Client], site_a: Site, lin: Staff, goal: str
) -> None:
    fields = {"login": "lin", "password": PASSWORD, "next": goal}

    response = client_for(site_a).post("/console/sign-in/", fields)

    assert response["Location"] == "/console/"


def test_sign_in_goes_back_to_opening_a_shop(
    client_for: Callable[..., Client], site_a: Site, lin: Staff
) -> None:
    """Who has a shop already opens another with the same account."""
    fields = {"login": "lin", "password": PASSWORD, "next": "/open/start/?variant=7"}

    response = client_for(site_a).post("/console/sign-in/", fields)

    assert response["Location"] == "/open/start/?variant=7"


def test_operator_never_sees_another_site(
    desk_of: Callable[..., Desk], lin: Staff, site_a: Site, site_b: Site, main_site: Site
) -> None:
    assert desk_of(lin, site_b, host=site_a).get().status_code == 404
    assert desk_of(lin, main_site, host=site_a).get().status_code == 404
    assert desk_of(lin, site_b, host=main_site).get().status_code == 404
    assert desk_of(lin, main_site, host=main_site).get().status_code == 404


def test_operator_reaches_the_own_site_from_the_main_host(
    desk_of: Callable[..., Desk], lin: Staff, site_a: Site, main_site: Site
) -> None:
    desk = desk_of(lin, site_a, host=main_site)

    assert desk.get().status_code == 200
    assert desk.client.get("/console/")["Location"] == "/console/site-a/"


def test_platform_user_opens_every_site_on_the_main_host_only(
    desk_of: Callable[..., Desk], ada: Staff, site_a: Site, site_b: Site, main_site: Site
) -> None:
    for site in (main_site, site_a, site_b):
        assert desk_of(ada, site, host=main_site).get().status_code == 200
    assert desk_of(ada, site_a, host=site_a).get().status_code == 200
    assert desk_of(ada, site_b, host=site_a).get().status_code == 404


def test_session_of_one_host_does_not_open_another(
    client_for: Callable[..., Client], lin: Staff, site_a: Site, main_site: Site
) -> None:
    token = client_for(site_a, lin).cookies[settings.SESSION_COOKIE].value
    other = client_for(main_site)
    other.cookies[settings.SESSION_COOKIE] = token

    response = other.get("/console/site-a/")

    assert response.status_code == 302


def test_role_without_permission_is_told_so(
    desk_of: Callable[..., Desk], site_a: Site, desk: Desk
) -> None:
    viewer = make_operator(site_a, login="viewer", name="Vi", role=Role.VIEWER)

    response = desk_of(viewer, site_a).get("ledger/")

    assert response.status_code == 403
    assert "没有这项权限" in response.content.decode()
    assert "/console/site-a/ledger/" in desk.get().content.decode()
    assert "/console/site-a/ledger/" not in desk_of(viewer, site_a).get().content.decode()


def test_suspended_site_keeps_its_back_office(desk: Desk, site_a: Site) -> None:
    Site.objects.filter(id=site_a.id).update(state=SiteState.SUSPENDED)

    assert desk.get().status_code == 200
    assert desk.client.get("/").status_code == 403


def test_palette_finds_pages_orders_and_customers_of_the_site_alone(
    desk: Desk, mei: Buyer, site_b: Site, site_a: Site
) -> None:
    make_customer(site_b, nickname="Mei of B")

    found = desk.get("palette/", q="Mei").json()["groups"]
    pages = desk.get("palette/", q="订单").json()["groups"]

    titles = [item["title"] for group in found for item in group["items"]]
    assert titles == ["Mei"]
    assert pages[0]["items"][0]["url"] == "/console/site-a/orders/"


@pytest.mark.parametrize("text", ["", "\x00", "😀" * 80, "％", "'", "1" * 4000])
def test_palette_takes_any_text(desk: Desk, text: str) -> None:
    assert desk.get("palette/", q=text).status_code in (200, 400)


def test_every_entry_of_the_map_has_a_page(
    desk_of: Callable[..., Desk], ada: Staff, main_site: Site, site_a: Site
) -> None:
    wanted = {entry.route for top in NAV for entry in (top, *top.children)}
    make_child(site_a)
    for site in (main_site, site_a):
        desk = desk_of(ada, site, host=main_site)
        links = build_links(site=get_site_view(site.id), path="", can=lambda _name: True)
        for link in (each for top in links for each in (top, *top.children)):
            assert desk.client.get(link.url).status_code == 200, link.url
            wanted.discard(link.route)
    assert wanted == set()


def test_sign_out_ends_the_session(desk: Desk, site_a: Site) -> None:
    token = desk.client.cookies[settings.SESSION_COOKIE].value

    assert desk.client.post("/console/sign-out/").status_code == 302

    desk.client.cookies[settings.SESSION_COOKIE] = token
    assert desk.get().status_code == 302


def test_own_password_is_changed_with_the_old_one(desk: Desk, site_a: Site, lin: Staff) -> None:
    copied = desk.client.cookies[settings.SESSION_COOKIE].value
    wrong = desk.post("account/password/", old_password="no", new_password="a new long secret")
    right = desk.post("account/password/", old_password=PASSWORD, new_password="a new long secret")

    assert wrong.status_code == 400
    assert "原密码不正确" in wrong.content.decode()
    assert right.status_code == 303
    assert desk.get("account/").status_code == 200
    fields = {"login": "lin", "password": "a new long secret"}
    assert Client(HTTP_HOST="a.localhost").post("/console/sign-in/", fields).status_code == 302
    desk.client.cookies[settings.SESSION_COOKIE] = copied
    assert desk.get("account/").status_code == 302  # a stolen copy of this very session ended too


def test_another_device_is_signed_out(
    desk: Desk, client_for: Callable[..., Client], lin: Staff, site_a: Site
) -> None:
    other = client_for(site_a, lin)
    with site_scope(site_a.id):
        page = desk.get("account/").content.decode()
    handle = page.split('name="handle" value="')[1].split('"')[0]

    assert desk.post("account/end-session/", handle=handle).status_code == 303

    assert other.get("/console/site-a/").status_code == 302
    assert desk.get().status_code == 200


def test_language_of_the_button_is_kept(desk: Desk) -> None:
    fields = {"language": "en", "next": "/console/site-a/orders/"}

    response = desk.client.post("/console/language/", fields)

    assert response["Location"] == "/console/site-a/orders/"
    assert response.cookies[settings.LANGUAGE_COOKIE_NAME].value == "en"


def test_an_error_leads_back_to_the_console_and_not_to_the_shop(desk: Desk) -> None:
    response = desk.get("orders/no-such-order/")

    assert response.status_code == 404
    assert 'href="/console/">回到后台' in response.content.decode()


@pytest.mark.parametrize(
    ("path", "button"),
    [("categories/", "Add category"), ("goods/", "Add product"), ("gateways/new/", "Add gateway")],
)
def test_buttons_say_what_they_will_do_in_english_too(
    desk_of: Callable[..., Desk], ada: Staff, main_site: Site, path: str, button: str
) -> None:
    desk = desk_of(ada, main_site)
    desk.client.cookies["kameng_language"] = "en"

    page = desk.get(path).content.decode()

    assert button in page
    assert button.split()[1] + " added" not in page.lower()
