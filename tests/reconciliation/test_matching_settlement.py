"""Shares, shares that came back and payouts are compared with bills, as payments are."""

import datetime as dt
from collections.abc import Callable

import pytest

from kameng.core.ids import new_number
from kameng.payments.models import Gateway
from kameng.payments.providers.abilities import LineKind
from kameng.reconciliation.models import Bill, BillRow, Case, CaseKind, LineState
from kameng.reconciliation.rules import bounds_of
from kameng.reconciliation.services.fetching import fetch_bill, upload_bill
from kameng.reconciliation.services.matching import match_bill
from kameng.settlement.models import (
    AccountKind,
    OwnerKind,
    Payee,
    PayoutAccount,
    ReturnState,
    Source,
    Split,
    SplitReturn,
    SplitState,
    Withdrawal,
    WithdrawalState,
)
from kameng.tenancy.selectors import site_scope
from tests.factories import next_number
from tests.reconciliation.conftest import DAY, STAFF, YUAN, Books, line, noon

pytestmark = pytest.mark.usefixtures("in_main")

Mover = Callable[..., str]


def hand_over(
    books: Books,
    amount: int = 10 * YUAN,
    *,
    at: dt.datetime | None = None,
    is_done: bool = True,
    gateway: Gateway | None = None,
) -> str:
    """Write down a share of the sub-site; return our number of it."""
    return make_split(books, amount, at=at, is_done=is_done, gateway=gateway).split_no


def make_split(
    books: Books,
    amount: int,
    *,
    at: dt.datetime | None = None,
    is_done: bool = True,
    gateway: Gateway | None = None,
) -> Split:
    when = at or noon()
    no = new_number(when)
    with site_scope(books.site.id):
        made: Split = Split.objects.create(
            site_id=books.site.id,
            order_id=next_number(),
            payment_id=next_number(),
            gateway_id=(gateway or books.gateway).id,
            split_no=no,
            amount=amount,
            margin_amount=amount,
            state=SplitState.DONE if is_done else SplitState.ASKED,
            external_no=f"9{no}" if is_done else "",
            delivered_at=when,
            finish_by=when + dt.timedelta(days=25),
            done_at=when if is_done else None,
        )
    return made


def take_back(
    books: Books,
    amount: int = 10 * YUAN,
    *,
    at: dt.datetime | None = None,
    is_done: bool = True,
    gateway: Gateway | None = None,
) -> str:
    """Write down that a share of long ago came back; return our number of the return."""
    when = at or noon()
    split = make_split(books, amount, at=when - dt.timedelta(days=60), gateway=gateway)
    no = new_number(when)
    with site_scope(books.site.id):
        SplitReturn.objects.create(
            site_id=books.site.id,
            split_id=split.id,
            return_no=no,
            refund_id=next_number(),
            refund_no=f"R{no}",
            amount=amount,
            state=ReturnState.DONE if is_done else ReturnState.WAITING,
            external_no=f"9{no}" if is_done else "",
            done_at=when if is_done else None,
        )
    return no


def pay_out(
    books: Books,
    amount: int = 10 * YUAN,
    *,
    at: dt.datetime | None = None,
    is_done: bool = True,
    gateway: Gateway | None = None,
) -> str:
    """Write down a payout, less a fee that the gateway never sees; return our number of it."""
    when = at or noon()
    no = new_number(when)
    with site_scope(books.site.id):
        payee, _made = Payee.objects.get_or_create(
            site_id=books.site.id, owner_kind=OwnerKind.SITE, owner_id=books.site.id
        )
        account = PayoutAccount.objects.create(
            site_id=books.site.id,
            payee_id=payee.id,
            account_no=new_number(when),
            kind=AccountKind.ALIPAY,
            account_cipher=b"",
            name_cipher=b"",
            digest=no[-16:].encode(),
            hint="l***",
            added_by="Lin",
            usable_at=when,
        )
        Withdrawal.objects.create(
            site_id=books.site.id,
            withdrawal_no=new_number(when),
            payout_no=no,
            payee_id=payee.id,
            account_id=account.id,
            source=Source.MARGIN,
            amount=amount + 5_000,
            fee_amount=5_000,
            payout_amount=amount,
            state=WithdrawalState.PAID if is_done else WithdrawalState.SENDING,
            asked_by="Lin",
            idempotency_key=no,
            gateway_id=(gateway or books.gateway).id,
            external_no=f"9{no}" if is_done else "",
            ended_at=when if is_done else None,
        )
    return no


def pay_back(
    books: Books,
    amount: int = 10 * YUAN,
    *,
    at: dt.datetime | None = None,
    is_done: bool = True,
    gateway: Gateway | None = None,
) -> str:
    """Write down that a payout of long ago came back; return our number of it."""
    when = at or noon()
    no = pay_out(books, amount, at=when - dt.timedelta(days=60), gateway=gateway)
    if is_done:
        mark_back(books, no, at=when)
    return no


def mark_back(books: Books, no: str, *, at: dt.datetime) -> None:
    with site_scope(books.site.id):
        Withdrawal.objects.filter(payout_no=no).update(
            state=WithdrawalState.RETURNED, returned_at=at
        )


KINDS = pytest.mark.parametrize(
    ("kind", "move"),
    [
        (LineKind.SPLIT, hand_over),
        (LineKind.SPLIT_RETURN, take_back),
        (LineKind.PAYOUT, pay_out),
        (LineKind.PAYOUT_RETURN, pay_back),
    ],
)


def fetch(books: Books, day: dt.date = DAY) -> Bill:
    return fetch_bill(gateway_id=books.gateway.id, day=day, actor=STAFF)


def cases() -> list[tuple[int, str, str, int]]:
    rows = Case.objects.order_by("kind", "subject")
    return [(case.kind, case.line_kind, case.own_no, case.stake_amount) for case in rows]


@KINDS
def test_what_both_sides_know_is_no_case(books: Books, kind: LineKind, move: Mover) -> None:
    named, unnamed = move(books), move(books, 7 * YUAN)
    books.source.bills[DAY] = [
        line(named, 10 * YUAN, kind=kind),
        line("", 7 * YUAN, kind=kind, external_no=f"9{unnamed}"),
    ]

    bill = fetch(books)

    assert cases() == []
    assert (bill.matched_count, bill.uncompared_count) == (2, 0)
    assert set(BillRow.objects.values_list("state", flat=True)) == {LineState.MATCHED}


@KINDS
def test_each_difference_is_a_case_with_both_sides(
    books: Books, kind: LineKind, move: Mover
) -> None:
    missing, other, unsure = move(books), move(books), move(books, is_done=False)
    twice = move(books)
    books.source.bills[DAY] = [
        line("outsider", 3 * YUAN, kind=kind),
        line(other, 9 * YUAN, kind=kind),
        line(unsure, 10 * YUAN, kind=kind),
        line(twice, 10 * YUAN, kind=kind),
        line(twice, 10 * YUAN, kind=kind, external_no="second"),
    ]

    bill = fetch(books)

    assert cases() == [
        (CaseKind.MISSING_HERE, kind, "outsider", 3 * YUAN),
        (CaseKind.MISSING_THERE, kind, missing, -10 * YUAN),
        (CaseKind.AMOUNT_DIFFERS, kind, other, -1 * YUAN),
        (CaseKind.STATE_DIFFERS, kind, unsure, 10 * YUAN),
        (CaseKind.DUPLICATE, kind, twice, 10 * YUAN),
    ]
    assert bill.matched_count == 1
    found = Case.objects.get(kind=CaseKind.AMOUNT_DIFFERS)
    assert (found.ours["amount"], found.theirs["amount"]) == (10 * YUAN, 9 * YUAN)
    assert (found.ours["state"], found.subject_site_id) == ("done", books.site.id)
    unknown = "left" if kind is LineKind.PAYOUT_RETURN else "asked"
    assert Case.objects.get(kind=CaseKind.STATE_DIFFERS).ours["state"] == unknown
    assert Case.objects.get(kind=CaseKind.MISSING_HERE).subject_site_id is None


@KINDS
def test_a_number_of_another_kind_is_not_taken_for_it(
    books: Books, kind: LineKind, move: Mover
) -> None:
    no = move(books)
    books.source.bills[DAY] = [line(no, 10 * YUAN, kind=LineKind.REFUND)]

    fetch(books)

    assert cases() == [
        (CaseKind.MISSING_HERE, LineKind.REFUND, no, 10 * YUAN),
        (CaseKind.MISSING_THERE, kind, no, -10 * YUAN),
    ]


@KINDS
def test_what_another_gateway_did_is_not_asked_of_this_one(
    books: Books, kind: LineKind, move: Mover
) -> None:
    other = Gateway.objects.create(
        site_id=books.main.id, kind="epay", name="另一个", method="alipay", config_cipher=b""
    )
    move(books, gateway=other)
    elsewhere = move(books, gateway=other)
    books.source.bills[DAY] = [line(elsewhere, 10 * YUAN, kind=kind)]

    fetch(books)

    assert cases() == [(CaseKind.MISSING_HERE, kind, elsewhere, 10 * YUAN)]


@KINDS
def test_what_was_done_near_midnight_may_stand_on_the_next_bill(
    books: Books, kind: LineKind, move: Mover
) -> None:
    day = DAY - dt.timedelta(days=1)
    kept = move(books, at=bounds_of(day)[1] - dt.timedelta(seconds=1))
    lost = move(books, at=bounds_of(day)[1] - dt.timedelta(seconds=2))
    first = fetch(books, day)
    assert (cases(), first.carried_count) == ([], 2)
    books.source.bills[DAY] = [line(kept, 10 * YUAN, kind=kind, at=bounds_of(DAY)[0])]

    fetch(books)

    assert cases() == [(CaseKind.MISSING_THERE, kind, lost, -10 * YUAN)]


@KINDS
def test_an_exported_bill_tells_only_payments_and_refunds(
    books: Books, kind: LineKind, move: Mover
) -> None:
    no = move(books)
    payment = books.pay()
    data = f"商户订单号,订单金额\n{payment.payment_no},100.00\n".encode()

    upload_bill(gateway_id=books.gateway.id, day=DAY, data=data, name="b.csv", actor=STAFF)

    assert cases() == []
    fetch(books)  # and now the gateway says that there was nothing else
    assert cases() == [(CaseKind.MISSING_THERE, kind, no, -10 * YUAN)]


def exported(*rows: tuple[str, str, str, str]) -> bytes:
    """Return a fund bill as WeChat's pages give it: (kind, way, amount, our number) of each row."""
    head = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额,业务凭证号"
    lines = [
        f"`{DAY} 12:00:00,`9{no},`F{no},`{kind},`{kind},`{way},`{amount},`{no}"
        for kind, way, amount, no in rows
    ]
    return "\n".join([head, *lines, "资金流水总笔数,收入笔数", f"`{len(rows)},`0"]).encode()


def test_an_uploaded_fund_bill_is_matched_as_a_fetched_one(books: Books) -> None:
    share, back, sent = hand_over(books), take_back(books), pay_out(books)
    books.pay()  # a fund bill alone is silent about payments: none is missing
    wrong = hand_over(books, 7 * YUAN)
    data = exported(
        ("分账", "支出", "10.00", share),
        ("分账回退", "收入", "10.00", back),
        ("转账", "支出", "10.00", sent),
        ("分账", "支出", "9.00", wrong),
        ("分账", "支出", "3.00", "260101000000000009"),
    )

    upload_bill(gateway_id=books.gateway.id, day=DAY, data=data, name="fund.csv", actor=STAFF)

    assert sorted(cases()) == sorted(
        [
            (CaseKind.AMOUNT_DIFFERS, "split", wrong, 2 * YUAN),
            (CaseKind.MISSING_HERE, "split", "260101000000000009", 3 * YUAN),
        ]
    )
    assert Bill.objects.get().matched_count == 3


def test_a_bill_of_trades_beside_it_asks_for_payments_again(books: Books) -> None:
    payment = books.pay()
    share = hand_over(books)
    funds = exported(("分账", "支出", "10.00", share))
    upload_bill(gateway_id=books.gateway.id, day=DAY, data=funds, name="fund.csv", actor=STAFF)
    assert cases() == []

    trades = "商户订单号,订单金额\nnone,1.00\n".encode()
    upload_bill(gateway_id=books.gateway.id, day=DAY, data=trades, name="b.csv", actor=STAFF)

    assert sorted(cases())[-1] == (
        CaseKind.MISSING_THERE,
        "payment",
        payment.payment_no,
        -100 * YUAN,
    )


def test_a_payout_and_its_return_on_one_bill_are_both_known(books: Books) -> None:
    no = pay_out(books)
    mark_back(books, no, at=noon())
    books.source.bills[DAY] = [
        line(no, 10 * YUAN, kind=LineKind.PAYOUT),
        line(no, 10 * YUAN, kind=LineKind.PAYOUT_RETURN),
    ]

    bill = fetch(books)

    assert (cases(), bill.matched_count) == ([], 2)


def test_a_return_that_was_noticed_late_is_missing_on_no_later_bill(books: Books) -> None:
    """Its gateway is asked after 7, 15 and 30 days; the bill of the day itself told it."""
    early = DAY - dt.timedelta(days=14)
    no, lost = pay_back(books, is_done=False), pay_back(books, is_done=False)
    books.source.bills[early] = [line(no, 10 * YUAN, kind=LineKind.PAYOUT_RETURN, at=noon(early))]
    first = fetch(books, early)
    told = (CaseKind.STATE_DIFFERS, "payout_return", no, 10 * YUAN)
    assert cases() == [told]
    for each in (no, lost):
        mark_back(books, each, at=noon())

    fetch(books)
    match_bill(first.id)

    # What no bill ever told stays missing: nobody saw that money come back.
    assert cases() == [
        (CaseKind.MISSING_THERE, "payout_return", lost, -10 * YUAN),
        told,
    ]
    assert Case.objects.get(kind=CaseKind.STATE_DIFFERS).gone_at is not None
