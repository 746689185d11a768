"""Who has no session is served by the site as the process keeps it; the database compares it.

Each change here is made behind the process's back, as another process makes it.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.db import connections

from kameng.accounts import store as accounts_store
from kameng.catalog.models import Variant
from kameng.core.scope import platform_scope
from kameng.orders import store
from kameng.orders.models import OrderState
from kameng.orders.store import Confirmable
from kameng.payments.models import Gateway, PaymentState
from kameng.payments.statements import Statement
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import peek_stamped_view
from tests.concurrency.guards import without_guard
from tests.loops import run_on_loop
from tests.storefront.test_express import Shop, orders_of, payment_of, shop

__all__ = ["shop"]
ONE = "s.xmin::text || ':' || m.xmin::text"


def guest(shop: Shop, **changes: str) -> Any:
    return shop.post(shop.order(pay=str(shop.gateway.id), **changes))[0]


def change(site: Site, **fields: object) -> None:
    with connections["owner"].cursor() as cursor:  # without the code that would tell this process
        sets = ", ".join(f"{name} = %s" for name in fields)
        cursor.execute(f"update tenancy_site set {sets} where id = %s", [*fields.values(), site.id])


def move_catalogues() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("update tenancy_site set catalogue_version = catalogue_version + 1")


@pytest.fixture
def warm(shop: Shop) -> Shop:
    """A shop whose site this process keeps."""
    assert guest(shop).status == 201
    assert peek_stamped_view(shop.site.id) is not None
    return shop


@pytest.fixture
def no_callers(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    async def refuse(_caller: object) -> Awaitable[None]:
        raise AssertionError("nobody asks who has no session")

    return lambda: monkeypatch.setattr(accounts_store.callers, "submit", refuse)


def test_a_guest_costs_one_statement_an_act(warm: Shop, no_callers: Callable[[], None]) -> None:
    no_callers()

    placed = guest(warm)
    heard = warm.get(warm.callback(payment_of(warm)))

    assert placed.status == 201
    assert (heard.status, heard.content) == (200, b"success")
    assert orders_of(warm.site)[-1].state == OrderState.DELIVERED
    assert warm.threads == []


def test_who_has_a_session_is_asked_for(warm: Shop, no_callers: Callable[[], None]) -> None:
    no_callers()

    (answer,) = warm.post(warm.order(), token=warm.token)

    assert answer.status == 201
    assert warm.threads == ["/checkout/"]  # the way was left where the session is looked up


def test_a_setting_that_changed_elsewhere_counts_at_once(warm: Shop) -> None:
    change(warm.site, settings=json.dumps({"guest_checkout": False}))

    refused = guest(warm)

    assert refused.status in {401, 403}
    assert len(orders_of(warm.site)) == 1
    assert warm.threads == ["/checkout/"]


def test_without_the_comparison_the_setting_of_before_would_count(warm: Shop) -> None:
    change(warm.site, settings=json.dumps({"guest_checkout": False}))

    with without_guard("tenancy_fresh", (f"t.stamp = {ONE}", "true")):
        placed = guest(warm)

    assert placed.status == 201
    assert warm.threads == []


def test_the_next_guest_takes_the_express_way_again(warm: Shop) -> None:
    change(warm.site, name="换了名字")

    statuses = [guest(warm).status for _ in range(3)]

    assert statuses == [201, 201, 201]
    assert warm.threads == ["/checkout/"]


def test_a_refusal_by_an_old_view_is_not_the_last_word(warm: Shop) -> None:
    change(warm.site, settings=json.dumps({"guest_checkout": False}))
    guest(warm)
    warm.threads.clear()
    change(warm.site, settings=json.dumps({"guest_checkout": True}))

    assert guest(warm).status == 201


def test_a_price_that_moved_elsewhere_is_the_price(warm: Shop) -> None:
    with platform_scope("another process lowers a price"):
        Variant.unscoped.filter(id=warm.cards.variant.id).update(list_amount=90_000)
    move_catalogues()

    placed = guest(warm, shown_total="")

    assert placed.status == 201
    assert warm.threads == ["/checkout/"]
    before, after = orders_of(warm.site)
    assert after.total_amount < before.total_amount


def test_a_closed_shop_takes_no_order(warm: Shop) -> None:
    change(warm.site, state=SiteState.SUSPENDED, suspended_reason="年检")

    assert guest(warm).status == 403
    assert len(orders_of(warm.site)) == 1


def freeze(shop: Shop) -> None:
    """Freeze the gateway as another process does: its site's version grows."""
    with platform_scope("another process freezes a gateway"):
        Gateway.unscoped.filter(id=shop.gateway.id).update(is_frozen=True)
    move_catalogues()


def test_a_gateway_that_was_frozen_elsewhere_is_not_believed(warm: Shop) -> None:
    freeze(warm)

    answer = warm.get(warm.callback(payment_of(warm)))

    assert answer.content == b"fail"
    assert payment_of(warm).state == PaymentState.OPEN
    assert warm.threads == [f"/notify/{warm.gateway.id}/"]


def test_without_the_comparison_a_frozen_gateway_would_be_believed(warm: Shop) -> None:
    freeze(warm)

    with without_guard("tenancy_are_stamped", ("t.stamp = '' or", "true or")):
        answer = warm.get(warm.callback(payment_of(warm)))

    assert answer.content == b"success"
    assert payment_of(warm).state == PaymentState.CONFIRMED
    assert warm.threads == []


def test_of_one_batch_only_what_is_stale_is_left_alone(warm: Shop) -> None:
    first = payment_of(warm)
    guest(warm)
    second = payment_of(warm)
    kept = peek_stamped_view(warm.site.id)
    assert kept is not None

    def said(payment: Any, stamp: str) -> Confirmable:
        statement = Statement(
            payment_no=payment.payment_no,
            gateway_id=warm.gateway.id,
            external_no=f"EXT{payment.payment_no}",
            amount=payment.amount,
            source="callback",
            raw_digest=b"d" * 32,
        )
        return Confirmable(statement, warm.site.id, stamp)

    done = run_on_loop(
        store.confirm_lane.submit(said(first, "1:1")),
        store.confirm_lane.submit(said(second, kept[0])),
        store.confirm_lane.submit(said(first, "")._replace(site_id=0, stamp="1:1")),
    )

    assert done == [False, True, False]
    assert [order.state for order in orders_of(warm.site)] == [
        OrderState.AWAITING_PAYMENT,
        OrderState.DELIVERED,
    ]
