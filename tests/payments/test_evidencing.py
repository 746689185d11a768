"""Answers to disputes that are handed in at the gateway: once, whatever is lost on the way."""

import datetime as dt
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.orders.errors import EvidenceHoldsKey
from kameng.orders.links import contact_digest
from kameng.orders.services.delivering import collect_goods
from kameng.orders.services.evidence import collect_evidence
from kameng.payments.errors import AnswerMissing, DisputeOver, EvidenceUnsupported
from kameng.payments.models import (
    Dispute,
    DisputeEvidence,
    EvidenceState,
    Gateway,
    Payment,
)
from kameng.payments.providers.abilities import EvidenceRequest, TransferOutcome, TransferStatus
from kameng.payments.providers.port import (
    DisputeNotice,
    DisputeStatus,
    ProviderRefused,
    ProviderUncertain,
)
from kameng.payments.services import evidencing
from kameng.payments.services.disputing import (
    Complaint,
    accept_dispute,
    answer_dispute,
    close_dispute,
    file_dispute,
)
from kameng.payments.services.evidencing import (
    EvidenceFacts,
    send_due_evidence,
    submit_evidence,
)
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import STAFF, Shop, fresh, notify, of_kind, order, payment_of
from tests.factories import make_customer

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
DONE = TransferOutcome(status=TransferStatus.DONE, external_no="file_1")


@dataclass
class Bank:
    """A gateway that takes evidence and answers as told."""

    answers: list[TransferOutcome | Exception] = field(default_factory=list)
    asked: list[EvidenceRequest] = field(default_factory=list)

    def submit_evidence(self, _config: object, request: EvidenceRequest) -> TransferOutcome:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else DONE
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    """The gateway of the shop, as far as it takes evidence."""
    found = Bank()
    monkeypatch.setattr(evidencing, "provider_of", lambda _gateway: found)
    return found


@pytest.fixture
def dispute(any_db: None, shop: Shop) -> Dispute:
    """An open dispute that the gateway told of, about a delivered order, answered by staff."""
    placed = order(shop, customer=make_customer(shop.site), ip="198.51.100.7")
    payment = payment_of(shop, placed)
    assert notify(shop, payment).accepted
    return told_of(shop, payment)


def told_of(shop: Shop, payment: Payment) -> Dispute:
    notice = DisputeNotice(
        dispute_no="du_1",
        payment_no=payment.payment_no,
        external_no="",
        status=DisputeStatus.OPENED,
        amount=Amount(payment.amount),
        reason="fraudulent",
        answer_by=None,
        raw_digest="00" * 32,
    )
    with site_scope(shop.site.id):
        assert accept_dispute(notice, gateway=Gateway.objects.get(id=payment.gateway_id))
        found: Dispute = Dispute.objects.select_related("payment").get(payment_id=payment.id)
        answer_dispute(dispute_id=found.id, evidence="买家看过商品。", actor=STAFF)
        found.refresh_from_db()
    return found


def hand_in(shop: Shop, dispute: Dispute) -> DisputeEvidence:
    facts = EvidenceFacts(product="测试点卡 × 1", delivered_at=clock.now(), document=b"%PDF-1")
    with site_scope(shop.site.id):
        return submit_evidence(dispute_id=dispute.id, facts=facts, actor=STAFF)


def evidence(shop: Shop) -> DisputeEvidence:
    with site_scope(shop.site.id):
        found: DisputeEvidence = DisputeEvidence.objects.latest("id")
    return found


def be_due(shop: Shop) -> None:
    with site_scope(shop.site.id):
        DisputeEvidence.objects.filter(state=EvidenceState.WAITING).update(
            next_attempt_at=clock.now() - dt.timedelta(seconds=1)
        )


def test_an_answer_is_handed_in_once(shop: Shop, dispute: Dispute, bank: Bank) -> None:
    first = hand_in(shop, dispute)
    assert hand_in(shop, dispute).id == first.id
    assert (bank.asked, first.state) == ([], EvidenceState.WAITING)  # the worker calls

    assert send_due_evidence() == 1
    be_due(shop)
    assert send_due_evidence() == 0

    sent = evidence(shop)
    assert (sent.state, sent.external_no) == (EvidenceState.SENT, "file_1")
    assert [each.evidence_no for each in bank.asked] == [first.evidence_no]
    assert bank.asked[0].text == "买家看过商品。"
    assert bank.asked[0].dispute_no == "du_1"
    assert hand_in(shop, dispute).id == first.id


def test_an_unknown_outcome_is_asked_again_with_the_same_number_and_document(
    shop: Shop, dispute: Dispute, bank: Bank
) -> None:
    bank.answers = [
        ProviderUncertain("timeout"),
        TransferOutcome(status=TransferStatus.UNKNOWN, reason="not_submitted"),
    ]
    hand_in(shop, dispute)
    for _turn in range(3):
        be_due(shop)
        assert send_due_evidence() == 1

    assert evidence(shop).state == EvidenceState.SENT
    assert len({(each.evidence_no, each.document) for each in bank.asked}) == 1


def test_what_the_gateway_refuses_may_be_handed_in_anew(
    shop: Shop, dispute: Dispute, bank: Bank
) -> None:
    bank.answers = [ProviderRefused("invalid", "bad file")]
    first = hand_in(shop, dispute)
    send_due_evidence()
    refused = evidence(shop)
    assert refused.state == EvidenceState.REFUSED
    assert "invalid" in refused.last_error

    second = hand_in(shop, dispute)
    send_due_evidence()

    assert second.evidence_no != first.evidence_no
    assert evidence(shop).state == EvidenceState.SENT


def test_who_may_not_hand_in(
    shop: Shop, dispute: Dispute, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_scope(shop.site.id):
        Dispute.objects.update(evidence=" ")
    with pytest.raises(AnswerMissing):
        hand_in(shop, dispute)
    with site_scope(shop.site.id):
        complaint = Complaint(
            dispute_no="M1", amount=100, held_amount=0, reason="邮件", answer_by=None
        )
        written = file_dispute(payment_id=dispute.payment_id, complaint=complaint, actor=STAFF)
    with pytest.raises(EvidenceUnsupported):
        hand_in(shop, written)  # its number was typed by hand
    monkeypatch.setattr(evidencing, "provider_of", lambda _gateway: object())
    with pytest.raises(EvidenceUnsupported):
        hand_in(shop, dispute)
    with site_scope(shop.site.id):
        close_dispute(dispute_id=dispute.id, is_lost=False, reason="赢了", actor=STAFF)
    with pytest.raises(DisputeOver):
        hand_in(shop, dispute)
    with platform_scope("a test counts"):
        assert DisputeEvidence.unscoped.count() == 0


def test_an_answer_that_nobody_heard_ends_with_the_dispute(
    shop: Shop, dispute: Dispute, bank: Bank
) -> None:
    bank.answers = [ProviderUncertain("timeout")]
    hand_in(shop, dispute)
    with site_scope(shop.site.id):
        close_dispute(dispute_id=dispute.id, is_lost=False, reason="赢了", actor=STAFF)

    send_due_evidence()

    assert (evidence(shop).state, evidence(shop).last_error) == (EvidenceState.REFUSED, "closed")


def test_twenty_presses_hand_in_once(
    shop: Shop, dispute: Dispute, bank: Bank, run_parallel: Parallel
) -> None:
    rows = run_parallel(20, lambda _i: hand_in(shop, dispute))

    assert len(of_kind(rows, DisputeEvidence)) == 20
    assert len({row.id for row in rows}) == 1


def test_control_without_the_lock_a_press_fails(
    wrecked_db: None,
    shop: Shop,
    dispute: Dispute,
    bank: Bank,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both find nothing: the unique row stops the second, which should have got the first's."""
    both = Meeting(2)

    def unlocked(dispute_id: int) -> Dispute:
        return Dispute.objects.get(id=dispute_id)

    def number(_now: object) -> str:
        both.arrive()
        return f"{id(object())}"[-18:]

    monkeypatch.setattr(evidencing, "lock_open_dispute", unlocked)
    monkeypatch.setattr(evidencing, "new_number", number)

    rows = run_parallel(2, lambda _i: hand_in(shop, dispute))

    assert len(of_kind(rows, DisputeEvidence)) == 1


def text_of(document: bytes) -> str:
    parts = re.findall(rb"stream\n(.*?)\nendstream", document, flags=re.S)
    return "".join(zlib.decompress(part).decode() for part in parts)


def test_the_package_tells_facts_without_keys_or_addresses(shop: Shop, dispute: Dispute) -> None:
    with site_scope(shop.site.id):
        placed = fresh(shop, _placed(dispute))
        goods = collect_goods(placed, by_buyer=False)
        facts = collect_evidence(dispute)

    text = text_of(facts.document)
    assert facts.product == f"{placed.title} × 1"
    assert facts.delivered_at == placed.delivered_at
    for told in (dispute.dispute_no, placed.order_no, dispute.payment.payment_no):
        assert told in text
    assert "198.51.100.7" not in text
    assert "买家看过商品。".encode("utf-16-be").hex() in text
    assert len(goods) == 1
    for part in goods[0].text.split("----"):
        assert part not in text


def test_a_guests_address_is_told_by_its_digest(any_db: None, shop: Shop) -> None:
    placed = order(shop, contact="mei@example.com")
    payment = payment_of(shop, placed)
    notify(shop, payment)
    with site_scope(shop.site.id):
        text = text_of(collect_evidence(told_of(shop, payment)).document)

    assert "mei@example.com" not in text
    assert contact_digest(shop.site.id, "mei@example.com").hex() in text


def test_an_answer_with_a_key_of_the_order_is_refused(shop: Shop, dispute: Dispute) -> None:
    with site_scope(shop.site.id):
        (goods,) = collect_goods(fresh(shop, _placed(dispute)), by_buyer=False)
        dispute.evidence = f"他拿到了 {goods.text.split('----')[-1]}。"

        with pytest.raises(EvidenceHoldsKey):
            collect_evidence(dispute)


def _placed(dispute: Dispute) -> Any:
    @dataclass
    class Placed:
        order_id: int

    return Placed(dispute.payment.subject_id)
