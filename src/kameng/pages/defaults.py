"""The pages of a site that has changed nothing: made from its settings, kept in no row."""

from typing import Any, Final

from django.utils.translation import gettext as _

from kameng.pages.models import PageKind
from kameng.tenancy.selectors import SiteView

Content = dict[str, Any]
PALETTES: Final = {
    "indigo": ("#3b5bfd", "#7a4dff"),
    "teal": ("#0e9f7e", "#0b7fa8"),
    "vermilion": ("#e0483e", "#f0812f"),
    "ink": ("#e8a33d", "#b97a1f"),
}


def default_content(kind: int, site: SiteView) -> Content:
    """Return the built-in page of a kind; an empty one where there is none."""
    if kind == PageKind.LOOK:
        return _look(site)
    if kind == PageKind.HOME:
        return _home(site)
    if kind == PageKind.ABOUT:
        return _about(site)
    return {"root": {}, "sections": []}


def new_section(section_id: str, kind: str, **props: Any) -> dict[str, Any]:
    """Return a section for a content written in code."""
    return {"id": section_id, "type": kind, "version": 1, "props": props}


def _look(site: SiteView) -> Content:
    brand, accent = PALETTES[site.settings.palette]
    links = {
        _("购买帮助"): [(_("怎么购买"), "help"), (_("查询订单"), "lookup")],
        _("逛一逛"): [(_("全部商品"), "all"), (_("关于我们"), "about")],
    }
    if site.is_main:
        links[_("合作")] = [(_("开一间自己的店"), "open")]
    columns = [
        {
            "title": title,
            "links": [{"text": text, "link": {"to": to, "id": 0, "url": ""}} for text, to in rows],
        }
        for title, rows in links.items()
    ]
    text = site.settings.slogan or _("游戏、会员、话费，付款后自动到账。")
    return {
        "root": {"brand": brand, "accent": accent},
        "sections": [new_section("footer", "footer", text=text, columns=columns)],
    }


def _home(site: SiteView) -> Content:
    settings = site.settings
    hero = {
        name: value
        for name, value in (("title", settings.banner_title), ("text", settings.banner_text))
        if value
    }
    sections = [new_section("hero", "hero", **hero), new_section("shelves", "category_nav")]
    if settings.notice:
        sections.append(new_section("notice", "notice", text=settings.notice))
    rows = (("pinned", _("推荐"), "sparkles"), ("hot", _("热卖"), "flame"))
    for by, title, icon in rows:
        source = {"by": by, "id": 0, "tag": "", "ids": [], "most": 10}
        sections.append(
            new_section(f"{by}goods", "product_grid", title=title, icon=icon, source=source)
        )
    sections.append(new_section("byshelf", "category_shelves"))
    return {"root": {}, "sections": sections}


def _about(site: SiteView) -> Content:
    body = _("<p>%(name)s 专营数字商品，付款后自动发货。</p>") % {"name": site.name}
    return {
        "root": {},
        "sections": [new_section("about", "rich_text", title=_("关于我们"), body=body)],
    }
