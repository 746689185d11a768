"""Opening a child site by a link: fill in, and it is live; nobody pays, nobody opens two."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.accounts.models import SiteRole, User
from kameng.core.scope import platform_scope
from kameng.ledger.models import Transfer
from kameng.orders.models import Order
from kameng.orders.services.buying_plans import NewShop
from kameng.orders.services.opening_invited import InvitedShop
from kameng.risk.services import forget_windows
from kameng.storefront.views import invited
from kameng.tenancy.errors import SlugTaken
from kameng.tenancy.models import ChildInvitation, Site, SiteState
from kameng.tenancy.selectors import forget_hosts, site_scope
from kameng.tenancy.services import set_site_state
from tests.concurrency.shop import STAFF
from tests.factories import make_child, make_product, make_variant
from tests.orders.test_children import allow_children
from tests.people import Staff
from tests.plan_shop import PASSWORD
from tests.tenancy.test_child_invitations import invite

ClientFor = Callable[..., Client]


@pytest.fixture
def link(site_a: Site) -> str:
    """A link of site A, whose plan has room for two children."""
    forget_windows()
    allow_children(2)
    return f"/open/invited/{invite(site_a).token}/"


def form(**changes: str) -> dict[str, str]:
    """Return what the form of an invitation sends."""
    values = {
        "name": "小禾点卡",
        "slug": "xiaohe",
        "login": "he@example.com",
        "password": PASSWORD,
        "template": "mint",
        "agree": "1",
    }
    return values | changes


def count_children(site: Site) -> int:
    """Return how many children a site has."""
    return Site.objects.filter(upline_id=site.id).count()


def test_one_form_opens_the_child_and_leads_into_it(
    main_site: Site, site_a: Site, link: str, client_for: ClientFor
) -> None:
    make_variant(make_product(main_site, title="测试点卡"))
    newcomer = client_for(main_site)
    assert "“甲站”邀请您" in newcomer.get(link).content.decode()

    led = newcomer.post(link, form())

    assert (led.status_code, led["Location"]) == (303, link)
    child = Site.objects.get(slug="xiaohe")
    assert (child.upline_id, child.plan_id, child.expires_at) == (site_a.id, site_a.plan_id, None)
    ready = newcomer.get(link).content.decode()
    assert "“小禾点卡”开好了" in ready
    assert "xiaohe.main.localhost" in ready
    assert newcomer.get("/console/xiaohe/").status_code == 200
    assert newcomer.get("/console/site-a/").status_code in (403, 404)
    forget_hosts()
    assert "测试点卡" in Client(HTTP_HOST="xiaohe.main.localhost").get("/").content.decode()


def test_opening_by_a_link_costs_nothing_and_earns_nothing(
    main_site: Site, link: str, client_for: ClientFor
) -> None:
    client_for(main_site).post(link, form())

    with platform_scope("a test looks for money"):
        assert count_children(Site.objects.get(slug="site-a")) == 1
        assert not Order.unscoped.exists()
        assert not Transfer.unscoped.exists()


def test_the_same_form_twice_opens_one_and_shows_it(
    main_site: Site, site_a: Site, link: str, client_for: ClientFor
) -> None:
    first, again = (client_for(main_site).post(link, form()) for _ in range(2))

    assert first.status_code == 303
    assert "“小禾点卡”开好了" in again.content.decode()
    assert count_children(site_a) == 1
    other = client_for(main_site)
    assert "“小禾点卡”开好了" in other.post(link, form(slug="second")).content.decode()
    assert other.get("/console/xiaohe/").status_code == 302  # the link is no way in for others
    assert count_children(site_a) == 1


def test_pressed_twice_at_once_the_second_too_comes_to_the_shop(
    main_site: Site,
    site_a: Site,
    link: str,
    client_for: ClientFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = client_for(main_site), client_for(main_site)
    real = invited.open_invited

    def open_late(token: str, *, shop: NewShop, ip: str) -> InvitedShop:
        monkeypatch.setattr(invited, "open_invited", real)
        assert first.post(link, form()).status_code == 303
        raise SlugTaken  # what the second meets: its address, by now the first one's

    monkeypatch.setattr(invited, "open_invited", open_late)

    led = second.post(link, form())

    assert (led.status_code, led["Location"]) == (303, link)
    assert "“小禾点卡”开好了" in second.get(link).content.decode()
    assert count_children(site_a) == 1


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"slug": "site-a"}, 409, "slug-error"),
        ({"slug": "console"}, 400, "slug-error"),
        ({"slug": "pay"}, 400, "slug-error"),
        ({"name": ""}, 400, "name-error"),
        ({"login": "lin"}, 400, "login-error"),
        ({"password": "short"}, 400, "password-error"),
        ({"password": ""}, 400, "password-error"),
        ({"agree": ""}, 400, "agree-error"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_the_link_stays(
    main_site: Site,
    site_a: Site,
    link: str,
    client_for: ClientFor,
    changes: dict[str, str],
    status: int,
    words: str,
) -> None:
    newcomer = client_for(main_site)

    answer = newcomer.post(link, form(**changes))

    body = answer.content.decode()
    assert answer.status_code == status
    assert 'aria-invalid="true"' in body
    assert words in body
    assert changes.get("name", "小禾点卡") in body
    assert count_children(site_a) == 0
    assert newcomer.post(link, form()).status_code == 303


def test_a_guest_cannot_name_somebody_elses_account(
    main_site: Site, site_a: Site, link: str, client_for: ClientFor
) -> None:
    with platform_scope("a test makes a person"):
        User.objects.create(login="ming@example.com", display_name="Ming", password="x")

    for password in ("", PASSWORD):
        sent = form(login="ming@example.com", password=password)
        assert client_for(main_site).post(link, sent).status_code in (400, 409)
    assert count_children(site_a) == 0


def test_who_is_signed_in_owns_the_child_with_that_account(
    main_site: Site, link: str, client_for: ClientFor, ada: Staff
) -> None:
    client_for(main_site, ada).post(link, form(password=""))

    child = Site.objects.get(slug="xiaohe")
    with site_scope(child.id):
        assert SiteRole.objects.get(role="owner").user_id == ada.user.id


def test_a_full_plan_is_said_and_the_link_stays(
    main_site: Site, site_a: Site, link: str, client_for: ClientFor
) -> None:
    make_child(site_a)
    make_child(site_a)

    refused = client_for(main_site).post(link, form())

    assert refused.status_code == 409
    assert "小禾点卡" in refused.content.decode()
    assert count_children(site_a) == 2
    allow_children(3)
    assert client_for(main_site).post(link, form()).status_code == 303


def test_a_suspended_upline_opens_no_children(
    main_site: Site, site_a: Site, link: str, client_for: ClientFor
) -> None:
    with platform_scope("a test stops a site"):
        set_site_state(site_id=site_a.id, state=SiteState.SUSPENDED, reason="x", actor=STAFF)

    looked, sent = client_for(main_site).get(link), client_for(main_site).post(link, form())

    assert [looked.status_code, sent.status_code] == [409, 409]
    assert "现在没有营业" in looked.content.decode()  # before somebody fills the form in
    assert count_children(site_a) == 0


def test_a_link_opens_on_the_main_site_alone(
    main_site: Site, site_a: Site, link: str, client_for: ClientFor
) -> None:
    assert client_for(site_a).get(link).status_code == 404
    wrong = client_for(main_site).get("/open/invited/wrong/")
    assert wrong.status_code == 404
    assert "打不开" in wrong.content.decode()
    with site_scope(site_a.id):
        assert ChildInvitation.objects.count() == 1
