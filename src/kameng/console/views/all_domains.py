"""All own domains over all sites, for the platform's owner: states, troubles, where they lead."""

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _

from kameng.console.answers import done, run_form, status_of
from kameng.console.domain_words import describe
from kameng.console.forms.domains import TargetForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.tenancy.claiming import needs_certificate
from kameng.tenancy.claims import count_claims, get_target, list_all_claims
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.services import change_settings
from kameng.tenancy.settings import SiteSettings

KINDS = ("", "waiting", "live", "trouble", "ended")


@console_page("sites.manage")
@confirmed
def all_domains(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List own domains, those in trouble first; say where they have to lead."""
    target = get_target()
    kept = {"name": target.name, "addresses": ", ".join(target.addresses)}
    form = TargetForm(request.POST if request.method == "POST" else None, initial=kept)

    def act() -> SiteSettings:
        changes: dict[str, object] = {
            "domain_target": form.cleaned_data["name"],
            "domain_addresses": ", ".join(form.cleaned_data["addresses"]),
        }
        return change_settings(site_id=site.main_id, changes=changes, actor=actor_of(request))

    if form.is_bound and run_form(form, act) is not None:
        return done(request, _("已保存，域名按新的目标检查。"), to=request.path)
    only = request.GET.get("only", "")
    text = request.GET.get("q", "")[:100].strip()
    rows = list_all_claims(only=only if only in KINDS else "", text=text)
    context = {
        "form": form,
        "rows": [(row, describe(row.claim, with_tls=needs_certificate())) for row in rows],
        "counts": count_claims(),
        "only": only,
        "q": text,
        "has_target": bool(target.name or target.addresses),
        "has_tls": settings.PUBLIC_SCHEME == "https",
    }
    return show(request, "console/domains/all.html", context, status=status_of(form))
