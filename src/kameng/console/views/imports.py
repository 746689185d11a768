"""One import on a page, whatever it brings in: its dry run, its way through, its undo.

The problems are told in the words of the parser that found them; nothing here shows a key in
clear, the samples of a dry run come masked.
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.catalog.errors import ImportNotFound
from kameng.catalog.models import ImportJob, ImportKind, ImportState
from kameng.catalog.selectors import get_import
from kameng.catalog.services.jobs import discard_import
from kameng.console.answers import done
from kameng.console.import_words import (
    count_rows,
    explain_failure,
    explain_file,
    explain_problems,
    note_rows,
)
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.inventory.services.importing import (
    confirm_key_import,
    resume_key_import,
    undo_key_import,
)
from kameng.tenancy.selectors import SiteView

SHOWN_PROBLEMS = 500


@console_page("keys.import")
def key_import(request: ConsoleRequest, site: SiteView, job_id: int) -> HttpResponse:
    """Show an import of keys at the step where it is."""
    return show_import(request, _key_job(job_id))


def show_import(
    request: ConsoleRequest,
    job: ImportJob,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Render an import: wizard, tallies, problems by line, progress."""
    report = job.options.get("report", {})
    code = request.GET.get("code", "")
    values = {
        "job": job,
        "state": ImportState(job.state).name.lower(),
        "is_keys": job.kind == ImportKind.CARD_KEYS,
        "ready_count": count_ready(report),
        "report": report,
        "samples": report.get("samples", []),
        "counts": count_rows(job),
        "notes": note_rows(job),
        "code": code,
        "problems": explain_problems(job, code=code)[:SHOWN_PROBLEMS],
        "failure": explain_failure(job),
        "file_problems": explain_file(job),
    } | dict(context or {})
    return show(request, "console/imports/job.html", values, status=status)


def count_ready(report: Mapping[str, Any]) -> int:
    """Return how many lines an import would store."""
    keys = ("key_count", "create_count", "update_count")
    return sum(int(report.get(key, 0)) for key in keys)


@require_POST
@console_page("keys.import")
def run_key_import(request: ConsoleRequest, site: SiteView, job_id: int) -> HttpResponse:
    """Confirm, resume or undo an import of keys."""
    job = _key_job(job_id)
    acts = {"confirm": _confirm, "discard": discard, "resume": _resume, "undo": _undo}
    act = acts.get(request.POST.get("action", ""))
    if act is None:
        return show_import(request, job, {"problem": _("请选择要做什么。")}, status=400)
    try:
        text = act(request, job_id)
    except Refusal as refusal:
        return show_import(
            request, _key_job(job_id), {"problem": refusal.text()}, status=refusal.status
        )
    return done(request, text, to=reverse("console:key_import", args=[site.slug, job_id]))


def _confirm(request: ConsoleRequest, job_id: int) -> str:
    job = confirm_key_import(job_id, actor=actor_of(request))
    if job.state == ImportState.DONE:
        return _("已导入 %(count)s 张卡密。") % {"count": job.created_count}
    return _("已开始导入，可以离开本页。")


def discard(request: ConsoleRequest, job_id: int) -> str:
    """Throw a checked import away; return what to say."""
    discard_import(job_id, actor=actor_of(request))
    return _("已放弃这次导入，文件已删除。")


def _resume(request: ConsoleRequest, job_id: int) -> str:
    resume_key_import(job_id)
    return _("已重新排队，从上次停下的地方继续。")


def _undo(request: ConsoleRequest, job_id: int) -> str:
    count = undo_key_import(job_id, actor=actor_of(request))
    return _("已撤销，%(count)s 张没卖出的卡密已停售。") % {"count": count}


@console_page("goods.view")
def import_progress(request: ConsoleRequest, site: SiteView, job_id: int) -> HttpResponse:
    """Tell how far an import has come; the page asks again until it is over."""
    job = get_import(job_id)
    is_over = job.state not in (ImportState.CHECKING, ImportState.RUNNING)
    total = max(job.total_count, job.done_count)
    return JsonResponse(
        {
            "done_count": job.done_count,
            "total_count": total,
            "text": f"{job.done_count:,} / {total:,}" if total else f"{job.done_count:,}",
            "note": _("可以离开本页，导入会在后台继续。"),
            "reload": is_over,
        }
    )


def _key_job(job_id: int) -> ImportJob:
    job = get_import(job_id)
    if job.kind != ImportKind.CARD_KEYS:
        raise ImportNotFound
    return job
