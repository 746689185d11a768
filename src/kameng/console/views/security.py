"""One's own second factor: authenticator app, passkeys, recovery codes, trusted devices.

Each of these asks first who it is (`confirmed_page`): a copied session must not lay a door of its
own. Recovery codes are drawn into one answer, which no cache keeps, and stand nowhere else.
"""

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.services.devices import forget_device
from kameng.accounts.services.passkeys import (
    Registration,
    add_passkey,
    drop_passkey,
    rename_passkey,
)
from kameng.accounts.services.second_factors import (
    begin_totp,
    confirm_totp,
    drop_totp,
    renew_recovery_codes,
)
from kameng.console.answers import done
from kameng.console.second_factor_rule import is_needed
from kameng.console.views.confirming import confirmed, confirmed_page
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.second_step import place_of, read_answer
from kameng.core.errors import Refusal
from kameng.core.scope import open_scope
from kameng.risk.services import admit_second_step, pardon_second_step
from kameng.tenancy.selectors import SiteView, scope_of
from kameng.web.cookies import safe_next
from kameng.web.forms import read_text
from kameng.web.qr import draw_qr


@console_page(None)
@confirmed_page
def totp(request: ConsoleRequest, site: SiteView) -> HttpResponseBase:
    """Show the QR code of an app, and switch the app on by its first code."""
    user_id, fault, status = _own_id(request), "", 200
    if request.method == "POST":
        try:
            admit_second_step(user_id, ip=request.client_ip)
            codes = confirm_totp(
                user_id, code=request.POST.get("code", "")[:20], actor=actor_of(request)
            )
            pardon_second_step(user_id)
            return _after(request, site, codes, text=_("验证器已启用。"))
        except Refusal as refusal:
            fault, status = refusal.text(), refusal.status
    setup = begin_totp(user_id, issuer=site.name)
    context = {
        "qr": draw_qr(setup.uri, title=_("用验证器扫描的二维码")),
        "secret": setup.text,
        "uri": setup.uri,  # on the phone itself nothing can be scanned: it opens the app
        "fault": fault,
        "next": _next(request, site),
    }
    response = show(request, "console/security/totp.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@console_page(None)
@confirmed
def remove_totp(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Switch the app off."""
    drop_totp(_own_id(request), is_needed=is_needed(request, site), actor=actor_of(request))
    return done(request, _("验证器已停用。"), to=_home(site))


@console_page(None)
@confirmed_page
def new_passkey(request: ConsoleRequest, site: SiteView) -> HttpResponseBase:
    """Add a passkey for this host."""
    fault, status = "", 200
    if request.method == "POST":
        try:
            with open_scope(scope_of(request.site)):  # steps belong to the host's site
                codes = add_passkey(
                    _own_id(request),
                    place=place_of(request),
                    registration=Registration(
                        step_token=read_text(request, "passkey_step", limit=64),
                        answer=read_answer(request),
                        name=request.POST.get("name", "")[:40],
                    ),
                    actor=actor_of(request),
                )
            return _after(request, site, codes, text=_("通行密钥已添加。"))
        except Refusal as refusal:
            fault, status = refusal.text(), refusal.status
    context = {
        "fault": fault,
        "host": place_of(request).rp_id,
        "typed": request.POST.get("name", "")[:40],
        "next": _next(request, site),
    }
    return show(request, "console/security/passkey.html", context, status=status)


@require_POST
@console_page(None)
@confirmed
def change_passkey(request: ConsoleRequest, site: SiteView, passkey_id: int) -> HttpResponse:
    """Give a passkey another name, or remove it."""
    if request.POST.get("action") == "remove":
        drop_passkey(
            _own_id(request),
            passkey_id=passkey_id,
            is_needed=is_needed(request, site),
            actor=actor_of(request),
        )
        return done(request, _("通行密钥已移除。"), to=_home(site))
    name = read_text(request, "name", limit=40)
    rename_passkey(_own_id(request), passkey_id=passkey_id, name=name)
    return done(request, _("已改名。"), to=_home(site))


@require_POST
@console_page(None)
@confirmed
def recovery_codes(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Make new recovery codes and show them once."""
    codes = renew_recovery_codes(_own_id(request), actor=actor_of(request))
    return _show_codes(request, site, codes)


@require_POST
@console_page(None)
def forget_trust(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Ask a trusted device for the second factor again."""
    with open_scope(scope_of(request.site)):
        forget_device(_own_id(request), handle=request.POST.get("handle", "")[:64])
    return done(request, _("那台设备下次登录要做两步验证。"), to=_home(site))


def _after(request: ConsoleRequest, site: SiteView, codes: list[str], *, text: str) -> HttpResponse:
    if codes:
        return _show_codes(request, site, codes)
    return done(request, text, to=_next(request, site))


def _show_codes(request: ConsoleRequest, site: SiteView, codes: list[str]) -> HttpResponse:
    context = {
        "codes": codes,
        "file_text": "\r\n".join([f"{site.name} · {request.person.name}", "", *codes, ""]),
        "next": _next(request, site),
    }
    response = show(request, "console/security/codes.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _own_id(request: ConsoleRequest) -> int:
    return int(request.person.user_id or 0)


def _home(site: SiteView) -> str:
    return reverse("console:account", args=[site.slug])


def _next(request: ConsoleRequest, site: SiteView) -> str:
    """Return where to go on: what was wanted before the set-up, else one's page of security."""
    return safe_next(request, default=_home(site))
