"""The line above every page of a shop whose paid time ends soon, or is over. Costs no query."""

import datetime as dt
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from kameng.core import clock
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
