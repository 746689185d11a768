"""Calls of the claiming functions (sql/claims.sql) for those above: keys of an order, replacing,
taking back. Selling itself happens inside the order's own statement."""

from dataclasses import dataclass

from kameng.core.crypto import binding, decrypt_text
from kameng.core.database import fetch, fetch_one


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldKey:
    """A key that an order bought, in clear. Never log it."""

    key_id: int
    text: str

    def __repr__(self) -> str:
        return f"SoldKey(key_id={self.key_id})"


def open_keys(order_id: int) -> list[SoldKey]:
    """Return the keys of an order in clear; the caller has proved that the order may be seen."""
    rows = fetch("select key_id, owner_site, secret from inventory_keys_of(%s)", (order_id,))
    return [
        SoldKey(key_id=key_id, text=decrypt_text(secret, binding(site_id, "card_key", key_id)))
        for key_id, site_id, secret in rows
    ]


def claim_for(*, order_id: int, variant_id: int, quantity: int, has_keys: bool) -> bool:
    """Take stock for one order by hand (a repair); call with the order locked."""
    row = fetch_one(
        "select claimed from inventory_claim(array[%s]::bigint[], array[%s]::bigint[],"
        " array[%s]::int[], array[0]::bigint[], array[%s]::boolean[], 2::smallint)",
        (variant_id, order_id, quantity, has_keys),
    )
    return bool(row and row[0])


def replace_key(*, order_id: int, key_id: int) -> int | None:
    """Void one key of an order and take the next one; None when it is not the order's or none is
    left. Call with the order locked."""
    row = fetch_one("select inventory_replace_key(%s, %s)", (order_id, key_id))
    return row[0] if row else None


def take_back(*, order_id: int, resell: bool) -> int:
    """Take the keys of a refunded order back: on the shelf again, or void. Returns how many."""
    row = fetch_one("select inventory_take_back(%s, %s)", (order_id, resell))
    return int(row[0]) if row else 0
