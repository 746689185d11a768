"""The lines above every page of a shop: what its state is, when its time ends. Cost no query."""

import datetime as dt
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import SiteView

SOON = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermBar:
    """What is said, how urgent it is (soon, grace, lapsed), and where to renew."""

    tone: str
    text: str
    url: str = ""


def find_term_bar(site: SiteView, *, may_buy: bool) -> TermBar | None:
    """Return what to say of a site's end, in its own time zone; None when it is far."""
    now, ends_at = clock.now(), site.expires_at
    if ends_at is None or ends_at > now + SOON:
        return None
    url = reverse("console:my_plan", args=[site.slug]) if may_buy else ""
    day = timezone.localtime(ends_at, site.settings.zone).strftime("%Y-%m-%d %H:%M")
    if site.is_lapsed:
        text = _("套餐 %(day)s 到期，宽限期也过了：店铺已停业，买家暂时不能下单。续期后马上恢复。")
        return TermBar(tone="lapsed", text=text % {"day": day}, url=url)
    if ends_at <= now:
        text = _("套餐 %(day)s 到期了。宽限期里照常营业，请尽快续期。")
        return TermBar(tone="grace", text=text % {"day": day}, url=url)
    text = _("套餐将在 %(day)s 到期。")
    return TermBar(tone="soon", text=text % {"day": day}, url=url)


def find_standing_bar(site: SiteView) -> TermBar | None:
    """Return what to say of a sub-site that does not sell, with the reason; None of an open one."""
    if site.is_main or site.is_lapsed:
        return None
    reason = site.suspended_reason or "—"
    if site.state == SiteState.CLOSING:
        text = _("本店正在关店，不接受新订单和充值。原因：%(reason)s")
        url = reverse("console:shop_closing", args=[site.slug])
        return TermBar(tone="grace", text=text % {"reason": reason}, url=url)
    if site.state == SiteState.CLOSED:
        return TermBar(tone="lapsed", text=_("本店已关店。"))
    if site.is_held:
        return TermBar(tone="lapsed", text=_("上级站点没有营业，本店暂时不能下单。"))
    if site.state == SiteState.SUSPENDED:
        text = _("本店已被停用，买家不能下单。原因：%(reason)s")
        return TermBar(tone="lapsed", text=text % {"reason": reason})
    return None
