"""What each exported list holds: its columns, and its rows read page by page by key.

Owns the wording of columns. Promises that an export says what its list on the screen says, within
the same filters and the same site, logins and contacts masked as there, and that a list longer than
`ROWS_MAX` is refused as a whole instead of cut.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import IntegerChoices
from django.utils.translation import gettext as _

from kameng.accounts.models import Customer
from kameng.accounts.selectors import list_customers
from kameng.catalog.models import DeliveryKind
from kameng.console.errors import ExportTooLarge
from kameng.console.forms.days import Days
from kameng.console.forms.orders import OrderQuery
from kameng.console.order_page import OrderRow, describe_transfer, make_rows
from kameng.console.sheets import Column
from kameng.insight.customers import summarize_customers
from kameng.insight.order_search import search_orders
from kameng.ledger.accounts import AccountKind, Reference, account_kind, account_owner
from kameng.ledger.models import Transfer
from kameng.ledger.selectors import (
    StatementLine,
    list_transfers,
    list_wallet_lines,
    wallet_amounts,
)
from kameng.orders.models import OrderState, PaidBy
from kameng.orders.selectors import list_order_nos
from kameng.payments.models import Payment, PaymentState, Purpose
from kameng.payments.selectors import (
    PaymentFilter,
    list_gateways,
    list_payments,
    list_payments_by_id,
    list_top_up_nos,
)
from kameng.tenancy.selectors import SiteView

STEP: Final = 1000
ROWS_MAX: Final = 100_000
Cells = Sequence[Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One list to take away. `code` names it in the audit log and in the name of the file."""

    code: str
    name: str
    columns: Sequence[Column]
    rows: Iterable[Cells]


def export_orders(query: OrderQuery, *, site: SiteView) -> Export:
    """Return the orders that a list shows."""
    zone = site.settings.zone
    search = query.search(site_id=site.site_id, zone=zone)
    columns = (
        Column(label=_("订单号")),
        Column(label=_("下单时间"), kind="time"),
        Column(label=_("付款时间"), kind="time"),
        Column(label=_("发货时间"), kind="time"),
        Column(label=_("状态")),
        Column(label=_("商品")),
        Column(label=_("发货方式")),
        Column(label=_("数量"), kind="whole"),
        Column(label=_("单价"), kind="yuan"),
        Column(label=_("金额"), kind="yuan"),
        Column(label=_("已退款"), kind="yuan"),
        Column(label=_("手续费"), kind="yuan"),
        Column(label=_("主站收入") if site.is_main else _("利润"), kind="yuan"),
        Column(label=_("支付方式")),
        Column(label=_("支付单号")),
        Column(label=_("通道交易号")),
        Column(label=_("客户")),
    )
    pages = pages_of(
        lambda before_id: search_orders(search, before_id=before_id, limit=STEP), id_of
    )
    rows = (cells for page in pages for cells in _order_cells(make_rows(page), zone))
    return Export(code="orders", name=_("全部订单"), columns=columns, rows=rows)


def _order_cells(rows: Sequence[OrderRow], zone: ZoneInfo) -> Iterator[Cells]:
    paid = list_payments_by_id({row.order.payment_id for row in rows if row.order.payment_id})
    states, kinds, ways = _labels(OrderState), _labels(DeliveryKind), _labels(PaidBy)
    for row in rows:
        order = row.order
        payment = paid.get(order.payment_id or 0)
        yield (
            order.order_no,
            local_time(order.placed_at, zone),
            local_time(order.paid_at, zone),
            local_time(order.delivered_at, zone),
            states[order.state],
            order.title,
            kinds[order.delivery_kind],
            order.quantity,
            order.unit_amount,
            order.total_amount,
            order.refunded_amount,
            order.fee_amount,
            row.margin_amount,
            ways[order.paid_by],
            payment.payment_no if payment else "",
            (payment.external_no or "") if payment else "",
            row.customer.nickname if row.customer else row.contact_hint,
        )


def export_payments(wanted: PaymentFilter, *, site: SiteView) -> Export:
    """Return the attempts to pay that a list shows."""
    columns = (
        Column(label=_("支付单号")),
        Column(label=_("通道交易号")),
        Column(label=_("通道")),
        Column(label=_("用途")),
        Column(label=_("状态")),
        Column(label=_("发起时间"), kind="time"),
        Column(label=_("到账时间"), kind="time"),
        Column(label=_("应收"), kind="yuan"),
        Column(label=_("实收"), kind="yuan"),
        Column(label=_("已退款"), kind="yuan"),
        Column(label=_("手续费"), kind="yuan"),
        Column(label=_("订单号或充值单号")),
    )
    pages = pages_of(
        lambda before_id: list_payments(wanted, before_id=before_id, limit=STEP), id_of
    )
    zone, names = site.settings.zone, {each.id: each.name for each in list_gateways()}
    rows = (cells for page in pages for cells in _payment_cells(page, names, zone))
    return Export(code="payments", name=_("支付记录"), columns=columns, rows=rows)


def _payment_cells(
    page: Sequence[Payment], names: dict[int, str], zone: ZoneInfo
) -> Iterator[Cells]:
    kinds = {Purpose.ORDER: Reference.ORDER, Purpose.TOP_UP: Reference.TOP_UP}
    purposes, states = _labels(Purpose), _labels(PaymentState)
    numbers = _numbers((kinds[Purpose(each.purpose)], each.subject_id) for each in page)
    for each in page:
        yield (
            each.payment_no,
            each.external_no or "",
            names.get(each.gateway_id, ""),
            purposes[each.purpose],
            states[each.state],
            local_time(each.created_at, zone),
            local_time(each.confirmed_at, zone),
            each.amount,
            each.received_amount,
            each.refunded_amount,
            each.fee_amount,
            numbers.get((kinds[Purpose(each.purpose)], each.subject_id), ""),
        )


def export_ledger(days: Days, *, site: SiteView) -> Export:
    """Return every transfer of the site in these days, those without an order too."""
    zone = site.settings.zone
    since, until = days.since(zone), days.until(zone)
    columns = (
        Column(label=_("分录编号"), kind="whole"),
        Column(label=_("时间"), kind="time"),
        Column(label=_("项目")),
        Column(label=_("从")),
        Column(label=_("到")),
        Column(label=_("金额"), kind="yuan"),
        Column(label=_("订单号或充值单号")),
        Column(label=_("客户编号"), kind="whole"),
    )
    pages = pages_of(
        lambda before_id: list_transfers(since=since, until=until, before_id=before_id, limit=STEP),
        id_of,
    )
    rows = (cells for page in pages for cells in _transfer_cells(page, zone))
    return Export(code="ledger", name=_("资金"), columns=columns, rows=rows)


def _transfer_cells(page: Sequence[Transfer], zone: ZoneInfo) -> Iterator[Cells]:
    numbers = _numbers((each.reference_kind, each.reference_id) for each in page)
    for each in page:
        posting = describe_transfer(each)
        yield (
            each.id,
            local_time(posting.at, zone),
            str(posting.name),
            str(posting.source),
            str(posting.target),
            posting.amount,
            numbers.get((each.reference_kind, each.reference_id), ""),
            _customer_of(each),
        )


def _customer_of(transfer: Transfer) -> int | None:
    """Return whose wallet a transfer moves."""
    for account in (transfer.debit_account, transfer.credit_account):
        if account_kind(account) == AccountKind.WALLET:
            return account_owner(account)
    return None


def export_customers(text: str, *, site: SiteView) -> Export:
    """Return the customers that a list shows, logins masked."""
    columns = (
        Column(label=_("客户编号"), kind="whole"),
        Column(label=_("客户")),
        Column(label=_("账号")),
        Column(label=_("状态")),
        Column(label=_("余额"), kind="yuan"),
        Column(label=_("订单"), kind="whole"),
        Column(label=_("累计消费"), kind="yuan"),
        Column(label=_("最近购买"), kind="time"),
        Column(label=_("注册时间"), kind="time"),
        Column(label=_("备注")),
    )
    pages = pages_of(
        lambda before_id: list_customers(text=text, before_id=before_id, limit=STEP), id_of
    )
    rows = (cells for page in pages for cells in _customer_cells(page, site.settings.zone))
    return Export(code="customers", name=_("客户"), columns=columns, rows=rows)


def _customer_cells(page: Sequence[Customer], zone: ZoneInfo) -> Iterator[Cells]:
    ids = [each.id for each in page]
    wallets, bought = wallet_amounts(ids), summarize_customers(ids)
    for each in page:
        yield (
            each.id,
            each.nickname,
            each.login_hint,
            _("正常") if each.is_active else _("已停用"),
            wallets[each.id],
            bought[each.id].order_count,
            bought[each.id].spent_amount,
            local_time(bought[each.id].last_paid_at, zone),
            local_time(each.created_at, zone),
            each.note,
        )


def export_wallet(customer_id: int, *, site: SiteView) -> Export:
    """Return the statement of one wallet, a purchase as one line."""
    columns = (
        Column(label=_("时间"), kind="time"),
        Column(label=_("项目")),
        Column(label=_("金额"), kind="yuan"),
        Column(label=_("订单号或充值单号")),
    )
    pages = pages_of(
        lambda before_id: list_wallet_lines(customer_id, before_id=before_id, limit=STEP),
        lambda line: line.transfer_id,
    )
    rows = (cells for page in pages for cells in _wallet_cells(page, site.settings.zone))
    return Export(code=f"wallet-{customer_id}", name=_("余额明细"), columns=columns, rows=rows)


def _wallet_cells(page: Sequence[StatementLine], zone: ZoneInfo) -> Iterator[Cells]:
    numbers = _numbers((line.reference_kind, line.reference_id) for line in page)
    for line in page:
        number = numbers.get((line.reference_kind, line.reference_id), "")
        yield (local_time(line.created_at, zone), str(line.name), line.amount, number)


def pages_of(
    read: Callable[[int | None], Sequence[T]], key: Callable[[T], int]
) -> Iterator[Sequence[T]]:
    """Yield page after page until there is none; raise `ExportTooLarge` beyond the bound."""
    before_id, count = None, 0
    while page := read(before_id):
        count += len(page)
        if count > ROWS_MAX:
            raise ExportTooLarge(limit=ROWS_MAX)
        yield page
        before_id = key(page[-1])


def _labels(choices: type[IntegerChoices]) -> dict[int, str]:
    """Return the words of a page once: looked up cell by cell they cost a third of an export."""
    return {value: str(label) for value, label in choices.choices}


def id_of(row: Any) -> int:
    """Return the key of a row."""
    return int(row.id)


def _numbers(references: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Return the printed numbers behind what transfers and payments point at."""
    wanted = set(references)
    reads = {Reference.ORDER: list_order_nos, Reference.TOP_UP: list_top_up_nos}
    return {
        (kind, found_id): number
        for kind, read in reads.items()
        for found_id, number in read({id_ for each, id_ in wanted if each == kind}).items()
    }


def local_time(moment: dt.datetime | None, zone: ZoneInfo) -> dt.datetime | None:
    """Return a moment in the zone of a site."""
    return moment.astimezone(zone) if moment is not None else None
