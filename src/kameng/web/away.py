"""A shop that is not open: what it says, and the ways that stay open for who bought there.

Suspended, winding down, closed for good, or not yet shown to others than its operator. Who holds a
pass of the back office (one signed cookie) sees a shop that is being prepared.
"""

from typing import Any, Final

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from kameng.core.errors import Refusal
from kameng.tenancy.addresses import site_url
from kameng.tenancy.closing import closing_refusal
from kameng.tenancy.errors import ShopClosed, ShopClosing, SitePreparing
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import SiteView
from kameng.web.answers import answer_refusal, wants_json
from kameng.web.templatetags.kameng import icon

PASS_COOKIE: Final = "kameng_inside"  # noqa: S105 - its name
PASS_SECONDS: Final = 12 * 3600
_SALT: Final = "kameng.inside"


def is_seen_by(request: HttpRequest, view: SiteView) -> bool:
    """Tell whether this browser sees the shop: an open one everybody, one in the making its own."""
    return not view.is_preparing or is_inside(request, view)


def is_inside(request: HttpRequest, view: SiteView) -> bool:
    """Tell whether this browser is one of the shop's operator: signed in here, or with a pass."""
    person: Any = getattr(request, "person", None)
    if person is not None and person.can("overview.view", view.site_id):
        return True
    given = request.COOKIES.get(PASS_COOKIE, "")
    return bool(given) and read_pass(given, seconds=PASS_SECONDS) == view.site_id


def make_pass(site_id: int) -> str:
    """Return the word of the cookie: its holder works on a site; it opens the look of it alone."""
    return signing.dumps(site_id, salt=_SALT)


def read_pass(text: str, *, seconds: int) -> int | None:
    """Return the site of a pass that is not older than so many seconds, or None."""
    try:
        site_id = signing.loads(text, salt=_SALT, max_age=seconds)
    except signing.BadSignature:
        return None
    return site_id if isinstance(site_id, int) else None


def refusal_of(request: HttpRequest, view: SiteView) -> Refusal | None:
    """Return what a shop says to a browser that may not look around in it now, or None."""
    refusal = closing_refusal(view)
    if refusal is None and not is_seen_by(request, view):
        refusal = SitePreparing()
    return refusal


def answer_away(request: HttpRequest, view: SiteView, refusal: Refusal) -> HttpResponse:
    """Answer for a shop that is not open, with what stays open."""
    if wants_json(request) or not isinstance(refusal, ShopClosing | ShopClosed | SitePreparing):
        return answer_refusal(request, refusal)
    is_closed = isinstance(refusal, ShopClosed)
    theme = request.COOKIES.get("theme", "")
    context = {
        "site_name": view.name,
        "palette": view.settings.palette,
        "theme": theme if theme in {"light", "dark"} else "auto",
        "title": _title(refusal, view),
        "text": refusal.text(),
        "contact": view.settings.contact_text,
        "is_preparing": isinstance(refusal, SitePreparing),
        "is_closed": is_closed,
        "main_url": f"{site_url(view.main_id)}/" if is_closed else "",
    }
    html = render_to_string("web/away.html", context)
    response = HttpResponse(html, status=refusal.status)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


def site_bar(request: HttpRequest, view: SiteView) -> SafeString:
    """Return the bar on top of a shop's pages that says in which state it is; mostly nothing."""
    if view.state == SiteState.CLOSING:
        text = _("本店正在关店，不再接受新订单和充值。请尽快保存卡密，处理余额。")
        return _bar("alert-triangle", text, url=reverse("storefront:wallet"), name=_("看余额"))
    if view.state == SiteState.CLOSED:
        return _bar("lock", _("本店已关闭，这里只能查看买过的东西。"))
    if view.is_preparing and is_inside(request, view):
        text = _("只有您看得到：主体信息还没有核实，买家看到的是“准备中”。")
        console = f"{reverse('console:enter')}{view.slug}/legal/"
        return _bar("eye-off", text, url=console, name=_("填写主体信息"))
    return mark_safe("")


def _title(refusal: Refusal, view: SiteView) -> str:
    names = {
        ShopClosing: _("%(name)s 正在关店"),
        ShopClosed: _("%(name)s 已关闭"),
        SitePreparing: _("%(name)s 准备中"),
    }
    return names[type(refusal)] % {"name": view.name}


def _bar(sign: str, text: str, *, url: str = "", name: str = "") -> SafeString:
    link = format_html('<a href="{}">{}</a>', url, name) if url else ""
    return format_html(
        '<div class="site-bar" role="status"><div class="wrap site-bar-row">'
        "{}<span>{}</span>{}</div></div>",
        icon(sign, "icon-sm"),
        text,
        link,
    )
