"""An order's page: the goods for whoever holds the link or owns it, and for nobody else."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.core.audit import SYSTEM
from kameng.orders.models import Order, RefundTo, UsedMark
from kameng.orders.services.delivering import deliver_by_hand
from kameng.orders.services.refunding import RefundWish, refund_order
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import factories
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]


@pytest.fixture
def owner(site_a: Site, mei: Buyer, client_for: ClientFor) -> Client:
    """Mei's browser, with 100 yuan in her wallet."""
    factories.fund_wallet(mei.customer, 1_000_000)
    return client_for(site_a, mei)


@pytest.fixture
def order_url(owner: Client, cards: Goods) -> str:
    """The link to two delivered keys."""
    return str(owner.post("/checkout/", cards.order(quantity="2", shown_total="20.00"))["Location"])


def the_order(site: Site) -> Order:
    with site_scope(site.id):
        return Order.objects.get()


def test_the_link_opens_the_goods_in_any_browser(
    site_a: Site, order_url: str, client_for: ClientFor
) -> None:
    page = client_for(site_a).get(order_url)

    text = page.content.decode()
    assert page.status_code == 200
    for part in ("NO0000", "SECRET0000", "NO0001", "SECRET0001", "2 张卡密", "打开兑换中心"):
        assert part in text
    assert page["Cache-Control"] == "no-store"
    assert page["X-Robots-Tag"] == "noindex"


def test_the_first_look_is_the_hand_over(site_a: Site, owner: Client, order_url: str) -> None:
    before = the_order(site_a).revealed_at

    owner.get(order_url)
    first = the_order(site_a).revealed_at
    owner.get(order_url)

    assert before is None
    assert first is not None
    assert the_order(site_a).revealed_at == first


@pytest.mark.parametrize("token", ["", "x", "A" * 32, "0", "*", "é", "\u3000", "a" * 5000])
def test_a_wrong_token_is_the_same_as_an_unknown_order(
    token: str, site_a: Site, order_url: str, client_for: ClientFor
) -> None:
    guest = client_for(site_a)
    path = order_url.partition("?")[0]

    for leaf in ("", "keys.txt"):
        wrong = guest.get(f"{path}{leaf}", {"t": token})
        unknown = guest.get(f"/o/261122000000000000/{leaf}", {"t": token})
        assert wrong.status_code == unknown.status_code == 404
        assert "链接无效或订单不存在" in wrong.content.decode()
        assert len(wrong.content) == len(unknown.content)
    assert the_order(site_a).revealed_at is None


def test_another_customer_and_another_site_see_nothing(
    site_a: Site, site_b: Site, order_url: str, client_for: ClientFor
) -> None:
    stranger = Buyer(
        customer=factories.make_customer(site_a, login="eve@example.com"), login="eve@example.com"
    )
    path = order_url.partition("?")[0]

    assert client_for(site_a, stranger).get(path).status_code == 404
    assert client_for(site_b).get(order_url).status_code == 404
    assert client_for(site_b).get(order_url.replace("/o/", "/pay/")).status_code == 404


def test_the_owner_needs_no_token(owner: Client, order_url: str) -> None:
    page = owner.get(order_url.partition("?")[0])

    assert page.status_code == 200
    assert "NO0000" in page.content.decode()


def test_the_goods_as_a_text_file(owner: Client, site_a: Site, order_url: str) -> None:
    path, _, query = order_url.partition("?")

    answer = owner.get(f"{path}keys.txt?{query}")

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert f'filename="{the_order(site_a).order_no}.txt"' in answer["Content-Disposition"]
    lines = answer.content.decode().split("\r\n")
    assert "NO0000----SECRET0000" in lines
    assert "NO0001----SECRET0001" in lines


def test_a_key_can_be_marked_as_used_and_back(owner: Client, site_a: Site, order_url: str) -> None:
    path, _, token = order_url.partition("?t=")
    owner.get(order_url)
    with site_scope(site_a.id):
        from kameng.inventory.claims import open_keys

        key_id = open_keys(Order.objects.get().id)[0].key_id
    form = {"t": token, "key": str(key_id), "used": "1"}

    assert owner.post(f"{path}used/", form).status_code == 303
    assert owner.post(f"{path}used/", form).status_code == 303
    assert owner.get(order_url).content.decode().count("is-used") == 1
    assert owner.post(f"{path}used/", {**form, "used": "0"}).status_code == 303
    assert "is-used" not in owner.get(order_url).content.decode()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"key": "1"}, 400),
        ({"key": "999999999", "used": "1"}, 409),
        ({"key": "x", "used": "1"}, 400),
        ({"key": "-1", "used": "1"}, 400),
        ({"used": "1"}, 400),
        ({"key": "1", "used": "2"}, 400),
        ({"key": "9" * 50, "used": "1"}, 400),
    ],
)
def test_odd_marks_are_refused(
    form: dict[str, str], status: int, owner: Client, site_a: Site, order_url: str
) -> None:
    path, _, token = order_url.partition("?t=")

    assert owner.post(f"{path}used/", {**form, "t": token}).status_code == status
    with site_scope(site_a.id):
        assert not UsedMark.objects.exists()


def test_manual_goods_show_progress_and_then_what_was_delivered(
    owner: Client, site_a: Site, service: Goods
) -> None:
    wish = service.order(field_account="13800138000", field_region="联通")
    url = owner.post("/checkout/", wish)["Location"]

    waiting = owner.get(url).content.decode()
    with site_scope(site_a.id):
        deliver_by_hand(order_id=Order.objects.get().id, content="充值成功 流水号 88", actor=SYSTEM)
    delivered = owner.get(url).content.decode()

    assert "付款成功，正在处理" in waiting
    assert "data-poll-url" in waiting
    assert "13800138000" in waiting
    assert "充值成功 流水号 88" in delivered
    assert "data-poll-url" not in delivered


def test_a_refund_is_told(owner: Client, site_a: Site, order_url: str) -> None:
    with site_scope(site_a.id):
        refund_order(
            order_id=Order.objects.get().id,
            wish=RefundWish(
                amount=100_000,
                refund_to=RefundTo.WALLET,
                reason="一张用不了",
                idempotency_key="refund-1",
            ),
            actor=SYSTEM,
        )

    text = owner.get(order_url).content.decode()

    assert "退款 ¥10.00" in text
    assert "已退到余额" in text


def test_an_unpaid_order_leads_to_the_pay_page(
    site_a: Site, cards: Goods, gateway: object, client_for: ClientFor
) -> None:
    guest = client_for(site_a)
    pay_url = guest.post("/checkout/", cards.order(pay=str(gateway.id)))["Location"]  # type: ignore[attr-defined]

    answer = guest.get(pay_url.replace("/pay/", "/o/"))

    assert answer.status_code == 303
    assert answer["Location"] == pay_url


def test_content_of_a_key_is_escaped(owner: Client, main_site: Site) -> None:
    product = factories.make_product(main_site, title="怪卡")
    variant = factories.make_variant(product)
    factories.make_card_keys(variant, ['<img src=x onerror=alert(1)>----"><script>1</script>'])
    goods = Goods(product=product, variant=variant)

    text = owner.get(owner.post("/checkout/", goods.order())["Location"]).content.decode()

    assert "<img src=x" not in text
    assert "<script>1" not in text
