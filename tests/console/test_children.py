"""Child sites in the back office: opened, priced, stopped by their upline; sums, no customers."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from kameng.accounts.models import Role
from kameng.catalog.models import Variant
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.insight.dashboard import forget_figures
from kameng.tenancy.children import move_child
from kameng.tenancy.closing import begin_closing, give_up_closing
from kameng.tenancy.models import Plan, Site, SiteState
from kameng.tenancy.selectors import forget_hosts, get_site_view, site_scope
from tests.concurrency.shop import STAFF, Shop, make_buyers, open_shop, order
from tests.console.conftest import Desk
from tests.console.pages import address, text_of
from tests.factories import make_child
from tests.orders.test_children import allow_children
from tests.people import Staff, make_operator

DeskOf = Callable[..., Desk]
COST, WHOLESALE, ASKED, PRICE = "9.00", "9.90", "10.89", "13.00"


def opening(**changes: object) -> dict[str, object]:
    """Return the form of a new child as a browser sends it."""
    values: dict[str, object] = {
        "name": "小禾点卡",
        "slug": "he",
        "palette": "teal",
        "owner_login": "xiaohe",
        "owner_name": "小禾",
    }
    return values | changes


@pytest.fixture
def below(main_site: Site, site_a: Site) -> Shop:
    """A child of site A that sells one variant at 13 yuan and pays 10.89 for it."""
    child = make_child(site_a, slug="child-a", host="child.localhost", terms=(1000, 0))
    shop = open_shop(main_site, child, keys=6)
    with platform_scope("a test sets a list price"):
        Variant.unscoped.filter(id=shop.variant.id).update(list_amount=130_000)
    return shop


def test_a_child_is_opened_in_one_form_and_sells_at_once(shop: Shop, desk: Desk) -> None:
    allow_children(1)

    opened = desk.post("children/new/", **opening())

    child = Site.objects.get(slug="he")
    body = opened.content.decode()
    found = re.search(r'data-copy="((?:[a-z2-9]{4}-){3}[a-z2-9]{4})"', body)
    assert (opened.status_code, opened["Cache-Control"]) == (200, "no-store")
    assert found is not None
    assert (child.upline_id, child.state) == (shop.site.id, SiteState.OPEN)
    forget_hosts()
    visitor = Client(HTTP_HOST="he.main.localhost")
    assert "测试点卡" in visitor.get("/").content.decode()
    signed = visitor.post("/console/sign-in/", {"login": "xiaohe", "password": found[1]})
    assert signed.status_code in (302, 303)
    assert visitor.get("/console/he/goods/").status_code == 200
    assert visitor.get("/console/site-a/").status_code in (403, 404)
    assert "小禾点卡" in text_of(desk.get("children/"))


def test_what_a_child_brings_is_a_figure_of_its_uplines_day(
    below: Shop, desk: Desk, desk_of: DeskOf, site_a: Site
) -> None:
    finance = desk_of(make_operator(site_a, login="fin", name="Fin", role=Role.FINANCE), site_a)

    def tile(of: Desk) -> str:
        forget_figures()
        page = of.get("").content.decode()
        return page.partition('data-figure="children_amount"')[2].partition("</div>")[0]

    before = tile(desk)
    order(below, customer=make_buyers(below.site, 1, amount=130_000)[0], by_wallet=True)

    assert (before, "¥0.99" in tile(desk), "¥0.99" in tile(finance)) == ("", True, True)
    assert "/console/site-a/children/" in tile(desk)
    assert "/console/site-a/children/" not in tile(finance)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"slug": "site-a"}, 409),
        ({"slug": "大写"}, 400),
        ({"name": ""}, 400),
        ({"owner_login": "lin"}, 409),
    ],
)
def test_what_cannot_be_opened_is_said_and_nothing_typed_is_lost(
    shop: Shop, desk: Desk, changes: dict[str, object], status: int
) -> None:
    allow_children(1)

    refused = desk.post("children/new/", **opening(**changes))

    assert refused.status_code == status
    assert "小禾" in refused.content.decode()
    assert not Site.objects.filter(upline=shop.site).exists()


def test_no_more_are_opened_than_the_plan_allows(shop: Shop, desk: Desk) -> None:
    allow_children(1)
    make_child(shop.site)

    refused = desk.post("children/new/", **opening())

    assert refused.status_code == 409
    assert "下级站点已达上限（1 个）" in text_of(refused)
    assert "开下级站点" not in text_of(desk.get("children/"))


def test_the_entry_stands_where_there_may_be_children(
    shop: Shop, desk: Desk, desk_of: DeskOf, below: Shop
) -> None:
    kid = desk_of(make_operator(below.site, login="kid", name="Kid"), below.site)

    assert "下级站点" in text_of(desk.get())
    assert "下级站点" not in text_of(kid.get())
    assert desk.get("children/").status_code == 200


@pytest.mark.parametrize("role", [Role.MANAGER, Role.FINANCE, Role.SERVICE, Role.VIEWER])
def test_only_the_owner_opens_and_prices_children(
    below: Shop, site_a: Site, desk_of: DeskOf, role: Role
) -> None:
    desk = desk_of(make_operator(site_a, login="anran", name="安然", role=role), site_a)

    for path in ("children/", "children/new/", "children/terms/", f"children/{below.site.id}/"):
        assert desk.get(path).status_code == 403


def test_another_sub_site_reaches_no_child(
    below: Shop, site_b: Site, wei: Staff, desk_of: DeskOf
) -> None:
    desk, kid = desk_of(wei, site_b), below.site.id

    assert desk.get(f"children/{kid}/").status_code == 404
    for path in ("halt", "resume", "usual"):
        assert desk.post(f"children/{kid}/{path}/", reason="x").status_code == 404
    assert desk.post(f"children/{kid}/", markup_bps="90", minimum_amount="0").status_code == 404
    preview = desk.client.post(
        desk.url(f"children/terms/preview/?child={kid}"), {"markup_bps": "1", "minimum_amount": "0"}
    )
    assert "没有这个站点" in text_of(preview)
    assert get_site_view(kid).child_markup_bps == 1000


def test_terms_move_the_childs_prices_and_show_the_way(below: Shop, desk: Desk) -> None:
    kid = below.site.id
    shown = text_of(desk.get(f"children/{kid}/"))
    assert all(each in shown for each in (WHOLESALE, ASKED, PRICE))
    assert COST not in shown

    preview = desk.client.post(
        desk.url(f"children/terms/preview/?child={kid}"),
        {"markup_bps": "50", "minimum_amount": "0"},
    )
    assert "14.85" in text_of(preview)
    assert desk.post(f"children/{kid}/", markup_bps="50", minimum_amount="0").status_code == 303
    assert get_site_view(kid).child_markup_bps == 5000
    assert desk.post(f"children/{kid}/usual/").status_code == 303
    assert get_site_view(kid).child_markup_bps == 0
    assert desk.post("children/terms/", markup_bps="3", minimum_amount="0.05").status_code == 303
    view = get_site_view(kid)
    assert (view.child_markup_bps, view.child_minimum_amount) == (300, 500)
    bad = desk.post("children/terms/", markup_bps="1001", minimum_amount="-1")
    assert bad.status_code == 400
    assert "1001" in bad.content.decode()


def test_an_upline_sees_sums_and_no_buyer(below: Shop, desk: Desk) -> None:
    (mei,) = make_buyers(below.site, 1, amount=130_000)
    placed = order(below, customer=mei, by_wallet=True)

    for path in ("children/", f"children/{below.site.id}/"):
        shown = text_of(desk.get(path))
        assert PRICE in shown
        assert "0.99" in shown
        assert placed.order_no not in shown
    assert placed.order_no not in text_of(desk.get("orders/"))
    assert desk.get(f"orders/{placed.order_no}/").status_code == 404
    assert desk.get(f"customers/{mei.id}/").status_code == 404


def test_both_legs_of_a_childs_sale_name_it_on_the_uplines_statement(
    below: Shop, desk: Desk
) -> None:
    (mei,) = make_buyers(below.site, 1, amount=130_000)
    placed = order(below, customer=mei, by_wallet=True)
    upline_id = Site.objects.get(id=below.site.id).upline_id

    shown = desk.get(f"ledger/accounts/50/{upline_id}/").content.decode()

    assert "转付主站货款" in shown
    assert shown.count(placed.order_no) == 2
    assert shown.count(f"/children/{below.site.id}/") == 2
    assert f"/orders/{placed.order_no}/" not in shown

    with platform_scope("the main site moves the child away"):
        plan_id = Site.objects.get(id=upline_id).plan_id
        move_child(site_id=below.site.id, upline_id=None, plan_id=plan_id, actor=SYSTEM)

    after = desk.get(f"ledger/accounts/50/{upline_id}/").content.decode()
    assert after.count(placed.order_no) == 2  # what was sold stays named; the page is not his now
    assert f"/children/{below.site.id}/" not in after


def test_a_child_sees_what_it_pays_and_nothing_above(below: Shop, desk_of: DeskOf) -> None:
    (mei,) = make_buyers(below.site, 1, amount=130_000)
    placed = order(below, customer=mei, by_wallet=True)
    desk = desk_of(make_operator(below.site, login="kid", name="Kid"), below.site)
    product = below.variant.product_id

    pages = {
        path: text_of(desk.get(path))
        for path in (
            "",
            "goods/",
            f"goods/{product}/",
            f"orders/{placed.order_no}/",
            "prices/",
            f"prices/rule/?product={product}",
            "ledger/",
            "ledger/accounts/",
            f"ledger/accounts/30/{below.site.id}/",
            f"ledger/accounts/50/{below.site.id}/",
            "settlement/",
        )
    }

    for path, text in pages.items():
        for secret in (COST, WHOLESALE, "0.99"):
            assert secret not in text, (path, secret)
    assert ASKED in pages[f"goods/{product}/"]
    assert ASKED in pages[f"orders/{placed.order_no}/"]
    assert "上级供货价" in pages[f"goods/{product}/"]


def test_a_paused_child_shows_why_and_comes_back(below: Shop, desk: Desk) -> None:
    kid = below.site.id
    visitor = Client(HTTP_HOST="child.localhost")
    assert desk.post(f"children/{kid}/halt/", reason="").status_code == 400
    assert desk.post(f"children/{kid}/halt/", reason="盘点一天").status_code == 303
    shut = visitor.get("/")
    assert shut.status_code == 403
    assert "盘点一天" in shut.content.decode()
    assert desk.post(f"children/{kid}/resume/").status_code == 303
    assert visitor.get("/").status_code == 200


def test_a_child_that_is_closing_is_paused_and_let_go_again(below: Shop, desk: Desk) -> None:
    kid = below.site.id
    with site_scope(kid):
        begin_closing(reason="不做了", is_by_platform=False, actor=STAFF)
    assert "它正在关店" in text_of(desk.get(f"children/{kid}/"))

    assert desk.post(f"children/{kid}/halt/", reason="欠款").status_code == 303

    page = text_of(desk.get(f"children/{kid}/"))
    assert all(words in page for words in ("关店中", "由您暂停", "取消暂停"))
    assert "只有主站能恢复" not in page
    assert desk.post(f"children/{kid}/halt/", reason="再").status_code == 409
    assert desk.post(f"children/{kid}/resume/").status_code == 303
    assert desk.post(f"children/{kid}/resume/").status_code == 409
    with site_scope(kid):
        give_up_closing(actor=STAFF)
    assert Client(HTTP_HOST="child.localhost").get("/").status_code == 200


@pytest.mark.parametrize(("most", "is_led"), [(0, True), (1, True), (5, False)])
def test_where_the_plan_has_no_room_the_page_leads_to_the_plans(
    below: Shop, desk: Desk, most: int, *, is_led: bool
) -> None:
    allow_children(most)
    plan = f'<p><a href="{reverse("console:my_plan", args=["site-a"])}">'

    for path in ("children/", "children/new/", "children/invitations/"):
        assert (plan in desk.get(path).content.decode()) == is_led, path


def test_a_suspended_upline_closes_the_childs_shop(
    below: Shop, site_a: Site, main_site: Site, ada: Staff, client_for: Callable[..., Client]
) -> None:
    client, visitor = client_for(main_site, ada), Client(HTTP_HOST="child.localhost")
    form = {"action": "suspend", "reason": "年审"}
    assert client.post(address(main_site, "set_state", site_a.id), form).status_code == 303

    shut = visitor.get("/")
    assert shut.status_code == 403
    assert "上级站点暂停营业" in shut.content.decode()
    assert "年审" not in shut.content.decode()  # why is between the upline and the main site
    client.post(address(main_site, "set_state", site_a.id), {"action": "reopen"})
    assert visitor.get("/").status_code == 200


def test_the_main_site_sees_the_tree_and_moves_children(
    below: Shop, site_b: Site, main_site: Site, ada: Staff, client_for: Callable[..., Client]
) -> None:
    client, kid = client_for(main_site, ada), below.site
    listed = text_of(client.get(address(main_site, "sites")))
    assert listed.index("site-b") < listed.index("site-a") < listed.index("child-a")
    client.post(address(main_site, "allow_children"), {"action": "allow"})
    Plan.objects.update(child_sites_most=1)
    move = address(main_site, "set_upline", kid.id)
    assert client.post(move, {"upline": site_b.slug, "plan_id": kid.plan_id}).status_code == 303
    assert Site.objects.get(id=kid.id).upline_id == site_b.id
    for name in ("b.localhost", "http://B.localhost:8000/", str(site_b.id)):
        assert client.post(move, {"upline": name, "plan_id": kid.plan_id}).status_code == 303
        assert Site.objects.get(id=kid.id).upline_id == site_b.id
    assert client.post(move, {"upline": "", "plan_id": kid.plan_id}).status_code == 303
    assert Site.objects.get(id=kid.id).upline_id is None
    assert client.post(move, {"upline": "nobody", "plan_id": kid.plan_id}).status_code == 400
    assert client.get(address(main_site, "site", kid.id)).status_code == 200
    client.post(address(main_site, "allow_children"), {"action": "forbid"})
    refused = client.post(move, {"upline": site_b.slug, "plan_id": kid.plan_id})
    assert refused.status_code == 409


def test_who_runs_the_platform_reads_the_whole_chain(
    below: Shop, main_site: Site, ada: Staff, desk_of: DeskOf
) -> None:
    product = below.variant.product_id

    shown = text_of(desk_of(ada, below.site, host=main_site).get(f"goods/{product}/"))

    for step in (COST, "批发价在成本上加 10%", "上级站点在其供货价上加 10%", PRICE):
        assert step in shown


def test_a_link_is_shown_once_listed_and_withdrawn(shop: Shop, desk: Desk) -> None:
    allow_children(2)

    made = desk.post("children/invitations/", note="小禾", days="3")

    body = made.content.decode()
    assert (made.status_code, made["Cache-Control"]) == (200, "no-store")
    found = re.search(r"/open/invited/([^/\"]+)/", body)
    assert found is not None
    listed = desk.get("children/invitations/").content.decode()
    assert "小禾" in listed
    assert "等对方开店" in listed
    assert found[1] not in listed
    pulled = re.search(r"children/invitations/(\d+)/withdraw/", listed)
    assert pulled is not None
    assert desk.post(f"children/invitations/{pulled[1]}/withdraw/").status_code == 303
    assert "小禾" not in text_of(desk.get("children/invitations/"))
    main = Client(HTTP_HOST="main.localhost")
    assert main.get(f"/open/invited/{found[1]}/").status_code == 404
    assert desk.post(f"children/invitations/{pulled[1]}/withdraw/").status_code == 404


def test_links_beyond_the_plan_are_refused_with_what_was_typed(shop: Shop, desk: Desk) -> None:
    allow_children(1)
    desk.post("children/invitations/", note="一", days="3")

    refused = desk.post("children/invitations/", note="第二个人", days="3")

    assert refused.status_code == 409
    assert "第二个人" in refused.content.decode()
