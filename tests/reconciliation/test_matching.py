"""Bills are stored once and compared with the books; each difference is one case."""

import datetime as dt

import pytest

from kameng.payments.models import Payment, PaymentState
from kameng.payments.providers.abilities import BillNotReady, LineKind
from kameng.payments.providers.port import ProviderRefused
from kameng.reconciliation.errors import BillAway, BillDayInvalid
from kameng.reconciliation.models import (
    Bill,
    BillFile,
    BillRow,
    BillState,
    Case,
    CaseKind,
    CaseState,
    LineState,
)
from kameng.reconciliation.rules import bounds_of
from kameng.reconciliation.services.fetching import fetch_bill, fetch_due_bills, plan_bills
from kameng.reconciliation.services.matching import match_bill
from kameng.tenancy.selectors import site_scope
from tests.reconciliation.conftest import DAY, STAFF, YUAN, Books, line

pytestmark = pytest.mark.usefixtures("in_main")


def fetch(books: Books, day: dt.date = DAY) -> Bill:
    return fetch_bill(gateway_id=books.gateway.id, day=day, actor=STAFF)


def cases() -> list[tuple[int, str, int]]:
    rows = Case.objects.order_by("kind", "subject")
    return [(case.kind, case.own_no, case.stake_amount) for case in rows]


def test_a_day_on_which_both_sides_agree_has_no_case(books: Books) -> None:
    payment = books.pay(fee=6_000)
    refund_no = books.refund(payment, 30 * YUAN)
    books.source.bills[DAY] = [
        line(payment.payment_no, 100 * YUAN, fee=6_000),
        line(refund_no, 30 * YUAN, kind=LineKind.REFUND),
    ]

    bill = fetch(books)

    assert cases() == []
    assert (bill.state, bill.line_count, bill.matched_count) == (BillState.MATCHED, 2, 2)
    assert (bill.received_amount, bill.refunded_amount) == (100 * YUAN, 30 * YUAN)
    assert bill.fee_amount == 6_000


def test_each_kind_of_difference_is_a_case_with_both_sides(books: Books) -> None:
    missing_there = books.pay()
    other_amount = books.pay()
    other_fee = books.pay(fee=6_000)
    still_open = books.pay(state=PaymentState.OPEN)
    twice = books.pay()
    books.source.bills[DAY] = [
        line("unknown1", 5 * YUAN),
        line(other_amount.payment_no, 99 * YUAN),
        line(other_fee.payment_no, 100 * YUAN, fee=8_000),
        line(still_open.payment_no, 100 * YUAN),
        line(twice.payment_no, 100 * YUAN),
        line(twice.payment_no, 100 * YUAN, external_no="second"),
    ]
    books.source.unread[DAY] = ["??,??"]

    bill = fetch(books)

    assert cases() == [
        (CaseKind.MISSING_HERE, "unknown1", 5 * YUAN),
        (CaseKind.MISSING_THERE, missing_there.payment_no, -100 * YUAN),
        (CaseKind.AMOUNT_DIFFERS, other_amount.payment_no, -1 * YUAN),
        (CaseKind.FEE_DIFFERS, other_fee.payment_no, 2_000),
        (CaseKind.STATE_DIFFERS, still_open.payment_no, 100 * YUAN),
        (CaseKind.DUPLICATE, twice.payment_no, 100 * YUAN),
        (CaseKind.UNREADABLE, "", 0),
    ]
    assert bill.matched_count == 1
    found = Case.objects.get(kind=CaseKind.AMOUNT_DIFFERS)
    assert (found.ours["amount"], found.theirs["amount"]) == (100 * YUAN, 99 * YUAN)
    assert found.subject_site_id == books.site.id
    assert Case.objects.get(kind=CaseKind.UNREADABLE).theirs["text"] == "??,??"
    with site_scope(books.site.id):
        assert Payment.objects.get(id=still_open.id).state == PaymentState.OPEN
        assert Payment.objects.get(id=other_amount.id).received_amount == 100 * YUAN


def test_fees_are_compared_only_where_the_bill_tells_them(books: Books) -> None:
    payment = books.pay(fee=6_000)
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN, fee=0)]

    fetch(books)

    assert cases() == []


def test_a_fee_within_a_fen_is_no_difference(books: Books) -> None:
    payment = books.pay(fee=6_049)
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN, fee=6_000)]

    fetch(books)

    assert cases() == []


def test_fetching_again_stores_no_line_and_no_case_twice(books: Books) -> None:
    books.source.bills[DAY] = [line("unknown1", 5 * YUAN)]
    fetch(books)
    before = set(Case.objects.values_list("id", flat=True))

    bill = fetch(books)

    assert bill.line_count == 1
    assert BillRow.objects.count() == 1
    assert BillFile.objects.count() == 1
    assert set(Case.objects.values_list("id", flat=True)) == before


def test_another_file_of_the_same_day_is_kept_too(books: Books) -> None:
    books.source.bills[DAY] = [line("unknown1", 5 * YUAN)]
    fetch(books)
    books.source.bills[DAY].append(line("unknown2", 6 * YUAN))

    bill = fetch(books)

    assert bill.line_count == 2
    assert BillFile.objects.count() == 2


def test_the_same_line_twice_in_one_bill_is_a_duplicate(books: Books) -> None:
    payment = books.pay()
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN)] * 2

    fetch(books)

    assert cases() == [(CaseKind.DUPLICATE, payment.payment_no, 100 * YUAN)]


def test_a_difference_that_was_put_right_says_so_and_stays_for_a_person(books: Books) -> None:
    payment = books.pay(state=PaymentState.OPEN)
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN)]
    bill = fetch(books)
    with site_scope(books.site.id):
        Payment.objects.filter(id=payment.id).update(
            state=PaymentState.CONFIRMED,
            received_amount=100 * YUAN,
            external_no="9x",
            confirmed_at=bounds_of(DAY)[1],
        )

    match_bill(bill.id)

    case = Case.objects.get()
    assert case.state == CaseState.OPEN
    assert case.gone_at is not None


def test_a_closed_case_stays_closed_when_the_day_is_compared_again(books: Books) -> None:
    books.source.bills[DAY] = [line("unknown1", 5 * YUAN)]
    bill = fetch(books)
    Case.objects.update(state=CaseState.CLOSED)

    match_bill(bill.id)

    assert Case.objects.get().state == CaseState.CLOSED


def test_a_payment_just_before_midnight_is_asked_of_the_next_bill(books: Books) -> None:
    end = bounds_of(DAY)[1]
    books.pay(at=end - dt.timedelta(seconds=1))

    bill = fetch(books)

    assert cases() == []
    assert bill.carried_count == 1


def test_what_the_next_bill_lacks_too_is_a_case_there(books: Books) -> None:
    day = DAY - dt.timedelta(days=1)
    kept = books.pay(at=bounds_of(day)[1] - dt.timedelta(seconds=1))
    lost = books.pay(at=bounds_of(day)[1] - dt.timedelta(seconds=2))
    fetch(books, day)
    assert cases() == []
    books.source.bills[DAY] = [line(kept.payment_no, 100 * YUAN, at=bounds_of(DAY)[0])]

    fetch(books)

    assert cases() == [(CaseKind.MISSING_THERE, lost.payment_no, -100 * YUAN)]


def test_days_that_come_in_the_wrong_order_end_alike(books: Books) -> None:
    day = DAY - dt.timedelta(days=1)
    early = books.pay(at=bounds_of(DAY)[0] + dt.timedelta(seconds=3))  # told after midnight
    lost = books.pay(at=bounds_of(day)[1] - dt.timedelta(seconds=2))
    books.source.bills[day] = [
        line(early.payment_no, 100 * YUAN, at=bounds_of(day)[1] - dt.timedelta(seconds=1))
    ]
    fetch(books)
    assert cases() == []

    fetch(books, day)

    assert cases() == [(CaseKind.MISSING_THERE, lost.payment_no, -100 * YUAN)]


def test_a_later_bill_that_has_what_was_missing_is_noted_on_the_case(books: Books) -> None:
    day = DAY - dt.timedelta(days=1)
    payment = books.pay(at=bounds_of(day)[0] + dt.timedelta(hours=5))
    fetch(books, day)
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN)]

    fetch(books)

    case = Case.objects.get(kind=CaseKind.MISSING_THERE)
    assert case.found_day == DAY
    assert case.state == CaseState.OPEN


def test_kinds_without_books_are_kept_and_not_compared(books: Books) -> None:
    books.source.bills[DAY] = [line("w1", 5 * YUAN, kind=LineKind.SETTLEMENT)]

    bill = fetch(books)

    assert cases() == []
    assert bill.uncompared_count == 1
    assert BillRow.objects.get().state == LineState.UNCOMPARED


def test_a_line_without_our_number_is_found_by_the_gateways(books: Books) -> None:
    payment = books.pay()
    books.source.bills[DAY] = [line("", 100 * YUAN, external_no=str(payment.external_no))]

    bill = fetch(books)

    assert cases() == []
    assert bill.matched_count == 1


def test_every_day_since_the_gateway_came_is_planned_once_and_fetched(books: Books) -> None:
    first = plan_bills()
    again = plan_bills()
    Bill.objects.update(next_attempt_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))

    taken = fetch_due_bills()

    assert (first, again, taken) == (2, 0, 2)
    assert books.source.asked == [DAY - dt.timedelta(days=1), DAY]
    assert fetch_due_bills() == 0
    assert set(Bill.objects.values_list("state", flat=True)) == {BillState.MATCHED}


def test_a_bill_that_is_not_ready_is_asked_for_again(books: Books) -> None:
    plan_bills()
    Bill.objects.update(next_attempt_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    books.source.fault = BillNotReady()

    fetch_due_bills()

    bill = Bill.objects.get(day=DAY)
    assert (bill.state, bill.last_error) == (BillState.WAITING, "bill_not_ready")
    assert bill.next_attempt_at is not None
    assert cases() == []


def test_a_refused_bill_is_a_failure_with_the_gateways_reason(books: Books) -> None:
    books.source.fault = ProviderRefused("NO_AUTH", "no right to bills")

    with pytest.raises(BillAway):
        fetch(books)

    bill = Bill.objects.get()
    assert bill.state == BillState.FAILED
    assert "no right to bills" in bill.last_error


def test_a_day_that_is_not_over_has_no_bill(books: Books) -> None:
    with pytest.raises(BillDayInvalid):
        fetch(books, DAY + dt.timedelta(days=1))

    assert Bill.objects.count() == 0


def test_a_sub_site_sees_no_bill_and_no_case_of_the_main_site(books: Books) -> None:
    books.source.bills[DAY] = [line("unknown1", 5 * YUAN)]
    fetch(books)

    with site_scope(books.site.id):
        assert Bill.objects.count() == 0
        assert Case.objects.count() == 0
        assert BillRow.objects.count() == 0
