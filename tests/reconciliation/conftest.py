"""A gateway whose bills the test writes, and payments as the books have them."""

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.ids import new_number
from kameng.ledger.sealing import MonthTotals
from kameng.payments.models import (
    Gateway,
    GatewayRefund,
    Payment,
    PaymentState,
    Purpose,
    RefundState,
)
from kameng.payments.providers.abilities import Bill, BillLine, LineKind
from kameng.pricing.money import Amount
from kameng.reconciliation.rules import bounds_of, day_of
from kameng.reconciliation.services import fetching
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import next_number

STAFF = Actor(kind="user", actor_id=1, name="Ada")
NOW = clock.now()  # stands still; sessions, which the database dates, are of today too
DAY = day_of(NOW) - dt.timedelta(days=1)
YUAN = 10_000


@dataclass(slots=True)
class Source:
    """A gateway's bills: what the test says, or the fault that it raises."""

    bills: dict[dt.date, list[BillLine]] = field(default_factory=dict)
    unread: dict[dt.date, list[str]] = field(default_factory=dict)
    fault: Exception | None = None
    asked: list[dt.date] = field(default_factory=list)

    def fetch_bill(self, config: Any, day: dt.date) -> Bill:
        """Answer as told."""
        self.asked.append(day)
        if self.fault is not None:
            raise self.fault
        lines = self.bills.get(day, [])
        raw = repr(lines).encode()
        return Bill(
            day=day,
            lines=lines,
            unread_lines=self.unread.get(day, []),
            raw=raw,
            raw_digest=hashlib.sha256(raw).hexdigest(),
        )


def line(
    no: str,
    amount: int,
    *,
    fee: int = 0,
    at: dt.datetime | None = None,
    kind: LineKind = LineKind.PAYMENT,
    external_no: str | None = None,
) -> BillLine:
    """Return a line of a bill, at noon of the day."""
    return BillLine(
        kind=kind,
        own_no=no,
        payment_no=no if kind == LineKind.PAYMENT else "",
        external_no=f"9{no}" if external_no is None else external_no,
        amount=Amount(amount),
        fee_amount=Amount(fee),
        happened_at=at or noon(),
        text=f"{no},{amount},{fee}",
    )


def noon(day: dt.date = DAY) -> dt.datetime:
    """Return noon of a Beijing day."""
    return bounds_of(day)[0] + dt.timedelta(hours=12)


def closing_read() -> MonthTotals:
    """Return what the ledger says of a month without transfers that is sealed."""
    return MonthTotals(
        totals=(),
        transfer_count=0,
        transfer_amount=0,
        batch_no=0,
        chain_hash=bytes(32),
        is_sealed=True,
    )


@dataclass(slots=True, kw_only=True)
class Books:
    """A main site with a gateway, used by a sub-site."""

    main: Site
    site: Site
    gateway: Gateway
    source: Source

    def pay(
        self,
        amount: int = 100 * YUAN,
        *,
        at: dt.datetime | None = None,
        fee: int = 0,
        state: PaymentState = PaymentState.CONFIRMED,
    ) -> Payment:
        """Write down a payment of the sub-site at the main site's gateway."""
        when = at or noon()
        no, is_paid = new_number(when), state == PaymentState.CONFIRMED
        with site_scope(self.site.id):
            made: Payment = Payment.objects.create(
                site_id=self.site.id,
                payment_no=no,
                purpose=Purpose.ORDER,
                subject_id=next_number(),
                gateway_id=self.gateway.id,
                amount=amount,
                fee_amount=fee,
                state=state,
                external_no=f"9{no}" if is_paid else None,
                received_amount=amount if is_paid else None,
                expires_at=when + dt.timedelta(minutes=15),
                confirmed_at=when if is_paid else None,
            )
        return made

    def refund(self, payment: Payment, amount: int, *, at: dt.datetime | None = None) -> str:
        """Write down that part of a payment went back; return the number of the refund."""
        when = at or noon()
        no = new_number(when)
        with site_scope(self.site.id):
            GatewayRefund.objects.create(
                site_id=self.site.id,
                payment_id=payment.id,
                refund_no=no,
                purpose=Purpose.ORDER,
                subject_id=payment.subject_id,
                amount=amount,
                state=RefundState.DONE,
                done_at=when,
            )
        return no


@pytest.fixture
def books(any_db: None, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch) -> Books:
    """The books, on the day after `DAY`."""
    source = Source()
    monkeypatch.setattr(fetching, "provider_of", lambda _gateway: source)
    monkeypatch.setattr(fetching, "config_of", lambda _gateway: None)
    monkeypatch.setattr("kameng.core.clock.now", lambda: NOW)
    with site_scope(main_site.id):
        gateway = Gateway.objects.create(
            site_id=main_site.id,
            kind="epay",
            name="收银",
            method="alipay",
            config_cipher=b"",
            fee_bps=60,
            checked_at=NOW,
            is_enabled=True,
        )
        Gateway.objects.filter(id=gateway.id).update(created_at=noon(DAY - dt.timedelta(days=1)))
        gateway.refresh_from_db()
    return Books(main=main_site, site=site_a, gateway=gateway, source=source)


@pytest.fixture
def in_main(books: Books) -> Iterator[None]:
    """Everything in the scope of the main site."""
    with site_scope(books.main.id):
        yield
