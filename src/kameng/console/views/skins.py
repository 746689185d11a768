"""Festive skins: planned between two moments, shown with what is worn now."""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from kameng.console.answers import done, run_form, status_of
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core import clock
from kameng.pages.drawing import draw_content
from kameng.pages.errors import SkinInvalid
from kameng.pages.models import PageKind, Skin
from kameng.pages.selectors import get_design, list_skins
from kameng.pages.services.dressing import drop_skin, plan_skin
from kameng.pages.skins import SKINS
from kameng.tenancy.selectors import SiteView
from kameng.web.csp import allow_framing, allow_own_frames
from kameng.web.shop import draw_for_nobody


class SkinForm(forms.Form):
    """A skin and when it is worn, in the site's own time."""

    kind = forms.ChoiceField(
        label=gettext_lazy("皮肤"),
        choices=[(skin.key, skin.name) for skin in SKINS.values()],
        widget=forms.RadioSelect,
    )
    starts_at = forms.DateTimeField(
        label=gettext_lazy("开始"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    ends_at = forms.DateTimeField(
        label=gettext_lazy("结束"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )


@console_page("design.edit")
def skins(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show what is planned and worn; plan another."""
    form = SkinForm(request.POST if request.method == "POST" else None)

    def act() -> Skin:
        values = form.cleaned_data
        return plan_skin(
            values["kind"],
            starts_at=values["starts_at"],
            ends_at=values["ends_at"],
            actor=actor_of(request),
        )

    url = reverse("console:skins", args=(site.slug,))
    if form.is_bound and run_form(form, act) is not None:
        return done(request, _("皮肤已安排，到时间自动换上和取下。"), to=url)
    context = {"form": form, "kinds": SKINS.values(), "rows": list_skins(), "now": clock.now()}
    response = show(request, "console/design/skins.html", context, status=status_of(form))
    allow_own_frames(response)
    return response


@console_page("design.edit")
@require_safe
def skin_frame(request: ConsoleRequest, site: SiteView, key: str) -> HttpResponse:
    """Show the shop as it would look in a skin. Raises `SkinInvalid`."""
    if key not in SKINS:
        raise SkinInvalid(why=_("没有这种皮肤。"))
    content = get_design(site).contents[PageKind.HOME, 0, ""]
    context = {
        "sections": draw_content(content, site=site, now=clock.now()),
        "page_title": "",
        "is_framed": True,
        "tab": "home",
        "nav": "home",
        "skin": key,
    }
    response = HttpResponse(draw_for_nobody(site, "storefront/page.html", context))
    allow_framing(response)
    return response


@console_page("design.edit")
@require_POST
def remove(request: ConsoleRequest, site: SiteView, skin_id: int) -> HttpResponse:
    """Take a skin off, or off the plan."""
    drop_skin(skin_id, actor=actor_of(request))
    return done(request, _("皮肤已取消。"), to=reverse("console:skins", args=(site.slug,)))
