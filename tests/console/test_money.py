"""Money that people decide about at the back office: approvals, odd payments, disputes, top-ups."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.accounts.models import Approval, ApprovalState, Customer, Role
from kameng.ledger.selectors import wallet_amount
from kameng.orders.models import OrderState
from kameng.payments.models import (
    BonusRule,
    Dispute,
    DisputeState,
    GatewayRefund,
    Payment,
    PaymentState,
    TopUpReturn,
)
from kameng.payments.providers.abilities import TransferOutcome, TransferStatus
from kameng.payments.providers.port import ProviderUncertain, RefundStatus
from kameng.payments.services import confirming, evidencing, refunding
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, fresh, make_buyers, notify, order, payment_of
from tests.console.conftest import Desk
from tests.factories import make_customer
from tests.payments.filling import YUAN, Purse, RefundDesk, ask_gateways, give, set_rules
from tests.people import Buyer, Staff, make_operator

KEY = "9d6f4c0e6b1f4d5c8a7b3e2d1c0b9a88"


def text_of(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def bo(desk_of: Callable[..., Desk], site_a: Site) -> Desk:
    """Bo does the finance of site A."""
    return desk_of(make_operator(site_a, login="bo", name="Bo", role=Role.FINANCE), site_a)


@pytest.fixture
def guest_desk(desk_of: Callable[..., Desk], site_a: Site) -> Desk:
    """Vi may only look."""
    return desk_of(make_operator(site_a, login="vi", name="Vi", role=Role.VIEWER), site_a)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> RefundDesk:
    """A gateway that gives back parts, and answers no question about payments."""
    found = RefundDesk()
    real = confirming.provider_of

    class Silent:
        def __init__(self, row: Any) -> None:
            self.row = row

        def query(self, *_asked: object) -> None:
            raise ProviderUncertain("timeout")

        def __getattr__(self, name: str) -> Any:
            return getattr(real(self.row), name)

    monkeypatch.setattr(refunding, "provider_of", lambda _gateway: found)
    monkeypatch.setattr(confirming, "provider_of", Silent)
    return found


def waiting(site: Site) -> list[Approval]:
    with site_scope(site.id):
        return list(Approval.objects.filter(state=ApprovalState.WAITING))


def test_two_persons_confirm_a_payment(
    desk: Desk, bo: Desk, guest_desk: Desk, shop: Shop, gateway: RefundDesk
) -> None:
    set_rules(shop, two_person_amount=0)
    placed = order(shop)
    payment = payment_of(shop, placed)
    url = f"payments/{payment.payment_no}/"

    assert desk.post(f"{url}vouch/", evidence=" ").status_code == 400
    assert desk.post(f"{url}vouch/", evidence="商户后台看到了").status_code == 303

    assert fresh(shop, placed).state == OrderState.AWAITING_PAYMENT
    assert "在等复核" in text_of(desk.get(url))
    (asked,) = waiting(shop.site)
    act = f"payments/approvals/{asked.id}/"
    assert "撤回" in text_of(desk.get("payments/approvals/"))
    assert desk.post(act, decision="approve").status_code == 403  # not by oneself
    assert guest_desk.post(act, decision="approve").status_code == 403  # not without the right
    page = text_of(bo.get("payments/approvals/"))
    assert page.count('<span class="count count-bad">1</span>') >= 2  # both entries of the menu
    assert "通过并执行" in page
    assert "没有回答" in page
    assert bo.post(act, decision="approve", note="").status_code == 303
    assert fresh(shop, placed).state == OrderState.DELIVERED
    assert "员工凭证据确认" in text_of(desk.get(url))
    assert bo.post(act, decision="approve", note="").status_code == 409


def test_the_menu_counts_odd_payments_and_approvals_together(
    desk: Desk, bo: Desk, guest_desk: Desk, shop: Shop, gateway: RefundDesk
) -> None:
    set_rules(shop, two_person_amount=0)
    odd, untold = order(shop), order(shop)
    notify(shop, payment_of(shop, odd), amount=5 * YUAN)
    desk.post(f"payments/{payment_of(shop, untold).payment_no}/vouch/", evidence="后台看到了")

    page = text_of(bo.get("payments/"))
    elsewhere = text_of(bo.get("customers/"))

    assert page.count('<span class="count count-bad">2</span>') >= 1  # the menu entry
    assert page.count('<span class="count count-bad">1</span>') >= 2  # each of the two pages
    assert '<span class="count count-bad">2</span>' in elsewhere


def test_a_wish_is_refused_or_withdrawn(desk: Desk, bo: Desk, shop: Shop, mei: Buyer) -> None:
    set_rules(shop, two_person_amount=10 * YUAN)
    form = {"way": "up", "amount": "20", "reason": "补偿"}
    url = f"customers/{mei.customer.id}/adjust/"

    assert desk.post(url, **form, idempotency_key=KEY).status_code == 303
    bo.post(f"payments/approvals/{waiting(shop.site)[0].id}/", decision="refuse", note="没有依据")
    assert "没有依据" in text_of(desk.get("payments/approvals/"))
    desk.post(url, **form, idempotency_key=KEY[::-1])
    desk.post(f"payments/approvals/{waiting(shop.site)[0].id}/", decision="withdraw")
    assert waiting(shop.site) == []
    with site_scope(shop.site.id):
        assert wallet_amount(mei.customer.id) == 0


def test_another_site_decides_nothing(
    desk: Desk, shop: Shop, desk_of: Callable[..., Desk], wei: Staff, site_b: Site, mei: Buyer
) -> None:
    set_rules(shop, two_person_amount=0)
    desk.post(
        f"customers/{mei.customer.id}/adjust/",
        way="up",
        amount="20",
        reason="补偿",
        idempotency_key=KEY,
    )
    other = desk_of(wei, site_b)
    act = f"payments/approvals/{waiting(shop.site)[0].id}/"
    assert other.post(act, decision="approve").status_code == 404


@pytest.fixture
def odd(shop: Shop, gateway: RefundDesk) -> Callable[[int], Payment]:
    """Pay a new order so much more or less than it costs."""
    (customer,) = make_buyers(shop.site, 1, amount=0)

    def make(difference: int) -> Payment:
        payment = payment_of(shop, order(shop, customer=customer))
        notify(shop, payment, amount=payment.amount + difference)
        with site_scope(shop.site.id):
            payment.refresh_from_db()
        return payment

    return make


def test_the_queue_names_each_case_and_its_difference(
    desk: Desk, odd: Callable[[int], Payment]
) -> None:
    over, short = odd(3 * YUAN), odd(-2 * YUAN)
    page = text_of(desk.get("payments/odd/"))

    for word in (over.payment_no, short.payment_no, "多付", "少付", "+¥3.00", "-¥2.00"):
        assert word.replace("-", "-") in page.replace("−", "-"), word


@pytest.mark.parametrize(("difference", "word"), [(3 * YUAN, "wallet"), (-2 * YUAN, "")])
def test_an_odd_payment_is_taken_once(
    desk: Desk,
    guest_desk: Desk,
    shop: Shop,
    odd: Callable[[int], Payment],
    difference: int,
    word: str,
) -> None:
    payment = odd(difference)
    url = f"payments/{payment.payment_no}/accept/"
    assert guest_desk.post(url, way=word, reason="x").status_code == 403
    assert desk.post(url, way=word, reason="").status_code == 400
    assert "accept" in text_of(desk.get(f"payments/{payment.payment_no}/"))

    assert desk.post(url, way=word, reason="客户同意").status_code == 303

    with site_scope(shop.site.id):
        payment.refresh_from_db()
    assert payment.state == PaymentState.CONFIRMED
    assert desk.post(url, way=word, reason="再来一次").status_code == 409
    assert payment.payment_no not in text_of(desk.get("payments/odd/"))


def test_a_dispute_is_filed_answered_and_lost(
    desk: Desk, guest_desk: Desk, shop: Shop, gateway: RefundDesk
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    notify(shop, payment)
    form = {
        "payment_no": payment.payment_no,
        "dispute_no": "2026112700001",
        "amount": "5",
        "held_amount": "5",
        "answer_by": "2026-11-28",
        "reason": "没收到",
    }
    assert payment.payment_no in text_of(
        desk.get("payments/disputes/new/", payment=payment.payment_no)
    )
    assert guest_desk.post("payments/disputes/new/", **form).status_code == 403
    assert desk.post("payments/disputes/new/", **{**form, "amount": "x"}).status_code == 400
    assert desk.post("payments/disputes/new/", **{**form, "payment_no": "1"}).status_code == 404
    assert desk.post("payments/disputes/new/", **form).status_code == 303
    assert desk.post("payments/disputes/new/", **form).status_code == 409
    with site_scope(shop.site.id):
        found = Dispute.objects.get()
    url = f"payments/disputes/{found.id}/"
    assert "没收到" in text_of(desk.get("payments/disputes/"))
    for page in (f"payments/{payment.payment_no}/", f"orders/{placed.order_no}/"):
        shown = text_of(desk.get(page))
        assert "2026112700001" in shown, page
        assert "结束之前不能退款" in shown, page
    assert desk.post(f"{url}answer/", evidence="已发货").status_code == 303
    assert "已发货" in text_of(desk.get(url))
    assert desk.post(f"{url}end/", verdict="maybe", reason="x").status_code == 400
    assert desk.post(f"{url}end/", verdict="lost", reason="平台判赔").status_code == 303
    assert desk.post(f"{url}end/", verdict="won", reason="x").status_code == 409
    with site_scope(shop.site.id):
        found.refresh_from_db()
    assert (found.state, found.lost_amount) == (DisputeState.LOST, 5 * YUAN)


def test_evidence_is_downloaded_or_handed_in(
    desk: Desk,
    guest_desk: Desk,
    shop: Shop,
    gateway: RefundDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = payment_of(shop, order(shop))
    notify(shop, payment)
    form = {"payment_no": payment.payment_no, "dispute_no": "du_1", "amount": "5", "reason": "x"}
    desk.post("payments/disputes/new/", **form)
    with site_scope(shop.site.id):
        found = Dispute.objects.get()
    url = f"payments/disputes/{found.id}/"
    assert "下载证据包" in text_of(desk.get(url))
    file = desk.get(f"{url}package/")
    assert file["Content-Type"] == "application/pdf"
    assert file.content.startswith(b"%PDF-")
    assert guest_desk.get(f"{url}package/").status_code == 403
    assert desk.post(f"{url}submit/").status_code == 400  # written down by hand

    class Bank:
        supports_refund = True

        def submit_evidence(self, _config: object, _request: object) -> TransferOutcome:
            return TransferOutcome(status=TransferStatus.DONE, external_no="file_1")

    monkeypatch.setattr(evidencing, "provider_of", lambda _gateway: Bank())
    with site_scope(shop.site.id):
        Dispute.objects.update(source="callback")
    assert desk.post(f"{url}submit/").status_code == 400  # no answer was written yet
    desk.post(f"{url}answer/", evidence="已发货")
    assert "提交的是上面保存的答复" in text_of(desk.get(url))

    assert desk.post(f"{url}submit/").status_code == 303
    assert "正在提交" in text_of(desk.get(url))
    evidencing.send_due_evidence()

    shown = text_of(desk.get(url))
    assert "已提交" in shown
    assert "提交的是上面保存的答复" not in shown
    assert guest_desk.post(f"{url}submit/").status_code == 403


def test_the_overview_names_what_waits(desk: Desk, shop: Shop, gateway: RefundDesk) -> None:
    payment = payment_of(shop, order(shop))
    notify(shop, payment)
    values = {"payment_no": payment.payment_no, "amount": "5", "reason": "没收到"}
    desk.post("payments/disputes/new/", **values, dispute_no="1", answer_by="2026-11-01")
    desk.post("payments/disputes/new/", **values, dispute_no="2")
    set_rules(shop, two_person_amount=0)
    desk.post(f"payments/{payment_of(shop, order(shop)).payment_no}/vouch/", evidence="看到了")
    page = text_of(desk.get(""))

    for word in ("1 条争议快到期", "1 条争议处理中", "1 条操作待复核"):
        assert word in page, word


@pytest.fixture
def purse(shop: Shop, mei: Buyer, gateway: RefundDesk) -> Purse:
    """Mei's wallet."""
    return Purse(shop=shop, customer=mei.customer)


def test_staff_return_a_top_up_and_settle_what_is_refused(
    desk: Desk, guest_desk: Desk, purse: Purse, gateway: RefundDesk
) -> None:
    give(purse.shop, min_amount=YUAN, bonus_amount=5 * YUAN)
    top_up = purse.fill(50 * YUAN)
    url = f"payments/top-ups/{top_up.top_up_no}/"
    assert "¥50.00" in text_of(desk.get("payments/top-ups/"))
    form = {"amount": "", "reason": "客户要求", "idempotency_key": KEY}
    assert guest_desk.post(f"{url}return/", **form).status_code == 403
    assert desk.post(f"{url}return/", **{**form, "amount": "51"}).status_code == 400
    assert desk.post(f"{url}return/", **form).status_code == 303
    assert purse.held == 0

    gateway.status = RefundStatus.REFUSED
    ask_gateways(purse.shop)
    assert "通道拒绝" in text_of(desk.get(url))
    assert "被通道拒绝" in text_of(desk.get("payments/top-ups/"))
    with site_scope(purse.shop.site.id):
        returned = TopUpReturn.objects.get()
    assert desk.post(f"{url}return/{returned.id}/", way="x", reason="y").status_code == 400
    assert (
        desk.post(f"{url}return/{returned.id}/", way="wallet", reason="先放回").status_code == 303
    )
    assert purse.held == 55 * YUAN


def test_refunds_through_gateways_are_listed_and_hurried(
    desk: Desk, guest_desk: Desk, purse: Purse, gateway: RefundDesk
) -> None:
    top_up = purse.fill(50 * YUAN)
    desk.post(
        f"payments/top-ups/{top_up.top_up_no}/return/",
        amount="",
        reason="客户要求",
        idempotency_key=KEY,
    )
    gateway.status, gateway.reason = RefundStatus.UNKNOWN, "timeout"
    ask_gateways(purse.shop)
    with site_scope(purse.shop.site.id):
        refund = GatewayRefund.objects.get()
    page = text_of(desk.get("payments/refunds/", view="waiting"))
    assert refund.refund_no in page
    assert "支付平台没有及时回应" in page
    assert refund.refund_no not in text_of(desk.get("payments/refunds/", view="done"))
    assert guest_desk.post(f"payments/refunds/{refund.id}/").status_code == 403
    assert desk.post(f"payments/refunds/{refund.id}/").status_code == 303
    with site_scope(purse.shop.site.id):
        later = GatewayRefund.objects.get()
    assert later.next_attempt_at < refund.next_attempt_at
    for path in ("payments/refunds/", "payments/disputes/", "payments/top-ups/"):
        assert desk.post(f"{path}export/", format="csv").status_code == 200


def test_bonus_rules_are_added_and_ended(desk: Desk, bo: Desk, shop: Shop) -> None:
    path = "payments/top-ups/bonuses/"
    assert bo.post(path, min_amount="100", bonus_amount="5").status_code == 403
    assert desk.post(path, min_amount="100").status_code == 400
    assert desk.post(path, min_amount="100", bonus_amount="5", is_once="on").status_code == 303
    assert "充 ¥100.00 送 ¥5.00" in text_of(desk.get(path))
    with site_scope(shop.site.id):
        rule = BonusRule.objects.get()
    assert desk.post(f"{path}{rule.id}/").status_code == 303
    assert "还没有赠送规则" in text_of(desk.get(path))


def test_a_customer_is_marked_as_named_and_put_under_watch(
    desk: Desk, guest_desk: Desk, shop: Shop, site_a: Site
) -> None:
    customer = make_customer(site_a)
    url = f"customers/{customer.id}/"
    assert guest_desk.post(f"{url}named/", reason="x").status_code == 403
    assert desk.post(f"{url}named/", reason="").status_code == 400
    assert "¥1,000.00" in text_of(desk.get(url))
    desk.post(f"{url}named/", reason="看过身份证")
    assert "¥5,000.00" in text_of(desk.get(url))
    desk.post(f"{url}flag/", reason="投诉过两次")
    assert "投诉过两次" in text_of(desk.get(url))
    desk.post(f"{url}flag/", end="1")
    assert "投诉过两次" not in text_of(desk.get(url))
    with site_scope(site_a.id):
        assert Customer.objects.get(id=customer.id).flagged_at is None
