"""Everything the simulator remembers, in one SQLite file that survives a kill.

Owns the tables and every statement. One connection behind one lock: the load is a demo's.
Every change of a payment is a compare-and-set, as the real ones do.
"""

import json
import pathlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS credentials (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    id INTEGER PRIMARY KEY,
    gateway TEXT NOT NULL,
    trade_no TEXT NOT NULL UNIQUE,
    out_trade_no TEXT NOT NULL,
    method TEXT NOT NULL,
    subject TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    paid_fen INTEGER NOT NULL DEFAULT 0,
    refunded_fen INTEGER NOT NULL DEFAULT 0 CHECK (refunded_fen <= paid_fen),
    notify_url TEXT NOT NULL,
    return_url TEXT NOT NULL DEFAULT '',
    param TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'wait' CHECK (state IN ('wait', 'paid', 'closed')),
    is_opened INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    paid_at REAL,
    pay_at REAL,
    remark TEXT NOT NULL DEFAULT '',
    UNIQUE (gateway, out_trade_no)  -- a twin (TWIN) has a mark behind its number
);
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY,
    payment_id INTEGER NOT NULL REFERENCES payments,
    kind TEXT NOT NULL,
    fields TEXT NOT NULL,
    attempt_count INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting',
    due_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS notices_due ON notices (due_at) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY,
    notice_id INTEGER NOT NULL REFERENCES notices,
    sent_at REAL NOT NULL,
    status INTEGER NOT NULL,
    reply TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY,
    payment_id INTEGER NOT NULL REFERENCES payments,
    refund_no TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    refunded_at REAL NOT NULL,
    UNIQUE (payment_id, refund_no)
);
CREATE TABLE IF NOT EXISTS transfers (
    id INTEGER PRIMARY KEY,
    gateway TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('split', 'split_return', 'payout')),
    own_no TEXT NOT NULL,
    payment_id INTEGER REFERENCES payments,
    account TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    amount_fen INTEGER NOT NULL CHECK (amount_fen >= 0),
    state TEXT NOT NULL DEFAULT 'done',
    detail TEXT NOT NULL DEFAULT '{}',
    created_at REAL NOT NULL,
    UNIQUE (gateway, kind, own_no)
);
CREATE TABLE IF NOT EXISTS bill_changes (
    id INTEGER PRIMARY KEY,
    gateway TEXT NOT NULL,
    day TEXT NOT NULL,
    change TEXT NOT NULL,
    own_no TEXT NOT NULL,
    amount_fen INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY, arrived_at REAL NOT NULL, recipients TEXT NOT NULL, raw BLOB NOT NULL
);
"""
# What older files lack: table, column, declaration.
COLUMNS = (
    ("payments", "extra", "TEXT NOT NULL DEFAULT '{}'"),
    ("notices", "twist", "TEXT NOT NULL DEFAULT ''"),
    ("notices", "subject", "TEXT NOT NULL DEFAULT 'payment'"),
    ("notices", "follows", "INTEGER"),
    ("notices", "address", "TEXT NOT NULL DEFAULT ''"),
    ("attempts", "packed", "TEXT NOT NULL DEFAULT ''"),
    ("transfers", "returned_at", "REAL"),
)
# How a transaction begins, ends and is undone: the outermost, and one inside it. Savepoints of one
# name are found innermost first.
STEPS = (
    ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)),
    ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part")),
)
NEVER = 1e12
KEPT_MAILS = 500
TWIN = "#2"  # behind the merchant's number where the buyer paid it a second time


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment as the gateway sees it; times are seconds since 1970."""

    id: int
    gateway: str
    trade_no: str
    out_trade_no: str
    method: str
    subject: str
    amount_fen: int
    paid_fen: int
    refunded_fen: int
    notify_url: str
    return_url: str
    param: str
    state: str
    is_opened: int
    created_at: float
    expires_at: float
    paid_at: float | None
    pay_at: float | None
    remark: str
    extra: str  # what its peer wants to remember, JSON

    @property
    def is_expired(self) -> bool:
        """Whether the time to pay ran out."""
        return self.state == "wait" and time.time() >= self.expires_at

    @property
    def shown_fen(self) -> int:
        """What callbacks and queries name: what was paid, or what is asked."""
        return self.paid_fen or self.amount_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One callback on its way, with the address it goes to."""

    id: int
    payment_id: int
    gateway: str
    notify_url: str
    fields: dict[str, str]
    attempt_count: int
    twist: str = ""
    subject: str = "payment"  # payment, refund, dispute, transfer: what it tells of


def _read_payment(row: sqlite3.Row) -> Payment:
    """Read a row; a twin goes by the same merchant's number as the first."""
    return Payment(**{**dict(row), "out_trade_no": row["out_trade_no"].removesuffix(TWIN)})


class Store:
    """The simulator's memory."""

    def __init__(self, path: pathlib.Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0  # of transactions of who holds the lock
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        for table, column, declaration in COLUMNS:
            known = {row["name"] for row in self._db.execute(f"PRAGMA table_info({table})")}
            if column not in known:
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {declaration}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock and one transaction; inside another, a part that can fail by itself.

        Who holds it is alone: what they read stays true until they are through.
        """
        with self._lock:
            begin, end, undo = STEPS[self._depth > 0]
            self._db.execute(begin)
            self._depth += 1
            try:
                yield
            except BaseException:
                for step in undo:
                    self._db.execute(step)
                raise
            else:
                self._db.execute(end)
            finally:
                self._depth -= 1

    def run(self, sql: str, *values: object) -> sqlite3.Cursor:
        """Run one statement of this package."""
        with self._lock:
            return self._db.execute(sql, values)

    def fetch(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of one statement of this package."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def remember(self, name: str, make: Any) -> str:
        """Return a stored credential, making it the first time."""
        with self.transaction():
            row = self._db.execute("SELECT value FROM credentials WHERE name=?", (name,)).fetchone()
            if row:
                return str(row["value"])
            value = str(make())
            self._db.execute("INSERT INTO credentials VALUES (?, ?)", (name, value))
            return value

    def open_payment(self, values: Mapping[str, object]) -> Payment:
        """Create a payment, or return the one of the same gateway and number."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO payments ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
        self.run(sql, *values.values())
        found = self.find_payment(str(values["gateway"]), str(values["out_trade_no"]))
        if found is None:
            raise RuntimeError("trade number taken twice")
        return found

    def bring_paid(self, rows: Sequence[Mapping[str, object]]) -> int:
        """Keep payments that were made before this program was there; return how many are new."""
        names = (
            "gateway, trade_no, out_trade_no, method, subject, amount_fen, paid_fen, notify_url,"
            " created_at, expires_at, paid_at, state, is_opened, extra"
        )
        values = (
            ":gateway, :trade_no, :out_trade_no, :method, :subject, :amount_fen, :amount_fen, '',"
            " :paid_at, :paid_at, :paid_at, 'paid', 1, :extra"
        )
        sql = f"INSERT INTO payments ({names}) VALUES ({values}) ON CONFLICT DO NOTHING"  # noqa: S608
        with self.transaction():
            return sum(self._db.execute(sql, dict(row)).rowcount for row in rows)

    def find_payment(self, gateway: str, out_trade_no: str) -> Payment | None:
        """Return a payment by the merchant's number."""
        return self._one("gateway=? AND out_trade_no=?", gateway, out_trade_no)

    def find_trade(self, trade_no: str) -> Payment | None:
        """Return a payment by our number."""
        return self._one("trade_no=?", trade_no)

    def _one(self, condition: str, *values: object) -> Payment | None:
        rows = self.fetch(f"SELECT * FROM payments WHERE {condition}", *values)  # noqa: S608
        return _read_payment(rows[0]) if rows else None

    def list_payments(self, *, limit: int, gateway: str = "%") -> list[Payment]:
        """Return the newest payments."""
        sql = "SELECT * FROM payments WHERE gateway LIKE ? ORDER BY id DESC LIMIT ?"
        return [_read_payment(row) for row in self.fetch(sql, gateway, limit)]

    def mark_opened(self, payment_id: int) -> None:
        """Remember that the buyer has seen the payment."""
        self.run("UPDATE payments SET is_opened=1 WHERE id=?", payment_id)

    def set_remark(self, payment_id: int, remark: str) -> None:
        """Remember what was done last, for the list."""
        self.run("UPDATE payments SET remark=? WHERE id=?", remark, payment_id)

    def close_payment(self, payment_id: int) -> bool:
        """Close an unpaid payment; say whether this call did it."""
        sql = "UPDATE payments SET state='closed' WHERE id=? AND state='wait'"
        return self.run(sql, payment_id).rowcount == 1

    def pay(self, payment_id: int, *, paid_fen: int) -> bool:
        """Take the money, even after a close: the buyer's bank was slower than the shop."""
        sql = (
            "UPDATE payments SET state='paid', paid_fen=?, paid_at=?, pay_at=NULL, is_opened=1"
            " WHERE id=? AND state IN ('wait', 'closed')"
        )
        return self.run(sql, paid_fen, time.time(), payment_id).rowcount == 1

    def plan_payment(self, payment_id: int, *, pay_at: float) -> None:
        """Plan a late payment."""
        self.run("UPDATE payments SET pay_at=?, is_opened=1 WHERE id=?", pay_at, payment_id)

    def list_due_payments(self) -> list[Payment]:
        """Return the late payments whose time has come."""
        sql = "SELECT * FROM payments WHERE pay_at <= ? AND state <> 'paid' LIMIT 50"
        return [_read_payment(row) for row in self.fetch(sql, time.time())]

    def open_twin(self, payment: Payment, *, trade_no: str) -> Payment:
        """Create another payment of the same merchant's number, or return the one there is."""
        sql = (
            "INSERT INTO payments (gateway, trade_no, out_trade_no, method, subject, amount_fen,"
            " notify_url, return_url, param, extra, is_opened, created_at, expires_at)"
            " SELECT gateway, ?, out_trade_no || ?, method, subject, amount_fen, notify_url,"
            " return_url, param, extra, 1, ?, expires_at FROM payments WHERE id=?"
            " ON CONFLICT DO NOTHING"
        )
        self.run(sql, trade_no, TWIN, time.time(), payment.id)
        found = self.find_payment(payment.gateway, payment.out_trade_no + TWIN)
        if found is None:
            raise RuntimeError("trade number taken twice")
        return found

    def refund(self, payment_id: int, *, refund_no: str, amount_fen: int) -> bool:
        """Give money back once per number; raise ValueError if more than is left."""
        with self.transaction():
            sql = "SELECT amount_fen FROM refunds WHERE payment_id=? AND refund_no=?"
            row = self._db.execute(sql, (payment_id, refund_no)).fetchone()
            if row:
                if row["amount_fen"] != amount_fen:
                    raise ValueError("other amount")
                return False
            sql = (
                "UPDATE payments SET refunded_fen=refunded_fen+? "
                "WHERE id=? AND state='paid' AND refunded_fen+?<=paid_fen"
            )
            if self._db.execute(sql, (amount_fen, payment_id, amount_fen)).rowcount != 1:
                raise ValueError("too much")
            sql = (
                "INSERT INTO refunds (payment_id, refund_no, amount_fen, refunded_at)"
                " VALUES (?, ?, ?, ?)"
            )
            self._db.execute(sql, (payment_id, refund_no, amount_fen, time.time()))
            return True

    def find_refund(self, payment_id: int, refund_no: str) -> int | None:
        """Return the fen of a refund."""
        sql = "SELECT amount_fen FROM refunds WHERE payment_id=? AND refund_no=?"
        rows = self.fetch(sql, payment_id, refund_no)
        return int(rows[0]["amount_fen"]) if rows else None

    def list_refunds(self, payment_id: int) -> list[dict[str, object]]:
        """Return the refunds of a payment."""
        sql = "SELECT refund_no, amount_fen FROM refunds WHERE payment_id=? ORDER BY id"
        return [dict(row) for row in self.fetch(sql, payment_id)]

    def change_extra(self, payment_id: int, extra: Mapping[str, object]) -> None:
        """Remember what a payment's peer wants to know of it later."""
        text = json.dumps(extra, ensure_ascii=False)
        self.run("UPDATE payments SET extra=? WHERE id=?", text, payment_id)

    def overwrite(self, name: str, value: str) -> None:
        """Replace a stored credential: keys rotate."""
        sql = (
            "INSERT INTO credentials VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value=excluded.value"
        )
        self.run(sql, name, value)

    def add_notice(
        self,
        payment_id: int,
        *,
        kind: str,
        fields: Mapping[str, str],
        twist: str = "",
        subject: str = "payment",
        delay_seconds: float = 0.0,
        is_behind: bool = False,
        address: str = "",
    ) -> int:
        """Queue a callback; return its number. One that `is_behind` waits to be overtaken.

        It goes to `address`, or else to that of its payment.
        """
        due_at = NEVER if is_behind else time.time() + delay_seconds
        sql = (
            "INSERT INTO notices (payment_id, kind, fields, due_at, twist, subject, follows,"
            " address) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        text = json.dumps(fields, ensure_ascii=False)
        values = (payment_id, kind, text, due_at, twist, subject, 0 if is_behind else None)
        return int(self.run(sql, *values, address).lastrowid or 0)

    def claim_notices(self, *, limit: int, lease_seconds: float) -> list[Notice]:
        """Take the callbacks that are due; after a crash they come back when the lease ends."""
        with self.transaction():
            now = time.time()
            sql = (
                "SELECT n.id, n.payment_id, n.fields, n.attempt_count, n.twist, n.subject,"
                " p.gateway, coalesce(nullif(n.address, ''), p.notify_url) AS notify_url"
                " FROM notices n JOIN payments p ON p.id = n.payment_id"
                " WHERE n.state='waiting' AND n.due_at <= ? ORDER BY n.due_at, n.id LIMIT ?"
            )
            rows = self._db.execute(sql, (now, limit)).fetchall()
            for row in rows:
                lease = (now + lease_seconds, row["id"])
                self._db.execute("UPDATE notices SET due_at=? WHERE id=?", lease)
        return [Notice(**{**dict(row), "fields": json.loads(row["fields"])}) for row in rows]

    def record_attempt(
        self,
        notice: Notice,
        *,
        status: int,
        reply: str,
        next_at: float | None,
        done: bool,
        packed: str = "",
    ) -> None:
        """Remember what the shop answered, and when to send again; let go who waited behind it."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO attempts (notice_id, sent_at, status, reply, packed)"
                " VALUES (?, ?, ?, ?, ?)",
                (notice.id, time.time(), status, reply, packed),
            )
            state = "done" if done else ("waiting" if next_at else "given up")
            self._db.execute(
                "UPDATE notices SET attempt_count=attempt_count+1, state=?, due_at=? WHERE id=?",
                (state, next_at or 0, notice.id),
            )
            self._db.execute(
                "UPDATE notices SET due_at=?, follows=? WHERE follows=0 AND state='waiting'"
                " AND id<? AND payment_id IN (SELECT id FROM payments WHERE gateway=?)",
                (time.time(), notice.id, notice.id, notice.gateway),
            )

    def find_packed(self, payment_id: int) -> str:
        """Return the bytes of the first callback that was sent for a payment, or an empty text."""
        sql = (
            "SELECT a.packed FROM attempts a JOIN notices n ON n.id = a.notice_id"
            " WHERE n.payment_id=? AND n.twist='' AND a.packed<>'' ORDER BY a.id LIMIT 1"
        )
        rows = self.fetch(sql, payment_id)
        return str(rows[0]["packed"]) if rows else ""

    def list_notices(self, payment_id: int) -> list[dict[str, Any]]:
        """Return the callbacks of a payment with their attempts."""
        notices = self.fetch(
            "SELECT id, kind, state, attempt_count, due_at FROM notices"
            " WHERE payment_id=? ORDER BY id",
            payment_id,
        )
        sql = "SELECT sent_at, status, reply FROM attempts WHERE notice_id=? ORDER BY id"
        return [
            {**dict(row), "attempts": [dict(a) for a in self.fetch(sql, row["id"])]}
            for row in notices
        ]

    def add_mail(self, recipients: str, raw: bytes) -> None:
        """Keep a mail; the oldest beyond a bound go."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO mails (arrived_at, recipients, raw) VALUES (?, ?, ?)",
                (time.time(), recipients, raw),
            )
            sql = "DELETE FROM mails WHERE id <= (SELECT max(id) FROM mails) - ?"
            self._db.execute(sql, (KEPT_MAILS,))

    def list_mails(self, *, limit: int) -> list[tuple[float, str, bytes]]:
        """Return the newest mails: arrival, recipients, raw bytes."""
        sql = "SELECT arrived_at, recipients, raw FROM mails ORDER BY id DESC LIMIT ?"
        rows = self.fetch(sql, limit)
        return [(r["arrived_at"], r["recipients"], r["raw"]) for r in rows]
