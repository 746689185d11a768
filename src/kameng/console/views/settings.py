"""The settings of a site, with the shop drawn beside them as they are typed."""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.settings import SettingsForm, settings_values
from kameng.console.forms.sites import PALETTE_NAMES
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.pages.models import PageKind
from kameng.pages.selectors import decorated_kinds
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.selectors import SiteView, list_domains
from kameng.tenancy.services import change_settings, change_site

SHOWN = ("name", "slogan", "notice", "banner_title", "banner_text", "palette")


@console_page("settings.edit")
def settings(request: ConsoleRequest, site: SiteView) -> HttpResponseBase:
    """Show and change how the shop presents itself and behaves.

    Who moves the threshold of the two-person rule is asked for the password.
    """
    kept = format_yuan(Amount(site.settings.two_person_amount))
    is_moved = request.POST.get("two_person_amount", kept).strip() not in {kept, kept[:-3]}
    return (confirmed(_settings) if is_moved else _settings)(request, site)


def _settings(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    stored = settings_values(site.name, site.settings)
    data = request.POST if request.method == "POST" else None
    form = SettingsForm(data, zone_name=site.settings.timezone, initial=stored)

    def act() -> Any:
        actor = actor_of(request)
        if form.cleaned_data["name"] != site.name:
            change_site(site_id=site.site_id, name=form.cleaned_data["name"], actor=actor)
        kept = site.settings.order_hold_seconds
        changes = form.changes()
        if changes["order_hold_seconds"] == stored["order_hold_minutes"] * 60:
            changes["order_hold_seconds"] = kept
        return change_settings(site_id=site.site_id, changes=changes, actor=actor)

    if form.is_bound and run_form(form, act) is not None:
        return done(request, _("已保存，店里马上生效。"), to=request.path)
    typed = {name: form[name].value() or "" for name in SHOWN}
    kinds = decorated_kinds()
    context = {
        "form": form,
        "palettes": PALETTE_NAMES,
        "domains": list_domains(site.site_id),
        "typed": typed,
        "is_decorated": PageKind.HOME in kinds,
        "has_look": PageKind.LOOK in kinds,
    }
    return show(request, "console/settings/settings.html", context, status=status_of(form))


@require_POST
@console_page("settings.edit")
def preview_settings(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Draw the top of the shop as typed."""
    typed = {name: request.POST.get(name, "")[:120] for name in SHOWN}
    if typed["palette"] not in dict(PALETTE_NAMES):
        typed["palette"] = site.settings.palette
    return show(request, "console/settings/preview.html", {"typed": typed})
