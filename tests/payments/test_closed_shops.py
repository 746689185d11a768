"""Money that comes to a shop after it closed for good: all of it goes back to who paid."""

import pytest

from kameng.catalog.models import Variant
from kameng.config.audit import find_breaches
from kameng.core.scope import platform_scope
from kameng.insight.services.leaving import complete_closing
from kameng.insight.services.notifying import announce_closing
from kameng.ledger.accounts import AccountKind
from kameng.orders import handlers
from kameng.orders.models import Note
from kameng.orders.rules import State
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.models import GatewayRefund, Payment, PaymentState, RefundState, TopUp
from kameng.payments.providers.port import RefundStatus
from kameng.payments.selectors import list_mismatched
from kameng.payments.services import confirming
from kameng.tenancy.children import move_child
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    count,
    fresh,
    make_due,
    notify,
    open_shop,
    order,
    payment_of,
)
from tests.factories import make_child
from tests.payments.filling import YUAN, Purse, RefundDesk, ask_gateways, balance


def close(site: Site) -> None:
    """Close a shop for good."""
    with site_scope(site.id):
        announce_closing(reason="不做了", is_by_platform=False, actor=STAFF)
        complete_closing(actor=STAFF)
    assert get_site_view(site.id).state == SiteState.CLOSED


def give_up(shop: Shop, payment: Payment) -> None:
    """Let a payment be over, as it is before its shop may close; the gateway does not know."""
    with site_scope(shop.site.id):
        Payment.objects.filter(id=payment.id).update(state=PaymentState.CLOSED)


def owed(shop: Shop) -> dict[AccountKind, int]:
    """Return what the shop holds for others or has to get."""
    kinds = (AccountKind.ORDER_SUSPENSE, AccountKind.SITE_MARGIN)
    return {kind: balance(kind, shop.site.id) for kind in kinds}


def refunds(shop: Shop) -> list[tuple[int, int]]:
    """Return amount and state of what the gateway was asked to give back."""
    with site_scope(shop.site.id):
        return list(GatewayRefund.objects.order_by("id").values_list("amount", "state"))


def closed_with_a_top_up(purse: Purse) -> tuple[TopUp, Payment]:
    top_up, payment = purse.begin(100 * YUAN)
    give_up(purse.shop, payment)
    close(purse.shop.site)
    return top_up, payment


def closed_with_an_order(shop: Shop) -> tuple[PlacedOrder, Payment]:
    placed = order(shop)
    cancel(shop, placed)
    payment = payment_of(shop, placed)
    give_up(shop, payment)
    close(shop.site)
    return placed, payment


def test_a_top_up_that_is_paid_after_closing_goes_back(
    purse: Purse, desk: RefundDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "_ask_back", lambda *_wish, **_more: "")  # it says so too
    top_up, payment = closed_with_a_top_up(purse)

    said = notify(purse.shop, payment)
    again = notify(purse.shop, payment)

    assert said.accepted
    assert (again.accepted, again.body) == (said.accepted, said.body)
    assert refunds(purse.shop) == [(100 * YUAN, RefundState.WAITING)]
    ask_gateways(purse.shop)
    assert refunds(purse.shop) == [(100 * YUAN, RefundState.DONE)]
    assert len(desk.asked) == 1
    assert (purse.held, purse.fresh(top_up).credited_at) == (0, None)
    assert set(owed(purse.shop).values()) == {0}
    assert notify(purse.shop, payment).body == said.body
    assert len(refunds(purse.shop)) == 1
    assert find_breaches() == []


def test_an_order_that_is_paid_after_closing_goes_back_and_sells_nothing(
    any_db: None, shop: Shop, desk: RefundDesk
) -> None:
    placed, payment = closed_with_an_order(shop)
    unsold = count("select count(*) from inventory_cardkey where state = 0")

    said = notify(shop, payment)
    again = notify(shop, payment)

    assert said.accepted
    assert (again.accepted, again.body) == (said.accepted, said.body)
    ask_gateways(shop)
    found = fresh(shop, placed)
    assert refunds(shop) == [(found.total_amount, RefundState.DONE)]
    assert (found.state, found.paid_at) == (State.CANCELLED, None)
    assert count("select count(*) from inventory_cardkey where state = 0") == unsold
    assert set(owed(shop).values()) == {0}
    with site_scope(shop.site.id):
        assert "shop_closed" in set(Note.objects.values_list("kind", flat=True))
    assert find_breaches() == []


def test_without_the_guard_a_closed_shop_would_be_owed_its_part(
    any_db: None, shop: Shop, desk: RefundDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_is_too_late", lambda order_id: False)
    _placed, payment = closed_with_an_order(shop)

    notify(shop, payment)

    assert balance(AccountKind.SITE_MARGIN, shop.site.id) > 0


def sold_through_one_that_closed(main: Site, upline: Site) -> tuple[Shop, PlacedOrder, Payment]:
    """A child's order that is over; its upline closes once the child is below the main site."""
    child = make_child(upline, slug="child-a", host="child.localhost", terms=(1000, 0))
    shop = open_shop(main, child)
    with platform_scope("a test leaves room for the upline's part"):
        Variant.unscoped.filter(id=shop.variant.id).update(list_amount=2_000_000)
    placed = order(shop)
    cancel(shop, placed)
    payment = payment_of(shop, placed)
    give_up(shop, payment)
    with platform_scope("the main site takes the child over"):
        move_child(site_id=child.id, upline_id=None, plan_id=upline.plan_id, actor=STAFF)
    close(upline)
    assert get_site_view(child.id).state == SiteState.OPEN
    return shop, placed, payment


def test_what_is_paid_after_the_upline_closed_goes_back(
    any_db: None, main_site: Site, site_a: Site, desk: RefundDesk
) -> None:
    shop, placed, payment = sold_through_one_that_closed(main_site, site_a)

    said = notify(shop, payment)
    again = notify(shop, payment)

    assert said.accepted
    assert (again.accepted, again.body) == (said.accepted, said.body)
    ask_gateways(shop)
    found = fresh(shop, placed)
    assert found.upline_site_id == site_a.id
    assert refunds(shop) == [(found.total_amount, RefundState.DONE)]
    assert (found.state, found.paid_at) == (State.CANCELLED, None)
    assert set(owed(shop).values()) == {0}
    assert balance(AccountKind.SITE_MARGIN, site_a.id) == 0
    assert find_breaches() == []


def test_without_the_guard_a_closed_upline_would_be_owed_its_part(
    any_db: None,
    main_site: Site,
    site_a: Site,
    desk: RefundDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handlers, "_is_too_late", lambda order_id: False)
    shop, _placed, payment = sold_through_one_that_closed(main_site, site_a)

    notify(shop, payment)

    assert balance(AccountKind.SITE_MARGIN, site_a.id) > 0


@pytest.mark.parametrize("is_of_a_customer", [True, False])
def test_where_the_gateway_cannot_give_back_the_platform_decides(
    purse: Purse, desk: RefundDesk, *, is_of_a_customer: bool
) -> None:
    desk.supports_refund = False
    customer = purse.customer if is_of_a_customer else None
    placed = order(purse.shop, customer=customer)
    cancel(purse.shop, placed)
    payment = payment_of(purse.shop, placed)
    give_up(purse.shop, payment)
    close(purse.shop.site)

    notify(purse.shop, payment)

    assert purse.held == 0  # a wallet in a closed shop is lost money
    with site_scope(purse.shop.site.id):
        assert [row.id for row in list_mismatched()] == [payment.id]
    assert find_breaches() == []


def test_a_refusal_of_the_gateway_leaves_it_to_the_platform(
    any_db: None, shop: Shop, desk: RefundDesk
) -> None:
    desk.status, desk.reason = RefundStatus.REFUSED, "账户已注销"
    _placed, payment = closed_with_an_order(shop)

    notify(shop, payment)
    ask_gateways(shop)

    with site_scope(shop.site.id):
        assert [row.id for row in list_mismatched()] == [payment.id]
    assert find_breaches() == []


def test_a_closing_shop_still_brings_late_orders_to_their_end(
    any_db: None, shop: Shop, desk: RefundDesk
) -> None:
    placed = order(shop)
    make_due(shop, placed)
    cancel(shop, placed)
    with site_scope(shop.site.id):
        announce_closing(reason="不做了", is_by_platform=False, actor=STAFF)

    notify(shop, payment_of(shop, placed))

    assert fresh(shop, placed).state == State.DELIVERED
