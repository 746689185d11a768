"""A mail as buyers get it, with values made up for the look: for the console and the documents."""

import base64
from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from kameng.messaging.channels.email.markup import Theme, draw_mail
from kameng.messaging.dressing import Dress
from kameng.messaging.rendering import render_mail

PREVIEWS: Final = {  # templates that buyers get, in the order in which they are looked at
    "order_delivered": _("已发货"),
    "order_queued": _("已收到付款"),
    "order_refunded": _("已退款"),
    "one_time_code": _("验证码"),
}
ORDER_NO: Final = "26010100001234"
CODE: Final = "246810"
AMOUNT: Final = "¥88.00"


def preview_mail(name: str, dress: Dress, *, title: str, theme: Theme) -> str:
    """Return the HTML of a mail of `PREVIEWS` about goods of this title, whole in itself."""
    values: Mapping[str, object] = {
        "site_name": dress.name,
        "site_url": dress.url,
        "order_no": ORDER_NO,
        "title": title,
        "amount": AMOUNT,
        "code": CODE,
        "link": f"{dress.url}/o/{ORDER_NO}/",
    }
    text = render_mail(name, values, language=dress.language)
    logo = ""
    if dress.logo:
        logo = f"data:image/png;base64,{base64.b64encode(dress.logo.data).decode()}"
    return draw_mail(text.subject, text.body, dress, theme=theme, logo_url=logo)
