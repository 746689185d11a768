"""Settlement on the screen: Lin asks, Ada decides, and nobody else sees or moves anything."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from kameng.accounts.models import Role
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind as LedgerKind
from kameng.payments.providers import registry
from kameng.payments.providers.abilities import TransferOutcome
from kameng.payments.providers.port import ProviderRefused
from kameng.settlement.models import (
    AccountKind,
    PayoutAccount,
    Split,
    SplitReceiver,
    Terms,
    Withdrawal,
)
from kameng.settlement.rules import SplitState, State
from kameng.settlement.services.paying_out import send_due_payouts
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.settlement.services.splitting import ask_due_splits
from kameng.tenancy.models import SettlementWay, Site
from tests import people
from tests.concurrency.shop import Shop, connect_gateway
from tests.console.conftest import Desk
from tests.console.pages import text_of, time_line_of, time_line_text
from tests.factories import make_card_keys, make_product, make_variant
from tests.people import Staff
from tests.settlement.fakes import Bank, SplittingEpay, fresh_bank
from tests.settlement.test_contesting import dispute
from tests.settlement.world import Desk as Money


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The gateway with a memory."""
    monkeypatch.setitem(registry.PROVIDERS, "epay", "tests.settlement.fakes.SplittingEpay")
    registry.get_provider.cache_clear()
    yield fresh_bank()
    registry.get_provider.cache_clear()


@pytest.fixture
def money(bank: Bank, committed_db: None, main_site: Site, site_a: Site) -> Money:
    """A sub-site with a settled margin of 4.44 yuan."""
    variant = make_variant(make_product(main_site, title="点卡"), cost_amount=50_000)
    make_card_keys(variant, 20)
    shop = Shop(site=site_a, variant=variant, choice=connect_gateway(main_site))
    made = Money(shop=shop, main=main_site)
    made.set_terms()
    made.sell()
    return made


@pytest.fixture
def lin_desk(money: Money, desk_of: Callable[..., Desk], lin: Staff, site_a: Site) -> Desk:
    return desk_of(lin, site_a)


@pytest.fixture
def ada_desk(money: Money, desk_of: Callable[..., Desk], ada: Staff, main_site: Site) -> Desk:
    return desk_of(ada, main_site)


def ask(desk: Desk, account: PayoutAccount, amount: str = "3.00", **more: Any) -> Any:
    fields = {
        "idempotency_key": "0123456789abcdef0123456789abcdef",
        "source": "1",
        "amount": amount,
        "account": str(account.id),
    }
    return desk.post("settlement/ask/", **(fields | more))


def only_withdrawal() -> Withdrawal:
    with platform_scope("a test looks"):
        found: Withdrawal = Withdrawal.unscoped.get()
    return found


def test_an_operator_sees_what_is_his_and_asks_for_it(lin_desk: Desk, money: Money) -> None:
    account = money.add_account()
    page = lin_desk.get("settlement/")
    assert page.status_code == 200
    for text in ("我的利润", "¥4.44", "现在可提现", "lin***"):
        assert text in text_of(page) or text.replace("lin***", "li***") in text_of(page), text

    asked = ask(lin_desk, account)

    found = only_withdrawal()
    assert asked.status_code == 303
    assert asked.headers["Location"].endswith(f"settlement/{found.withdrawal_no}/")
    assert (found.amount, found.state) == (30_000, State.REQUESTED)
    shown = text_of(lin_desk.get(f"settlement/{found.withdrawal_no}/"))
    assert "待审核" in shown
    assert "第一次打款到这个账户" in shown
    assert "lin@example.com" not in shown


@pytest.mark.parametrize(
    ("amount", "words"),
    [("5.00", "现在可提现"), ("1.2345", "最小到分"), ("", "请填写"), ("abc", "只填数字")],
)
def test_what_cannot_be_asked_for_is_said_where_it_was_typed(
    lin_desk: Desk, money: Money, amount: str, words: str
) -> None:
    answer = ask(lin_desk, money.add_account(), amount)

    assert 400 <= answer.status_code < 500
    assert words in text_of(answer)
    with platform_scope("a test looks"):
        assert not Withdrawal.unscoped.exists()


def test_a_new_account_asks_for_the_password_of_an_old_session(
    lin_desk: Desk, money: Money
) -> None:
    from kameng.accounts.models import Session

    with platform_scope("a test ages a session"):
        Session.unscoped.update(confirmed_at="2026-01-01T00:00:00Z")
    fields = {
        "kind": "bank",
        "account": "6222020200011112222",
        "name": "林小满",
        "bank_name": "工行",
    }

    refused = lin_desk.post("settlement/accounts/new/", **fields)
    assert "密码" in text_of(refused)
    with platform_scope("a test looks"):
        assert not PayoutAccount.unscoped.exists()
    lin_desk.post("settlement/accounts/new/", confirm_password=people.PASSWORD)
    lin_desk.post("settlement/accounts/new/", **fields)

    page = text_of(lin_desk.get("settlement/accounts/"))
    assert "622****2222" in page
    assert "6222020200011112222" not in page


def test_a_bank_is_of_bank_cards_alone(lin_desk: Desk, money: Money) -> None:
    """What was typed before another kind was chosen is not seen any more, and not kept."""
    fields = {"kind": "alipay", "account": "lin@example.com", "name": "林小满", "bank_name": "工行"}

    assert lin_desk.post("settlement/accounts/new/", **fields).status_code == 303

    with platform_scope("a test looks"):
        assert PayoutAccount.unscoped.get().bank_name == ""


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SERVICE, Role.GOODS, Role.MANAGER])
def test_only_who_may_asks_for_money(
    money: Money, desk_of: Callable[..., Desk], site_a: Site, lin: people.Staff, role: Role
) -> None:
    person = people.make_operator(site_a, login=f"x-{role}", name="X", role=role)
    desk = desk_of(person, site_a)

    assert ask(desk, money.add_account()).status_code == 403
    assert desk.get("settlement/accounts/new/").status_code == 403
    assert desk.get("settlement/").status_code == (200 if role == Role.MANAGER else 403)


def test_a_sub_site_has_no_queue_and_the_main_site_no_claim(lin_desk: Desk, ada_desk: Desk) -> None:
    for path in ("withdrawals/", "withdrawals/batches/", "splits/"):
        assert lin_desk.get(path).status_code == 403
    assert lin_desk.get("settlement-terms/").status_code == 403
    assert ada_desk.get("settlement/").status_code == 303
    assert ada_desk.get("settlement/accounts/").status_code == 403


def test_the_main_site_reviews_and_pays(ada_desk: Desk, money: Money, bank: Bank) -> None:
    asked = money.ask(30_000, money.add_account())
    path = f"withdrawals/{asked.withdrawal_no}/"
    assert "甲站" in text_of(ada_desk.get("withdrawals/", view="review"))
    assert "第一次打款到这个账户" in text_of(ada_desk.get(path))
    assert "1 笔提现待审核" in text_of(ada_desk.get(""))

    unread = ada_desk.post(f"{path}approve/")
    assert "已核实" in text_of(unread)
    assert unread.status_code == 400
    ada_desk.post(f"{path}approve/", risks_read="on", risks=",".join(asked.risk_codes))
    assert only_withdrawal().state == State.APPROVED
    paid = ada_desk.post(f"{path}pay/", gateway=str(money.shop.choice.gateway_id))
    assert paid.status_code == 303
    send_due_payouts()

    assert only_withdrawal().state == State.PAID
    assert "已打款" in text_of(ada_desk.get(path))


def test_a_no_needs_its_reason(ada_desk: Desk, money: Money) -> None:
    asked = money.ask(30_000, money.add_account())
    path = f"withdrawals/{asked.withdrawal_no}/refuse/"

    assert ada_desk.post(path, reason="").status_code == 400
    assert only_withdrawal().state == State.REQUESTED
    ada_desk.post(path, reason="姓名不符")
    assert "姓名不符" in text_of(ada_desk.get(f"withdrawals/{asked.withdrawal_no}/"))


def test_a_payout_that_came_back_is_marked_and_shown_to_both(
    ada_desk: Desk, lin_desk: Desk, money: Money, bank: Bank
) -> None:
    asked = money.approve(money.ask(30_000, money.add_account()))
    path = f"withdrawals/{asked.withdrawal_no}/"
    assert "登记退票" not in text_of(ada_desk.get(path))
    ada_desk.post(f"{path}pay/", gateway=str(money.shop.choice.gateway_id))
    send_due_payouts()
    assert "登记退票" in text_of(ada_desk.get(path))
    assert lin_desk.post(f"{path}returned/", reason="x").status_code == 403

    assert ada_desk.post(f"{path}returned/", reason="").status_code == 400
    assert only_withdrawal().state == State.PAID
    assert ada_desk.post(f"{path}returned/", reason="户名不符").status_code == 303

    assert only_withdrawal().state == State.RETURNED
    for page in (ada_desk.get(path), lin_desk.get(f"settlement/{asked.withdrawal_no}/")):
        assert "户名不符" in text_of(page)
        assert "退了回来" in text_of(page)
    assert "已退票" in text_of(ada_desk.get("withdrawals/", view="back"))
    assert ada_desk.post(f"{path}returned/", reason="again").status_code == 409


def test_a_withdrawal_tells_its_past_with_names_to_the_main_site_only(
    ada_desk: Desk, lin_desk: Desk, money: Money, bank: Bank
) -> None:
    ask(lin_desk, money.add_account())
    asked = only_withdrawal()
    path = f"withdrawals/{asked.withdrawal_no}/"
    risks = ",".join(asked.risk_codes)
    ada_desk.post(f"{path}approve/", risks_read="on", risks=risks)
    ada_desk.post(f"{path}pay/", gateway=str(money.shop.choice.gateway_id))
    send_due_payouts()
    ada_desk.post(f"{path}returned/", reason="户名不符")

    main, own = ada_desk.get(path), lin_desk.get(f"settlement/{asked.withdrawal_no}/")

    titles = ["申请提现", "同意提现", "通过支付通道打款", "已打款", "登记提现退票"]
    assert time_line_of(main) == time_line_of(own) == titles
    assert time_line_text(main).count("Ada") == 3
    assert "Ada" not in time_line_text(own)
    assert time_line_text(own).count("主站") == 3
    for page in (main, own):
        assert "¥3.00" in time_line_text(page)
        assert "户名不符" in time_line_text(page)


def test_a_withdrawal_that_was_taken_back_or_refused_says_so_once(
    ada_desk: Desk, lin_desk: Desk, money: Money
) -> None:
    account = money.add_account()
    ask(lin_desk, account)
    taken = only_withdrawal()
    lin_desk.post(f"settlement/{taken.withdrawal_no}/take-back/")
    refused = money.ask(30_000, account)
    ada_desk.post(f"withdrawals/{refused.withdrawal_no}/refuse/", reason="姓名不符")

    own = lin_desk.get(f"settlement/{taken.withdrawal_no}/")

    assert time_line_of(own) == ["申请提现", "撤回提现"]
    assert time_line_text(own).count("Lin") == 2
    assert time_line_of(ada_desk.get(f"withdrawals/{refused.withdrawal_no}/")) == [
        "申请提现",
        "驳回提现",
    ]


def test_a_payout_that_waits_for_its_receiver_says_so_in_words(
    ada_desk: Desk, lin_desk: Desk, money: Money
) -> None:
    asked = money.approve(money.ask(30_000, money.add_account()))
    path = f"withdrawals/{asked.withdrawal_no}/"
    ada_desk.post(f"{path}pay/", gateway=str(money.shop.choice.gateway_id))
    with platform_scope("a test answers as WeChat does"):
        Withdrawal.unscoped.update(reason="WAIT_USER_CONFIRM")

    for page in (ada_desk.get(path), lin_desk.get("settlement/")):
        assert "等收款人在微信里确认收款" in text_of(page)
        assert "WAIT_USER" not in text_of(page)


def test_what_waits_for_a_second_person_is_seen_with_the_others(
    ada_desk: Desk, lin_desk: Desk, money: Money, desk_of: Callable[..., Desk], main_site: Site
) -> None:
    money.set_terms(second_amount=30_000)
    asked = money.ask(30_000, money.add_account())
    queue = "payments/approvals/"
    assert asked.withdrawal_no not in text_of(ada_desk.get(queue))
    ada_desk.post(
        f"withdrawals/{asked.withdrawal_no}/approve/",
        risks_read="on",
        risks=",".join(asked.risk_codes),
    )

    page = text_of(ada_desk.get(queue))
    assert asked.withdrawal_no in page
    assert "甲站" in page
    assert "您已经同意过" in page
    boss = desk_of(people.make_operator(main_site, login="bea", name="Bea"), main_site)
    assert "您已经同意过" not in text_of(boss.get(queue))
    clerk = people.make_operator(main_site, login="cy", name="Cy", role=Role.SERVICE)
    assert asked.withdrawal_no not in text_of(desk_of(clerk, main_site).get(queue))
    assert asked.withdrawal_no not in text_of(lin_desk.get(queue))

    boss.post(
        f"withdrawals/{asked.withdrawal_no}/approve/",
        risks_read="on",
        risks=",".join(asked.risk_codes),
    )
    assert only_withdrawal().state == State.APPROVED
    assert asked.withdrawal_no not in text_of(ada_desk.get(queue))


def test_the_review_shows_that_buyers_dispute(ada_desk: Desk, lin_desk: Desk, money: Money) -> None:
    asked = money.ask(30_000, money.add_account())
    path = f"withdrawals/{asked.withdrawal_no}/"
    read = ",".join(asked.risk_codes)
    dispute(money, money.sell())

    page = text_of(ada_desk.get(path))
    for words in ("涉及的利润已冻结", "划走这笔后的余额", "有争议的 ¥4.44"):
        assert words in page
    unread = ada_desk.post(f"{path}approve/", risks_read="on", risks=read)
    assert unread.status_code == 400
    assert only_withdrawal().state == State.REQUESTED
    assert "¥4.44 的利润先冻结" in text_of(lin_desk.get("settlement/"))


def test_a_file_for_the_bank_holds_accounts_and_no_formula(ada_desk: Desk, money: Money) -> None:
    account = money.add_account(
        "6222020200011112222", kind=AccountKind.BANK, name="=SUM(1)公司", bank_name="+工行"
    )
    asked = money.approve(money.ask(30_000, account))
    made = ada_desk.post("withdrawals/batches/new/", pick=[asked.withdrawal_no])
    path = made.headers["Location"].split("/console/main/")[1]

    table = b"".join(ada_desk.post(f"{path}file/", format="csv")).decode("utf-8-sig")  # type: ignore[call-overload]
    book = b"".join(ada_desk.post(f"{path}file/", format="xlsx"))  # type: ignore[call-overload]

    line = table.splitlines()[1]
    assert line == f"{asked.payout_no},6222020200011112222,'=SUM(1)公司,'+工行,3.00"
    sheet = zipfile.ZipFile(io.BytesIO(book)).read("xl/worksheets/sheet1.xml").decode()
    assert "6222020200011112222" in sheet
    assert "<f>" not in sheet
    with platform_scope("a test looks"):
        assert AuditEntry.objects.filter(action="data.exported").count() == 2
    assert "622****2222" in text_of(ada_desk.get(path))


def test_the_banks_result_is_explained_on_the_page(ada_desk: Desk, money: Money) -> None:
    asked = money.approve(money.ask(30_000, money.add_account()))
    made = ada_desk.post("withdrawals/batches/new/", pick=[asked.withdrawal_no])
    path = made.headers["Location"].split("/console/main/")[1]
    text = f"打款编号,金额,结果\n{asked.payout_no},3.00,成功\n999999999999999999,1.00,成功\n"

    answer = ada_desk.post(f"{path}result/", upload=SimpleUploadedFile("result.csv", text.encode()))

    said = text_of(answer)
    assert "没有这个打款编号" in said
    assert "都有结果了" in said
    assert only_withdrawal().state == State.PAID
    assert ada_desk.post(f"{path}result/").status_code == 400


def test_nothing_ticked_makes_no_batch(ada_desk: Desk, money: Money) -> None:
    answer = ada_desk.post("withdrawals/batches/new/")

    assert answer.status_code == 400
    assert "请勾选" in text_of(answer)


def test_a_refused_share_is_shown_with_its_error_and_tried_again(
    ada_desk: Desk, lin_desk: Desk, money: Money, bank: Bank
) -> None:
    money.settle_by(SettlementWay.SPLIT)
    money.add_receiver()
    money.plan(money.sell(is_held=True))
    bank.trouble = ["refuse"]
    money.make_due(Split)
    reserve_due_splits()
    ask_due_splits()

    assert "not enough" in text_of(ada_desk.get("splits/", view="refused"))
    assert "分账失败" in text_of(lin_desk.get("settlement/splits/"))
    assert "1 笔分账失败" in text_of(ada_desk.get(""))
    with platform_scope("a test looks"):
        split = Split.unscoped.get()
    ada_desk.post("splits/act/", row_id=str(split.id), action="retry")
    assert money.fresh(split).state == SplitState.WAITING
    again = ada_desk.post("splits/act/", row_id=str(split.id), action="retry")
    assert again.status_code == 409


def test_receivers_are_set_under_a_fresh_session(lin_desk: Desk, money: Money, bank: Bank) -> None:
    money.settle_by(SettlementWay.SPLIT)
    form = {
        "gateway": str(money.shop.choice.gateway_id),
        "kind": "merchant",
        "account": "1900000109",
        "name": "林记",
    }
    assert "分账接收方" in text_of(lin_desk.get("settlement/receivers/new/"))

    assert lin_desk.post("settlement/receivers/new/", **form).status_code == 303
    page = text_of(lin_desk.get("settlement/accounts/"))
    assert "190****0109" in page
    assert "1900000109" not in page
    with platform_scope("a test looks"):
        row_id = str(SplitReceiver.unscoped.get().id)
    assert lin_desk.post("settlement/receivers/remove/", row_id=row_id).status_code == 303
    assert "190****0109" not in text_of(lin_desk.get("settlement/accounts/"))
    again = lin_desk.post("settlement/receivers/remove/", row_id=row_id)
    assert "已被移除" in text_of(again)
    bank.trouble = ["turned"]
    refused = lin_desk.post("settlement/receivers/new/", **form)
    assert "姓名不符" in text_of(refused)


def test_terms_are_set_for_all_and_for_one(ada_desk: Desk, money: Money) -> None:
    form = {
        "hold_hours": "48",
        "cooling_hours": "24",
        "minimum_amount": "10",
        "maximum_amount": "1000",
        "day_limit_amount": "2000",
        "month_limit_amount": "9000",
        "fee_bps": "0.6",
        "fee_minimum_amount": "1",
        "tax_bps": "20",
        "second_amount": "500",
        "large_amount": "800",
    }
    one = f"settlement-terms/{money.site.id}/"
    assert ada_desk.get("settlement-terms/").status_code == 200
    assert ada_desk.post(one, **form).status_code == 303
    assert ada_desk.post(one, **(form | {"maximum_amount": "5"})).status_code == 400

    with platform_scope("a test looks"):
        terms = Terms.unscoped.get(site_id=money.site.id)
    assert (terms.hold_hours, terms.fee_bps, terms.minimum_amount) == (48, 60, 100_000)
    assert "单独一份" in text_of(ada_desk.get("settlement-terms/"))
    assert ada_desk.post(one, action="drop").status_code == 303
    assert "单独一份" not in text_of(ada_desk.get("settlement-terms/"))
    assert ada_desk.get("settlement-terms/999999/").status_code == 404


def test_lists_can_be_taken_away(ada_desk: Desk, money: Money) -> None:
    money.ask(30_000, money.add_account())

    table = b"".join(ada_desk.post("withdrawals/export/?view=all", format="csv"))  # type: ignore[call-overload]
    splits = b"".join(ada_desk.post("splits/export/", format="csv"))  # type: ignore[call-overload]

    assert only_withdrawal().withdrawal_no in table.decode("utf-8-sig")
    assert "lin@example.com" not in table.decode("utf-8-sig")
    assert "分账编号" in splits.decode("utf-8-sig")


def test_another_sites_withdrawal_is_not_found(
    money: Money, desk_of: Callable[..., Desk], wei: Staff, site_b: Site
) -> None:
    asked = money.ask(30_000, money.add_account())
    desk = desk_of(wei, site_b)

    assert desk.get(f"settlement/{asked.withdrawal_no}/").status_code == 404
    assert desk.post(f"settlement/{asked.withdrawal_no}/take-back/").status_code == 404
    assert only_withdrawal().state == State.REQUESTED


def test_a_request_is_taken_back_from_its_page(lin_desk: Desk, money: Money) -> None:
    asked = money.ask(30_000, money.add_account())

    lin_desk.post(f"settlement/{asked.withdrawal_no}/take-back/")

    assert only_withdrawal().state == State.TAKEN_BACK
    assert lin_desk.post(f"settlement/{asked.withdrawal_no}/take-back/").status_code == 409


def test_a_withdrawal_is_found_from_the_account_that_it_came_out_of(
    lin_desk: Desk, site_a: Site, money: Money
) -> None:
    ask(lin_desk, money.add_account())

    path = f"ledger/accounts/{LedgerKind.SITE_MARGIN.value}/{site_a.id}/"
    page = lin_desk.get(path).content.decode()

    assert f"settlement/{only_withdrawal().withdrawal_no}/" in page


def test_what_a_gateway_says_by_a_code_is_said_in_words(
    lin_desk: Desk, ada_desk: Desk, money: Money, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_asked: Any) -> TransferOutcome:
        raise ProviderRefused("needs_certificate_mode", "x-1")

    monkeypatch.setattr(SplittingEpay, "pay_out", refuse)
    ask(lin_desk, money.add_account())
    number = only_withdrawal().withdrawal_no
    read = ",".join(only_withdrawal().risk_codes)
    ada_desk.post(f"withdrawals/{number}/approve/", risks_read="on", risks=read)
    ada_desk.post(f"withdrawals/{number}/pay/", gateway=str(money.shop.choice.gateway_id))
    send_due_payouts()

    assert only_withdrawal().state == State.FAILED
    for desk, path in ((lin_desk, f"settlement/{number}/"), (ada_desk, f"withdrawals/{number}/")):
        page = text_of(desk.get(path))
        assert "不是证书模式，不能打款（支付平台说：x-1）" in page
        assert "needs_certificate_mode" not in page


def test_a_gateway_that_cannot_pay_out_is_not_offered(
    lin_desk: Desk, ada_desk: Desk, money: Money, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SplittingEpay, "can_pay_out", lambda _self, _config: False)
    ask(lin_desk, money.add_account())
    number = only_withdrawal().withdrawal_no
    read = ",".join(only_withdrawal().risk_codes)
    ada_desk.post(f"withdrawals/{number}/approve/", risks_read="on", risks=read)

    page = text_of(ada_desk.get(f"withdrawals/{number}/"))

    assert only_withdrawal().state == State.APPROVED
    assert "没有能打款到支付宝的支付通道" in page
    assert "通过支付通道打款" not in page
