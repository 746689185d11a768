"""What the lists of refunds, disputes and top-ups hold as files; see `exports`."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from kameng.console.exports import STEP, Cells, Export, id_of, local_time, read_pages, words_of
from kameng.console.sheets import Column
from kameng.payments.models import (
    Dispute,
    DisputeState,
    GatewayRefund,
    Purpose,
    RefundState,
    TopUp,
)
from kameng.payments.selectors import (
    list_all_top_ups,
    list_disputes,
    list_gateways,
    list_sent_refunds,
)
from kameng.tenancy.selectors import SiteView


def export_refunds(state: int | None, *, site: SiteView) -> Export:
    """Return the refunds through gateways that a list shows."""
    columns = (
        Column(label=_("退款号")),
        Column(label=_("支付单号")),
        Column(label=_("通道")),
        Column(label=_("用途")),
        Column(label=_("状态")),
        Column(label=_("原因")),
        Column(label=_("通道的回答")),
        Column(label=_("时间"), kind="time"),
        Column(label=_("退款时间"), kind="time"),
        Column(label=_("金额"), kind="yuan"),
    )
    pages = read_pages(
        lambda before_id: list_sent_refunds(state=state, before_id=before_id, limit=STEP), id_of
    )
    names = {each.id: each.name for each in list_gateways()}
    rows = (cells for page in pages for cells in _refund_cells(page, names, site.settings.zone))
    return Export(code="gateway-refunds", name=_("通道退款"), columns=columns, rows=rows)


def _refund_cells(
    page: Sequence[GatewayRefund], names: dict[int, str], zone: ZoneInfo
) -> Iterator[Cells]:
    purposes, states = words_of(Purpose), words_of(RefundState)
    for each in page:
        yield (
            each.refund_no,
            each.payment.payment_no,
            names.get(each.payment.gateway_id, ""),
            purposes[each.purpose],
            states[each.state],
            each.reason,
            each.last_error,
            local_time(each.created_at, zone),
            local_time(each.done_at, zone),
            each.amount,
        )


def export_disputes(*, site: SiteView) -> Export:
    """Return the disputes of the site in force."""
    columns = (
        Column(label=_("争议编号")),
        Column(label=_("支付单号")),
        Column(label=_("状态")),
        Column(label=_("买家的理由")),
        Column(label=_("时间"), kind="time"),
        Column(label=_("最晚答复"), kind="time"),
        Column(label=_("结束时间"), kind="time"),
        Column(label=_("争议金额"), kind="yuan"),
        Column(label=_("被冻结"), kind="yuan"),
        Column(label=_("损失"), kind="yuan"),
    )
    pages = read_pages(lambda before_id: list_disputes(before_id=before_id, limit=STEP), id_of)
    rows = (cells for page in pages for cells in _dispute_cells(page, site.settings.zone))
    return Export(code="disputes", name=_("争议"), columns=columns, rows=rows)


def _dispute_cells(page: Sequence[Dispute], zone: ZoneInfo) -> Iterator[Cells]:
    states = words_of(DisputeState)
    for each in page:
        yield (
            each.dispute_no,
            each.payment.payment_no,
            states[each.state],
            each.reason,
            local_time(each.created_at, zone),
            local_time(each.answer_by, zone),
            local_time(each.closed_at, zone),
            each.amount,
            each.held_amount,
            each.lost_amount,
        )


def export_top_ups(*, site: SiteView) -> Export:
    """Return the top-ups of the site in force."""
    columns = (
        Column(label=_("充值单号")),
        Column(label=_("客户编号"), kind="whole"),
        Column(label=_("时间"), kind="time"),
        Column(label=_("到账时间"), kind="time"),
        Column(label=_("本金"), kind="yuan"),
        Column(label=_("赠送"), kind="yuan"),
        Column(label=_("已退回"), kind="yuan"),
    )
    pages = read_pages(lambda before_id: list_all_top_ups(before_id=before_id, limit=STEP), id_of)
    rows = (cells for page in pages for cells in _top_up_cells(page, site.settings.zone))
    return Export(code="top-ups", name=_("充值"), columns=columns, rows=rows)


def _top_up_cells(page: Sequence[TopUp], zone: ZoneInfo) -> Iterator[Cells]:
    for each in page:
        yield (
            each.top_up_no,
            each.customer_id,
            local_time(each.created_at, zone),
            local_time(each.credited_at, zone),
            each.amount,
            each.bonus_amount,
            each.returned_amount,
        )
