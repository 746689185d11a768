"""Calls of the claiming functions (sql/claims.sql) for those above: keys of an order, replacing,
taking back. Selling itself happens inside the order's own statement."""

from dataclasses import dataclass

from kameng.core.crypto import binding, decrypt_text
from kameng.inventory import store


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldKey:
    """A key that an order bought, in clear. Never log it."""

    key_id: int
    text: str

    def __repr__(self) -> str:
        return f"SoldKey(key_id={self.key_id})"


def open_keys(order_id: int) -> list[SoldKey]:
    """Return the keys of an order in clear; the caller has proved that the order may be seen."""
    return [
        SoldKey(key_id=key_id, text=decrypt_text(secret, binding(site_id, "card_key", key_id)))
        for key_id, site_id, secret in store.list_order_secrets(order_id)
    ]


def claim_for(*, order_id: int, variant_id: int, quantity: int, has_keys: bool) -> bool:
    """Take stock for one order by hand (a repair); call with the order locked."""
    return store.claim_one(variant_id, order_id=order_id, quantity=quantity, has_keys=has_keys)


def replace_key(*, order_id: int, key_id: int) -> int | None:
    """Void one key of an order and take the next one; None when it is not the order's or none is
    left. Call with the order locked."""
    return store.replace_key(order_id, key_id=key_id)


def take_back(*, order_id: int, resell: bool) -> int:
    """Take the keys of a refunded order back: on the shelf again, or void. Returns how many."""
    return store.take_back(order_id, resell=resell)


def release_held(*, order_id: int) -> None:
    """Put what one order holds unsold back on the shelf. Call with the order locked, after every
    wallet."""
    store.release([order_id])


def return_counted(*, order_id: int) -> int:
    """Give back what an order took of counted stock, once; returns how many pieces. Call with the
    order locked, after every wallet: buyers lock their wallet before the stock."""
    return store.return_counted([order_id])
