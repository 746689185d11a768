"""Bringing in a list of goods: upload, the columns as guessed and corrected, the run, its undo."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.catalog.errors import ImportNotFound
from kameng.catalog.models import ImportJob, ImportKind, ImportState
from kameng.catalog.own_goods import read_own_goods
from kameng.catalog.selectors import get_import, list_imports
from kameng.catalog.services.importing import (
    choose_for_import,
    confirm_product_import,
    resume_product_import,
    start_product_import,
    start_product_paste,
    undo_product_import,
)
from kameng.catalog.services.own_goods import require_maker
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.imports import MappingForm, UploadForm
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.imports import discard, show_import
from kameng.core.errors import Refusal
from kameng.core.tabular import MAX_BYTES
from kameng.tenancy.selectors import SiteView


@console_page("goods.edit")
def product_imports(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take a list of goods as a file or pasted, and list the imports so far."""
    require_maker()
    is_post = request.method == "POST"
    form = UploadForm(request.POST if is_post else None, request.FILES if is_post else None)
    if form.is_bound:
        job = run_form(form, lambda: _start(request, form))
        if job is not None:
            url = reverse("console:product_import", args=[site.slug, job.id])
            return done(request, _("已检查，请核对列和问题后导入。"), to=url)
    context = {
        "form": form,
        "jobs": list_imports(ImportKind.PRODUCTS.value),
        "own_goods": read_own_goods(site),
        "limit_mb": min(MAX_BYTES, int(settings.UPLOAD_LIMIT_BYTES)) // 1_000_000,
    }
    return show(request, "console/imports/products.html", context, status=status_of(form))


def _start(request: ConsoleRequest, form: UploadForm) -> ImportJob:
    upload, actor = form.upload, actor_of(request)
    if upload is None:
        return start_product_paste(form.cleaned_data["pasted"], actor=actor)
    return start_product_import(upload.chunks(), filename=upload.name or "", actor=actor)


@console_page("goods.edit")
def product_import(request: ConsoleRequest, site: SiteView, job_id: int) -> HttpResponse:
    """Show an import of goods; a post looks through it again with other columns."""
    job = _products_job(job_id)
    form = MappingForm(request.POST if request.method == "POST" else None, options=job.options)
    if form.is_bound:
        chosen = run_form(form, lambda: choose_for_import(job_id, choices=form.choices()))
        if chosen is not None:
            return done(request, _("已按新的设置重新检查。"), to=request.path)
    return show_import(request, job, {"form": form}, status=status_of(form))


@require_POST
@console_page("goods.edit")
def run_product_import(request: ConsoleRequest, site: SiteView, job_id: int) -> HttpResponse:
    """Confirm, discard, resume or undo an import of goods."""
    job = _products_job(job_id)
    acts = {"confirm": _confirm, "discard": discard, "resume": _resume, "undo": _undo}
    act = acts.get(request.POST.get("action", ""))
    if act is None:
        return _again(request, job, problem=_("请选择要做什么。"), status=400)
    try:
        text = act(request, job_id)
    except Refusal as refusal:
        return _again(request, _products_job(job_id), problem=refusal.text(), status=refusal.status)
    return done(request, text, to=reverse("console:product_import", args=[site.slug, job_id]))


def _again(request: ConsoleRequest, job: ImportJob, *, problem: str, status: int) -> HttpResponse:
    context: dict[str, Any] = {"form": MappingForm(options=job.options), "problem": problem}
    return show_import(request, job, context, status=status)


def _confirm(request: ConsoleRequest, job_id: int) -> str:
    job = confirm_product_import(job_id, actor=actor_of(request))
    if job.state == ImportState.DONE:
        counts = {"created": job.created_count, "updated": job.updated_count}
        return _("已导入：新增 %(created)s 个，更新 %(updated)s 个。") % counts
    return _("已开始导入，可以离开本页。")


def _resume(request: ConsoleRequest, job_id: int) -> str:
    resume_product_import(job_id)
    return _("已重新排队，从上次停下的地方继续。")


def _undo(request: ConsoleRequest, job_id: int) -> str:
    count = undo_product_import(job_id, actor=actor_of(request))
    return _("已撤销，%(count)s 个商品恢复原样或已下架。") % {"count": count}


def _products_job(job_id: int) -> ImportJob:
    job = get_import(job_id)
    if job.kind != ImportKind.PRODUCTS:
        raise ImportNotFound
    return job
