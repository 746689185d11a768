"""Invitations to the staff of a site: making a link, sending it again, withdrawing it."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_POST

from kameng.accounts.models import Invitation, Role
from kameng.accounts.selectors import list_invitations
from kameng.accounts.services.joining import (
    InvitationWish,
    Invited,
    make_invitation,
    resend_invitation,
    withdraw_invitation,
)
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.staff import LinkForm, split_role
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.staff import holder_of, list_givable
from kameng.core import clock
from kameng.core.errors import Refusal
from kameng.messaging.models import Audience
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.tenancy.addresses import site_url
from kameng.tenancy.selectors import SiteView

LANGUAGE = "zh-hans"


@console_page("staff.manage")
@confirmed
def invitations(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List open invitations, and invite someone by link."""
    holder = holder_of(request, site)
    choices = list_givable(holder)
    form = LinkForm(request.POST if request.method == "POST" else None, choices=choices)

    def act() -> Invited:
        role, custom_role_id = split_role(form.cleaned_data["role"])
        return make_invitation(
            InvitationWish(
                role=role,
                custom_role_id=custom_role_id,
                login=form.cleaned_data["email"].lower(),
                name=form.cleaned_data["name"],
                days=int(form.cleaned_data["days"]),
            ),
            holder=holder,
            actor=actor_of(request),
        )

    invited = run_form(form, act) if form.is_bound else None
    if invited is not None:
        return _show_link(request, site, invited)
    context = {"form": form, "choices": choices}
    return _show_list(request, site, context, status=status_of(form))


@require_POST
@console_page("staff.manage")
@confirmed
def change_invitation(request: ConsoleRequest, site: SiteView, invitation_id: int) -> HttpResponse:
    """Send an invitation again by a new link, or withdraw it."""
    try:
        if request.POST.get("action") == "withdraw":
            withdraw_invitation(invitation_id, actor=actor_of(request))
            url = reverse("console:invitations", args=[site.slug])
            return done(request, _("邀请已撤回，链接马上失效。"), to=url)
        invited = resend_invitation(
            invitation_id, holder=holder_of(request, site), actor=actor_of(request)
        )
    except Refusal as refusal:
        choices = list_givable(holder_of(request, site))
        context = {
            "form": LinkForm(choices=choices),
            "choices": choices,
            "problem": refusal.text(),
        }
        return _show_list(request, site, context, status=refusal.status)
    return _show_link(request, site, invited)


def role_label(invitation: Invitation) -> str:
    """Return the name of the role that an invitation gives."""
    custom = invitation.custom_role
    return str(custom.name if custom is not None else Role(invitation.role).label)


def _show_list(
    request: ConsoleRequest, site: SiteView, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    now = clock.now()
    rows = [(row, role_label(row), row.expires_at <= now) for row in list_invitations()]
    values = {"rows": rows, "tab": "invitations"} | context
    return show(request, "console/staff/invitations.html", values, status=status)


def _show_link(request: ConsoleRequest, site: SiteView, invited: Invited) -> HttpResponse:
    path = reverse("console:join", args=[invited.token])
    link = f"{site_url(site.site_id)}{path}"
    row = invited.invitation
    if row.login:
        _mail(site, row, link=link)
    context = {"invitation": row, "link": link, "role": role_label(row), "tab": "invitations"}
    response = show(request, "console/staff/invited.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _mail(site: SiteView, row: Invitation, *, link: str) -> None:
    with override(LANGUAGE):
        text = render_mail(
            "staff_invitation",
            {
                "site_name": site.name,
                "invited_by": row.invited_by,
                "name": row.name,
                "role": role_label(row),
                "link": link,
                "until": f"{row.expires_at.astimezone(site.settings.zone):%Y-%m-%d %H:%M}",
            },
        )
    digest = bytes(row.token_digest).hex()[:16]
    draft = EmailDraft(
        site_id=row.site_id,
        to=row.login,
        subject=text.subject,
        body=text.body,
        dedupe_key=f"staff_invitation:{row.id}:{digest}",
        audience=Audience.STAFF,
        language=LANGUAGE,
    )
    send_email([draft])
