"""Notices to operators in words: what the main site did with the shop, and where to go."""

from dataclasses import dataclass
from typing import Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kameng.accounts.services.handing_over import find_open_offer
from kameng.messaging.models import OperatorNotice
from kameng.messaging.operator_notices import list_notices
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import SiteView

Text = str | Promise

# kind → icon, tone, sentence, route of what can be looked at and the permission it asks for
NEWS: Final[dict[str, tuple[str, str, Text, str, str]]] = {
    "suspended": ("ban", "bad", _("主站停用了本店，买家不能下单。"), "", ""),
    "resumed": ("circle-check", "ok", _("主站已恢复本店营业。"), "", ""),
    "closing": (
        "alert-triangle",
        "bad",
        _("主站开始关闭本店，不再接受新订单和充值。"),
        "shop_closing",
        "site.leave",
    ),
    "closing_ended": ("circle-check", "ok", _("主站取消了关店，店铺回到之前的状态。"), "", ""),
    "closed": ("lock", "bad", _("本店已关店。"), "archives", "site.leave"),
    "reopened": ("circle-check", "ok", _("主站撤销了关店，本店重新开业。"), "", ""),
    "offered": (
        "users",
        "bad",
        _("主站要把本店转给 %(to)s。对方接受之前店铺仍归您，不是您同意的请马上联系主站。"),
        "hand_over",
        "site.leave",
    ),
    "offer_withdrawn": ("circle-check", "ok", _("主站收回了给 %(to)s 的转让邀请。"), "", ""),
    "goods_taken": (
        "ban",
        "bad",
        _("主站下架了 %(count)s 件自营商品：%(titles)s"),
        "goods",
        "goods.view",
    ),
    "goods_allowed": (
        "circle-check",
        "ok",
        _("主站允许 %(count)s 件自营商品重新上架：%(titles)s"),
        "goods",
        "goods.view",
    ),
    "offer_declined": ("circle-check", "ok", _("%(to)s 没有接受转让，店铺仍归您。"), "", ""),
}

BARS: Final = {
    "suspended": SiteState.SUSPENDED,
    "closing": SiteState.CLOSING,
    "closed": SiteState.CLOSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One notice as a page shows it."""

    notice: OperatorNotice
    icon: str
    tone: str
    text: str
    reason: str
    url: str


def list_news(site: SiteView, *, may: frozenset[str]) -> list[News]:
    """Return what the operator of the site in force has not seen yet; nothing on the main site.

    `may` says which of the pages that a notice leads to the reader may open.
    """
    if site.is_main:
        return []
    found = []
    for notice in list_notices():
        if BARS.get(notice.kind) == site.state:
            continue  # the line above every page says it already
        if notice.kind == "offered" and not _still_offered(notice):
            continue
        icon, tone, text, route, permission = NEWS[notice.kind]
        url = reverse(f"console:{route}", args=[site.slug]) if route and permission in may else ""
        found.append(
            News(
                notice=notice,
                icon=icon,
                tone=tone,
                text=str(text) % notice.values,
                reason=str(notice.values.get("reason", "")),
                url=url,
            )
        )
    return found


def _still_offered(notice: OperatorNotice) -> bool:
    """Tell whether the offer stands: not once it is over, nor to the owner whom it made."""
    offer = find_open_offer()
    return offer is not None and offer.receiver_login == notice.values.get("to")
