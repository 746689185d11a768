"""E-mails that did not go out: why, and once more."""

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.console.answers import done
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.messaging.selectors import find_mail_trouble, list_unsent_emails
from kameng.messaging.services import retry_email
from kameng.tenancy.selectors import SiteView
from kameng.web.pagination import paginate


@console_page("settings.edit")
def mails(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List e-mails that wait or were given up."""
    page = paginate(
        request,
        lambda before_id, limit: list_unsent_emails(before_id=before_id, limit=limit),
    )
    context = {"page": page, "trouble": find_mail_trouble()}
    return show(request, "console/mails.html", context)


@console_page("settings.edit")
def retry_mail(request: ConsoleRequest, site: SiteView, email_id: int) -> HttpResponse:
    """Queue one e-mail anew."""
    url = reverse("console:mails", args=[site.slug])
    if request.method != "POST":
        return HttpResponseRedirect(url)
    retry_email(email_id, actor=actor_of(request))
    return done(request, _("邮件已重新排队，一分钟内再试。"), to=url)
