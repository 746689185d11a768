"""What waits for a person, and the steps of a new shop."""

import datetime as dt

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from kameng.accounts.models import Approval
from kameng.catalog.selectors import forget_catalogues
from kameng.core import clock
from kameng.insight.attention import (
    MoneyWaiting,
    count_attention,
    count_money_waiting,
    list_matters,
    list_steps,
)
from kameng.inventory.selectors import forget_stock
from kameng.orders.models import Note, Order, OrderRefund, OrderState
from kameng.orders.services.refunding import refuse_source_refund
from kameng.payments.conditions import IS_ODD
from kameng.payments.models import GatewayRefund, Payment, PaymentState
from kameng.tenancy.models import Plan, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, notify, open_shop, order, payment_of, refund
from tests.factories import fund_wallet
from tests.payments.shorting import ask, pay_short
from tests.people import Buyer


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    forget_catalogues()
    forget_stock()
    return open_shop(main_site, site_a, keys=6)


def codes(site: Site) -> list[str]:
    with site_scope(site.id) as view:
        return [matter.code for matter in list_matters(view, now=clock.now())]


def test_quiet_shop_has_nothing_to_do(shop: Shop, main_site: Site) -> None:
    assert codes(shop.site) == []
    assert codes(main_site) == []


def test_refused_refund_wrong_amount_and_stuck_order_come_first(shop: Shop) -> None:
    paid, short, stuck = order(shop), order(shop), order(shop)
    notify(shop, payment_of(shop, paid))
    refund(shop, paid, key="k" * 16)
    notify(shop, payment_of(shop, short), amount=50_000)
    with site_scope(shop.site.id):
        refuse_source_refund(
            refund_no=OrderRefund.objects.get(order_id=paid.order_id).refund_no, reason="no"
        )
        Order.objects.filter(id=stuck.order_id).update(
            state=OrderState.AWAITING_DELIVERY, path=[1, 2], paid_at=clock.now()
        )

        assert count_attention() == 2
    assert codes(shop.site) == ["refund_refused", "stuck", "mismatched"]


def test_money_that_found_no_way_back_is_told(shop: Shop) -> None:
    late, again = order(shop), order(shop)
    with site_scope(shop.site.id) as view:
        Note.objects.create(site_id=shop.site.id, order_id=late.order_id, kind="late_unrefundable")
        Order.objects.filter(id=late.order_id).update(
            state=OrderState.REFUNDING, path=[1, 2, 6], paid_at=clock.now()
        )
        payment = payment_of(shop, again)
        Payment.objects.filter(id=payment.id).update(
            state=PaymentState.MISMATCHED, received_amount=payment.amount
        )

        found = list_matters(view, now=clock.now())
        Payment.objects.filter(id=payment.id).update(refunded_amount=payment.amount)

    assert [(matter.code, matter.subject) for matter in found] == [
        ("paid_twice", payment.payment_no),
        ("late_unrefundable", late.order_no),
    ]
    assert codes(shop.site) == ["late_unrefundable"]


def test_money_that_is_not_in_the_books_is_the_main_sites_matter(
    shop: Shop, main_site: Site
) -> None:
    payment = payment_of(shop, order(shop))
    unknown = Payment(payment_no="1" * 18, gateway_id=payment.gateway_id, amount=10_000)
    forged = Payment(payment_no=payment.payment_no, gateway_id=payment.gateway_id, amount=-1)
    for _ in range(2):  # the gateway repeats what is refused
        assert not notify(shop, unknown).accepted
        assert not notify(shop, forged).accepted

    with site_scope(main_site.id) as view:
        matters = list_matters(view, now=clock.now())
        later = list_matters(view, now=clock.now() + dt.timedelta(days=4))

    assert [(matter.code, matter.count) for matter in matters] == [("unbooked", 1)]
    assert later == []
    assert codes(shop.site) == []


def test_keys_that_sell_and_run_out_are_the_main_sites_matter(
    shop: Shop, main_site: Site, mei: Buyer
) -> None:
    fund_wallet(mei.customer, 1_000_000)
    order(shop, customer=mei.customer, by_wallet=True, quantity=3)
    forget_stock()

    with site_scope(main_site.id) as view:
        matters = list_matters(view, now=clock.now())

    assert [(matter.code, matter.subject) for matter in matters] == [("low_stock", "3")]
    assert codes(shop.site) == []


def test_steps_are_done_by_doing(shop: Shop, main_site: Site, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1_000_000)
    order(shop, customer=mei.customer, by_wallet=True)

    done = {}
    for site in (main_site, shop.site):
        with site_scope(site.id) as view:
            done[site.id] = {step.code for step in list_steps(view) if step.is_done}

    assert done[main_site.id] == {"goods", "keys", "gateway", "branch"}
    assert done[shop.site.id] == {"share", "first_sale"}


def test_a_plan_without_domains_asks_for_none(shop: Shop) -> None:
    with site_scope(shop.site.id) as view:
        assert "domain" in {step.code for step in list_steps(view)}

        Plan.objects.filter(id=view.plan_id).update(domains_most=0)
        assert "domain" not in {step.code for step in list_steps(view)}


def test_decisions_about_money_are_counted_by_one_statement(shop: Shop, site_b: Site) -> None:
    over, asked, returned = order(shop), pay_short(shop, None), order(shop)
    approval = {"permission": "orders.refund", "amount": 0, "wish": {}, "reason": ""}
    with site_scope(shop.site.id):
        for key, left in (("new", 1), ("old", -1)):
            Approval.objects.create(
                site_id=shop.site.id,
                kind=f"test.{key}",
                subject_id=over.order_id,
                asked_by_id=1,
                asked_by="lin",
                expires_at=clock.now() + dt.timedelta(hours=left),
                **approval,
            )
        back = payment_of(shop, returned)
        for placed in (over, returned):
            Payment.objects.filter(id=payment_of(shop, placed).id).update(
                state=PaymentState.CONFIRMED, surplus_left_amount=5, received_amount=100_005
            )

        with CaptureQueriesContext(connection) as captured:
            found = count_money_waiting()
        assert len(captured) == 1
        assert found == MoneyWaiting(approval_count=1, odd_count=3)
        GatewayRefund.objects.create(
            site_id=shop.site.id,
            payment_id=back.id,
            refund_no="R" * 18,
            purpose=back.purpose,
            subject_id=back.subject_id,
            amount=5,
            is_surplus=True,
        )
        assert count_money_waiting().odd_count == 2  # one is on its way back

    ask(shop, asked)

    with site_scope(shop.site.id):
        assert count_money_waiting().odd_count == 1  # one waits for its buyer
    with site_scope(site_b.id):
        assert count_money_waiting().count == 0


def test_odd_payments_are_found_by_their_index(shop: Shop) -> None:
    with site_scope(shop.site.id), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        plan = Payment.objects.filter(IS_ODD).explain()

    assert "payments_odd" in plan
