"""The hand-written SQL of stock and of bringing keys in: one function a statement.

`claims` calls the claiming functions (sql/claims.sql) for those above. Each docstring says why it
is not ORM, which index it relies on and which locks it takes.
"""

from collections.abc import Sequence

from kameng.core.database import fetch, fetch_one


def count_stock(variant_ids: Sequence[int], *, limit: int) -> list[tuple[int, bool, int]]:
    """Return (variant, is counted, count up to `limit`) in one round trip for a whole page.

    Index inventory_unsold, at most `limit` entries a variant; no locks.
    """
    rows = fetch(
        "select variant_id, is_counted, stock_count from inventory_stock(%s::bigint[], %s)",
        (list(variant_ids), limit),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def take_key_ids(count: int) -> list[int]:
    """Return fresh ids of keys, rising; a block at once costs 0.3 µs an id, not a round trip."""
    rows = fetch("select id from inventory_take_key_ids(%s) as t(id)", (count,))
    return [row[0] for row in rows]


def add_keys(
    place: tuple[int, int, int],
    *,
    ids: Sequence[int],
    digests: Sequence[bytes],
    secrets: Sequence[bytes],
) -> list[int]:
    """Add keys to (site, variant, batch); return the ids not added, known already by digest.

    One set-based insert: 20 µs a key with all indexes, an ORM insert takes 90. Unique index
    inventory_key_once; waits only for another import that adds the same digest right now.
    """
    row = fetch_one(
        "select inventory_add_keys(%s, %s, %s, %b::bigint[], %b::bytea[], %b::bytea[])",
        (*place, list(ids), list(digests), list(secrets)),
    )
    return list(row[0]) if row else []


def known_places(site_id: int, digests: Sequence[bytes]) -> list[int]:
    """Return the places (from zero) of digests that the site has. Index inventory_key_once."""
    row = fetch_one("select inventory_known_digests(%s, %b::bytea[])", (site_id, list(digests)))
    return [place - 1 for place in row[0]] if row else []


def move_keys(
    batch_id: int, *, states: tuple[int, int], after_id: int, limit: int
) -> tuple[int, int]:
    """Move keys of a batch between two states; return how many and the last id.

    Locks the keys FOR NO KEY UPDATE, SKIP LOCKED: a running sale is neither waited for nor
    disturbed. Index inventory_by_batch or the primary key.
    """
    row = fetch_one(
        "select moved, last_id from inventory_move_keys(%s, %s::smallint, %s::smallint, %s, %s)",
        (batch_id, *states, after_id, limit),
    )
    return (row[0], row[1] or after_id) if row else (0, after_id)


def list_old_secrets(version: int, *, after_id: int, limit: int) -> list[tuple[int, int, bytes]]:
    """Return (id, site, cipher text) of secrets under another key version. Primary key order."""
    rows = fetch(
        "select id, site_id, secret from inventory_old_secrets(%s, %s, %s)",
        (version, after_id, limit),
    )
    return [(row[0], row[1], bytes(row[2])) for row in rows]


def rewrite_secrets(ids: Sequence[int], *, old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """Exchange cipher texts where they are still those that were read; return how many.

    Locks the keys by id FOR NO KEY UPDATE, SKIP LOCKED: what somebody holds is left for later.
    """
    row = fetch_one(
        "select inventory_rewrite_secrets(%s::bigint[], %b::bytea[], %b::bytea[])",
        (list(ids), list(old), list(new)),
    )
    return int(row[0]) if row else 0


def list_order_secrets(order_id: int) -> list[tuple[int, int, bytes]]:
    """Return (key, owner's site, cipher text) of an order's keys. Index inventory_by_order."""
    rows = fetch("select key_id, owner_site, secret from inventory_keys_of(%s)", (order_id,))
    return [(row[0], row[1], row[2]) for row in rows]


def claim_one(variant_id: int, *, order_id: int, quantity: int, has_keys: bool) -> bool:
    """Take stock for one order: the batch of sql/claims.sql with one wish. Locks the keys taken."""
    row = fetch_one(
        "select claimed from inventory_claim(array[%s]::bigint[], array[%s]::bigint[],"
        " array[%s]::int[], array[0]::bigint[], array[%s]::boolean[], 2::smallint)",
        (variant_id, order_id, quantity, has_keys),
    )
    return bool(row and row[0])


def replace_key(order_id: int, *, key_id: int) -> int | None:
    """Void one key of an order and take the next; the new one's id. Locks both keys."""
    row = fetch_one("select inventory_replace_key(%s, %s)", (order_id, key_id))
    return row[0] if row else None


def take_back(order_id: int, *, resell: bool) -> int:
    """Free or void the keys of an order; how many. Locks them. Index inventory_by_order."""
    row = fetch_one("select inventory_take_back(%s, %s)", (order_id, resell))
    return int(row[0]) if row else 0


def release(order_ids: Sequence[int]) -> int:
    """Give back what orders hold unsold; returns how many keys. Call with the orders locked."""
    row = fetch_one("select inventory_release(%s)", (list(order_ids),), scoped=False)
    return int(row[0]) if row else 0


def return_counted(order_ids: Sequence[int]) -> int:
    """Raise counted levels by what these orders took; how many pieces. Locks the levels, last."""
    row = fetch_one("select inventory_return_counted(%s::bigint[])", (list(order_ids),))
    return int(row[0]) if row else 0
