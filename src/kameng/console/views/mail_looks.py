"""What the mails of the shop look like: each kind that buyers get, light and dark, in a frame."""

from typing import Final

from django.http import Http404, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kameng.catalog.selectors import get_catalogue
from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.messaging.channels.email.markup import Theme
from kameng.messaging.previewing import PREVIEWS, preview_mail
from kameng.pages.letterheads import make_dress
from kameng.pages.models import PageKind
from kameng.pages.ready_made import get_ready_made
from kameng.pages.selectors import get_design
from kameng.tenancy.selectors import SiteView
from kameng.web.csp import allow_framing, allow_own_frames

LANGUAGES: Final = {"zh-hans": "简体中文", "en": "English"}
THEMES: Final[dict[str, Theme]] = {"light": "light", "dark": "dark"}
# Inline styles are what a mail has; nothing runs and nothing is fetched.
MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none';"
    " base-uri 'none'; sandbox; frame-ancestors 'self'"
)


@console_page("design.edit")
@require_safe
def mail_looks(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show one kind of mail in both themes, in the language asked for."""
    kind = request.GET.get("kind", "")
    language = request.GET.get("lang", "")
    context = {
        "kinds": PREVIEWS.items(),
        "kind": kind if kind in PREVIEWS else next(iter(PREVIEWS)),
        "languages": LANGUAGES.items(),
        "language": language if language in LANGUAGES else get_language(),
        "sender": site.settings.mail_from,
    }
    response = show(request, "console/design/mails.html", context)
    allow_own_frames(response)
    return response


@console_page("design.edit")
@require_safe
def mail_frame(request: ConsoleRequest, site: SiteView, kind: str) -> HttpResponse:
    """Draw a mail in the published look, or in that of a ready-made design (`design`)."""
    if kind not in PREVIEWS:
        raise Http404
    language = request.GET.get("lang", "")
    design = request.GET.get("design", "")
    look = get_ready_made(design).contents()[PageKind.LOOK] if design else get_design(site).look
    products = get_catalogue(site).products
    html = preview_mail(
        kind,
        make_dress(site, look, language=language if language in LANGUAGES else "zh-hans"),
        title=products[0].title if products else _("商品名称"),
        theme=THEMES.get(request.GET.get("theme", ""), "light"),
    )
    response = HttpResponse(html)
    allow_framing(response)
    response["Content-Security-Policy"] = MAIL_POLICY
    return response
