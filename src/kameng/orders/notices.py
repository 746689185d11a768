"""What buyers are told about their orders: inbox messages and e-mails, by batches of events.

A buyer who paid from the wallet looks at the goods already and gets no message; everyone else gets
one, guests by e-mail with their link.
"""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import override

from kameng.core.events import LoggedEvent
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, InboxDraft, send_email, send_inbox
from kameng.orders.events import OrderClosed, OrderDelivered, OrderPaid, OrderRefunded
from kameng.orders.links import order_token
from kameng.orders.models import Order, PaidBy
from kameng.orders.rules import State
from kameng.orders.selectors import read_contact
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.addresses import site_url
from kameng.tenancy.selectors import get_site_view

LANGUAGE = "zh-hans"  # the site's language; a buyer's own choice is a cookie, unknown here


def send_notices(events: Sequence[LoggedEvent]) -> None:
    """Tell buyers; call inside the consumer's transaction and platform scope. Idempotent by key."""
    wanted = [event for event in events if _is_news(event)]
    if not wanted:
        return
    ids = {event.subject_id for event in wanted}
    orders = {row.id: row for row in Order.unscoped.filter(id__in=ids)}
    inbox: list[InboxDraft] = []
    emails: list[EmailDraft] = []
    with override(LANGUAGE):
        for event in wanted:
            order = orders.get(event.subject_id)
            if order is not None:
                _draft(event, order, inbox, emails)
    if inbox:
        send_inbox(inbox)
    if emails:
        send_email(emails)


def _is_news(event: LoggedEvent) -> bool:
    """Leave out what a signed-in buyer watches happen."""
    if event.payload.get("customer_id") is None:
        return True
    return event.kind != OrderPaid.KIND or not event.payload.get("delivered")


def _draft(
    event: LoggedEvent, order: Order, inbox: list[InboxDraft], emails: list[EmailDraft]
) -> None:
    template, title = _kind(event, order)
    key = f"{event.kind}:{event.event_id}"[:64]
    path = f"/o/{order.order_no}/"
    if order.customer_id is not None:
        inbox.append(
            InboxDraft(
                site_id=order.site_id,
                customer_id=order.customer_id,
                title=title,
                body=f"{order.title} × {order.quantity}",
                dedupe_key=key,
                link=path,
            )
        )
        return
    contact = read_contact(order)
    if "@" not in contact:
        return
    token = order_token(order.site_id, order.order_no)
    mail = render_mail(
        template,
        {
            "site_name": get_site_view(order.site_id).name,
            "order_no": order.order_no,
            "title": order.title,
            "amount": "¥" + format_yuan(Amount(int(event.payload.get("amount", 0)))),
            "link": f"{site_url(order.site_id)}{path}?t={token}",
        },
    )
    emails.append(
        EmailDraft(
            site_id=order.site_id,
            to=contact,
            subject=mail.subject,
            body=mail.body,
            dedupe_key=key,
        )
    )


def _kind(event: LoggedEvent, order: Order) -> tuple[str, str]:
    if event.kind == OrderClosed.KIND:
        return "order_closed", _("订单已关闭")
    if event.kind == OrderRefunded.KIND:
        return "order_refunded", _("订单已退款")
    if event.kind == OrderDelivered.KIND or event.payload.get("delivered"):
        return "order_delivered", _("订单已发货")
    if order.paid_by != PaidBy.UNPAID and order.state == State.DELIVERED:
        return "order_delivered", _("订单已发货")
    return "order_queued", _("已收到付款，正在处理")
