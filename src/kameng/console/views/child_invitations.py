"""Links with which others open child sites by themselves: made, listed, withdrawn by the upline."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.children import ChildInvitationForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core import clock
from kameng.core.errors import Refusal
from kameng.tenancy.addresses import site_url
from kameng.tenancy.child_invitations import (
    InvitedChild,
    invite_child,
    list_child_invitations,
    withdraw_child_invitation,
)
from kameng.tenancy.children import read_room
from kameng.tenancy.selectors import SiteView


@console_page("children.manage")
@confirmed
def invitations(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the links with what became of them, and make one; it is shown once."""
    form = ChildInvitationForm(request.POST if request.method == "POST" else None)

    def act() -> InvitedChild:
        return invite_child(
            note=form.cleaned_data["note"],
            days=int(form.cleaned_data["days"]),
            actor=actor_of(request),
        )

    invited = run_form(form, act) if form.is_bound else None
    if invited is not None:
        return _show_link(request, site, invited)
    return _show_list(request, site, {"form": form}, status=status_of(form))


@require_POST
@console_page("children.manage")
def withdraw(request: ConsoleRequest, site: SiteView, invitation_id: int) -> HttpResponse:
    """Make a link open nothing any more."""
    try:
        withdraw_child_invitation(invitation_id, actor=actor_of(request))
    except Refusal as refusal:
        context = {"form": ChildInvitationForm(), "problem": refusal.text()}
        return _show_list(request, site, context, status=refusal.status)
    url = reverse("console:child_invitations", args=[site.slug])
    return done(request, _("链接已撤回，马上失效。"), to=url)


def _show_list(
    request: ConsoleRequest, site: SiteView, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    now = clock.now()
    rows = [(row, row.expires_at <= now) for row in list_child_invitations()]
    values = {"rows": rows, "room": read_room(site.site_id)} | context
    return show(request, "console/children/invitations.html", values, status=status)


def _show_link(request: ConsoleRequest, site: SiteView, invited: InvitedChild) -> HttpResponse:
    path = reverse("storefront:invited", args=[invited.token])
    context = {"invitation": invited.invitation, "link": f"{site_url(site.main_id)}{path}"}
    response = show(request, "console/children/invited.html", context)
    response["Cache-Control"] = "no-store"
    return response
