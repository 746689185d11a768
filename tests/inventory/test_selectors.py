"""Counts for pages and masked keys for staff."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kameng.catalog.errors import NotOwner, VariantNotFound
from kameng.catalog.models import DeliveryKind
from kameng.core.audit import SYSTEM
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.inventory.errors import KeyNotFound, LevelInvalid, NotCountedGoods
from kameng.inventory.keytext import join_key, mask_key
from kameng.inventory.models import CardKey, KeyState
from kameng.inventory.selectors import (
    KeyFilter,
    Stock,
    find_key,
    find_level,
    forget_stock,
    get_key,
    list_batches,
    list_keys,
    stock_of,
)
from kameng.inventory.services.levels import set_stock_level
from kameng.inventory.services.revealing import reveal_key
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import make_card_keys, make_product, make_variant


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    forget_stock()


def test_stock_is_counted_for_keys_levels_and_unlimited_services(
    main_site: Site, site_a: Site
) -> None:
    keys, empty = (make_variant(make_product(main_site)) for _ in range(2))
    limited, unlimited = (
        make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL)) for _ in range(2)
    )
    make_card_keys(keys, 3)
    with site_scope(main_site.id):
        set_stock_level(limited.id, available_count=7, actor=SYSTEM)

    with site_scope(site_a.id):  # a sub-site sees how much the main site has
        found = stock_of([keys.id, empty.id, limited.id, unlimited.id])

    assert found == {
        keys.id: Stock(count=3, is_counted=True, has_more=False),
        empty.id: Stock(count=0, is_counted=True, has_more=False),
        limited.id: Stock(count=7, is_counted=True, has_more=False),
        unlimited.id: Stock(count=0, is_counted=False, has_more=False),
    }
    assert [found[each.id].is_available for each in (keys, empty, limited, unlimited)] == [
        True,
        False,
        True,
        True,
    ]


def test_counting_stops_at_a_bound_and_says_so(
    main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = make_variant(make_product(main_site))
    make_card_keys(variant, 12)
    monkeypatch.setattr("kameng.inventory.selectors.STOCK_LIMIT", 10)
    with site_scope(main_site.id):
        stock = stock_of([variant.id])[variant.id]

    assert (stock.count, stock.has_more, stock.text) == (9, True, "9+")


def test_a_page_of_goods_costs_one_query_and_then_none(main_site: Site) -> None:
    variants = [make_variant(make_product(main_site)) for _ in range(9)]
    ids = [variant.id for variant in variants]
    with site_scope(main_site.id):
        list_batches()
        with CaptureQueriesContext(connection) as queries:
            stock_of(ids)
            stock_of(ids)
    # Hand-written SQL goes to psycopg directly, past Django's log: what counts is no ORM query.
    assert len(queries) == 0


def test_sold_keys_leave_the_count(main_site: Site) -> None:
    variant = make_variant(make_product(main_site))
    keys = make_card_keys(variant, 2)
    with site_scope(main_site.id):
        CardKey.objects.filter(id=keys[0].id).update(state=KeyState.SOLD, order_id=1)
        assert stock_of([variant.id])[variant.id].count == 1


@pytest.mark.parametrize("count", [-1, 1_000_001, True, "5"])
def test_a_level_out_of_bounds_is_refused(main_site: Site, count: object) -> None:
    service = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    with site_scope(main_site.id):
        with pytest.raises(LevelInvalid):
            set_stock_level(service.id, available_count=count, actor=SYSTEM)  # type: ignore[arg-type]
        assert find_level(service.id) is None


def test_levels_belong_to_own_services(main_site: Site, site_a: Site) -> None:
    service = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    keys = make_variant(make_product(main_site))
    with site_scope(main_site.id):
        with pytest.raises(NotCountedGoods):
            set_stock_level(keys.id, available_count=5, actor=SYSTEM)
        with pytest.raises(VariantNotFound):
            set_stock_level(10**9, available_count=5, actor=SYSTEM)
        set_stock_level(service.id, available_count=5, actor=SYSTEM)
        set_stock_level(service.id, available_count=4, actor=SYSTEM)
        assert find_level(service.id) == 4
    with site_scope(site_a.id), pytest.raises(NotOwner):
        set_stock_level(service.id, available_count=0, actor=SYSTEM)
    with site_scope(main_site.id):
        set_stock_level(service.id, available_count=None, actor=SYSTEM)
        assert find_level(service.id) is None


def test_lists_show_keys_masked(main_site: Site) -> None:
    variant = make_variant(make_product(main_site))
    make_card_keys(variant, ["ABCDEFGHIJKL", "short", "CARD12345678----SECRET123456"])
    with site_scope(main_site.id):
        rows = list_keys(KeyFilter(variant_id=variant.id))

    assert [row.masked for row in rows] == ["****5678----****3456", "****", "****IJKL"]
    assert {row.state for row in rows} == {KeyState.UNSOLD}


def test_lists_page_by_key_set(main_site: Site) -> None:
    variant = make_variant(make_product(main_site))
    keys = make_card_keys(variant, 5)
    with site_scope(main_site.id):
        first = list_keys(KeyFilter(), limit=3)
        second = list_keys(KeyFilter(), before_id=first[-1].key_id, limit=3)

    assert [row.key_id for row in [*first, *second]] == sorted(
        (key.id for key in keys), reverse=True
    )


def test_a_key_is_found_by_its_text_in_any_writing(main_site: Site, site_a: Site) -> None:
    variant = make_variant(make_product(main_site))
    (key,) = make_card_keys(variant, ["6001\x1fxyz123"])
    (plain,) = make_card_keys(variant, ["PLAIN-KEY-1"])
    with site_scope(main_site.id):
        for text in ("6001----xyz123", "卡号：6001 密码：xyz123", " 6001 xyz123 "):
            found = find_key(text)
            assert found is not None
            assert found.key_id == key.id
        found = find_key("\u200bPLAIN-KEY-1 ")
        assert found is not None
        assert found.key_id == plain.id
        for text in ("6001", "", "xyz", "x" * 5000, "\x00", "PLAIN-KEY-1\nPLAIN-KEY-2"):
            assert find_key(text) is None
    with site_scope(site_a.id):
        assert find_key("PLAIN-KEY-1") is None


def test_revealing_is_audited_and_only_for_own_keys(main_site: Site, site_a: Site) -> None:
    (key,) = make_card_keys(make_variant(make_product(main_site)), ["PLAIN-KEY-1"])
    with site_scope(site_a.id):
        with pytest.raises(KeyNotFound):
            reveal_key(key.id, reason="x", actor=SYSTEM)
        with pytest.raises(KeyNotFound):
            get_key(key.id)
    with site_scope(main_site.id):
        assert reveal_key(key.id, reason="买家反馈", actor=SYSTEM) == "PLAIN-KEY-1"
    with platform_scope("a test reads the audit log"):
        (entry,) = AuditEntry.objects.filter(action="card_key.revealed")

    assert (entry.subject_id, entry.detail["reason"]) == (str(key.id), "买家反馈")
    assert "PLAIN" not in str(entry.detail)


@pytest.mark.parametrize(
    ("number", "secret", "masked"),
    [
        ("", "1234", "****"),
        ("", "12345678901", "****"),
        ("", "123456789012", "****9012"),
        ("600100012345", "abcdefghijkl", "****2345----****ijkl"),
        ("6001", "abcdefghijkl", "****----****ijkl"),
    ],
)
def test_a_mask_never_shows_more_than_a_third(number: str, secret: str, masked: str) -> None:
    assert mask_key(join_key(number, secret)) == masked
