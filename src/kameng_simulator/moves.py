"""Money that moves besides payments, and the bills of a day.

Owns splits, their returns and payouts (once per own number, as the platforms promise), payouts that
came back, and what a bill says: what happened that day, and what a tester changed in it.
"""

import calendar
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kameng_simulator.peers import round_fee
from kameng_simulator.store import TWIN, Store

CHANGES = ("missing", "extra", "amount", "fee", "twice")
CORRECTIONS = ("correction_in", "correction_out")  # kept beside them; of lists of their own
BEIJING_SECONDS = 8 * 3600
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A split, a return or a payout; `detail` is what its peer wants to remember.

    A payout of state `back` arrived and came back at `returned_at`.
    """

    id: int
    gateway: str
    kind: str
    own_no: str
    payment_id: int | None
    account: str
    name: str
    amount_fen: int
    state: str
    detail: dict[str, Any]
    created_at: float
    returned_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a platform moved to put a payment of an earlier day right: in, or out."""

    id: int
    is_in: bool
    own_no: str
    amount_fen: int
    happened_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One thing that happened: a payment, refund, split, split_return, payout or payout_return.

    `own_no` is the merchant's number of it, `external_no` the platform's.
    """

    kind: str
    own_no: str
    external_no: str
    trade_no: str
    out_trade_no: str
    subject: str
    method: str
    amount_fen: int
    fee_fen: int
    paid_fen: int
    happened_at: float


class Moves:
    """Transfers and bills over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open_transfer(self, values: Mapping[str, Any]) -> tuple[Transfer, bool]:
        """Keep a transfer, or return the one of the same gateway, kind and number; say if new.

        Raises ValueError when the number stands for another amount, account or payment.
        """
        row = {"created_at": time.time(), "state": "done", **values}
        row["detail"] = json.dumps(values.get("detail", {}), ensure_ascii=False)
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO transfers ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
        is_new = self._store.run(sql, *row.values()).rowcount == 1
        found = self.find_transfer(str(row["gateway"]), str(row["kind"]), str(row["own_no"]))
        if found is None:
            raise RuntimeError("transfer lost")
        for name in ("amount_fen", "account", "payment_id"):
            if name in values and getattr(found, name) != values[name]:
                raise ValueError(name)
        return found, is_new

    def find_transfer(self, gateway: str, kind: str, own_no: str) -> Transfer | None:
        """Return a transfer by the merchant's number."""
        sql = "SELECT * FROM transfers WHERE gateway=? AND kind=? AND own_no=?"
        rows = self._store.fetch(sql, gateway, kind, own_no)
        return _read_transfer(dict(rows[0])) if rows else None

    def list_transfers(
        self, gateway: str, *, payment_id: int | None = None, kind: str = "%", limit: int = 100
    ) -> list[Transfer]:
        """Return transfers, newest first."""
        sql = (
            "SELECT * FROM transfers WHERE gateway=? AND kind LIKE ?"
            " AND (? IS NULL OR payment_id=?) ORDER BY id DESC LIMIT ?"
        )
        rows = self._store.fetch(sql, gateway, kind, payment_id, payment_id, limit)
        return [_read_transfer(dict(row)) for row in rows]

    def end_transfer(self, transfer: Transfer, *, state: str) -> bool:
        """Move a transfer on from the state in which it was seen; say whether this call did it."""
        sql = "UPDATE transfers SET state=? WHERE id=? AND state=?"
        return self._store.run(sql, state, transfer.id, transfer.state).rowcount == 1

    def return_payout(self, gateway: str, own_no: str) -> bool:
        """Let a payout that arrived come back now; say whether this call did it."""
        sql = (
            "UPDATE transfers SET state='back', returned_at=?"
            " WHERE gateway=? AND kind='payout' AND own_no=? AND state='done'"
        )
        return self._store.run(sql, time.time(), gateway, own_no).rowcount == 1

    def add_correction(
        self, *, gateway: str, day: str, is_in: bool, own_no: str, amount_fen: int
    ) -> None:
        """Let the platform put a payment right on a day. Raises ValueError for no day."""
        _read_day(day)
        change = CORRECTIONS[0] if is_in else CORRECTIONS[1]
        self._keep_change(gateway, day, change, own_no, amount_fen)

    def list_corrections(self, gateway: str, *, day: str) -> list[Correction]:
        """Return what was put right on a day, each at noon."""
        noon = _read_day(day) + DAY_SECONDS / 2
        sql = (
            "SELECT id, change, own_no, amount_fen FROM bill_changes"
            " WHERE gateway=? AND day=? AND change IN (?, ?) ORDER BY id"
        )
        return [
            Correction(
                id=row["id"],
                is_in=row["change"] == CORRECTIONS[0],
                own_no=row["own_no"],
                amount_fen=row["amount_fen"],
                happened_at=noon,
            )
            for row in self._store.fetch(sql, gateway, day, *CORRECTIONS)
        ]

    def _keep_change(
        self, gateway: str, day: str, change: str, own_no: str, amount_fen: int
    ) -> None:
        sql = (
            "INSERT INTO bill_changes (gateway, day, change, own_no, amount_fen)"
            " VALUES (?, ?, ?, ?, ?)"
        )
        self._store.run(sql, gateway, day, change, own_no, amount_fen)

    def change_bill(
        self, *, gateway: str, day: str, change: str, own_no: str, amount_fen: int
    ) -> None:
        """Make the bill of a day say something else from now on. Raises ValueError."""
        if change not in CHANGES:
            raise ValueError(change)
        _read_day(day)
        self._keep_change(gateway, day, change, own_no, amount_fen)

    def list_bill(self, gateway: str, *, day: str, fee_bps: int) -> list[BillRow]:
        """Return what a bill of a Beijing day (YYYY-MM-DD) says; raise ValueError for no day."""
        start = _read_day(day)
        rows = self._list_payments(gateway, start, fee_bps)
        rows += self._list_refunds(gateway, start, fee_bps)
        rows += self._list_moved(gateway, start)
        sql = (
            "SELECT * FROM bill_changes WHERE gateway=? AND day=? AND change NOT IN (?, ?)"
            " ORDER BY id"
        )
        for change in self._store.fetch(sql, gateway, day, *CORRECTIONS):
            rows = _apply(rows, dict(change), start)
        return sorted(rows, key=lambda row: (row.happened_at, row.own_no))

    def _list_payments(self, gateway: str, start: float, fee_bps: int) -> list[BillRow]:
        sql = "SELECT * FROM payments WHERE gateway=? AND paid_at >= ? AND paid_at < ?"
        return [
            BillRow(
                kind="payment",
                own_no=row["out_trade_no"].removesuffix(TWIN),
                external_no=row["trade_no"],
                trade_no=row["trade_no"],
                out_trade_no=row["out_trade_no"].removesuffix(TWIN),
                subject=row["subject"],
                method=row["method"],
                amount_fen=row["paid_fen"],
                fee_fen=round_fee(row["paid_fen"], fee_bps=fee_bps),
                paid_fen=row["paid_fen"],
                happened_at=row["paid_at"],
            )
            for row in self._store.fetch(sql, gateway, start, start + DAY_SECONDS)
        ]

    def _list_refunds(self, gateway: str, start: float, fee_bps: int) -> list[BillRow]:
        sql = (
            "SELECT r.refund_no, r.amount_fen, r.refunded_at, r.id, p.* FROM refunds r"
            " JOIN payments p ON p.id = r.payment_id"
            " WHERE p.gateway=? AND r.refunded_at >= ? AND r.refunded_at < ?"
        )
        return [
            BillRow(
                kind="refund",
                own_no=row[0],
                external_no=f"R{row['trade_no']}{row[3]:06d}"[:32],
                trade_no=row["trade_no"],
                out_trade_no=row["out_trade_no"].removesuffix(TWIN),
                subject=row["subject"],
                method=row["method"],
                amount_fen=row[1],
                fee_fen=-round_fee(row[1], fee_bps=fee_bps),
                paid_fen=row["paid_fen"],
                happened_at=row[2],
            )
            for row in self._store.fetch(sql, gateway, start, start + DAY_SECONDS)
        ]

    def _list_moved(self, gateway: str, start: float) -> list[BillRow]:
        """Return what went out or came in; what came back later did both, each on its day."""
        whole = (
            "SELECT t.*, {kind} AS line_kind, {moment} AS happened_at, p.trade_no, p.out_trade_no"
            " FROM transfers t LEFT JOIN payments p ON p.id = t.payment_id"
            " WHERE t.gateway=? AND t.state IN ({states}) AND {moment} >= ? AND {moment} < ?"
        )
        out = whole.format(kind="t.kind", moment="t.created_at", states="'done', 'back'")
        back = whole.format(kind="'payout_return'", moment="t.returned_at", states="'back'")
        span = (gateway, start, start + DAY_SECONDS)
        return [
            BillRow(
                kind=row["line_kind"],
                own_no=row["own_no"],
                external_no=f"T{row['id']:015d}",
                trade_no=row["trade_no"] or "",
                out_trade_no=(row["out_trade_no"] or "").removesuffix(TWIN),
                subject=row["name"],
                method="",
                amount_fen=row["amount_fen"],
                fee_fen=0,
                paid_fen=row["amount_fen"],
                happened_at=row["happened_at"],
            )
            for row in (*self._store.fetch(out, *span), *self._store.fetch(back, *span))
        ]


def _read_transfer(row: dict[str, Any]) -> Transfer:
    return Transfer(**{**row, "detail": json.loads(row["detail"])})


def _read_day(day: str) -> float:
    return calendar.timegm(time.strptime(day, "%Y-%m-%d")) - BEIJING_SECONDS


def _apply(rows: list[BillRow], change: Mapping[str, Any], start: float) -> list[BillRow]:
    """Apply what a tester changed: leave a line out, add one, change its amount or fee."""
    kind, own_no, fen = change["change"], change["own_no"], change["amount_fen"]
    if kind == "extra":
        extra = BillRow(
            kind="payment",
            own_no=own_no,
            external_no=f"X{change['id']:015d}",
            trade_no=f"X{change['id']:015d}",
            out_trade_no=own_no,
            subject="",
            method="",
            amount_fen=fen,
            fee_fen=0,
            paid_fen=fen,
            happened_at=start + DAY_SECONDS / 2,
        )
        return [*rows, extra]
    if kind == "missing":
        return [row for row in rows if row.own_no != own_no]
    if kind == "twice":
        return [*rows, *(row for row in rows if row.own_no == own_no)]
    if kind == "amount":
        return [replace(row, amount_fen=fen) if row.own_no == own_no else row for row in rows]
    return [replace(row, fee_fen=fen) if row.own_no == own_no else row for row in rows]
