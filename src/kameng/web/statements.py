"""Statements of an account that both faces show: on a page, as a table file, as a PDF.

Owns the wording and the bounds. Who may see an account is decided before.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.core import clock
from kameng.core.errors import Refusal
from kameng.core.pdf import PdfColumn, PdfTable, write_pdf
from kameng.insight.references import Behind, name_references
from kameng.ledger.accounts import ACCOUNT_NAMES, CODE_NAMES, Code, account_kind
from kameng.ledger.statements import (
    LedgerLine,
    Period,
    StatementSums,
    list_ledger_lines,
    sum_statement,
)
from kameng.pricing.money import Amount, format_yuan
from kameng.web.sheets import TYPES, Column, write_sheet

DAYS_MAX: Final = 366
PDF_ROWS_MAX: Final = 5_000  # half a second; a longer list is a table file
ROWS_MAX: Final = 100_000
STEP: Final = 1_000
FORMS: Final = {**TYPES, "pdf": "application/pdf"}


class StatementTooLong(Refusal):
    """More lines than a file may have."""

    code = "statement_too_long"
    message = gettext_lazy("这段时间有 %(count)s 笔，超过一份文件的上限 %(limit)s，请缩短期间。")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line in words. `id` is its number from the oldest, for pages."""

    id: int
    name: Any
    other: Any
    amount: int
    balance_amount: int
    created_at: dt.datetime
    transfer_id: int
    behind: Behind | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The days of a statement in a time zone, the last one included."""

    day_from: dt.date
    day_until: dt.date
    zone: ZoneInfo

    @property
    def period(self) -> Period:
        """Return the moments between which it lies."""
        since = dt.datetime.combine(self.day_from, dt.time(), tzinfo=self.zone)
        end = self.day_until + dt.timedelta(days=1)
        return Period(since=since, until=dt.datetime.combine(end, dt.time(), tzinfo=self.zone))


def read_span(day_from: str, day_until: str, *, zone: ZoneInfo) -> Span:
    """Return the days that an address names; by default this month, at most a year."""
    today = clock.now().astimezone(zone).date()
    until = min(_day(day_until) or today, today)
    since = _day(day_from) or until.replace(day=1)
    since = min(max(since, until - dt.timedelta(days=DAYS_MAX)), until)
    return Span(day_from=since, day_until=until, zone=zone)


def _day(text: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return day if day and dt.date(2000, 1, 1) <= day <= dt.date(2200, 1, 1) else None


def read_lines(
    account: int, *, period: Period, before_id: int | None = None, limit: int = 50
) -> list[StatementLine]:
    """Return lines of an account in words, newest first."""
    lines = list_ledger_lines(account, period=period, before_id=before_id, limit=limit)
    behind = name_references(
        (line.site_id, line.reference_kind, line.reference_id) for line in lines
    )
    return [_in_words(line, behind) for line in lines]


# What a buyer pays as one sum, whoever shares it: the shares are the shop's own business.
PURCHASE_CODES: Final = frozenset(
    {
        Code.SALE_OWN,
        Code.SALE_MARGIN,
        Code.SALE_UPLINE,
        Code.SALE_FEE,
        Code.SALE_SURCHARGE,
        Code.SALE_TAKINGS,
    }
)
PURCHASE_PARTS: Final = 5  # the most transfers that one purchase takes from a wallet


def read_buyer_lines(
    account: int, *, period: Period, before_id: int | None = None, limit: int = 50
) -> list[StatementLine]:
    """Return lines of a wallet as its owner may see them: a purchase is one line, no other side."""
    rows = list_ledger_lines(
        account, period=period, before_id=before_id, limit=limit * PURCHASE_PARTS
    )
    merged: list[LedgerLine] = []
    for row in rows:
        last = merged[-1] if merged else None
        if last is not None and _is_same_purchase(last, row):
            # Newest first: the balance after the whole is that of its newest part.
            amount = last.amount + row.amount
            merged[-1] = replace(
                row, amount=amount, balance_amount=last.balance_amount, code=last.code
            )
        else:
            merged.append(row)
    merged = merged[:limit]
    behind = name_references(
        (line.site_id, line.reference_kind, line.reference_id) for line in merged
    )
    lines = [replace(_in_words(line, behind), other="") for line in merged]
    return [
        replace(line, name=_("购买商品")) if row.code in PURCHASE_CODES else line
        for row, line in zip(merged, lines, strict=True)
    ]


def _is_same_purchase(one: LedgerLine, other: LedgerLine) -> bool:
    return (
        one.code in PURCHASE_CODES
        and other.code in PURCHASE_CODES
        and (one.reference_kind, one.reference_id, one.created_at)
        == (other.reference_kind, other.reference_id, other.created_at)
    )


def _in_words(line: LedgerLine, behind: dict[Any, Behind]) -> StatementLine:
    return StatementLine(
        id=line.id,
        name=CODE_NAMES[Code(line.code)],
        other=ACCOUNT_NAMES[account_kind(line.other_account)],
        amount=line.amount,
        balance_amount=line.balance_amount,
        created_at=line.created_at,
        transfer_id=line.transfer_id,
        behind=behind.get((line.site_id, line.reference_kind, line.reference_id)),
    )


def read_sums(account: int, *, period: Period) -> StatementSums:
    """Return opening, what moved, closing."""
    return sum_statement(account, period=period)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFile:
    """A statement to be written: whose, of what, for which days."""

    account: int
    title: str
    owner: str
    span: Span
    is_for_buyer: bool = False


def write_statement(form: str, wanted: StatementFile) -> tuple[IO[bytes] | bytes, int]:
    """Return the file and its lines; `form` is one of FORMS. Raises `StatementTooLong`."""
    sums = sum_statement(wanted.account, period=wanted.span.period)
    limit = PDF_ROWS_MAX if form == "pdf" else ROWS_MAX
    if sums.line_count > limit:
        raise StatementTooLong(count=sums.line_count, limit=limit)
    if form == "pdf":
        return _pdf(wanted, sums), sums.line_count
    columns = (
        Column(label=_("时间"), kind="time"),
        Column(label=_("项目")),
        Column(label=_("对方账户")),
        Column(label=_("号码")),
        Column(label=_("金额"), kind="yuan"),
        Column(label=_("余额"), kind="yuan"),
        Column(label=_("分录编号"), kind="whole"),
    )
    return write_sheet(form, name=wanted.title, columns=columns, rows=_rows(wanted, sums))


def _rows(wanted: StatementFile, sums: StatementSums) -> Iterator[Sequence[Any]]:
    """Yield closing, each line newest first, opening."""
    yield (None, _("期末余额"), "", "", None, sums.closing_amount, None)
    for line in _all_lines(wanted):
        number = line.behind.number if line.behind else ""
        yield (
            line.created_at.astimezone(wanted.span.zone),
            str(line.name),
            str(line.other),
            number,
            line.amount,
            line.balance_amount,
            line.transfer_id,
        )
    yield (None, _("期初余额"), "", "", None, sums.opening_amount, None)


def _all_lines(wanted: StatementFile) -> Iterator[StatementLine]:
    before_id: int | None = None
    read = read_buyer_lines if wanted.is_for_buyer else read_lines
    while page := read(wanted.account, period=wanted.span.period, before_id=before_id, limit=STEP):
        yield from page
        before_id = page[-1].id


def _pdf(wanted: StatementFile, sums: StatementSums) -> bytes:
    zone, now = wanted.span.zone, clock.now()
    rows = (
        (
            f"{line.created_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
            str(line.name),
            line.behind.number if line.behind else "",
            format_yuan(Amount(line.amount)),
            format_yuan(Amount(line.balance_amount)),
        )
        for line in _all_lines(wanted)
    )
    table = PdfTable(
        title=wanted.title,
        facts=[
            (_("账户"), wanted.owner),
            (_("期间"), f"{wanted.span.day_from} - {wanted.span.day_until}"),
            (_("期初余额"), format_yuan(Amount(sums.opening_amount))),
            (_("转入"), format_yuan(Amount(sums.received_amount))),
            (_("转出"), format_yuan(Amount(sums.spent_amount))),
            (_("期末余额"), format_yuan(Amount(sums.closing_amount))),
        ],
        columns=[
            PdfColumn(label=_("时间"), share=3),
            PdfColumn(label=_("项目"), share=3),
            PdfColumn(label=_("号码"), share=3),
            PdfColumn(label=_("金额"), share=2, is_number=True),
            PdfColumn(label=_("余额"), share=2, is_number=True),
        ],
        rows=rows,
        foot=_("打印于 %(at)s") % {"at": f"{now.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"},
    )
    return write_pdf(table)
