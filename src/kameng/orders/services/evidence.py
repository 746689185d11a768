"""What a shop knows of a disputed sale, as a PDF: facts, the time line, messages, the answer.

Holds no card key (the answer is refused if it names one of the order's) and no address in clear:
contact and address are shown as the keyed digests by which this shop finds them again.
"""

import datetime as dt
from collections.abc import Iterator

from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.crypto import blind_digest
from kameng.core.pdf import PdfColumn, PdfTable, write_pdf
from kameng.inventory.claims import open_keys
from kameng.inventory.keytext import JOINT
from kameng.messaging.selectors import list_linked
from kameng.orders import errors
from kameng.orders.models import Order
from kameng.orders.selectors import get_order, list_moments
from kameng.orders.services.delivering import list_written_goods
from kameng.payments.models import Dispute, Payment, Purpose
from kameng.payments.selectors import find_top_up_by_id
from kameng.payments.services.evidencing import EvidenceFacts
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.selectors import get_site_view

CHUNK_CHARS = 40  # what fits into the last column
ROWS_MAX = 600
LEAST_SECRET = 4  # shorter texts stand in any answer by chance
Row = tuple[str, str, str]


def collect_evidence(dispute: Dispute) -> EvidenceFacts:
    """Put together what the shop knows of what a disputed payment of the site in force paid for.

    Raises `EvidenceHoldsKey` when the answer that is kept names a card key of the order.
    """
    payment = dispute.payment
    order = get_order(payment.subject_id) if payment.purpose == Purpose.ORDER else None
    if order is not None:
        check_no_key(order, text=dispute.evidence)
    product, delivered_at = _product(payment, order)
    table = PdfTable(
        title=_("争议证据 %(number)s") % {"number": dispute.dispute_no},
        facts=list(_facts(dispute, payment, order)),
        columns=(
            PdfColumn(label=_("时间"), share=3),
            PdfColumn(label=_("事项"), share=3),
            PdfColumn(label=_("内容"), share=8),
        ),
        rows=list(_rows(dispute, order))[:ROWS_MAX],
        foot=_("时间为 %(zone)s。联系方式和地址只列摘要，不列卡密。") % {"zone": _zone(dispute)},
    )
    return EvidenceFacts(product=product, delivered_at=delivered_at, document=write_pdf(table))


def check_no_key(order: Order, *, text: str) -> None:
    """Raise `EvidenceHoldsKey` when a text names a card key of an order, or its secret alone.

    What an operator delivered by hand counts too, line by line.
    """
    keys = [key.text for key in open_keys(order.id)]
    for goods in (*keys, *list_written_goods(order)):
        parts = {part.strip() for line in goods.splitlines() for part in (line, *line.split(JOINT))}
        if any(len(part) >= LEAST_SECRET and part in text for part in parts):
            raise errors.EvidenceHoldsKey


def _zone(dispute: Dispute) -> str:
    return str(get_site_view(dispute.site_id).settings.zone)


def _time(dispute: Dispute, moment: dt.datetime | None) -> str:
    if moment is None:
        return "—"
    zone = get_site_view(dispute.site_id).settings.zone
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _product(payment: Payment, order: Order | None) -> tuple[str, dt.datetime | None]:
    if order is not None:
        return f"{order.title} × {order.quantity}", order.delivered_at
    top_up = find_top_up_by_id(payment.subject_id) if payment.purpose == Purpose.TOP_UP else None
    return str(payment.get_purpose_display()), top_up.credited_at if top_up else None


def _facts(dispute: Dispute, payment: Payment, order: Order | None) -> Iterator[tuple[str, str]]:
    yield _("争议编号"), dispute.dispute_no
    yield _("争议金额"), f"¥{format_yuan(Amount(dispute.amount))}"
    yield _("支付单号"), payment.payment_no
    yield _("通道交易号"), payment.external_no or "—"
    yield _("实收"), f"¥{format_yuan(Amount(payment.received_amount or 0))}"
    yield _("确认时间"), _time(dispute, payment.confirmed_at)
    if order is None:
        return
    yield _("订单号"), order.order_no
    yield _("商品"), f"{order.title} × {order.quantity}"
    yield _("发货时间"), _time(dispute, order.delivered_at)
    yield _("买家第一次查看"), _time(dispute, order.revealed_at)
    yield _("联系方式摘要"), bytes(order.contact_digest or b"").hex() or "—"
    yield _("下单地址摘要"), _address_digest(order)


def _address_digest(order: Order) -> str:
    if not order.buyer_ip:
        return "—"
    return blind_digest(order.buyer_ip.encode(), domain=f"address:{order.site_id}").hex()


def _rows(dispute: Dispute, order: Order | None) -> Iterator[Row]:
    """The time line and the messages, then the answer, cut to the width of the page."""
    if order is not None:
        words = _words()
        for moment in list_moments(order):
            if moment.code in words:
                yield _time(dispute, moment.at), words[moment.code], _told(moment.code, moment.text)
        yield from _messages(dispute, order)
    yield _time(dispute, clock.now()), _("店铺的答复"), ""
    for line in dispute.evidence.splitlines():
        for start in range(0, max(len(line), 1), CHUNK_CHARS):
            yield "", "", line[start : start + CHUNK_CHARS]


def _words() -> dict[str, str]:
    return {
        "placed": _("下单"),
        "payment_opened": _("发起支付"),
        "payment_confirmed": _("支付通道确认收款"),
        "paid": _("已付款"),
        "delivered": _("已发货"),
        "revealed": _("买家第一次查看商品"),
        "resent": _("重新发送"),
        "key_replaced": _("换了一张卡密"),
        "refund_asked": _("发起退款"),
        "refund_done": _("退款到账"),
        "closed": _("订单结束"),
    }


def _told(code: str, text: str) -> str:
    """Only numbers of payments are told: what staff noted may name anything."""
    return text if code in {"payment_opened", "payment_confirmed"} else ""


def _messages(dispute: Dispute, order: Order) -> Iterator[Row]:
    if order.customer_id is None:
        return
    for message in list_linked(order.customer_id, link=f"/o/{order.order_no}/"):
        read = _time(dispute, message.read_at)
        told = _("%(title)s（读于 %(read)s）") % {"title": message.title, "read": read}
        yield _time(dispute, message.created_at), _("站内消息"), told
