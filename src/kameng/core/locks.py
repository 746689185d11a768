"""The permanent registry of advisory lock keys. All are transaction-scoped, class 7001.

Keys are never reused: SQL functions name them by number and point here. Row locks and their order
are in docs/locking.md.
"""

LOCK_CLASS = 7001

AUDIT_CHAIN = 1  # core_lock_audit_chain: one sealer
ROLL_UP = 2  # ledger_roll_up: one roll-up at a time
MIGRATE = 3  # config.migrate: one migration at a time
LEDGER_CHAIN = 4  # ledger_seal: one sealer

# Reservations lock the person who reserves, so that caps hold in parallel: class 7002, key =
# first four bytes of the actor's digest (inventory_reserve).
RESERVING_ACTOR_CLASS = 7002

# Who opens something new on a site shares its selling, completing its closing takes it alone: class
# 7003, key = the site's id (tenancy_share_selling, tenancy_hold_state, tenancy_seal_selling).
SELLING_CLASS = 7003

# Who puts own goods of a sub-site on sale locks its places, so that the plan's limit holds in
# parallel: class 7004, key = the site (catalog_lock_own_goods).
OWN_GOODS_CLASS = 7004
