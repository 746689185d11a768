"""People decide about differences: once, with a reason, and nothing that was booked is edited."""

import pytest

from kameng.config.auditing import references
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, Code, Reference
from kameng.ledger.models import Transfer
from kameng.ledger.selectors import site_account_amount
from kameng.payments.errors import GatewayAway
from kameng.payments.models import Payment, PaymentState
from kameng.payments.providers.abilities import LineKind
from kameng.payments.providers.port import ProviderUncertain
from kameng.payments.services import confirming
from kameng.reconciliation.errors import (
    CaseChanged,
    CaseNotFound,
    CaseReasonMissing,
    CorrectionNotFitting,
)
from kameng.reconciliation.models import Case, CaseKind, CaseNote, CaseState
from kameng.reconciliation.rules import Correction, suggest
from kameng.reconciliation.services.deciding import (
    assign_case,
    book_case,
    close_case,
    note_case,
    query_case,
    reopen_case,
)
from kameng.reconciliation.services.fetching import fetch_bill
from kameng.tenancy.selectors import site_scope
from tests.reconciliation.conftest import DAY, STAFF, YUAN, Books, line

pytestmark = pytest.mark.usefixtures("in_main")


def only_case(books: Books) -> Case:
    fetch_bill(gateway_id=books.gateway.id, day=DAY, actor=STAFF)
    found: Case = Case.objects.get()
    return found


def held(books: Books, kind: AccountKind) -> int:
    return site_account_amount(kind, owner_id=books.gateway.id)


def fee_case(books: Books) -> Case:
    payment = books.pay(fee=6_000)
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN, fee=8_000)]
    return only_case(books)


def test_a_fee_difference_is_booked_once_and_closes_the_case(books: Books) -> None:
    case = fee_case(books)

    amount = book_case(case_id=case.id, reason="费率已调为 0.8%", actor=STAFF)
    with pytest.raises(CaseChanged):
        book_case(case_id=case.id, reason="再来一次", actor=STAFF)

    assert amount == 2_000
    transfer = Transfer.objects.get(code=Code.DIFFERENCE)
    assert (transfer.reference_kind, transfer.reference_id) == (Reference.CASE, case.id)
    assert held(books, AccountKind.GATEWAY_FEES) == 2_000
    assert held(books, AccountKind.DIFFERENCES) == -2_000
    case.refresh_from_db()
    assert (case.state, case.booked_amount) == (CaseState.CLOSED, 2_000)
    assert AuditEntry.objects.filter(action="case.booked").count() == 1
    with platform_scope("the audit looks at all sites"):
        assert [each for each in references() if each.startswith("ledger_transfer")] == []


@pytest.mark.parametrize(
    ("kind", "clearing"), [(LineKind.PAYMENT, -5 * YUAN), (LineKind.REFUND, 5 * YUAN)]
)
def test_money_that_only_the_gateway_knows_is_booked_to_its_clearing(
    books: Books, kind: LineKind, clearing: int
) -> None:
    books.source.bills[DAY] = [line("unknown1", 5 * YUAN, kind=kind)]
    case = only_case(books)

    book_case(case_id=case.id, reason="线下收款码", actor=STAFF)

    assert held(books, AccountKind.GATEWAY_CLEARING) == clearing
    assert held(books, AccountKind.DIFFERENCES) == -clearing


@pytest.mark.parametrize(
    ("kind", "clearing"),
    [(LineKind.CORRECTION_IN, -5 * YUAN), (LineKind.CORRECTION_OUT, 5 * YUAN)],
)
def test_a_correction_of_the_gateway_is_a_case_that_is_booked_its_own_way(
    books: Books, kind: LineKind, clearing: int
) -> None:
    books.source.bills[DAY] = [line("", 5 * YUAN, kind=kind, external_no="")]
    case = only_case(books)
    assert (case.kind, case.line_kind) == (CaseKind.MISSING_HERE, str(kind))
    assert (
        suggest(case.kind, line_kind=case.line_kind, is_gone=False, is_found=False, is_booked=False)
        == Correction.BOOK
    )

    book_case(case_id=case.id, reason="银联差错单", actor=STAFF)

    assert held(books, AccountKind.GATEWAY_CLEARING) == clearing
    assert held(books, AccountKind.DIFFERENCES) == -clearing


def test_money_that_the_gateway_does_not_have_leaves_its_clearing(books: Books) -> None:
    books.pay()
    case = only_case(books)

    book_case(case_id=case.id, reason="通道确认未到账", actor=STAFF)

    assert case.kind == CaseKind.MISSING_THERE
    assert held(books, AccountKind.GATEWAY_CLEARING) == 100 * YUAN
    assert held(books, AccountKind.DIFFERENCES) == -100 * YUAN


def test_a_duplicate_is_not_booked(books: Books) -> None:
    payment = books.pay()
    books.source.bills[DAY] = [
        line(payment.payment_no, 100 * YUAN),
        line(payment.payment_no, 100 * YUAN, external_no="second"),
    ]
    case = only_case(books)

    with pytest.raises(CorrectionNotFitting):
        book_case(case_id=case.id, reason="x", actor=STAFF)

    assert Transfer.objects.count() == 0
    case.refresh_from_db()
    assert case.state == CaseState.OPEN


def test_closing_and_reopening_need_a_reason_and_the_right_state(books: Books) -> None:
    case = fee_case(books)

    with pytest.raises(CaseReasonMissing):
        close_case(case_id=case.id, reason="  ", actor=STAFF)
    with pytest.raises(CaseChanged):
        reopen_case(case_id=case.id, reason="还没关", actor=STAFF)
    close_case(case_id=case.id, reason="通道已补", actor=STAFF)
    with pytest.raises(CaseChanged):
        close_case(case_id=case.id, reason="两次", actor=STAFF)
    reopen_case(case_id=case.id, reason="又出现", actor=STAFF)

    case.refresh_from_db()
    assert (case.state, case.closed_at) == (CaseState.OPEN, None)
    assert list(CaseNote.objects.values_list("act", flat=True).order_by("id")) == [
        "closed",
        "reopened",
    ]
    assert Transfer.objects.count() == 0


def test_assigning_and_noting_leave_their_trace(books: Books) -> None:
    case = fee_case(books)

    assign_case(case_id=case.id, assignee_id=7, assignee_name="小林", actor=STAFF)
    note_case(case_id=case.id, text="已发工单", actor=STAFF)

    case.refresh_from_db()
    assert case.assignee_id == 7
    assert [(n.act, n.text) for n in CaseNote.objects.order_by("id")] == [
        ("assigned", "小林"),
        ("noted", "已发工单"),
    ]
    assert AuditEntry.objects.filter(subject_id=case.case_no).count() == 2


class Away:
    """A gateway that does not answer."""

    def query(self, config: object, payment_no: str) -> object:
        raise ProviderUncertain("timeout")


def test_asking_a_silent_gateway_changes_nothing(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = books.pay(state=PaymentState.OPEN)
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN)]
    case = only_case(books)
    monkeypatch.setattr(confirming, "provider_of", lambda _gateway: Away())
    monkeypatch.setattr(confirming, "config_of", lambda _gateway: None)

    with pytest.raises(GatewayAway):
        query_case(case_id=case.id, actor=STAFF)

    with site_scope(books.site.id):
        assert Payment.objects.get(id=payment.id).state == PaymentState.OPEN
    assert Case.objects.get().gone_at is None


def test_the_case_of_another_site_is_not_there(books: Books) -> None:
    case = fee_case(books)

    with site_scope(books.site.id), pytest.raises(CaseNotFound):
        close_case(case_id=case.id, reason="外人", actor=STAFF)

    case.refresh_from_db()
    assert case.state == CaseState.OPEN
