"""A shop's end: everything of it as one file, and closing it with nobody owed anything."""

from typing import Any

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.people import StaffPerson
from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.forms.leaving import ArchiveForm, ClosingForm, SettleClaimForm
from kameng.console.leaving_words import describe_hindrances
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.insight.hindrances import list_hindrances
from kameng.insight.models import ArchiveState
from kameng.insight.services.archiving import (
    ask_archive,
    get_archive,
    list_archives,
    open_archive,
    remove_archive,
)
from kameng.insight.services.leaving import complete_closing
from kameng.insight.services.notifying import announce_closing
from kameng.settlement.services.ending import settle_claim_by_hand
from kameng.tenancy.closing import (
    find_closing,
    give_up_closing,
    keep_days,
    kept_until,
    release_address,
    reopen_site,
)
from kameng.tenancy.errors import MainSiteStays
from kameng.tenancy.selectors import SiteView, list_domains

LEAVE = "site.leave"


@console_page(LEAVE)
@confirmed
def archives(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Have everything written into one file; list the files there are."""
    form = ArchiveForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        asked = run_form(
            form,
            lambda: ask_archive(
                with_contacts=form.cleaned_data["with_contacts"], actor=actor_of(request)
            ),
        )
        if asked is not None:
            return done(request, _("已开始打包，可以离开本页。"), to=request.path)
    rows = list_archives()
    context = {
        "form": form,
        "rows": rows,
        "at_work": next((row for row in rows if row.state <= ArchiveState.RUNNING), None),
    }
    return show(request, "console/leaving/archives.html", context, status=status_of(form))


@console_page(LEAVE)
def archive_progress(request: ConsoleRequest, site: SiteView, archive_id: int) -> JsonResponse:
    """Say how far an archive has come."""
    row = get_archive(archive_id)
    total = max(row.total_count, row.done_count)
    body = {
        "done_count": row.done_count,
        "total_count": total,
        "text": f"{row.done_count:,} / {total:,}" if total else f"{row.done_count:,}",
        "note": _("可以离开本页，打包会在后台继续。"),
        "reload": row.state > ArchiveState.RUNNING,
    }
    return JsonResponse(body)


@require_POST
@console_page(LEAVE)
@confirmed
def archive_file(request: ConsoleRequest, site: SiteView, archive_id: int) -> HttpResponseBase:
    """Give an archive away, decrypted as it goes."""
    archive, pieces = open_archive(archive_id, actor=actor_of(request))
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    when = timezone.localtime(archive.created_at)
    name = f"{site.slug}-{when:%Y%m%d-%H%M}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Length"] = str(archive.size_bytes)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@console_page(LEAVE)
def drop_archive(request: ConsoleRequest, site: SiteView, archive_id: int) -> HttpResponse:
    """Throw an archive away."""
    remove_archive(archive_id, actor=actor_of(request))
    return done(request, _("已删除。"), to=reverse("console:archives", args=[site.slug]))


@console_page(LEAVE)
@confirmed
def shop_closing(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show what stands in the way of closing a shop; begin to wind it down."""
    if site.is_main:
        raise MainSiteStays
    form = ClosingForm(request.POST if request.method == "POST" else None, name=site.name)
    if form.is_bound:
        begun = run_form(
            form,
            lambda: announce_closing(
                reason=form.cleaned_data["reason"],
                is_by_platform=_is_platform(request),
                actor=actor_of(request),
            ),
        )
        if begun is not None:
            text = _("已停止接单和充值，正在通知客户。请逐项办完下面的事。")
            return done(request, text, to=request.path)
    return _show_closing(request, site, {"form": form}, status=status_of(form))


@require_POST
@console_page(LEAVE)
@confirmed
def act_on_closing(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Complete a closing, give it up, settle the last of a claim; or undo it, as the platform."""
    acts = {
        "complete": (_complete, _("已关店。买家现在看到关店页。")),
        "give_up": (_give_up, _("已取消关店，恢复原来的状态。")),
        "settle": (_settle, _("已结清。")),
        "reopen": (_reopen, _("已恢复营业。")),
        "release": (_release, _("网址已放开，可以给别的站点用。")),
    }
    act, text = acts.get(request.POST.get("action", ""), (None, ""))
    if act is None:
        return _show_closing(request, site, {"problem": _("请选择要做什么。")}, status=400)
    try:
        act(request, site)
    except Refusal as refusal:
        return _show_closing(request, site, {"problem": refusal.text()}, status=refusal.status)
    return done(request, text, to=reverse("console:shop_closing", args=[site.slug]))


def _show_closing(
    request: ConsoleRequest, site: SiteView, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    closing = find_closing()
    rows = describe_hindrances(list_hindrances(), site=site)
    claim = next((row for row in rows if row.code == "claim"), None)
    values = {
        "form": ClosingForm(name=site.name),
        "closing": closing,
        "rows": rows,
        "keep_days": keep_days(),
        "kept_until": kept_until(closing) if closing and closing.completed_at else None,
        "claim": claim,
        "settle_form": SettleClaimForm(initial={"shown_amount": claim.amount if claim else 0}),
        "domains": list_domains(site.site_id),
        "is_platform": _is_platform(request),
    } | context
    return show(request, "console/leaving/closing.html", values, status=status)


def _complete(request: ConsoleRequest, _site: SiteView) -> None:
    complete_closing(actor=actor_of(request))


def _give_up(request: ConsoleRequest, _site: SiteView) -> None:
    closing = find_closing()
    if closing is not None and closing.is_by_platform and not _is_platform(request):
        raise PermissionMissing  # what the main site began is the main site's to give up
    give_up_closing(actor=actor_of(request))


def _settle(request: ConsoleRequest, _site: SiteView) -> None:
    _require_platform(request)
    form = SettleClaimForm(request.POST)
    amount = form.cleaned_data["shown_amount"] if form.is_valid() else 0
    reason = form.cleaned_data.get("reason", "")
    settle_claim_by_hand(shown_amount=amount, reason=reason, actor=actor_of(request))


def _reopen(request: ConsoleRequest, _site: SiteView) -> None:
    _require_platform(request)
    reopen_site(actor=actor_of(request))


def _release(request: ConsoleRequest, _site: SiteView) -> None:
    _require_platform(request)
    host = str(request.POST.get("host", ""))[:253]
    release_address(host=host, actor=actor_of(request))


def _require_platform(request: ConsoleRequest) -> None:
    if not _is_platform(request):
        raise PermissionMissing


def _is_platform(request: ConsoleRequest) -> bool:
    person = request.person
    return isinstance(person, StaffPerson) and person.is_platform
