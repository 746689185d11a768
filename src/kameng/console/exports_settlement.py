"""What the exported lists of settlement hold: withdrawals, splits, and a file for the bank."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from kameng.console.exports import STEP, Export, id_of, local_time, read_pages
from kameng.console.settlement_words import list_risks, say_reason, split_reason
from kameng.console.sheets import Column
from kameng.settlement.models import PayoutBatch, Split, Withdrawal
from kameng.settlement.selectors import (
    list_all_splits,
    list_bank_lines,
    list_reviewed,
    list_splits,
    list_withdrawals,
    name_sites,
)
from kameng.tenancy.selectors import SiteView

Cells = Sequence[Any]
States = Iterable[int] | None


def export_withdrawals(states: States, *, site: SiteView) -> Export:
    """Return the withdrawals that a list shows: the site's own, or all that a main site pays."""
    columns = (
        Column(label=_("提现编号")),
        Column(label=_("打款编号")),
        Column(label=_("站点")),
        Column(label=_("状态")),
        Column(label=_("申请时间"), kind="time"),
        Column(label=_("结束时间"), kind="time"),
        Column(label=_("申请人")),
        Column(label=_("来源")),
        Column(label=_("收款账户")),
        Column(label=_("金额"), kind="yuan"),
        Column(label=_("手续费"), kind="yuan"),
        Column(label=_("代扣税款"), kind="yuan"),
        Column(label=_("实际打款"), kind="yuan"),
        Column(label=_("通道或银行流水号")),
        Column(label=_("风险提示")),
        Column(label=_("原因")),
    )
    read: Callable[..., Sequence[Withdrawal]] = list_reviewed if site.is_main else list_withdrawals
    pages = read_pages(
        lambda before_id: read(states=states, before_id=before_id, limit=STEP), id_of
    )
    rows = (cells for page in pages for cells in _withdrawal_cells(page, site))
    return Export(code="withdrawals", name=_("提现"), columns=columns, rows=rows)


def _withdrawal_cells(page: Sequence[Withdrawal], site: SiteView) -> Iterator[Cells]:
    zone, names = site.settings.zone, name_sites(row.site_id for row in page)
    for row in page:
        account = row.account
        yield (
            row.withdrawal_no,
            row.payout_no,
            names.get(row.site_id, ""),
            str(row.get_state_display()),
            local_time(row.created_at, zone),
            local_time(row.ended_at, zone),
            row.asked_by,
            str(row.get_source_display()),
            f"{account.get_kind_display()} {account.hint}",
            row.amount,
            row.fee_amount,
            row.tax_amount,
            row.payout_amount,
            row.external_no,
            "、".join(map(str, list_risks(row))),
            str(say_reason(row)),
        )


def export_splits(states: States, *, site: SiteView) -> Export:
    """Return the splits that a list shows."""
    columns = (
        Column(label=_("分账编号")),
        Column(label=_("站点")),
        Column(label=_("状态")),
        Column(label=_("发货时间"), kind="time"),
        Column(label=_("完成时间"), kind="time"),
        Column(label=_("利润"), kind="yuan"),
        Column(label=_("分账金额"), kind="yuan"),
        Column(label=_("已回退"), kind="yuan"),
        Column(label=_("通道流水号")),
        Column(label=_("说明")),
        Column(label=_("通道的原话")),
    )
    read: Callable[..., Sequence[Split]] = list_all_splits if site.is_main else list_splits
    pages = read_pages(
        lambda before_id: read(states=states, before_id=before_id, limit=STEP), id_of
    )
    rows = (cells for page in pages for cells in _split_cells(page, site))
    return Export(code="splits", name=_("分账"), columns=columns, rows=rows)


def _split_cells(page: Sequence[Split], site: SiteView) -> Iterator[Cells]:
    zone, names = site.settings.zone, name_sites(row.site_id for row in page)
    for row in page:
        yield (
            row.split_no,
            names.get(row.site_id, ""),
            str(row.get_state_display()),
            local_time(row.delivered_at, zone),
            local_time(row.done_at, zone),
            row.margin_amount,
            row.amount,
            row.returned_amount,
            row.external_no,
            str(split_reason(row)),
            row.last_error,
        )


def export_bank_file(batch: PayoutBatch) -> Export:
    """Return what the bank gets: accounts and names in clear, one line a payout."""
    columns = (
        Column(label=_("打款编号")),
        Column(label=_("收款账号")),
        Column(label=_("收款人")),
        Column(label=_("开户银行")),
        Column(label=_("打款金额"), kind="yuan"),
    )
    rows = (
        (line.payout_no, line.account, line.name, line.bank_name, line.amount)
        for line in list_bank_lines(batch)
    )
    name = _("打款批次 %(number)s") % {"number": batch.batch_no}
    return Export(code=f"payouts-{batch.batch_no}", name=name, columns=columns, rows=rows)
