"""Payments at the back office: lists, proofs, decisions about wrong amounts, refused calls."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.accounts.models import Approval, ApprovalState, Role
from kameng.core import clock
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.orders.models import OrderState
from kameng.payments.models import GatewayRefund, Payment, PaymentState, Proof, RefundState
from kameng.payments.providers.port import Confirmation, PaidStatus, ProviderUncertain
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, fresh, notify, order, payment_of
from tests.console.conftest import Desk
from tests.console.pages import time_line_of, time_line_text
from tests.people import Buyer, Staff, make_operator

YUAN = 10_000


def text_of(response: Any) -> str:
    return str(response.content.decode())


class Gateway:
    """A gateway that answers every question in one way."""

    supports_refund = True
    supports_partial_refund = True

    def __init__(self, status: PaidStatus | None) -> None:
        self.status = status

    def query(self, config: object, payment_no: str) -> Confirmation:
        if self.status is None:
            raise ProviderUncertain("timeout")
        return Confirmation(
            payment_no=payment_no,
            external_no="EXT-ASKED",
            amount=10 * YUAN,
            status=self.status,
            paid_at=None,
            payer="",
            raw_digest="00" * 32,
        )


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[PaidStatus | None], None]:
    """Let the gateway answer questions so."""

    def set_answer(status: PaidStatus | None) -> None:
        monkeypatch.setattr(
            "kameng.payments.services.confirming.provider_of", lambda _gateway: Gateway(status)
        )

    return set_answer


@pytest.fixture
def short(shop: Shop) -> Payment:
    """A payment of which only half arrived."""
    placed = order(shop)
    notify(shop, payment_of(shop, placed), amount=5 * YUAN)
    payment = payment_of(shop, placed)
    assert payment.state == PaymentState.MISMATCHED
    return payment


def test_list_is_that_of_the_site_alone(
    desk: Desk, shop: Shop, desk_of: Callable[..., Desk], wei: Staff, site_b: Site
) -> None:
    payment = payment_of(shop, order(shop))
    other = desk_of(wei, site_b)

    assert payment.payment_no in text_of(desk.get("payments/"))
    assert payment.payment_no in text_of(desk.get("payments/", q=payment.payment_no))
    assert payment.payment_no not in text_of(desk.get("payments/", view="confirmed"))
    assert payment.payment_no not in text_of(other.get("payments/"))
    assert other.get(f"payments/{payment.payment_no}/").status_code == 404
    for act in ("query", "return"):
        response = other.post(f"payments/{payment.payment_no}/{act}/", way="source", reason="x")
        assert response.status_code == 404


def test_detail_says_why_a_payment_counts(desk: Desk, shop: Shop) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed), external_no="EXT-8841")

    page = text_of(desk.get(f"payments/{payment_of(shop, placed).payment_no}/"))

    assert "EXT-8841" in page
    assert "通道通知，签名正确" in page
    assert f"/orders/{placed.order_no}/" in page


@pytest.mark.parametrize(
    ("status", "said", "state"),
    [
        (PaidStatus.PAID, "付款已确认", OrderState.DELIVERED),
        (PaidStatus.PENDING, "还没有付款", OrderState.AWAITING_PAYMENT),
        (PaidStatus.NOT_FOUND, "没有这笔支付的记录", OrderState.AWAITING_PAYMENT),
        (PaidStatus.CLOSED, "已关闭", OrderState.AWAITING_PAYMENT),
    ],
)
def test_gateway_is_asked_and_its_answer_told(
    desk: Desk,
    shop: Shop,
    site_a: Site,
    answering: Callable[[PaidStatus | None], None],
    status: PaidStatus,
    said: str,
    state: OrderState,
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    answering(status)

    response = desk.post(f"orders/{placed.order_no}/query/", payment_id=payment.id)

    assert response.status_code == 303
    assert said in text_of(desk.get(f"orders/{placed.order_no}/"))
    assert fresh(shop, placed).state == state
    with platform_scope("a test reads the audit log"):
        queried = list_entries(site_id=site_a.id, action="payment.queried").first()
    assert queried.detail["answer"] == str(status)


def test_gateway_that_does_not_answer_changes_nothing(
    desk: Desk, shop: Shop, answering: Callable[[PaidStatus | None], None]
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    answering(None)

    by_order = desk.post(f"orders/{placed.order_no}/query/", payment_id=payment.id)
    by_payment = desk.post(f"payments/{payment.payment_no}/query/")

    for response in (by_order, by_payment):
        assert response.status_code == 424
        assert "没有响应" in text_of(response)
    assert fresh(shop, placed).state == OrderState.AWAITING_PAYMENT


def test_payment_of_another_order_is_not_asked(
    desk: Desk, shop: Shop, answering: Callable[[PaidStatus | None], None]
) -> None:
    placed, other = order(shop), order(shop)
    answering(PaidStatus.PAID)

    response = desk.post(f"orders/{placed.order_no}/query/", payment_id=payment_of(shop, other).id)

    assert response.status_code == 404
    assert fresh(shop, other).state == OrderState.AWAITING_PAYMENT


def test_wrong_amount_goes_back_once_with_a_reason(
    desk: Desk, short: Payment, site_a: Site
) -> None:
    path = f"payments/{short.payment_no}/return/"
    assert short.payment_no in text_of(desk.get("payments/"))

    faulty = [
        desk.post(path, way="source", reason=""),
        desk.post(path, reason="少付了，退回"),
        desk.post(path, way="post", reason="少付了，退回"),
    ]
    first = desk.post(path, way="source", reason="少付了，退回")
    again = [desk.post(path, way=way, reason="再退一次") for way in ("source", "hand")]

    assert [response.status_code for response in faulty] == [400, 400, 400]
    assert first.status_code == 303
    assert [response.status_code for response in again] == [409, 409]
    with site_scope(site_a.id):
        backs = list(GatewayRefund.objects.filter(payment_id=short.id).values_list("amount"))
    assert backs == [(5 * YUAN,)]
    with platform_scope("a test reads the audit log"):
        entry = list_entries(site_id=site_a.id, action="payment.mismatch_returned").get()
    assert entry.detail["reason"] == "少付了，退回"


def test_a_payment_tells_its_past_and_who_acted(desk: Desk, short: Payment, shop: Shop) -> None:
    path = f"payments/{short.payment_no}/"
    desk.post(f"{path}return/", way="source", reason="少付了，退回")
    with site_scope(shop.site.id):
        GatewayRefund.objects.update(state=RefundState.DONE, done_at=clock.now())

    page = desk.get(path)

    # One transaction holds the whole test: what the database dates has one moment.
    titles = time_line_of(page)
    assert titles[0] == "发起支付"
    assert sorted(titles[1:]) == sorted(
        ["收到的金额不符", "请支付通道退款", "退回金额不符或重复的付款", "退款完成"]
    )
    assert titles.index("收到的金额不符") < titles.index("退款完成")
    for words in ("¥5.00 · 通道通知，签名正确", "少付了，退回", "· Lin"):
        assert words in time_line_text(page), words


def test_a_time_line_tells_of_two_persons_and_of_no_other_payment(
    desk: Desk, shop: Shop, short: Payment, site_a: Site
) -> None:
    other = payment_of(shop, order(shop))
    with site_scope(site_a.id):
        Approval.objects.create(
            site_id=site_a.id,
            kind="payment.confirm",
            permission="payments.confirm",
            subject_id=short.id,
            amount=10 * YUAN,
            wish={},
            reason="后台看到了",
            state=ApprovalState.REFUSED,
            asked_by_id=1,
            asked_by="Lin",
            decided_by_id=2,
            decided_by="Bo",
            decision_note="没有依据",
            expires_at=clock.now(),
            decided_at=clock.now(),
        )

    page = desk.get(f"payments/{short.payment_no}/")

    assert time_line_of(page)[-2:] == ["提交复核", "拒绝复核"]
    for words in ("¥10.00 · 后台看到了", "· Bo", "没有依据"):
        assert words in time_line_text(page)
    assert time_line_of(desk.get(f"payments/{other.payment_no}/")) == ["发起支付"]


def test_money_given_back_outside_is_written_down(desk: Desk, short: Payment, site_a: Site) -> None:
    path = f"payments/{short.payment_no}/"
    assert "应收 ¥10" in text_of(desk.get(path))

    response = desk.post(f"{path}return/", way="hand", reason="支付宝转账退了")

    assert response.status_code == 303
    page = text_of(desk.get(path))
    assert "已记账：这笔钱线下退给了客户" in page
    assert 'id="return"' not in page
    with site_scope(site_a.id):
        assert not GatewayRefund.objects.exists()
        assert Payment.objects.get(id=short.id).refunded_amount == 5 * YUAN


def test_second_payment_of_an_order_is_told_apart_from_a_wrong_amount(
    desk: Desk, shop: Shop, site_a: Site
) -> None:
    placed = order(shop)
    first = payment_of(shop, placed)
    notify(shop, first)
    with site_scope(site_a.id):
        second = Payment.objects.create(
            site_id=site_a.id,
            payment_no="2" * 18,
            purpose=first.purpose,
            subject_id=first.subject_id,
            gateway_id=first.gateway_id,
            amount=first.amount,
            received_amount=first.amount,
            external_no="EXT-TWICE",
            state=PaymentState.MISMATCHED,
            expires_at=first.expires_at,
        )
        Proof.objects.create(
            payment=second, site_id=site_a.id, source="query", raw_digest=b"", note=first.payment_no
        )

    overview, rows = text_of(desk.get("")), text_of(desk.get("payments/"))
    page = text_of(desk.get(f"payments/{second.payment_no}/"))

    assert "1 笔重复付款" in overview
    assert f"/payments/{second.payment_no}/" in overview
    assert "重复付款，多收 ¥10" in rows
    assert "应收 ¥10" not in rows
    assert "这一单付了两次，这是多收的 ¥10" in page
    assert "请先到支付平台核对两个交易号" in page
    assert f'href="/console/site-a/payments/{first.payment_no}/"' in page


def test_payment_in_order_is_not_returned_here(desk: Desk, shop: Shop, site_a: Site) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    payment = payment_of(shop, placed)

    response = desk.post(f"payments/{payment.payment_no}/return/", way="source", reason="不行")

    assert response.status_code == 409
    with site_scope(site_a.id):
        assert not GatewayRefund.objects.exists()


def test_money_moves_by_right_only(
    desk_of: Callable[..., Desk], short: Payment, site_a: Site
) -> None:
    desk = desk_of(make_operator(site_a, login="kim", name="Kim", role=Role.SERVICE), site_a)

    response = desk.post(f"payments/{short.payment_no}/return/", way="source", reason="试试")

    assert response.status_code == 403
    with site_scope(site_a.id):
        assert not GatewayRefund.objects.exists()


def test_refused_calls_are_shown_to_the_main_site(
    desk_of: Callable[..., Desk], ada: Staff, main_site: Site, desk: Desk, shop: Shop
) -> None:
    payment = payment_of(shop, order(shop))
    fake = Payment(payment_no="1" * 18, gateway_id=payment.gateway_id, amount=YUAN)
    assert not notify(shop, fake).accepted

    page = text_of(desk_of(ada, main_site).get("payments/rejected/"))

    assert "支付单号不存在" in page
    assert "1" * 18 in page
    assert "1" * 18 not in text_of(desk.get("payments/rejected/"))


def test_ledger_shows_totals_and_the_transfers_of_each_order(
    desk: Desk, shop: Shop, mei: Buyer
) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))

    page = text_of(desk.get("ledger/"))

    for text in (placed.order_no, "订单收款", "主站货款", "分站利润", "¥9.90", "¥0.04"):
        assert text in page
    found = desk.get("ledger/", q=placed.order_no)
    assert found["Location"] == f"/console/site-a/orders/{placed.order_no}/"
    assert "没有这个号码" in text_of(desk.get("ledger/", q="123"))


def test_main_site_sees_what_lies_at_its_gateways(
    desk_of: Callable[..., Desk], ada: Staff, main_site: Site, shop: Shop
) -> None:
    notify(shop, payment_of(shop, order(shop)))

    page = text_of(desk_of(ada, main_site).get("ledger/"))

    assert "支付宝 · 通道手续费" in page
    assert "¥0.06" in page


@pytest.mark.parametrize(
    "path", ["payments/", "ledger/", "orders/refunds/", "mails/", "customers/"]
)
@pytest.mark.parametrize(
    "query", ["before=0", "before=-1", "before=99999999999999999999", "before=x"]
)
def test_odd_keys_of_pages_are_left_out(desk: Desk, path: str, query: str) -> None:
    assert desk.client.get(desk.url(path) + "?" + query).status_code == 200


def test_the_buyer_of_a_short_payment_is_asked_for_the_rest(desk: Desk, shop: Shop) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    notify(shop, payment, amount=payment.amount - 3 * YUAN)
    path = f"payments/{payment.payment_no}/"
    assert "请买家补差价" in text_of(desk.get(path))

    refused = desk.post(f"{path}rest/", hours="100", reason="少付了")
    told = desk.post(f"{path}rest/", hours="24", reason="少付了")
    again = desk.post(f"{path}rest/", hours="24", reason="少付了")

    assert refused.status_code == 400
    assert told.status_code == 303
    assert "不能请买家补差价" in text_of(again)
    page = text_of(desk.get(path))
    assert "请买家补差价 ¥3.00" in page
    assert "#ask-rest" not in page  # asked once
    assert "等买家补差价" in text_of(desk.get("payments/odd/"))
    with platform_scope("a test looks"):
        assert list_entries(site_id=shop.site.id)[0].action == "payment.rest_asked"
