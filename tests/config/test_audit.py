"""The audit finds what is broken, names the row, and finds nothing in a sound shop."""

import pytest
from django.db import connection

from kameng.catalog.models import DeliveryKind
from kameng.config import audit
from kameng.core.audit import record, seal_entries
from kameng.core.scope import platform_scope
from kameng.inventory.services.levels import set_stock_level
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    make_buyers,
    notify,
    open_shop,
    order,
    payment_of,
    refund,
)
from tests.config.sales_damage import SALE_BREAKS
from tests.config.test_audit_goods import OF_GOODS
from tests.config.test_audit_insight import DAMAGES as OF_INSIGHT
from tests.config.test_audit_leaving import BREAKS as OF_LEAVING
from tests.config.test_audit_pages import BREAKS as OF_PAGES
from tests.config.test_audit_staff import BREAKS as OF_STAFF
from tests.config.test_audit_terms import OF_TERMS
from tests.config.test_audit_top_ups import BREAKS as OF_TOP_UPS
from tests.damage import as_owner
from tests.factories import make_product, make_variant
from tests.orders.test_children import BREAKS as OF_CHILDREN
from tests.settlement.test_auditing import BREAKS as OF_SETTLEMENT
from tests.tenancy.test_claiming import OF_DOMAINS

ONE_SOLD = "(select min(id) from inventory_cardkey where state = 2)"
ONE_PAID = "(select min(id) from orders_order where state = 3)"
BY_GATEWAY = "(select min(id) from orders_order where paid_by = 2)"
BY_WALLET = "(select min(id) from orders_order where paid_by = 1)"
ONE_OPEN = "(select min(id) from orders_order where state = 1)"
COPY = (
    "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
    " reference_kind, reference_id) select site_id, debit_account, credit_account, amount, {code},"
    " reference_kind, reference_id from ledger_transfer where code = {of} limit 1"
)
MORE = "case code when 30 then 1 else -1 end"  # a unit of the margin, whole still right
STRANGER = "(-4210)"  # the wallet of nobody in the shop
TO_STRANGER = (  # a wallet's side of transfers moves to another wallet, both balances with it
    "insert into ledger_balance (account_id, site_id, posted_amount)"
    f" select {STRANGER}, min(site_id), 10000000 from ledger_balance;"
    " insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
    " reference_kind, reference_id) select min(site_id), 70, {who}, 10000000, 62, 4, 0"
    " from ledger_balance;"
    " update ledger_transfer set {side} = {who} where {which};"
    " update ledger_balance b set posted_amount = (select coalesce(sum(case when"
    " t.credit_account = b.account_id then t.amount else -t.amount end), 0) from ledger_transfer t"
    " where b.account_id in (t.debit_account, t.credit_account))"
)
REFUND_AT_GATEWAY = "payments_gatewayrefund where state = 1"
TOP_UP = (
    "insert into payments_topup (site_id, top_up_no, customer_id, amount, credited_at,"
    " idempotency_key) select site_id, 'T', id, {amount}, now(), 'k' from accounts_customer"
    " limit 1;"
    " insert into payments_payment (site_id, payment_no, purpose, subject_id, gateway_id, amount,"
    " fee_amount, state, external_no, received_amount, refunded_amount, expires_at, query_count)"
    " select site_id, 'P', 2, id, (select min(id) from payments_gateway), 100, 0, 2, 'E', 100, 0,"
    " now(), 0 from payments_topup;"
    " insert into payments_proof (payment_id, site_id, source, raw_digest, note)"
    " select id, site_id, 'query', '', '' from payments_payment where payment_no = 'P';"
    " insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
    " reference_kind, reference_id) select t.site_id, p.gateway_id * 100 + 20,"
    " t.site_id * 100 + 30, 100, 20, 2, t.id from payments_topup t, payments_payment p"
    " where p.payment_no = 'P';"
    " insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
    " reference_kind, reference_id) select site_id, site_id * 100 + 30,"
    " -({whose} * 100 + 10), 100, 10, 2, id from payments_topup;"
    " insert into ledger_balance as b (account_id, site_id, posted_amount)"
    " select -({whose} * 100 + 10), site_id, 100 from payments_topup"
    " on conflict (account_id) do update set posted_amount = b.posted_amount + 100"
)
BREAKS = [
    ("I1", COPY.format(code=99, of=30)),
    (
        "I1",
        (
            "insert into ledger_rollup (account_id, site_id, debit_amount, credit_amount)"
            " select 4240, min(id), 0, 7 from tenancy_site"
        ),
    ),
    ("I2", "update ledger_balance set posted_amount = posted_amount + 1"),
    ("I3", f"update inventory_cardkey set state = 0, order_id = null where id = {ONE_SOLD}"),
    ("I3", f"update inventory_cardkey set variant_id = 0 where id = {ONE_SOLD}"),
    ("I4", f"update orders_order set state = 6, path = '{{1,2,3,6}}' where id = {ONE_PAID}"),
    ("I4", f"update orders_order set paid_by = 0 where id = {ONE_PAID}"),
    (
        "I4",
        (
            "update orders_order set state = 2, path = '{1,2}', paid_at = now() - interval '1 hour'"
            f" where id = {ONE_PAID}"
        ),
    ),
    ("I5", f"update orders_order set refunded_amount = 100 where id = {ONE_PAID}"),
    (
        "I5",
        (
            "insert into payments_gatewayrefund (site_id, payment_id, refund_no, purpose,"
            " subject_id, amount, reason, state, asked_count, last_error) select site_id, id, 'r',"
            " 1, subject_id, amount + 1, '', 1, 0, '' from payments_payment where state = 2 limit 1"
        ),
    ),
    ("I6", "delete from payments_proof"),
    ("I6", "update payments_payment set received_amount = amount + 1 where state = 2"),
    (
        "I6",
        (
            "drop index payments_external_once; update payments_payment set external_no ="
            " (select external_no from payments_payment where state = 2 limit 1)"
        ),
    ),
    (
        "I6",
        (
            "insert into payments_topup (site_id, top_up_no, customer_id, amount, credited_at,"
            " idempotency_key) select site_id, 'T', id, 100, now(), 'k'"
            " from accounts_customer limit 1"
        ),
    ),
    ("I7", f"update orders_order set path = '{{1,3}}' where id = {ONE_PAID}"),
    ("I7", f"update orders_order set state = 5 where id = {ONE_OPEN}"),
    ("I8", "update core_auditentry set actor_name = 'nobody' where action = 'test.done'"),
    ("I9", "alter table orders_order no force row level security"),
    ("I10", COPY.format(code=30, of=30)),
    ("I10", f"update ledger_transfer set amount = amount + {MORE} where code in (30, 31)"),
    ("I10", "update ledger_transfer set credit_account = 950 where code = 31"),
    ("I10", "update ledger_transfer set debit_account = 940 where code = 40"),
    ("I13", COPY.format(code=20, of=20)),
    ("I13", "update ledger_transfer set credit_account = 10030 where code = 20"),
    ("I13", "update orders_orderrefund set state = 2"),
    ("I10", "delete from ledger_transfer where code = 20"),
    ("I11", f"update orders_order set variant_id = 0 where id = {ONE_PAID}"),
    ("I11", f"update orders_order set site_id = 0 where id = {ONE_PAID}"),
    ("I12", "delete from inventory_reservation"),
    ("I12", "update inventory_cardkey set state = 0, order_id = null where state = 1"),
    (
        "I15",
        (
            "update payments_gateway set site_id ="
            " (select max(id) from tenancy_site where kind = 2 and id not in"
            " (select site_id from payments_payment))"
        ),
    ),
    (
        "I15",
        (
            "insert into payments_gateway (site_id, kind, name, method, config_cipher, fee_bps,"
            " min_amount, max_amount, verify_above_amount, is_enabled, is_frozen, position, way_id)"
            " select (select min(id) from tenancy_site where id <> g.site_id), kind, name, method,"
            " '', 0, 0, 1, 0, false, false, 0, g.id from payments_gateway g limit 1"
        ),
    ),
    ("I15", "update payments_payment set cap_day = current_date where state = 1"),
    (
        "I15",
        (
            "insert into payments_gatewayday (site_id, gateway_id, day, opened_amount,"
            " opened_count) select site_id, id, current_date, 5, 1 from payments_gateway"
        ),
    ),
    (
        "I22",
        (
            "insert into ledger_sealbatch (after_id, last_id, transfer_count, transfer_amount,"
            " row_marks, chain_hash) select 0, max(id), count(*), 1, '', decode(repeat('11', 32),"
            " 'hex') from ledger_transfer"
        ),
    ),
    (
        "I23",
        (
            "update ledger_transfer set created_at = '2150-01-01'"
            " where id = (select min(id) from ledger_transfer)"
        ),
    ),
    (
        "I24",
        (
            "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
            " reference_kind, reference_id) select site_id, 185, 160, 5, 97, 9, 77"
            " from ledger_transfer limit 1"
        ),
    ),
    (
        "I25",
        (
            "insert into reconciliation_monthclose (site_id, month, reason, open_day_count,"
            " open_case_count, batch_no, chain_hash, transfer_count, transfer_amount,"
            " totals_digest, totals, closed_by) select min(id), date_trunc('month', now()), '', 0,"
            " 0, 0, '', 1, 1, '', '[]', 'Ada' from tenancy_site"
        ),
    ),
    ("I14", "update inventory_stocklevel set available_count = available_count + 1"),
    ("I14", "delete from inventory_countedclaim"),
    ("I14", "update inventory_countedclaim set count = 2"),
    (
        "I14",
        (
            "update orders_order set state = 7, path = '{1,2,6,7}' where id in"
            " (select order_id from inventory_countedclaim)"
        ),
    ),
    ("I12", f"update orders_order set state = 4, path = '{{1,4}}' where id = {ONE_OPEN}"),
    (
        "I3",
        (
            "update orders_order set state = 3, path = '{1,2,3}', delivered_at = now()"
            " where id in (select order_id from inventory_countedclaim)"
        ),
    ),
    ("I4", f"update {REFUND_AT_GATEWAY.replace(' where', ' set next_attempt_at = null where')}"),
    ("I5", f"delete from {REFUND_AT_GATEWAY}"),
    ("I5", f"update {REFUND_AT_GATEWAY.replace(' where', ' set amount = 100 where')}"),
    ("I5", "update orders_orderrefund set refund_to = 1"),
    (
        "I5",
        "update payments_payment set refunded_amount = 100 where state = 2 and refunded_amount = 0",
    ),
    ("I5", COPY.format(code=51, of=20)),
    ("I5", COPY.format(code=53, of=20)),
    ("I6", "update payments_payment set external_no = null where state = 2"),
    ("I6", f"update orders_order set payment_id = null where id = {BY_GATEWAY}"),
    (
        "I6",
        (
            "update orders_order set payment_id = (select max(id) from payments_payment"
            f" where state = 2) where id = {BY_GATEWAY}"
        ),
    ),
    (
        "I6",
        (
            "update orders_order set payment_id = (select max(id) from payments_payment"
            f" where state = 2) where id = {BY_WALLET}"
        ),
    ),
    ("I6", TOP_UP.format(amount=200, whose="customer_id")),
    ("I6", TOP_UP.format(amount=100, whose="42")),
    (
        "I10",
        TO_STRANGER.format(
            who=STRANGER, side="debit_account", which="code in (30, 31) and debit_account < 0"
        ),
    ),
    ("I10", "update ledger_transfer set credit_account = 860 where code = 32"),
    ("I10", "update ledger_transfer set debit_account = 860 where code = 42"),
    ("I11", "update ledger_transfer set reference_id = 0 where code in (30, 31)"),
    (
        "I11",
        (
            "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
            " reference_kind, reference_id) select site_id, 185, 160, 5, 97, 9, 77"
            " from ledger_transfer limit 1"
        ),
    ),
    ("I11", "update payments_payment set subject_id = 0 where state = 1"),
    ("I11", f"update {REFUND_AT_GATEWAY.replace(' where', ' set payment_id = 0 where')}"),
]


def test_a_whole_top_up_is_no_breach(db: None, shop: Shop) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(TOP_UP.format(amount=100, whose="customer_id"))

    assert audit.find_breaches() == []


@pytest.fixture
def shop(main_site: Site, site_a: Site, site_b: Site) -> Shop:
    """A sound shop: sold by gateway and by wallet; one order is not paid, one not delivered."""
    service = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    with site_scope(main_site.id):
        set_stock_level(service.id, available_count=3, actor=STAFF)
    shop = open_shop(main_site, site_a, keys=5)
    notify(shop, payment_of(shop, order(shop)))
    (buyer,) = make_buyers(site_a, 1, amount=10**6)
    order(shop, customer=buyer, by_wallet=True)
    order(shop)
    order(shop, customer=buyer, by_wallet=True, variant_id=service.id)
    refunded = order(shop)
    notify(shop, payment_of(shop, refunded))
    refund(shop, refunded, key="r")
    with platform_scope("a test acts"):
        record("test.done", actor=STAFF, site_id=site_a.id)
    return shop


def test_a_sound_shop_has_no_breach(db: None, shop: Shop) -> None:
    assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_damage_is_found_under_its_name(name: str, damage: str, db: None, shop: Shop) -> None:
    if name == "I8":
        _seal_by_hand()
        assert audit.find_breaches() == []
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)

    found = audit.find_breaches()

    assert name in {line.partition(":")[0] for line in found}, found


def _seal_by_hand() -> None:
    """Seal as the worker does, which reads only what was committed before."""
    from kameng.core import audit as log

    with as_owner():
        previous = log.GENESIS
        for number, entry in enumerate(log.AuditEntry.objects.order_by("id"), start=1):
            previous = log.chain_hash(previous, entry)
            log.AuditEntry.objects.filter(id=entry.id).update(seal_no=number, sealed_hash=previous)
        assert seal_entries() == 0


def test_every_check_has_a_damage_that_it_finds() -> None:
    every = (
        *(*BREAKS, *SALE_BREAKS, *OF_TOP_UPS, *OF_SETTLEMENT),
        *(*OF_TERMS, *OF_DOMAINS, *OF_LEAVING, *OF_GOODS),
        *(*OF_INSIGHT, *OF_PAGES, *OF_CHILDREN, *OF_STAFF),
    )
    known = {name for name, _damage in every}
    assert known == {name for name, _title, _check in audit.checks()}


def test_the_command_prints_each_check_and_fails_on_a_breach(
    db: None, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.run() == 0
    assert "every invariant holds" in capsys.readouterr().out

    with as_owner(), connection.cursor() as cursor:
        cursor.execute("update ledger_balance set posted_amount = posted_amount + 1")
    assert audit.run(["--quiet"]) == 1
    assert "BAD I2" in capsys.readouterr().out
