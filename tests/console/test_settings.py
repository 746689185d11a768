"""The settings of a site: saved for that site alone, refused in place, drawn as typed."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.core.audit import SYSTEM
from kameng.pages.content import empty_content
from kameng.pages.models import PageKind
from kameng.pages.services.drafting import open_page, save_draft
from kameng.pages.services.publishing import publish_page
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests import people
from tests.console.pages import address, text_of

ClientFor = Callable[..., Client]
FORM = {
    "name": "新店名",
    "slogan": "又快又稳",
    "palette": "ink",
    "notice": "",
    "banner_title": "",
    "banner_text": "",
    "contact_text": "微信 abc\r\n9:00-23:00",
    "licence_no": "91110000",
    "icp_no": "京ICP备1号",
    "timezone": "Asia/Urumqi",
    "order_hold_minutes": "30",
    "open_orders_limit": "3",
    "reserve_share_bps": "20",
    "named_cap_amount": "3000",
    "unnamed_cap_amount": "500",
    "two_person_amount": "2000",
    "guest_checkout": "on",
    "mail_from": "",
}


def test_settings_are_saved_for_this_site_alone(
    site_a: Site, site_b: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    response = client_for(site_a, lin).post(address(site_a, "settings"), FORM)

    view, other = get_site_view(site_a.id), get_site_view(site_b.id)
    settings = view.settings
    assert response.status_code == 303
    assert (view.name, settings.slogan, settings.palette) == ("新店名", "又快又稳", "ink")
    assert settings.contact_text == "微信 abc\n9:00-23:00"
    assert (settings.order_hold_seconds, settings.open_orders_limit) == (1800, 3)
    assert (settings.reserve_share_bps, settings.timezone) == (2000, "Asia/Urumqi")
    assert (settings.wallet_enabled, settings.guest_checkout) == (False, True)
    assert (settings.named_cap_amount, settings.unnamed_cap_amount) == (30_000_000, 5_000_000)
    assert settings.two_person_amount == 20_000_000
    assert (other.name, other.settings.slogan) == ("乙站", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", "长" * 21),
        ("slogan", "长" * 61),
        ("notice", "a\u0007"),
        ("palette", "pink"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("order_hold_minutes", "0"),
        ("named_cap_amount", "5000.01"),
        ("unnamed_cap_amount", "1001"),
        ("two_person_amount", "-1"),
        ("order_hold_minutes", "１５"),
        ("order_hold_minutes", "9999999999"),
        ("open_orders_limit", "-1"),
        ("reserve_share_bps", "0"),
        ("reserve_share_bps", "101"),
        ("mail_from", "nobody"),
    ],
)
def test_a_bad_setting_is_refused_and_none_is_saved(
    name: str, value: str, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    form = FORM | {name: value}

    response = client_for(site_a, lin).post(address(site_a, "settings"), form)

    assert response.status_code == 400
    assert "91110000" in response.content.decode()
    assert get_site_view(site_a.id).settings.licence_no == ""


def test_names_that_the_form_does_not_have_are_not_read(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    form = FORM | {"plan_id": "1", "hidden_gateway_ids": "7", "state": "3", "slug": "x"}
    before = Site.objects.get(id=site_a.id)

    client_for(site_a, lin).post(address(site_a, "settings"), form)

    after = Site.objects.get(id=site_a.id)
    assert (after.plan_id, after.state, after.slug) == (before.plan_id, before.state, before.slug)
    assert after.settings["hidden_gateway_ids"] == []


def test_the_preview_draws_what_is_typed(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    url = address(site_a, "preview_settings")

    response = client_for(site_a, lin).post(url, FORM | {"notice": "<i>公告</i>"})
    odd = client_for(site_a, lin).post(url, {"palette": '"><script>'})

    assert 'data-palette="ink"' in response.content.decode()
    assert "&lt;i&gt;公告&lt;/i&gt;" in response.content.decode()
    assert "<script" not in odd.content.decode()
    assert "又快又稳" in text_of(response)
    assert get_site_view(site_a.id).settings.slogan == ""


def test_a_decorated_shop_is_led_to_its_pages(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    browser = client_for(site_a, lin)
    before = text_of(browser.get(address(site_a, "settings")))
    with site_scope(site_a.id) as view:
        page = open_page(PageKind.HOME)
        version = save_draft(page.id, content=empty_content(), base_version=0, actor=SYSTEM)
        publish_page(page.id, base_version=version, actor=SYSTEM, site=view)

    after = text_of(browser.get(address(site_a, "settings")))

    assert "去装修" not in before
    assert "去装修" in after
    assert "去改外观" not in after
    with site_scope(site_a.id) as view:
        look = open_page(PageKind.LOOK)
        version = save_draft(look.id, content=empty_content(), base_version=0, actor=SYSTEM)
        publish_page(look.id, base_version=version, actor=SYSTEM, site=view)
    assert "去改外观" in text_of(browser.get(address(site_a, "settings")))
    assert browser.post(address(site_a, "settings"), FORM).status_code == 303
