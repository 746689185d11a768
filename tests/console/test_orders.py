"""Orders at the back office: finding one, seeing it whole, and every repair with its guards."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from kameng.accounts.models import Role
from kameng.config.audit import find_breaches
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey, KeyState
from kameng.ledger.selectors import wallet_amount
from kameng.orders.models import Note, Order, OrderRefund, OrderRefundState, OrderState
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.refunding import refuse_source_refund
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, fresh, notify, order, payment_of, price_of, refund
from tests.console.conftest import Desk
from tests.factories import fund_wallet, make_card_keys, make_product, make_variant
from tests.people import Buyer, Staff, make_operator

YUAN = 10_000


@pytest.fixture
def bought(shop: Shop, mei: Buyer) -> PlacedOrder:
    """Mei has bought a key from her wallet."""
    fund_wallet(mei.customer, 100 * YUAN)
    return order(shop, customer=mei.customer, by_wallet=True)


@pytest.fixture
def paid(shop: Shop) -> PlacedOrder:
    """A guest has bought a key through the gateway."""
    placed = order(shop, contact="guest@example.com")
    assert notify(shop, payment_of(shop, placed)).accepted
    return placed


@pytest.fixture
def service(shop: Shop, main_site: Site, mei: Buyer) -> PlacedOrder:
    """Mei has bought a service, which an operator does."""
    product = make_product(main_site, title="代办服务", delivery_kind=2)
    variant = make_variant(product)
    fund_wallet(mei.customer, 100 * YUAN)
    return order(shop, customer=mei.customer, by_wallet=True, variant_id=variant.id)


def text_of(response: Any) -> str:
    return str(response.content.decode())


def actions(site: Site) -> list[str]:
    with platform_scope("a test reads the audit log"):
        return [entry.action for entry in list_entries(site_id=site.id)]


def key_of(desk: Desk, placed: PlacedOrder, form: str = "refund") -> str:
    """Return the key in a form of the page, as a browser would send it."""
    page = text_of(desk.get(f"orders/{placed.order_no}/"))
    part = page.split(f'id="do-{form}"')[1]
    found = re.search(r'name="idempotency_key" value="([^"]+)"', part)
    assert found is not None
    return found[1]


# Finding


def test_list_shows_the_orders_of_the_site_alone(
    desk: Desk, bought: PlacedOrder, desk_of: Callable[..., Desk], wei: Staff, site_b: Site
) -> None:
    assert bought.order_no in text_of(desk.get("orders/"))
    assert bought.order_no not in text_of(desk_of(wei, site_b).get("orders/"))


def test_another_sites_order_is_not_found(
    bought: PlacedOrder, desk_of: Callable[..., Desk], wei: Staff, site_b: Site
) -> None:
    other = desk_of(wei, site_b)

    assert other.get(f"orders/{bought.order_no}/").status_code == 404
    for act in ("refund", "resend", "note", "reveal", "contact", "deliver"):
        response = other.post(f"orders/{bought.order_no}/{act}/", text="x", reason="x", content="x")
        assert response.status_code in (400, 404), act


def test_every_number_leads_straight_to_its_order(
    desk: Desk, shop: Shop, paid: PlacedOrder, bought: PlacedOrder
) -> None:
    payment = payment_of(shop, paid)
    back = refund(shop, bought, key="k" * 16, to_wallet=True)
    wanted = {
        paid.order_no: paid,
        payment.payment_no: paid,
        f"EXT{payment.payment_no}": paid,
        back.refund_no: bought,
    }

    for number, placed in wanted.items():
        response = desk.get("orders/", q=number)
        assert response.status_code == 302, number
        assert response["Location"] == f"/console/site-a/orders/{placed.order_no}/"


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("guest@example.com", "paid"),
        ("mei@example.com", "bought"),
        ("Mei", "bought"),
        ("测试点卡", "both"),
        ("nobody@example.com", "none"),
        ("13800138000", "none"),
        ("没有这个", "none"),
    ],
)
def test_text_finds_by_contact_customer_and_title(
    desk: Desk, paid: PlacedOrder, bought: PlacedOrder, text: str, finds: str
) -> None:
    page = text_of(desk.get("orders/", q=text))

    assert (paid.order_no in page) == (finds in ("paid", "both"))
    assert (bought.order_no in page) == (finds in ("bought", "both"))


def test_views_and_days_narrow_the_list(desk: Desk, shop: Shop, paid: PlacedOrder) -> None:
    unpaid = order(shop)

    page = text_of(desk.get("orders/", view="unpaid"))
    assert unpaid.order_no in page
    assert paid.order_no not in page
    assert paid.order_no not in text_of(desk.get("orders/", until="2020-01-01"))
    assert paid.order_no in text_of(desk.get("orders/", **{"from": "2020-01-01"}))


@pytest.mark.parametrize(
    "query",
    [
        {"view": "nonsense"},
        {"from": "2026-99-99", "until": "yesterday"},
        {"from": "0001-01-01", "until": "9999-12-31"},
        {"before": "-1"},
        {"before": "9" * 40},
        {"customer": "１２"},
        {"product": "0"},
        {"q": "%_\\"},
        {"q": "😀"},
        {"q": "a" * 5000},
    ],
)
def test_odd_filters_are_left_out(desk: Desk, bought: PlacedOrder, query: dict[str, str]) -> None:
    assert desk.get("orders/", **query).status_code == 200


def test_pages_follow_by_key(desk: Desk, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kameng.console.views.orders.PAGE_SIZE", 2)
    placed = [order(shop) for _ in range(3)]

    first = text_of(desk.get("orders/"))
    older = re.search(r'rel="next" href="\?([^"]+)"', first)
    assert older is not None
    second = text_of(desk.client.get(desk.url("orders/") + "?" + older[1].replace("&amp;", "&")))

    assert [each.order_no in first for each in placed] == [False, True, True]
    assert [each.order_no in second for each in placed] == [True, False, False]


def test_the_oldest_may_come_first(desk: Desk, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kameng.console.views.orders.PAGE_SIZE", 2)
    placed = [order(shop) for _ in range(3)]
    turned = re.search(r'class="sort-link" href="\?([^"]+)"', text_of(desk.get("orders/")))
    assert turned is not None

    first = text_of(desk.client.get(desk.url("orders/") + "?" + turned[1].replace("&amp;", "&")))
    following = re.search(r'rel="next" href="\?([^"]+)"', first)
    assert following is not None
    second = text_of(
        desk.client.get(desk.url("orders/") + "?" + following[1].replace("&amp;", "&"))
    )

    assert first.index(placed[0].order_no) < first.index(placed[1].order_no)
    assert [each.order_no in first for each in placed] == [True, True, False]
    assert [each.order_no in second for each in placed] == [False, False, True]


# Seeing


def test_detail_hides_secrets_until_they_are_asked_for(
    desk: Desk, paid: PlacedOrder, site_a: Site
) -> None:
    with platform_scope("a test reads a key"):
        key = CardKey.unscoped.get(order_id=paid.order_id)
    secret = text_of(desk.post(f"orders/{paid.order_no}/reveal/"))

    page = text_of(desk.get(f"orders/{paid.order_no}/"))

    assert "KEY-" in secret
    assert "KEY-0" not in page
    assert "g***@example.com" in page
    assert "guest@example.com" not in page
    assert str(key.id) in page
    assert actions(site_a)[0] == "order.goods_revealed"


def test_a_look_at_secrets_is_not_kept_by_the_browser(desk: Desk, paid: PlacedOrder) -> None:
    response = desk.post(f"orders/{paid.order_no}/contact/")

    assert "guest@example.com" in text_of(response)
    assert response["Cache-Control"] == "no-store"


def test_staff_look_is_not_the_buyers_look(desk: Desk, shop: Shop, paid: PlacedOrder) -> None:
    desk.post(f"orders/{paid.order_no}/reveal/")
    desk.get(f"orders/{paid.order_no}/")

    assert fresh(shop, paid).revealed_at is None


def test_money_is_split_and_posted_in_words(desk: Desk, shop: Shop, paid: PlacedOrder) -> None:
    page = text_of(desk.get(f"orders/{paid.order_no}/"))

    # 10.00 paid, 9.90 wholesale (cost 9 + 10 %), fee 0.6 % = 0.06, margin 0.04
    for figure in ("¥10.00", "-¥9.90", "-¥0.06", "¥0.04"):
        assert figure in page
    assert "通道通知，签名正确" in page


# Repairs


def test_resend_tells_the_buyer_once_more(desk: Desk, site_a: Site, bought: PlacedOrder) -> None:
    response = desk.post(f"orders/{bought.order_no}/resend/")

    assert response.status_code == 303
    assert actions(site_a)[0] == "order.resent"


def test_swapped_key_is_void_and_the_reason_is_kept(
    desk: Desk, site_a: Site, bought: PlacedOrder
) -> None:
    with platform_scope("a test reads a key"):
        old = CardKey.unscoped.get(order_id=bought.order_id)

    path = f"orders/{bought.order_no}/replace/"
    assert desk.post(path, key_id=old.id, reason="").status_code == 400
    assert desk.post(path, key_id=old.id, reason="买家说已被使用").status_code == 303

    with platform_scope("a test reads keys"):
        held = CardKey.unscoped.filter(order_id=bought.order_id).exclude(id=old.id)
        assert held.count() == 1
        assert CardKey.unscoped.get(id=old.id).state == KeyState.FAULTY
    with site_scope(site_a.id):
        note = Note.objects.get(order_id=bought.order_id, kind="key_replaced")
    assert (note.text, note.actor_name) == ("买家说已被使用", "Lin")


def test_a_key_of_another_order_is_not_swapped(
    desk: Desk, shop: Shop, bought: PlacedOrder, paid: PlacedOrder
) -> None:
    with platform_scope("a test reads a key"):
        other = CardKey.unscoped.get(order_id=paid.order_id)

    response = desk.post(f"orders/{bought.order_no}/replace/", key_id=other.id, reason="试试")

    assert response.status_code == 409
    assert "试试" in text_of(response)
    with platform_scope("a test reads a key"):
        assert CardKey.unscoped.get(id=other.id).state == KeyState.SOLD


def test_service_is_delivered_by_hand(desk: Desk, shop: Shop, service: PlacedOrder) -> None:
    path = f"orders/{service.order_no}/deliver/"

    assert desk.post(path, content=" ").status_code == 400
    assert desk.post(path, content="已充值到 player_8841").status_code == 303

    assert fresh(shop, service).state == OrderState.DELIVERED
    page = text_of(desk.post(f"orders/{service.order_no}/reveal/"))
    assert "已充值到 player_8841" in page


def test_order_without_stock_is_delivered_when_there_is_some(
    desk: Desk, shop: Shop, bought: PlacedOrder
) -> None:
    variant = make_variant(make_product(shop.variant.site, title="没有货的卡"))
    with site_scope(shop.site.id):
        Order.objects.filter(id=bought.order_id).update(
            state=OrderState.AWAITING_DELIVERY, path=[1, 2], variant_id=variant.id
        )
    path = f"orders/{bought.order_no}/stock/"

    empty = desk.post(path)
    make_card_keys(variant, 1)
    full = desk.post(path)

    assert empty.status_code == 409
    assert "库存不足" in text_of(empty)
    assert full.status_code == 303
    assert fresh(shop, bought).state == OrderState.DELIVERED


def test_unpaid_order_is_cancelled_with_a_reason(desk: Desk, shop: Shop, site_a: Site) -> None:
    placed = order(shop)
    path = f"orders/{placed.order_no}/cancel/"

    assert desk.post(path).status_code == 400
    assert desk.post(path, reason="买家要求").status_code == 303
    again = desk.post(path, reason="再来一次")

    assert fresh(shop, placed).state == OrderState.CANCELLED
    assert again.status_code == 409
    assert "已取消" in text_of(again)


def test_note_stands_on_the_time_line(desk: Desk, bought: PlacedOrder) -> None:
    path = f"orders/{bought.order_no}/note/"

    assert desk.post(path, text="").status_code == 400
    assert desk.post(path, text="客户约好周一再试 <b>").status_code == 303
    assert "客户约好周一再试 &lt;b&gt;" in text_of(desk.get(f"orders/{bought.order_no}/"))


# Refunds


def test_part_and_rest_go_back_to_the_wallet(
    desk: Desk, shop: Shop, site_a: Site, mei: Buyer, bought: PlacedOrder
) -> None:
    price = price_of(shop)
    path = f"orders/{bought.order_no}/refund/"
    fields = {"refund_to": 1, "reason": "部分退款", "amount": "2.50"}

    part = desk.post(path, **fields, idempotency_key=key_of(desk, bought))
    key = key_of(desk, bought)
    rest = desk.post(path, refund_to=1, reason="退掉剩下的", amount="", idempotency_key=key)
    again = desk.post(path, refund_to=1, reason="退掉剩下的", amount="", idempotency_key=key)

    assert (part.status_code, rest.status_code, again.status_code) == (303, 303, 303)
    with site_scope(site_a.id):
        assert wallet_amount(mei.customer.id) == 100 * YUAN
        amounts = list(
            OrderRefund.objects.filter(order_id=bought.order_id)
            .order_by("id")
            .values_list("amount", flat=True)
        )
    assert amounts == [25_000, price - 25_000]
    assert fresh(shop, bought).state == OrderState.REFUNDED


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": ""}, "请写明原因"),
        ({"amount": "10.01"}, "最多还能退 ¥10.00"),
        ({"amount": "0"}, "应在"),
        ({"amount": "-1"}, "只填数字"),
        ({"amount": "１"}, "只填数字"),
        ({"amount": "1.005"}, "最小到分"),
        ({"amount": "9" * 30}, ""),
        ({"amount": "nan"}, "只填数字"),
        ({"refund_to": ""}, "请选择退到哪里"),
        ({"refund_to": "9"}, "请选择退到哪里"),
        ({"refund_to": "2"}, "余额支付"),
        ({"idempotency_key": ""}, "表单已过期"),
        ({"reason": "a" * 201}, ""),
        ({"reason": "坏\x01字"}, "无法显示"),
    ],
)
def test_bad_refund_is_refused_in_place_and_moves_nothing(
    desk: Desk, shop: Shop, bought: PlacedOrder, fields: dict[str, str], said: str
) -> None:
    values = {
        "amount": "1.00",
        "refund_to": "1",
        "reason": "理由写在这里",
        "idempotency_key": "k" * 24,
        **fields,
    }

    response = desk.post(f"orders/{bought.order_no}/refund/", **values)

    assert 400 <= response.status_code < 500
    page = text_of(response)
    assert said in page
    assert 'id="do-refund" aria-labelledby="do-refund-title" open data-open' in page
    if "reason" not in fields:
        assert "理由写在这里" in page
    assert fresh(shop, bought).refunded_amount == 0


def test_refund_that_the_gateway_refused_is_settled_by_a_person(
    desk: Desk, shop: Shop, site_a: Site, paid: PlacedOrder
) -> None:
    desk.post(
        f"orders/{paid.order_no}/refund/",
        refund_to=2,
        reason="退款",
        amount="",
        idempotency_key="k" * 24,
    )
    with site_scope(site_a.id):
        back = OrderRefund.objects.get(order_id=paid.order_id)
        refuse_source_refund(refund_no=back.refund_no, reason="余额不足")
    assert "支付通道拒绝" in text_of(desk.get(f"orders/{paid.order_no}/"))
    assert paid.order_no in text_of(desk.get("orders/refunds/"))
    path = f"orders/{paid.order_no}/settle/"

    unknown = desk.post(path, refund_id=back.id, way="nonsense", reason="线下转账")
    guest = desk.post(path, refund_id=back.id, way="wallet", reason="线下转账")
    hand = desk.post(path, refund_id=back.id, way="hand", reason="线下转账")

    assert (unknown.status_code, guest.status_code, hand.status_code) == (400, 400, 303)
    with site_scope(site_a.id):
        assert OrderRefund.objects.get(id=back.id).state == OrderRefundState.DONE
    assert fresh(shop, paid).state == OrderState.REFUNDED
    assert actions(site_a)[0] == "order.refund_settled"


def test_guest_is_paid_back_by_hand_where_no_gateway_can(
    desk: Desk, shop: Shop, site_a: Site, paid: PlacedOrder
) -> None:
    fields = {"refund_to": 3, "reason": "微信转账退给买家", "amount": "4.00"}
    page = text_of(desk.get(f"orders/{paid.order_no}/"))
    assert "退到余额（马上到账）" not in page  # a guest has no wallet

    response = desk.post(
        f"orders/{paid.order_no}/refund/", **fields, idempotency_key=key_of(desk, paid)
    )

    assert response.status_code == 303
    with site_scope(site_a.id):
        back = OrderRefund.objects.get(order_id=paid.order_id)
    assert (back.state, back.amount) == (OrderRefundState.DONE, 4 * YUAN)
    assert fresh(shop, paid).state == OrderState.DELIVERED
    assert list(find_breaches()) == []


def test_a_fault_in_a_form_that_is_gone_by_now_is_said_at_the_head(
    desk: Desk, shop: Shop, bought: PlacedOrder
) -> None:
    refund(shop, bought, key="k" * 16, to_wallet=True)

    fields = {"idempotency_key": "n" * 24, "refund_to": "1", "reason": ""}
    refunded = desk.post(f"orders/{bought.order_no}/refund/", **fields)
    delivered = desk.post(f"orders/{bought.order_no}/deliver/", content="")

    assert (refunded.status_code, delivered.status_code) == (400, 400)
    assert "请写明原因，它会记入审计日志。" in text_of(refunded)
    assert "请填写发给客户的内容。" in text_of(delivered)


# Rights


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.VIEWER, set()),
        (Role.SERVICE, {"resend", "note", "reveal", "contact"}),
        (Role.FINANCE, {"refund"}),
        (Role.MANAGER, {"resend", "note", "reveal", "contact", "refund"}),
    ],
)
def test_roles_do_what_their_table_says(
    desk_of: Callable[..., Desk],
    site_a: Site,
    shop: Shop,
    bought: PlacedOrder,
    role: Role,
    allowed: set[str],
) -> None:
    desk = desk_of(make_operator(site_a, login="other", name="Other", role=role), site_a)
    fields = {"text": "备注", "refund_to": "1", "reason": "退款", "amount": "1.00"}
    fields["idempotency_key"] = "k" * 24

    for act in ("resend", "note", "reveal", "contact", "refund"):
        response = desk.post(f"orders/{bought.order_no}/{act}/", **fields)
        assert (response.status_code != 403) == (act in allowed), act

    assert (fresh(shop, bought).refunded_amount > 0) == ("refund" in allowed)


def test_a_get_never_acts(desk: Desk, shop: Shop, bought: PlacedOrder) -> None:
    for act in ("resend", "refund", "cancel", "reveal", "contact", "deliver", "replace", "stock"):
        response = desk.get(f"orders/{bought.order_no}/{act}/")
        assert response.status_code == 302, act
    assert desk.get(f"orders/{bought.order_no}/nonsense/").status_code == 404
    assert fresh(shop, bought).state == OrderState.DELIVERED


# The queue


def test_next_order_is_the_one_that_waited_longest_and_nobody_has(
    desk: Desk,
    desk_of: Callable[..., Desk],
    shop: Shop,
    site_a: Site,
    mei: Buyer,
    service: PlacedOrder,
) -> None:
    with site_scope(site_a.id):
        variant_id = Order.objects.get(id=service.order_id).variant_id
    later = order(shop, customer=mei.customer, by_wallet=True, variant_id=variant_id)
    helper = desk_of(make_operator(site_a, login="kim", name="Kim", role=Role.SERVICE), site_a)
    url = "/console/site-a/orders/"

    first = desk.post("orders/queue/next/")["Location"]
    second = helper.post("orders/queue/next/")["Location"]
    mine_again = desk.post("orders/queue/next/")["Location"]
    page = text_of(desk.get("orders/queue/"))

    assert first == f"{url}{service.order_no}/"
    assert second == f"{url}{later.order_no}/"
    assert mine_again == first
    assert "Lin" in page
    assert "Kim" in page


def test_empty_queue_says_so(desk: Desk, site_a: Site) -> None:
    response = desk.post("orders/queue/next/")

    assert response["Location"] == "/console/site-a/orders/queue/"
    assert "没有等待处理的订单" in text_of(desk.get("orders/queue/"))


def test_list_of_orders_costs_a_fixed_number_of_queries(
    desk: Desk, shop: Shop, mei: Buyer, django_assert_max_num_queries: Any
) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    for _ in range(8):
        order(shop, customer=mei.customer, by_wallet=True)

    # attention ×2, what waits for a second person, counts of states ×3, the page, the customers'
    # names; once for each version of the catalogue whether the site makes goods ×2 and whether it
    # may have child sites ×4; the request's own query and the scope do not pass Django's counter
    with django_assert_max_num_queries(14):
        assert desk.get("orders/").status_code == 200
