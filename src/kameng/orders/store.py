"""The hand-written SQL of this app: one function per SQL function in sql/.

Why by hand: through the ORM one order costs 5.2 ms of Python and eight round trips; as one
set-based function it costs one round trip, and what threads ask for at the same moment shares it.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from kameng.core.arrays import array_of_bytes, array_of_numbers, array_of_texts
from kameng.core.database import fetch, fetch_one
from kameng.core.lanes import Lane
from kameng.payments.statements import Statement

HINT_LIMIT = 50_000
_hints: dict[int, int] = {}  # variant → last position this process saw sold


# Named tuples, not dataclasses: a frozen one of so many fields costs a twentieth of an order.
class Placement(NamedTuple):
    """One wish as the database gets it. Ciphers are bound to the order number."""

    site_id: int
    main_site_id: int
    catalogue_version: int
    main_version: int
    order_no: str
    customer_id: int | None
    contact_cipher: bytes | None
    contact_digest: bytes | None
    product_id: int
    variant_id: int
    title: str
    delivery_kind: int
    quantity: int
    unit_amount: int
    total_amount: int
    wholesale_amount: int
    inputs_cipher: bytes | None
    request_key: bytes
    request_digest: bytes
    buyer_ip: str
    actor_digest: bytes | None = None
    expires_at: dt.datetime | None = None
    open_limit: int = 0
    share_bps: int = 0
    payment_no: str | None = None
    gateway_id: int | None = None
    fee_amount: int = 0
    surcharge_amount: int = 0
    wallet_part: int = 0
    settlement_way: int = 0
    upline_site_id: int | None = None
    upline_amount: int | None = None
    stamp: str = ""


class Placed(NamedTuple):
    """The answer to one wish; `outcome` is `rules.Outcome`."""

    outcome: int
    order_id: int | None
    order_no: str | None
    state: int | None


PLACE = (
    "select i, outcome, order_id, order_no, state, last_position from orders_place("
    "%s, %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[],"
    " %s::bytea[], %s::bytea[], %s::bigint[], %s::bigint[], %s::text[], %s::smallint[], %s::int[],"
    " %s::bigint[], %s::bigint[], %s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[],"
    " %s::bigint[], %s::bytea[], %s::timestamptz[], %s::int[], %s::int[], %s::text[], %s::bigint[],"
    " %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::text[], %s::bigint[],"
    " %s::bigint[])"
)


def place(batch: Sequence[Placement], *, by_wallet: bool) -> list[Placed]:
    """Place a batch in one round trip and one transaction.

    May be repeated after a lost connection: the request keys answer with what was done. Relies on
    the indexes orders_request_once and inventory_unsold. Locks: see sql/placing.sql.
    """
    columns = wallet_columns(batch) if by_wallet else open_columns(batch)
    return read_placed(fetch(PLACE, columns, scoped=False), batch)


def wallet_columns(batch: Sequence[Placement]) -> list[object]:
    """Return the parameters of PLACE for orders paid from wallets."""
    return [True, *_columns(batch)]


def open_columns(batch: Sequence[Placement]) -> list[object]:
    """Return the parameters of PLACE for orders to be paid."""
    return [False, *_columns(batch)]


def read_placed(rows: Sequence[tuple[Any, ...]], batch: Sequence[Placement]) -> list[Placed]:
    """Return the answers of PLACE; remembers how far each variant is sold."""
    placed: list[Placed] = []
    for (_i, outcome, order_id, order_no, state, position), wish in zip(rows, batch, strict=True):
        if position is not None:
            remember_position(wish.variant_id, position)
        placed.append(Placed(outcome=outcome, order_id=order_id, order_no=order_no, state=state))
    return placed


def _columns(batch: Sequence[Placement]) -> list[str]:
    numbers, binaries, texts = array_of_numbers, array_of_bytes, array_of_texts
    return [
        numbers([p.site_id for p in batch]),
        numbers([p.main_site_id for p in batch]),
        numbers([p.catalogue_version for p in batch]),
        numbers([p.main_version for p in batch]),
        texts([p.order_no for p in batch]),
        numbers([p.customer_id for p in batch]),
        binaries([p.contact_cipher for p in batch]),
        binaries([p.contact_digest for p in batch]),
        numbers([p.product_id for p in batch]),
        numbers([p.variant_id for p in batch]),
        texts([p.title for p in batch]),
        numbers([p.delivery_kind for p in batch]),
        numbers([p.quantity for p in batch]),
        numbers([p.unit_amount for p in batch]),
        numbers([p.total_amount for p in batch]),
        numbers([p.wholesale_amount for p in batch]),
        binaries([p.inputs_cipher for p in batch]),
        binaries([p.request_key for p in batch]),
        binaries([p.request_digest for p in batch]),
        texts([p.buyer_ip for p in batch]),
        numbers([_hints.get(p.variant_id, 0) for p in batch]),
        binaries([p.actor_digest for p in batch]),
        texts([p.expires_at.isoformat() if p.expires_at else None for p in batch]),
        numbers([p.open_limit for p in batch]),
        numbers([p.share_bps for p in batch]),
        texts([p.payment_no for p in batch]),
        numbers([p.gateway_id for p in batch]),
        numbers([p.fee_amount for p in batch]),
        numbers([p.surcharge_amount for p in batch]),
        numbers([p.wallet_part for p in batch]),
        numbers([p.settlement_way for p in batch]),
        texts([p.stamp for p in batch]),
        numbers([p.upline_site_id for p in batch]),
        numbers([p.upline_amount for p in batch]),
    ]


wallet_lane: Lane[Placement, Placed] = Lane(PLACE, columns=wallet_columns, read=read_placed)
# Guests meet here first, and what follows costs less, the more come together (measured at 32
# clients: 8 ms save an order through a gateway a sixth of its processor time). A lone one never
# waits.
LINGER_MS = 8
open_lane: Lane[Placement, Placed] = Lane(
    PLACE, columns=open_columns, read=read_placed, linger_ms=LINGER_MS
)


def remember_position(variant_id: int, position: int) -> None:
    """Remember how far a variant is sold, so that the next claim starts behind it."""
    if len(_hints) >= HINT_LIMIT:
        _hints.clear()
    if position > _hints.get(variant_id, 0):
        _hints[variant_id] = position


def settle(*, order_id: int, payment_id: int | None, fee_amount: int, source: int) -> int:
    """Sell and post one paid order; call inside the confirming transaction. Locks the order."""
    row = fetch_one(
        "select orders_settle(%s, %s, %s, %s)",
        (order_id, payment_id, fee_amount, source),
        scoped=False,
    )
    return int(row[0]) if row else -1


def pay_by_wallet(*, order_id: int, customer_id: int) -> int:
    """Pay an unpaid order from the wallet; `rules.Settlement`."""
    row = fetch_one("select orders_pay_by_wallet(%s, %s)", (order_id, customer_id))
    return int(row[0]) if row else -1


def change_part(*, order_id: int, customer_id: int, part: int) -> int:
    """Set what the wallet pays of an unpaid order; 0 done, 3 and 4 as `rules.Settlement`."""
    row = fetch_one("select orders_change_part(%s, %s, %s)", (order_id, customer_id, part))
    return int(row[0]) if row else -1


def resume(*, site_id: int, limit: int) -> list[tuple[int, int]]:
    """Deliver orders that wait for the prepaid balance; (order, `rules.Settlement`) of each."""
    return [
        (row[0], row[1]) for row in fetch("select * from orders_resume(%s, %s)", (site_id, limit))
    ]


def waiting_sites() -> list[int]:
    """Return the sites whose paid orders wait for their prepaid balance. Partial index."""
    return [row[0] for row in fetch("select * from orders_waiting_sites()")]


def close(*, order_id: int, state: int) -> bool:
    """Cancel (4) or expire (5) an unpaid order; true for the one caller whose arrow it was."""
    row = fetch_one("select orders_close(%s, %s::smallint)", (order_id, state))
    return bool(row and row[0])


def expire_due(limit: int) -> int:
    """Expire unpaid orders whose time is over; skips those being paid. Returns how many."""
    row = fetch_one("select orders_expire(%s)", (limit,))
    return int(row[0]) if row else 0


CONFIRM = (
    "select done from orders_confirm_once(%s::text[], %s::bigint[], %s::text[], %s::bigint[],"
    " 'callback', %s::bytea[], %s::text[], %s::bigint[], %s::text[])"
)


class Confirmable(NamedTuple):
    """What a callback said, and the stamp of the site's view by which it was read (or none)."""

    statement: Statement
    site_id: int = 0
    stamp: str = ""


def confirm_columns(batch: Sequence[Confirmable]) -> list[object]:
    """Return the parameters of CONFIRM."""
    said = [each.statement for each in batch]
    return [
        array_of_texts([s.payment_no for s in said]),
        array_of_numbers([s.gateway_id for s in said]),
        array_of_texts([s.external_no for s in said]),
        array_of_numbers([s.amount for s in said]),
        array_of_bytes([s.raw_digest for s in said]),
        array_of_texts([s.nonce for s in said]),
        array_of_numbers([each.site_id for each in batch]),
        array_of_texts([each.stamp for each in batch]),
    ]


# Confirm what callbacks said and settle the orders behind it: true for each that was plain. May run
# again after a lost connection: what was confirmed is not open any more. Locks: sql/settling.sql.
confirm_lane: Lane[Confirmable, bool] = Lane(
    CONFIRM,
    columns=confirm_columns,
    read=lambda rows, _batch: [row[0] for row in rows],
    linger_ms=LINGER_MS,
)


def held_margin(site_id: int, delivered_before: dt.datetime) -> int:
    """Return the margin of a site's orders that are not settled yet. Reads five index ranges."""
    row = fetch_one("select orders_held_margin(%s, %s)", (site_id, delivered_before))
    return int(row[0]) if row else 0


def upline_sums(order_id: int) -> tuple[int, int, int]:
    """Return what an order brought the upline of its child site: sold, refunded, lost."""
    row = fetch_one("select * from orders_upline_sums(%s)", (order_id,))
    return (int(row[0]), int(row[1]), int(row[2])) if row else (0, 0, 0)


def sums_below(upline_id: int, since: dt.datetime) -> list[tuple[int, ...]]:
    """Return what each child site sold through this one since then. By orders_by_upline."""
    rows = fetch("select * from orders_sums_below(%s, %s)", (upline_id, since))
    return [tuple(map(int, row)) for row in rows]


def disputed_margin(site_id: int) -> int:
    """Return the margin of a site's orders that buyers dispute. By payments_dispute_open."""
    row = fetch_one("select orders_disputed_margin(%s)", (site_id,))
    return int(row[0]) if row else 0


def list_disputed(site_id: int) -> list[int]:
    """Return the orders of a site that buyers dispute. By payments_dispute_open."""
    return [row[0] for row in fetch("select order_id from orders_disputed(%s)", (site_id,))]
