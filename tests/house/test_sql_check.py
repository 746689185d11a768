"""SQL keeps the order of the apps, and a function that leaves it is caught."""

import pathlib

import pytest

from tools import sql_check
from tools.layers import ROOT


def breaches_of(folder: pathlib.Path, app: str, text: str) -> list[str]:
    target = folder / app / "sql"
    target.mkdir(parents=True)
    (target / "x.sql").write_text(text, encoding="utf-8")
    return list(sql_check.list_breaches(folder))


def test_sql_keeps_the_order_of_the_apps() -> None:
    assert list(sql_check.list_breaches(ROOT / "src" / "kameng")) == []


GOOD = """
-- inventory_card in a comment, 'payments_payment' in a text
create or replace function orders_place(p_ids bigint[]) returns int language plpgsql as $$
declare risk_level int;
begin
    perform inventory_claim_cards(p_ids), core_publish('payments_payment');
    with catalog_like as (select 1), orders_new as (select * from catalog_like)
    insert into orders_order (id, risk_level) select id, risk_level from orders_new;
    update orders_order o set state = 2 from unnest(p_ids) as x(id) where o.id = x.id;
    return 1;
end $$;
"""


def test_good_function_passes(tmp_path: pathlib.Path) -> None:
    assert breaches_of(tmp_path, "orders", GOOD) == []


@pytest.mark.parametrize(
    ("app", "body", "word"),
    [
        ("orders", "select * from inventory_card", "touches inventory_card"),
        ("orders", "select 1 from orders_order o join catalog_variant v on true", "touches"),
        ("orders", "select 1 from orders_order o, catalog_variant v", "touches"),
        ("orders", "update payments_payment set state = 1", "touches"),
        ("orders", "insert into ledger_transfer (id) values (1)", "touches"),
        ("orders", "delete from only inventory_card", "touches"),
        ("inventory", "select orders_place(array[1])", "calls orders_place"),
        ("accounts", "select ledger_transfer_all(1)", "calls ledger_transfer_all"),
        ("core", "select tenancy_site_of('x')", "calls tenancy_site_of"),
    ],
)
def test_function_that_leaves_its_place_is_caught(
    tmp_path: pathlib.Path, app: str, body: str, word: str
) -> None:
    text = f"create function {app}_f() returns int language sql as $$ {body} $$;"

    found = breaches_of(tmp_path, app, text)

    assert len(found) == 1
    assert word in found[0]


def test_function_named_after_another_app_is_caught(tmp_path: pathlib.Path) -> None:
    text = "create or replace function claim_cards() returns int language sql as $$ select 1 $$;"

    assert breaches_of(tmp_path, "inventory", text) == [
        "inventory/sql/x.sql: function claim_cards is not named inventory_…"
    ]
