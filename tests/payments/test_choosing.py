"""What a buyer may choose: by device, amount, site; and whose accounts stand behind it."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from kameng.core import clock
from kameng.payments import errors
from kameng.payments.choosing import (
    find_known_gateway,
    find_way,
    get_pay_choice,
    list_known_gateways,
    list_pay_choices,
    peek_known_gateway,
)
from kameng.payments.models import Gateway
from kameng.payments.services.gateways import change_gateway, move_way, switch_gateway, terms_of
from kameng.payments.services.gateways import create_gateway as make_gateway
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import SiteView, get_site_view, site_scope
from kameng.tenancy.services import change_settings
from tests.concurrency.shop import STAFF
from tests.payments.fakes import KIND, World, fake_gateways, ids, make_account


@pytest.fixture(autouse=True)
def fakes(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A kind of gateway that all of these accounts are of."""
    with fake_gateways(monkeypatch) as world:
        yield world


def view_of(site: Site) -> SiteView:
    return get_site_view(site.id)


def set_site(site: Site, **values: Any) -> SiteView:
    Site.objects.filter(id=site.id).update(**values)
    return get_site_view(site.id)


def test_a_way_is_taken_by_the_account_that_suits_the_device(main_site: Site, site_a: Site) -> None:
    qr = make_account(main_site, method="qr")
    h5 = make_account(main_site, method="h5", way_id=qr.id, weight=1000)
    jsapi = make_account(main_site, method="jsapi", way_id=qr.id)
    view = view_of(site_a)

    def on(device: Any) -> list[int]:
        return ids(list_pay_choices(view, device=device, seed="a"))

    assert on("pc") == [qr.id]
    assert on("wechat") == [jsapi.id]
    assert on("alipay") == [h5.id]  # in the phone's own browser
    assert on("mobile") in ([h5.id], [qr.id])
    [inside] = list_pay_choices(view, device="alipay", seed="a")
    assert (inside.is_elsewhere, inside.way_key, inside.name) == (True, qr.id, "微信支付")
    [choice] = list_pay_choices(view, device="wechat")
    assert not choice.is_elsewhere


def test_the_owner_hides_a_way_on_a_device(main_site: Site, site_a: Site) -> None:
    way = make_account(main_site, devices=("mobile",))
    view = view_of(site_a)

    assert list_pay_choices(view, device="pc") == []
    assert ids(list_pay_choices(view, device="mobile")) == [way.id]
    with pytest.raises(errors.GatewayNotUsable):
        get_pay_choice(view, gateway_id=way.id, amount=10_000, device="pc")


def test_an_account_is_no_way_of_its_own_and_names_its_way(main_site: Site, site_a: Site) -> None:
    way = make_account(main_site, fee_bps=60)
    second = make_account(main_site, "two", way_id=way.id, name="二号", fee_bps=38, weight=0)
    view = view_of(site_a)

    [choice] = list_pay_choices(view, amount=10_000)
    by_account = get_pay_choice(view, gateway_id=second.id, amount=10_000)
    known = find_way(view, gateway_id=second.id)

    assert (choice.gateway_id, choice.way_key) == (way.id, way.id)
    assert by_account == choice
    assert known is not None
    assert (known.name, known.gateway_id, known.way_key) == ("微信支付", second.id, way.id)


def test_a_way_goes_on_while_its_first_account_is_off_frozen_or_resting(
    main_site: Site, site_a: Site
) -> None:
    way = make_account(main_site)
    second = make_account(main_site, "two", way_id=way.id, name="二号", weight=0)
    resting = {"rests_until": clock.now() + dt.timedelta(minutes=1)}
    for changes in ({"is_enabled": False}, {"is_frozen": True}, resting):
        with site_scope(main_site.id):
            Gateway.objects.filter(id=way.id).update(
                **{"is_enabled": True, "is_frozen": False, "rests_until": None, **changes}
            )
        set_site(main_site, catalogue_version=view_of(main_site).main_version + 1)
        view = view_of(site_a)

        [choice] = list_pay_choices(view, amount=10_000)

        assert (choice.gateway_id, choice.way_key, choice.name) == (second.id, way.id, "微信支付")


def test_a_sub_site_orders_hides_and_narrows_within_the_owners_bounds(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    first = make_account(main_site, name="甲", min_amount=10_000, max_amount=100_000)
    second = make_account(main_site, name="乙")
    third = make_account(main_site, name="丙")
    with site_scope(site_a.id):
        change_settings(
            site_id=site_a.id,
            changes={
                "hidden_gateway_ids": [third.id],
                "pay_order": [second.id, first.id],
                "pay_limits": [[first.id, 50_000, 900_000]],
            },
            actor=STAFF,
        )
    a, b = view_of(site_a), view_of(site_b)

    assert ids(list_pay_choices(a)) == [second.id, first.id]
    assert ids(list_pay_choices(b)) == [first.id, second.id, third.id]
    assert first.id not in ids(list_pay_choices(a, amount=40_000))
    assert first.id in ids(list_pay_choices(b, amount=40_000))
    assert first.id in ids(list_pay_choices(a, amount=100_000))
    assert first.id not in ids(list_pay_choices(a, amount=110_000))  # the owner's bound


def test_an_operator_who_takes_money_himself_offers_his_accounts_alone(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    of_main = make_account(main_site, "main")
    set_site(site_a, settlement_way=SettlementWay.PREPAID)
    none_yet = list_pay_choices(view_of(site_a))
    own = make_account(site_a, "lin")
    a, b = view_of(site_a), view_of(site_b)

    assert none_yet == []  # fail closed: the main site's are no stand-in
    assert ids(list_pay_choices(a)) == [own.id]
    assert ids(list_pay_choices(b)) == [of_main.id]
    assert ids(list_pay_choices(view_of(main_site))) == [of_main.id]
    with pytest.raises(errors.GatewayNotUsable):
        get_pay_choice(a, gateway_id=of_main.id, amount=10_000)
    with pytest.raises(errors.GatewayNotUsable):
        get_pay_choice(b, gateway_id=own.id, amount=10_000)
    assert find_way(b, gateway_id=own.id) is None


def test_callbacks_know_the_main_sites_and_the_own_gateways_and_no_others(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    """What was opened before a shop changed over is paid yet, at the same address."""
    of_main = make_account(main_site, "main")
    for site in (site_a, site_b):
        set_site(site, settlement_way=SettlementWay.PREPAID)
    own, other = make_account(site_a, "lin"), make_account(site_b, "wei")
    for way in (SettlementWay.PREPAID, SettlementWay.CLAIM):
        view = set_site(site_a, settlement_way=way)
        for gateway in (of_main, own):
            found = find_known_gateway(view, gateway_id=gateway.id)
            assert found is not None
            assert found.id == gateway.id
            assert peek_known_gateway(view, gateway_id=gateway.id) == found
        assert find_known_gateway(view, gateway_id=other.id) is None
        assert peek_known_gateway(view, gateway_id=other.id) is None
    assert find_known_gateway(view_of(main_site), gateway_id=own.id) is None


def test_only_who_takes_money_himself_adds_accounts(main_site: Site, site_a: Site) -> None:
    with pytest.raises(errors.OwnGatewaysOff):
        make_account(site_a, "lin")
    with site_scope(site_a.id):
        assert not Gateway.objects.filter(site_id=site_a.id).exists()

    set_site(site_a, settlement_way=SettlementWay.PREPAID)
    own = make_account(site_a, "lin", enabled=False)
    set_site(site_a, settlement_way=SettlementWay.CLAIM)

    with site_scope(site_a.id):
        Gateway.objects.filter(id=own.id).update(checked_at=clock.now())
        with pytest.raises(errors.OwnGatewaysOff):
            switch_gateway(gateway_id=own.id, is_enabled=True, actor=STAFF)


def test_the_gateways_are_kept_for_the_version_that_was_read(
    main_site: Site, site_a: Site, django_assert_num_queries: Any
) -> None:
    make_account(main_site)
    view = view_of(site_a)
    list_known_gateways(view)

    with django_assert_num_queries(0):
        list_pay_choices(view, amount=10_000, device="pc", seed="x")
        find_way(view, gateway_id=1)


def test_an_account_joins_a_way_of_its_own_site_that_stands_by_itself(
    main_site: Site, site_a: Site
) -> None:
    way, other = make_account(main_site), make_account(main_site, "other")
    joined = make_account(main_site, "two", way_id=way.id)
    set_site(site_a, settlement_way=SettlementWay.PREPAID)
    own = make_account(site_a, "lin")

    def join(gateway: Gateway, way_id: int) -> None:
        with site_scope(gateway.site_id):
            terms = terms_of(gateway)
            change_gateway(
                gateway_id=gateway.id,
                form=None,
                terms=type(terms)(**{**_values(terms), "way_id": way_id}),
                actor=STAFF,
            )

    for gateway, way_id in (
        (other, joined.id),  # that one stands behind another itself
        (way, other.id),  # others stand behind this one
        (other, other.id),
        (own, way.id),  # another site's
        (other, 999_999),
    ):
        with pytest.raises(errors.WayInvalid):
            join(gateway, way_id)
    join(other, way.id)
    with site_scope(main_site.id):
        assert Gateway.objects.get(id=other.id).way_id == way.id


def _values(terms: Any) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in type(terms).__dataclass_fields__}


def test_ways_move_up_and_down(main_site: Site, site_a: Site) -> None:
    rows = [make_account(main_site, name=name) for name in ("甲", "乙", "丙")]

    def order() -> list[int]:
        return ids(list_pay_choices(view_of(site_a)))

    with site_scope(main_site.id):
        move_way(gateway_id=rows[2].id, is_up=True, actor=STAFF)
    assert order() == [rows[0].id, rows[2].id, rows[1].id]
    with site_scope(main_site.id):
        move_way(gateway_id=rows[0].id, is_up=True, actor=STAFF)  # is first already
        move_way(gateway_id=rows[0].id, is_up=False, actor=STAFF)
    assert order() == [rows[2].id, rows[0].id, rows[1].id]


def test_an_unknown_kind_stays_unknown_to_a_sub_site(main_site: Site, site_a: Site) -> None:
    set_site(site_a, settlement_way=SettlementWay.PREPAID)
    with site_scope(site_a.id), pytest.raises(errors.GatewayConfigInvalid):
        make_gateway(kind=KIND, form={}, terms=terms_of(make_account(main_site)), actor=STAFF)
