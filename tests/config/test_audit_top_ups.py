"""The audit finds what is broken of top-ups, disputes and approvals, and nothing in sound books."""

import pytest
from django.db import connection

from kameng.accounts.services.approving import ApprovalWish, approve_wish, ask_approval
from kameng.accounts.services.marking import mark_named
from kameng.config import audit
from kameng.payments.providers.port import RefundStatus
from kameng.payments.services import refunding
from kameng.payments.services.accepting import SurplusWish, accept_surplus
from kameng.payments.services.disputing import Complaint, close_dispute, file_dispute
from kameng.payments.services.returning import (
    ReturnWish,
    return_top_up,
    settle_refused_return,
)
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, Shop, notify, open_shop, order, payment_of
from tests.damage import as_owner
from tests.factories import make_customer
from tests.payments.filling import BO, YUAN, Purse, RefundDesk, ask_gateways, give, set_rules

COPY = (
    "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
    " reference_kind, reference_id) select site_id, debit_account, credit_account, amount, code,"
    " reference_kind, reference_id from ledger_transfer where code = {} limit 1"
)
BREAKS = [
    ("I13", "update payments_topupreturn set state = 2 where state = 1"),
    (
        "I13",
        "update payments_payment set surplus_left_amount = 0 where surplus_left_amount > 0",
    ),
    ("I16", COPY.format(12)),
    ("I16", COPY.format(13)),
    ("I16", COPY.format(52)),
    ("I16", "update ledger_transfer set credit_account = 4271 where code = 13"),
    ("I16", "update payments_bonus set revoked_amount = 0"),
    ("I16", "update payments_bonus set amount = amount + 100"),
    ("I16", "update payments_topup set returned_amount = 0"),
    ("I16", "update payments_topupreturn set state = 1 where state = 2"),
    ("I16", "update payments_topupreturn set state = 5 where state = 4"),
    ("I16", "update payments_topupreturn set amount = amount + 100 where state = 1"),
    ("I16", "update payments_gatewayrefund set refund_no = 'X' where purpose = 2 and state = 1"),
    ("I17", COPY.format(90)),
    ("I17", COPY.format(91)),
    ("I17", COPY.format(92)),
    ("I17", "update payments_dispute set state = 3 where state = 2"),
    ("I17", "update payments_dispute set lost_amount = lost_amount - 100 where state = 3"),
    ("I17", "update payments_payment set open_disputes = 0 where open_disputes > 0"),
    ("I17", "update payments_payment set disputed_amount = 0 where disputed_amount > 0"),
    ("I17", "update ledger_transfer set debit_account = 4284 where code = 92"),
    (
        "I18",
        (
            "alter table accounts_approval drop constraint accounts_approved_by_another;"
            " update accounts_approval set decided_by_id = asked_by_id"
        ),
    ),
    ("I18", "update accounts_approval set decided_by_id = 77"),
    ("I11", "update payments_topup set bonus_rule_id = 77"),
    ("I11", "update payments_dispute set gateway_id = 77"),
    ("I11", "update ledger_transfer set reference_id = 0 where reference_kind = 7"),
]


@pytest.fixture
def books(db: None, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Top-ups with bonuses returned, refused and put back; disputes won, lost and open."""
    shop, desk = open_shop(main_site, site_a), RefundDesk()
    monkeypatch.setattr(refunding, "provider_of", lambda _gateway: desk)
    customer = make_customer(site_a)
    purse = Purse(shop=shop, customer=customer)
    with site_scope(site_a.id):
        mark_named(customer.id, is_named=True, reason="看过", actor=STAFF)
    give(shop, min_amount=YUAN, bonus_amount=5 * YUAN)
    for number, status in enumerate((RefundStatus.DONE, RefundStatus.REFUSED, None)):
        top_up = purse.fill(50 * YUAN)
        with site_scope(site_a.id):
            wish = ReturnWish(amount=20 * YUAN, reason="退", idempotency_key=f"k{number}")
            returned = return_top_up(top_up_id=top_up.id, wish=wish, actor=STAFF)
        if status is not None:
            desk.status = status
            ask_gateways(shop)
        if status == RefundStatus.REFUSED:
            with site_scope(site_a.id):
                settle_refused_return(
                    return_id=returned.id, way="wallet", reason="放回", actor=STAFF
                )
    _dispute(shop)
    _leave_surplus(shop, desk)
    with site_scope(site_a.id):
        wish_of_two = ApprovalWish(
            kind="test.act", permission="money.view", about_id=1, amount=1, reason="试"
        )
        approve_wish(ask_approval(wish_of_two, actor=STAFF).id, actor=BO)
    return shop


def _dispute(shop: Shop) -> None:
    for number, is_lost in enumerate((True, False, None)):
        payment = payment_of(shop, order(shop))
        notify(shop, payment)
        complaint = Complaint(
            dispute_no=f"D{number}",
            amount=payment.amount,
            held_amount=payment.amount,
            reason="没收到",
            answer_by=None,
        )
        with site_scope(shop.site.id):
            filed = file_dispute(payment_id=payment.id, complaint=complaint, actor=STAFF)
            if is_lost is not None:
                close_dispute(dispute_id=filed.id, is_lost=is_lost, reason="x", actor=STAFF)


def _leave_surplus(shop: Shop, desk: RefundDesk) -> None:
    set_rules(shop, two_person_amount=20_000_000)
    payment = payment_of(shop, order(shop))
    notify(shop, payment, amount=payment.amount + 3 * YUAN)
    with site_scope(shop.site.id):
        wish = SurplusWish(way="source", reason="多付")
        accept_surplus(payment_id=payment.id, wish=wish, actor=STAFF)


def test_sound_books_are_no_breach(books: Shop) -> None:
    assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_each_breach_is_found(books: Shop, name: str, damage: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)

    assert name in {line.partition(":")[0] for line in audit.find_breaches()}, damage
