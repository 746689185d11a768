"""Sites in the back office: opened in one form, live at once, moved, suspended, their hosts."""

import re
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client

from kameng.accounts.models import User
from kameng.catalog.selectors import list_plan_offers
from kameng.tenancy.models import Domain, Plan, Site, SiteState
from kameng.tenancy.selectors import forget_hosts, site_scope
from tests import people
from tests.console.conftest import Desk
from tests.console.pages import address, text_of
from tests.people import Staff

ClientFor = Callable[..., Client]
DeskOf = Callable[..., Desk]


PLAN = {
    "domains_most": "2",
    "staff_most": "",
    "own_goods_most": "0",
    "own_goods_share_bps": "5",
    "child_sites_most": "0",
    "grace_days": "10",
    "is_offered": "on",
    "position": "0",
}


def opening(**changes: object) -> dict[str, object]:
    """Return the form of a new site as a browser sends it."""
    values: dict[str, object] = {
        "name": "小鹿数码",
        "slug": "deer",
        "host": "deer.localhost",
        "plan_id": Plan.objects.first().id,  # type: ignore[union-attr]
        "palette": "teal",
        "owner_login": "deer",
        "owner_name": "小鹿",
    }
    return values | changes


def test_a_site_is_opened_in_one_form_and_sells_at_once(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)

    opened = client.post(address(main_site, "new_site"), opening())

    site = Site.objects.get(slug="deer")
    body = opened.content.decode()
    found = re.search(r'data-copy="((?:[a-z2-9]{4}-){3}[a-z2-9]{4})"', body)
    assert opened.status_code == 200
    assert opened["Cache-Control"] == "no-store"
    assert found is not None
    assert (site.state, site.settings["palette"]) == (SiteState.OPEN, "teal")

    forget_hosts()
    shop = Client(HTTP_HOST="deer.localhost")
    assert shop.get("/").status_code == 200
    signed = shop.post("/console/sign-in/", {"login": "deer", "password": found[1]})
    assert signed.status_code in (302, 303)
    assert shop.get("/console/deer/goods/").status_code == 200
    again = client.get(address(main_site, "site", site.id))
    assert found[1] not in again.content.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "长" * 21},
        {"slug": "Bad Slug"},
        {"slug": "main"},
        {"host": "https://deer.localhost"},
        {"host": "main.localhost"},
        {"host": "de er"},
        {"plan_id": "987654"},
        {"plan_id": ""},
        {"palette": "pink"},
        {"owner_login": "中文"},
        {"owner_login": "ada"},
        {"owner_login": "nobody", "is_known_owner": "on"},
    ],
)
def test_bad_input_opens_nothing_and_keeps_what_was_typed(
    changes: dict[str, str], main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    form = opening() | changes

    response = client_for(main_site, ada).post(address(main_site, "new_site"), form)

    assert 400 <= response.status_code < 500
    assert "小鹿" in response.content.decode()
    assert Site.objects.count() == 1
    assert Domain.objects.count() == 1
    assert User.objects.count() == 1


def test_an_owner_who_exists_gets_another_site_and_keeps_the_password(
    main_site: Site, lin: people.Staff, ada: people.Staff, client_for: ClientFor
) -> None:
    before = lin.user.password
    form = opening(owner_login="lin", is_known_owner="on")

    opened = client_for(main_site, ada).post(address(main_site, "new_site"), form)

    lin.user.refresh_from_db()
    assert opened.status_code == 200
    assert "初始密码只显示这一次" not in text_of(opened)
    assert lin.user.password == before


def test_a_suspended_shop_tells_buyers_why_and_opens_again(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    url = address(main_site, "set_state", site_a.id)

    unsaid = client.post(url, {"action": "suspend", "reason": " "})
    assert (unsaid.status_code, client_for(site_a).get("/").status_code) == (400, 200)

    client.post(url, {"action": "suspend", "reason": "证照到期"})
    shop = client_for(site_a).get("/")
    assert "证照到期" in text_of(shop)
    assert client_for(site_a, lin).get(address(site_a, "goods")).status_code == 200

    client.post(url, {"action": "reopen"})
    assert client_for(site_a).get("/").status_code == 200
    main = client.post(address(main_site, "set_state", main_site.id), {"reason": "x"})
    assert main.status_code == 409


def test_hosts_are_added_and_the_last_one_stays(
    main_site: Site, site_a: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    add, remove = (address(main_site, name, site_a.id) for name in ("add_host", "remove_host"))

    last = client.post(remove, {"host": "a.localhost"})
    taken = client.post(add, {"host": "main.localhost"})
    broken = client.post(add, {"host": "1.2.3"})
    added = client.post(add, {"host": "shop.example.com"})
    removed = client.post(remove, {"host": "a.localhost"})
    unknown = client.post(remove, {"host": "nobody.example.com"})

    statuses = [each.status_code for each in (last, taken, broken, added, removed, unknown)]
    assert statuses == [409, 409, 400, 303, 303, 409]
    hosts = Domain.objects.filter(site_id=site_a.id).values_list("host", flat=True)
    assert list(hosts) == ["shop.example.com"]


def test_a_site_is_renamed(
    main_site: Site, site_a: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    url = address(main_site, "site", site_a.id)

    saved = client_for(main_site, ada).post(url, {"name": "甲站新名"})

    site_a.refresh_from_db()
    assert saved.status_code == 303
    assert site_a.name == "甲站新名"


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "markup_bps": "5", "minimum_amount": "0"},
        {"name": "专业版", "markup_bps": "5", "minimum_amount": "0"},
        {"name": "新套餐", "markup_bps": "-5", "minimum_amount": "0"},
        {"name": "新套餐", "markup_bps": "1001", "minimum_amount": "0"},
        {"name": "新套餐", "markup_bps": "5", "minimum_amount": ""},
        {"name": "新套餐", "markup_bps": "5", "minimum_amount": "0", "grace_days": "366"},
        {"name": "新套餐", "markup_bps": "5", "minimum_amount": "0", "staff_most": "-1"},
        {"name": "新套餐", "markup_bps": "5", "minimum_amount": "0", "own_goods_share_bps": "101"},
    ],
)
def test_a_bad_plan_is_refused(
    form: dict[str, str], main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    response = client_for(main_site, ada).post(address(main_site, "new_plan"), PLAN | form)

    assert response.status_code in (400, 409)
    assert Plan.objects.count() == 2


def test_a_plan_is_made_and_changed(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    form = PLAN | {"name": "旗舰版", "markup_bps": "2.5", "minimum_amount": "0.05"}

    client.post(address(main_site, "new_plan"), form)
    plan = Plan.objects.get(name="旗舰版")
    client.post(address(main_site, "plan", plan.id), form | {"markup_bps": "3"})

    plan.refresh_from_db()
    assert (plan.wholesale_markup_bps, plan.wholesale_minimum_amount) == (300, 500)


def test_an_operator_opens_no_page_of_the_platform(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)

    for name in ("sites", "new_site", "plans", "new_plan", "health"):
        assert client.get(address(site_a, name)).status_code == 403
    assert client.get(address(site_a, "site", site_a.id)).status_code == 403
    assert client.post(address(site_a, "new_site"), opening()).status_code == 403
    assert Site.objects.count() == 2


def test_the_state_of_the_machinery_is_on_a_page(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    response = client_for(main_site, ada).get(address(main_site, "health"))

    assert response.status_code == 200
    assert "后台程序" in text_of(response)


@pytest.mark.parametrize(
    ("named", "header", "is_warned"),
    [
        ([], {}, False),
        ([], {"X-Forwarded-For": "203.0.113.7"}, True),
        ([], {"X-Real-IP": "203.0.113.7"}, True),
        (["127.0.0.1"], {"X-Forwarded-For": "203.0.113.7"}, False),
    ],
)
def test_a_proxy_that_is_not_named_is_told_to_the_platform_owner(
    main_site: Site,
    ada: people.Staff,
    client_for: ClientFor,
    settings: LazySettings,
    named: list[str],
    header: dict[str, str],
    *,
    is_warned: bool,
) -> None:
    """Behind one, all visitors share an address and its limits: nothing else would show it."""
    settings.TRUSTED_PROXIES = tuple(named)
    client = client_for(main_site, ada)

    overview = text_of(
        client.get(address(main_site, "overview"), headers=header, REMOTE_ADDR="127.0.0.1")
    )
    health = text_of(
        client.get(address(main_site, "health"), headers=header, REMOTE_ADDR="127.0.0.1")
    )

    assert ("反向代理没有登记" in overview) == is_warned
    assert ("KAMENG_TRUSTED_PROXIES=127.0.0.1" in health) == is_warned


def test_a_proxy_that_is_not_named_is_no_matter_of_a_sub_site(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    page = client_for(site_a, lin).get(
        address(site_a, "overview"), headers={"X-Forwarded-For": "203.0.113.7"}
    )

    assert page.status_code == 200
    assert "反向代理没有登记" not in text_of(page)


@pytest.mark.parametrize(("typed", "status"), [("0", 303), ("0.001", 400), ("0.01", 303)])
def test_a_plan_is_sold_for_nothing_or_for_a_fen_and_more(
    desk_of: DeskOf, ada: Staff, main_site: Site, typed: str, status: int
) -> None:
    plan = Plan.objects.get(name="普及版")

    answer = desk_of(ada, main_site).post(f"plans/{plan.id}/sell/", days="14", amount=typed)

    assert answer.status_code == status
    with site_scope(main_site.id):
        offers = list_plan_offers()
    assert len(offers) == (status == 303)
