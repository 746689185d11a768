"""Damage to mixed, surcharged and prepaid sales, each with the check that must find it."""

MIXED = "(select min(id) from orders_order where wallet_amount > 0 and state = 3)"
HELD = "(select min(id) from orders_order where wallet_amount > 0 and state = 1)"
WAITS = "(select min(id) from orders_order where awaits_prepaid)"
SALE_BREAKS = [
    ("I2", "update ledger_balance set credit_amount = 5 where mod(-account_id, 100) = 10"),
    ("I6", f"update orders_order set wallet_amount = wallet_amount + 100 where id = {MIXED}"),
    ("I6", "update orders_order set surcharge_amount = 0, surcharge_fee_amount = 0"),
    ("I10", "update ledger_transfer set amount = amount + 1 where code = 33"),
    ("I10", "update ledger_transfer set amount = amount + 1 where code = 34"),
    ("I10", "update ledger_transfer set debit_account = debit_account + 100 where code = 34"),
    ("I10", "update ledger_transfer set amount = amount - 1 where code = 35"),
    ("I10", "update ledger_transfer set credit_account = 860 where code = 46"),
    ("I10", f"update orders_order set awaits_prepaid = false where id = {WAITS}"),
    ("I12", f"update orders_order set awaits_prepaid = false where id = {WAITS}"),
    ("I13", f"update orders_order set wallet_amount = wallet_amount - 100 where id = {HELD}"),
    ("I26", f"update orders_order set wallet_amount = wallet_amount - 100 where id = {HELD}"),
    ("I26", "update ledger_transfer set amount = amount + 1 where code = 36"),
    ("I26", "update ledger_transfer set credit_account = 930 where code = 36"),
    ("I26", "update orders_orderrefund set surcharge_amount = surcharge_amount - 100"),
    ("I27", "update ledger_transfer set amount = amount + 1 where code = 95"),
    ("I27", "update ledger_transfer set debit_account = 981 where code = 95"),
    ("I27", "update payments_prepaidin set credited_at = null"),
    ("I27", "update payments_prepaidin set amount = amount + 100"),
]
