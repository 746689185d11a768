"""What an editor is told when buyers do not see the shop, or soon will not. Costs no query.

Decorating goes on in every state: drafts are kept and published, and show when the shop does.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.console.term_bar import find_term_bar
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import SiteView


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One sentence, whether buyers are shut out, and where to put an end to it."""

    text: str
    is_shut: bool
    url: str = ""
    name: str = ""


def find_standing(site: SiteView, *, can: Callable[[str], bool]) -> Standing | None:
    """Return what to say above the page that is made; None for a shop that everybody sees.

    `can` tells whether the person has a permission: where they may not go no way is shown.
    """
    if site.state == SiteState.CLOSED:
        return Standing(text=_("店铺已关闭，买家看不到这些页面。"), is_shut=True)
    if site.state == SiteState.CLOSING:
        url = reverse("console:shop_closing", args=[site.slug]) if can("site.leave") else ""
        text = _("正在关店：页面可以照常修改，但买家只能查看买过的东西。")
        return Standing(text=text, is_shut=True, url=url, name=_("查看关店进度"))
    bar = find_term_bar(site, may_buy=can("plan.buy"))
    is_stopped = not site.is_lapsed or bool(site.closed_reason)
    if site.state == SiteState.SUSPENDED and is_stopped:
        return Standing(text=_suspended(site), is_shut=True)
    if bar is not None:
        text = bar.text
        if bar.tone == "lapsed":
            text = _("%(text)s 装修照常保存和发布，恢复营业后买家就能看到。") % {"text": text}
        return Standing(text=text, is_shut=bar.tone == "lapsed", url=bar.url, name=_("去续期"))
    if site.is_preparing:
        url = reverse("console:legal", args=[site.slug]) if can("settings.edit") else ""
        text = _("主体信息还没有核实，买家看到的是“准备中”。先装修好，核实后自动展示。")
        return Standing(text=text, is_shut=True, url=url, name=_("填写主体信息"))
    return None


def _suspended(site: SiteView) -> str:
    text = _("店铺已停用，买家现在打不开。装修照常保存和发布，恢复营业后买家就能看到。")
    if not site.closed_reason:
        return text
    return _("%(text)s停用原因：%(reason)s") % {"text": text, "reason": site.closed_reason}
