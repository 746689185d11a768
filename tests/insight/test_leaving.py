"""Closing a site: nothing new while it winds down, complete only when nobody is owed anything."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.insight.errors import HindrancesLeft
from kameng.insight.hindrances import list_hindrances
from kameng.insight.services.leaving import complete_closing
from kameng.insight.services.notifying import announce_closing, tell_customers
from kameng.ledger.errors import WalletShort
from kameng.ledger.services import adjust_wallet
from kameng.messaging.models import Email, InboxMessage
from kameng.orders import errors as order_errors
from kameng.payments.services.paying import start_top_up
from kameng.settlement import errors as settlement_errors
from kameng.settlement.services.ending import settle_claim_by_hand
from kameng.tenancy import errors
from kameng.tenancy.closing import (
    find_closing,
    finish_closing,
    give_up_closing,
    release_address,
    reopen_site,
)
from kameng.tenancy.models import Closing, Site, SiteState
from kameng.tenancy.selectors import find_site_id, forget_hosts, get_site_view, site_scope
from kameng.tenancy.services import remove_domain, set_site_state
from tests import people
from tests.concurrency.shop import (
    Shop,
    cancel,
    make_buyers,
    notify,
    open_shop,
    order,
    payment_of,
)
from tests.factories import make_customer
from tests.settlement.world import LIN


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    return open_shop(main_site, site_a, keys=8)


def begin(site: Site) -> Closing:
    with site_scope(site.id):
        return announce_closing(reason="不做了", is_by_platform=False, actor=LIN)


def codes(site: Site) -> list[str]:
    with site_scope(site.id):
        return [each.code for each in list_hindrances()]


def complete(site: Site) -> Closing:
    with site_scope(site.id):
        return complete_closing(actor=LIN)


def state_of(site: Site) -> int:
    return get_site_view(site.id).state


def test_a_closing_site_takes_no_order_and_no_money(shop: Shop) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=10**6)
    view_before = get_site_view(shop.site.id)
    begin(shop.site)

    assert get_site_view(shop.site.id).catalogue_version > view_before.catalogue_version
    with pytest.raises(order_errors.PriceMoved):
        order(shop, customer=mei, by_wallet=True)
    with pytest.raises(order_errors.PriceMoved):
        order(shop)
    with site_scope(shop.site.id), pytest.raises(errors.ShopClosing):
        start_top_up(customer_id=mei.id, amount=100_000, choice=shop.choice, idempotency_key="t")


def test_it_closes_only_when_everything_is_settled(shop: Shop) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=500_000)
    waiting = order(shop)
    sold = order(shop)
    notify(shop, payment_of(shop, sold))
    with site_scope(shop.site.id), pytest.raises(errors.ClosingStateWrong):
        finish_closing(actor=LIN)
    begin(shop.site)

    assert codes(shop.site) == ["orders", "wallets", "claim"]
    with pytest.raises(HindrancesLeft):
        complete(shop.site)
    assert state_of(shop.site) == SiteState.CLOSING

    cancel(shop, waiting)
    with site_scope(shop.site.id):
        adjust_wallet(
            site_id=shop.site.id, customer_id=mei.id, amount=-500_000, reason="线下退", actor=LIN
        )
        with pytest.raises(WalletShort):
            adjust_wallet(
                site_id=shop.site.id, customer_id=mei.id, amount=-1, reason="多退", actor=LIN
            )
        (claim,) = list_hindrances()
        settle_claim_by_hand(shown_amount=claim.amount, reason="已转账", actor=LIN)
    assert codes(shop.site) == []

    done = complete(shop.site)
    assert (state_of(shop.site), done.completed_at is not None) == (SiteState.CLOSED, True)
    with pytest.raises(errors.ClosingStateWrong):
        complete(shop.site)
    with site_scope(shop.site.id), pytest.raises(errors.ShopClosed):
        adjust_wallet(
            site_id=shop.site.id, customer_id=mei.id, amount=100, reason="再加", actor=LIN
        )


def test_a_claim_is_settled_as_it_was_shown_and_only_while_closing(shop: Shop) -> None:
    sold = order(shop)
    notify(shop, payment_of(shop, sold))
    with site_scope(shop.site.id):
        (claim,) = list_hindrances()
        with pytest.raises(settlement_errors.SiteStays):
            settle_claim_by_hand(shown_amount=claim.amount, reason="x", actor=LIN)
    begin(shop.site)
    with site_scope(shop.site.id):
        with pytest.raises(settlement_errors.ClaimMoved):
            settle_claim_by_hand(shown_amount=claim.amount + 1, reason="x", actor=LIN)
        with pytest.raises(settlement_errors.ReasonMissing):
            settle_claim_by_hand(shown_amount=claim.amount, reason=" ", actor=LIN)
        settle_claim_by_hand(shown_amount=claim.amount, reason="x", actor=LIN)
        with pytest.raises(settlement_errors.ClaimMoved):
            settle_claim_by_hand(shown_amount=0, reason="x", actor=LIN)


def test_giving_it_up_goes_back_to_how_it_was(main_site: Site, site_a: Site) -> None:
    with platform_scope("suspend"):
        set_site_state(site_id=site_a.id, state=SiteState.SUSPENDED, reason="欠费", actor=SYSTEM)
    first = begin(site_a)
    assert begin(site_a).id == first.id
    with platform_scope("open"), pytest.raises(errors.SiteLeaving):
        set_site_state(site_id=site_a.id, state=SiteState.OPEN, reason="", actor=SYSTEM)
    with site_scope(site_a.id):
        give_up_closing(actor=LIN)
        assert find_closing() is None
        with pytest.raises(errors.ClosingStateWrong):
            give_up_closing(actor=LIN)
    view = get_site_view(site_a.id)
    assert (view.state, view.suspended_reason) == (SiteState.SUSPENDED, "欠费")


def test_who_closes_is_stopped_all_the_same(main_site: Site, site_a: Site) -> None:
    """An operator who begins to close and gives it up does not slip past the platform."""
    begin(site_a)
    with platform_scope("suspend"):
        set_site_state(site_id=site_a.id, state=SiteState.SUSPENDED, reason="欺诈", actor=SYSTEM)
    assert state_of(site_a) == SiteState.CLOSING

    with site_scope(site_a.id):
        give_up_closing(actor=LIN)

    view = get_site_view(site_a.id)
    assert (view.state, view.suspended_reason) == (SiteState.SUSPENDED, "欺诈")


def test_the_platform_takes_a_closing_over_and_its_operator_does_not_give_it_up(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: Callable[..., Client]
) -> None:
    first = begin(site_a)
    with site_scope(site_a.id):
        taken = announce_closing(reason="违规", is_by_platform=True, actor=SYSTEM)
    assert (taken.id, taken.is_by_platform) == (first.id, True)

    answer = client_for(site_a, lin).post(
        "/console/site-a/closing-shop/act/", {"action": "give_up"}
    )

    assert answer.status_code == 403
    assert state_of(site_a) == SiteState.CLOSING


def test_beginning_again_and_again_writes_to_nobody_twice_a_day(site_a: Site) -> None:
    make_customer(site_a, login="c1@example.com", nickname="C1")
    for _ in range(3):
        closing = begin(site_a)
        with site_scope(site_a.id):
            tell_customers(closing.id)
            give_up_closing(actor=LIN)

    with site_scope(site_a.id):
        assert (Email.objects.count(), InboxMessage.objects.count()) == (1, 1)


def test_the_main_site_never_closes(main_site: Site) -> None:
    with site_scope(main_site.id), pytest.raises(errors.MainSiteStays):
        announce_closing(reason="x", is_by_platform=True, actor=SYSTEM)
    assert state_of(main_site) == SiteState.OPEN


def test_a_closed_site_keeps_its_address_and_can_be_opened_again(
    main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(site_a)
    complete(site_a)
    with platform_scope("domains"), pytest.raises(errors.SiteLeaving):
        remove_domain(site_id=site_a.id, host="a.localhost", actor=SYSTEM)
    with site_scope(site_a.id), pytest.raises(errors.AddressKept):
        release_address(host="a.localhost", actor=SYSTEM)
    with site_scope(site_a.id):
        reopen_site(actor=SYSTEM)
    assert state_of(site_a) == SiteState.OPEN
    begin(site_a)
    complete(site_a)

    late = clock.now() + dt.timedelta(days=181)
    monkeypatch.setattr(clock, "now", lambda: late)
    with site_scope(site_a.id):
        with pytest.raises(errors.TooLateToReopen):
            reopen_site(actor=SYSTEM)
        release_address(host="a.localhost", actor=SYSTEM)
        with pytest.raises(errors.HostUnknown):
            release_address(host="a.localhost", actor=SYSTEM)
    forget_hosts()
    assert find_site_id("a.localhost") is None
    assert find_site_id("main.localhost") == main_site.id


def test_customers_are_told_once(site_a: Site, site_b: Site) -> None:
    for number in range(3):
        make_customer(site_a, login=f"c{number}@example.com", nickname=f"C{number}")
    make_customer(site_a, login="13800138000", nickname="P")
    make_customer(site_b, login="other@example.com", nickname="O")
    closing = begin(site_a)

    with site_scope(site_a.id):
        assert tell_customers(closing.id) == 4
        Closing.objects.update(told_at=None)  # as if it had been cut before its last statement
        assert tell_customers(closing.id) == 4
        assert tell_customers(closing.id) == 0
        assert (Email.objects.count(), InboxMessage.objects.count()) == (3, 4)
    with site_scope(site_b.id):
        assert (Email.objects.count(), InboxMessage.objects.count()) == (0, 0)


def test_a_closed_shop_says_so_and_still_shows_orders(
    main_site: Site, site_a: Site, mei: people.Buyer
) -> None:
    client = Client(headers={"host": "a.localhost", "accept": "text/html"})
    assert client.get("/").status_code == 200
    begin(site_a)
    closing = client.get("/")
    assert closing.status_code == 403
    assert "正在关店" in closing.content.decode()
    assert "site-bar" in client.get("/lookup/").content.decode()
    complete(site_a)
    closed = client.get("/")
    assert closed.status_code == 410
    assert "/lookup/" in closed.content.decode()
    assert "main.localhost" in closed.content.decode()
    assert client.get("/lookup/").status_code == 200
    as_json = client.get("/", headers={"accept": "application/json"})
    assert (as_json.status_code, as_json.json()["code"]) == (410, "shop_closed")
