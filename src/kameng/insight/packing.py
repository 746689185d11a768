"""What an archive of a site holds, part by part: tables as CSV, pages and settings as JSON.

Promises bounded memory (rows by key, a thousand at a time), that no cell is a formula, and that
neither card keys nor credentials of gateways are among the parts.
"""

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any, Final, Protocol, cast

from django.db.models import IntegerChoices, QuerySet

from kameng.accounts.models import Customer, SiteRole
from kameng.accounts.selectors import hint_contact, login_of
from kameng.catalog.models import Listing, PriceRule
from kameng.core.formulas import disarm
from kameng.ledger.accounts import ACCOUNT_NAMES, CODE_NAMES, Code, account_kind, account_owner
from kameng.ledger.models import Transfer
from kameng.ledger.selectors import wallet_amounts
from kameng.orders.models import Order, OrderRefund, OrderRefundState, OrderState, PaidBy
from kameng.orders.selectors import read_answers, read_contact
from kameng.pages.models import Page
from kameng.payments.models import Payment, PaymentState, Purpose, TopUp
from kameng.pricing.money import Amount, format_yuan
from kameng.settlement.models import Withdrawal, WithdrawalState
from kameng.tenancy.selectors import SiteView

STEP: Final = 1000
Cells = Sequence[Any]


class Sink(Protocol):
    """Takes the bytes of the file in order; it is never sought in."""

    def write(self, data: bytes) -> int:
        """Take bytes."""
        ...

    def flush(self) -> None:
        """Do nothing."""
        ...


class Noted(Protocol):
    """Is told how many more rows of a part are written; what it raises ends the work."""

    def __call__(self, part: str, /, *, count: int) -> None:
        """Take note."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """For which site an archive is made, and whether contacts stand in it in clear."""

    site: SiteView
    with_contacts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table of an archive: its file, its columns, its rows by id, a row's cells."""

    code: str
    columns: tuple[str, ...]
    rows: Callable[[], "QuerySet[Any]"]
    cells: Callable[[list[Any], Packing], Iterator[Cells]]


def count_rows() -> int:
    """Count what an archive of the site in force will hold."""
    return sum(part.rows().count() for part in PARTS)


def pack(sink: Sink, packing: Packing, *, noted: Noted) -> dict[str, int]:
    """Write the ZIP file of the site in force; return the rows of each part.

    `noted` is told the part and how many rows it has, page by page; what it raises ends the work.
    """
    counts: dict[str, int] = {}
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_DEFLATED) as archive:
        for part in PARTS:
            with archive.open(f"{part.code}.csv", "w", force_zip64=True) as file:
                counts[part.code] = _write_part(file, part, packing, noted=noted)
        _write_json(archive, "pages.json", list(_pages()))
        _write_json(archive, "settings.json", _settings(packing.site))
        _write_json(archive, "manifest.json", {"site": packing.site.slug, "rows": counts})
    return counts


def _write_part(file: Any, part: Part, packing: Packing, *, noted: Noted) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(part.columns)
    count, after_id = 0, 0
    while page := list(part.rows().filter(id__gt=after_id).order_by("id")[:STEP]):
        for cells in part.cells(page, packing):
            writer.writerow([_plain(cell, packing) for cell in cells])
        count += len(page)
        after_id = page[-1].id
        noted(part.code, count=len(page))
    text.flush()
    text.detach()
    return count


@dataclass(frozen=True, slots=True)
class Yuan:
    """An amount, 1/10000 yuan, to be printed as a number: its minus is no formula."""

    amount: int | None


def _plain(cell: Any, packing: Packing) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Yuan):
        return "" if cell.amount is None else format_yuan(Amount(cell.amount))
    if isinstance(cell, dt.datetime):
        return f"{cell.astimezone(packing.site.settings.zone):%Y-%m-%d %H:%M:%S}"
    if isinstance(cell, bool):
        return "1" if cell else "0"
    return str(cell) if isinstance(cell, int) else disarm(str(cell).replace("\x00", ""))


def _word(choices: type[IntegerChoices], value: int) -> str:
    return str(choices(value).label)


def _write_json(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    archive.writestr(name, text.encode("utf-8", "replace"))


def _pages() -> Iterator[dict[str, Any]]:
    """Yield the pages of the site in force: what is published, and a draft that differs."""
    for page in Page.objects.select_related("revision").order_by("id"):
        yield {
            "kind": page.kind,
            "slug": page.slug,
            "title": page.title,
            "published": page.revision.content if page.revision else None,
            "draft": page.draft,
        }


def _settings(site: SiteView) -> dict[str, Any]:
    staff = SiteRole.objects.select_related("user").order_by("id")
    return {
        "slug": site.slug,
        "name": site.name,
        "settings": asdict(site.settings),
        "staff": [{"login": row.user.login, "role": row.role} for row in staff],
        "listings": list(
            Listing.objects.order_by("id").values("product_id", "is_listed", "is_pinned", "weight")
        ),
    }


def _order_cells(page: list[Order], packing: Packing) -> Iterator[Cells]:
    for row in page:
        contact = read_contact(row)
        answers = read_answers(row) if packing.with_contacts else {}
        yield (
            *(row.order_no, row.placed_at, row.paid_at, row.delivered_at),
            *(_word(OrderState, row.state), row.title, row.quantity, Yuan(row.unit_amount)),
            *(Yuan(row.total_amount), Yuan(row.wholesale_amount), Yuan(row.refunded_amount)),
            *(Yuan(row.fee_amount), _word(PaidBy, row.paid_by), row.customer_id),
            contact if packing.with_contacts else hint_contact(contact),
            json.dumps(answers, ensure_ascii=False) if answers else "",
        )


def _refund_cells(page: list[OrderRefund], _packing: Packing) -> Iterator[Cells]:
    for row in page:
        yield (
            *(row.refund_no, row.order_id, row.created_at, row.done_at, Yuan(row.amount)),
            *(_word(OrderRefundState, row.state), row.reason, row.asked_by),
        )


def _payment_cells(page: list[Payment], _packing: Packing) -> Iterator[Cells]:
    for row in page:
        yield (
            *(row.payment_no, row.external_no, _word(Purpose, row.purpose), row.subject_id),
            *(_word(PaymentState, row.state), row.created_at, row.confirmed_at),
            *(Yuan(row.amount), Yuan(row.received_amount), Yuan(row.refunded_amount)),
            Yuan(row.fee_amount),
        )


def _top_up_cells(page: list[TopUp], _packing: Packing) -> Iterator[Cells]:
    for row in page:
        yield (
            *(row.top_up_no, row.customer_id, row.created_at, row.credited_at),
            *(Yuan(row.amount), Yuan(row.bonus_amount), Yuan(row.returned_amount)),
        )


def _customer_cells(page: list[Customer], packing: Packing) -> Iterator[Cells]:
    wallets = wallet_amounts([row.id for row in page])
    for row in page:
        yield (
            *(row.id, row.nickname, login_of(row) if packing.with_contacts else row.login_hint),
            *(row.is_active, Yuan(wallets[row.id]), row.created_at, row.last_signed_in_at),
            row.note,
        )


def _transfer_cells(page: list[Transfer], _packing: Packing) -> Iterator[Cells]:
    for row in page:
        sides = [
            f"{ACCOUNT_NAMES[account_kind(each)]}:{account_owner(each)}"
            for each in (row.debit_account, row.credit_account)
        ]
        name = CODE_NAMES.get(Code(row.code), row.code)
        yield (row.id, row.created_at, name, *sides, Yuan(row.amount), row.reference_id)


def _price_cells(page: list[PriceRule], _packing: Packing) -> Iterator[Cells]:
    for row in page:
        yield (
            *(row.id, row.category_id, row.product_id, row.variant_id, row.kind),
            *(row.rate_bps, Yuan(row.amount), row.rounding, row.cap_bps, row.updated_at),
        )


def _withdrawal_cells(page: list[Withdrawal], _packing: Packing) -> Iterator[Cells]:
    for row in page:
        yield (
            *(row.withdrawal_no, row.created_at, Yuan(row.amount), Yuan(row.payout_amount)),
            *(_word(WithdrawalState, row.state), row.reason),
        )


PARTS: Final = (
    Part(
        code="orders",
        columns=(
            *("order_no", "placed_at", "paid_at", "delivered_at", "state", "goods", "quantity"),
            *("unit_yuan", "total_yuan", "wholesale_yuan", "refunded_yuan", "fee_yuan"),
            *("paid_by", "customer_id", "contact", "inputs"),
        ),
        rows=Order.objects.all,
        cells=_order_cells,
    ),
    Part(
        code="refunds",
        columns=(
            *("refund_no", "order_id", "created_at", "done_at", "amount_yuan", "state", "reason"),
            "asked_by",
        ),
        rows=OrderRefund.objects.all,
        cells=_refund_cells,
    ),
    Part(
        code="payments",
        columns=(
            *("payment_no", "external_no", "purpose", "paid_for", "state", "created_at"),
            *("confirmed_at", "amount_yuan", "received_yuan", "refunded_yuan", "fee_yuan"),
        ),
        rows=Payment.objects.all,
        cells=_payment_cells,
    ),
    Part(
        code="top_ups",
        columns=(
            *("top_up_no", "customer_id", "created_at", "credited_at", "amount_yuan"),
            *("bonus_yuan", "returned_yuan"),
        ),
        rows=TopUp.objects.all,
        cells=_top_up_cells,
    ),
    Part(
        code="customers",
        columns=(
            *("customer_id", "nickname", "login", "is_active", "wallet_yuan", "created_at"),
            *("last_signed_in_at", "note"),
        ),
        rows=Customer.objects.all,
        cells=_customer_cells,
    ),
    Part(
        code="ledger",
        columns=("id", "created_at", "what", "from", "to", "amount_yuan", "reference_id"),
        rows=Transfer.objects.all,
        cells=_transfer_cells,
    ),
    Part(
        code="withdrawals",
        columns=("withdrawal_no", "created_at", "amount_yuan", "payout_yuan", "state", "reason"),
        rows=Withdrawal.objects.all,
        cells=_withdrawal_cells,
    ),
    Part(
        code="prices",
        columns=(
            *("id", "category_id", "product_id", "variant_id", "kind", "rate_bps", "amount_yuan"),
            *("rounding", "cap_bps", "updated_at"),
        ),
        rows=PriceRule.objects.all,
        cells=_price_cells,
    ),
)
