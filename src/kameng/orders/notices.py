"""What buyers are told about their orders: inbox messages and e-mails, by batches of events.

A buyer who paid from the wallet looks at the goods already and gets no message; everyone else gets
one, guests by e-mail with their link. A batch costs the same few statements however long it is.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import override

from kameng.core.events import LoggedEvent
from kameng.messaging.rendering import mail_form
from kameng.messaging.services import EmailDraft, InboxDraft, send_email, send_inbox
from kameng.orders.events import (
    OrderClosed,
    OrderDelivered,
    OrderPaid,
    OrderRefunded,
    OrderRestAsked,
)
from kameng.orders.links import contact_digest, order_token
from kameng.orders.models import PaidBy
from kameng.orders.rules import State
from kameng.orders.selectors import OrderBrief, list_briefs, read_contact
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.addresses import Letterhead, list_letterheads

CLOCK = ZoneInfo("Asia/Shanghai")
LANGUAGE = "zh-hans"  # the site's language; a buyer's own choice is a cookie, unknown here
FIELDS = ("site_name", "order_no", "title", "amount", "until", "link")  # what a mail may say


def send_notices(events: Sequence[LoggedEvent]) -> None:
    """Tell buyers; call inside the consumer's transaction and platform scope. Idempotent by key."""
    wanted = [event for event in events if _is_news(event)]
    if not wanted:
        return
    briefs = list_briefs({event.subject_id for event in wanted})
    news = [(event, briefs[event.subject_id]) for event in wanted if event.subject_id in briefs]
    with override(LANGUAGE):
        send_inbox([_message(*each) for each in news if each[1].customer_id is not None])
        send_email(list(_write_mails([each for each in news if each[1].customer_id is None])))


def _is_news(event: LoggedEvent) -> bool:
    """Leave out what a signed-in buyer watches happen."""
    if event.payload.get("customer_id") is None:
        return True
    return event.kind != OrderPaid.KIND or not event.payload.get("delivered")


def _message(event: LoggedEvent, order: OrderBrief) -> InboxDraft:
    return InboxDraft(
        site_id=order.site_id,
        customer_id=order.customer_id or 0,
        title=_kind(event, order)[1],
        body=_body(event, order),
        dedupe_key=_key(event),
        link=_path(order),
    )


def _body(event: LoggedEvent, order: OrderBrief) -> str:
    what = f"{order.title} × {order.quantity}"
    if event.kind != OrderRestAsked.KIND:
        return what
    told = {"amount": _amount(event), "until": _until(event)}
    text = _("还差 %(amount)s，请在 %(until)s（北京时间）前补付；没有补付，已付的钱会退给您。")
    return f"{what}\n{text % told}"


def _write_mails(news: Sequence[tuple[LoggedEvent, OrderBrief]]) -> Iterator[EmailDraft]:
    """Write the mails of guests' orders; who left no address gets none."""
    addressed = [(event, order, read_contact(order)) for event, order in news]
    addressed = [each for each in addressed if "@" in each[2]]
    if not addressed:
        return
    heads = list_letterheads({order.site_id for _event, order, _contact in addressed})
    for event, order, contact in addressed:
        form = mail_form(_kind(event, order)[0], FIELDS, LANGUAGE)
        mail = form.fill(_values(event, order, heads[order.site_id]))
        yield EmailDraft(
            site_id=order.site_id,
            to=contact,
            subject=mail.subject,
            body=mail.body,
            dedupe_key=_mail_key(event, order, contact),
            language=LANGUAGE,
        )


def _values(event: LoggedEvent, order: OrderBrief, head: Letterhead) -> dict[str, str]:
    token = order_token(order.site_id, order.order_no)
    return {
        "site_name": head.name,
        "order_no": order.order_no,
        "title": order.title,
        "amount": _amount(event),
        "until": _until(event),
        "link": f"{head.url}{_path(order)}?t={token}",
    }


def _amount(event: LoggedEvent) -> str:
    return "¥" + format_yuan(Amount(int(event.payload.get("amount", 0))))


def _until(event: LoggedEvent) -> str:
    """Return until when the buyer may act, in the time of the shops; empty where no time is set."""
    told = event.payload.get("expires_at")
    return f"{dt.datetime.fromisoformat(told).astimezone(CLOCK):%Y-%m-%d %H:%M}" if told else ""


def _key(event: LoggedEvent) -> str:
    return f"{event.kind}:{event.event_id}"[:64]


def _mail_key(event: LoggedEvent, order: OrderBrief, contact: str) -> str:
    """Name a mail; what nobody paid is told of once a day to one address.

    A guest types any address and pays nothing: the shop must not flood a stranger's mailbox.
    """
    if event.kind != OrderClosed.KIND:
        return _key(event)
    day = order.order_no[:6]
    return f"{event.kind}:{contact_digest(order.site_id, contact).hex()}:{day}"


def _path(order: OrderBrief) -> str:
    return f"/o/{order.order_no}/"


def _kind(event: LoggedEvent, order: OrderBrief) -> tuple[str, str]:
    """Return the template of the mail and the title of the message."""
    if event.kind == OrderClosed.KIND:
        return "order_closed", _("订单已关闭")
    if event.kind == OrderRestAsked.KIND:
        return "order_rest", _("还差一点没付清，请补付")
    if event.kind == OrderRefunded.KIND:
        return "order_refunded", _("订单已退款")
    if event.kind == OrderDelivered.KIND or event.payload.get("delivered"):
        return "order_delivered", _("订单已发货")
    if order.paid_by != PaidBy.UNPAID and order.state == State.DELIVERED:
        return "order_delivered", _("订单已发货")
    return "order_queued", _("已收到付款，正在处理")
