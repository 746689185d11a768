"""Card keys: stock by face value, bringing keys in, batches, finding one, seeing one in clear."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.catalog.models import ImportJob, ImportKind, ImportState, Variant
from kameng.catalog.selectors import get_variant, list_card_variants, list_imports
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.fields import read_id
from kameng.console.forms.imports import FindKeyForm, KeyUploadForm, ReasonForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.inventory.models import KeyState
from kameng.inventory.selectors import (
    KeyFilter,
    KeyRow,
    find_key,
    get_batch,
    get_key,
    list_batches,
    list_keys,
    stock_of,
)
from kameng.inventory.services.importing import start_key_import, start_key_paste
from kameng.inventory.services.levels import require_card_variant
from kameng.inventory.services.revealing import reveal_key
from kameng.inventory.services.withdrawing import restore_batch, withdraw_batch
from kameng.orders.selectors import find_order_place
from kameng.tenancy.selectors import SiteView, get_site
from kameng.web.forms import read_choice

LOW_COUNT = 5
SHOWN_VARIANTS = 500
KEYS_PAGE = 50
BATCHES_PAGE = 20


@console_page("goods.view")
def card_keys(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the stock of every face value that is delivered as keys, the emptiest first."""
    variants = list_card_variants()
    stocks = stock_of([each.id for each in variants])
    rows = [(each, stocks.get(each.id)) for each in variants]
    rows.sort(key=lambda row: row[1].count if row[1] is not None else 0)
    text = request.GET.get("q", "")[:60].strip().lower()
    wants_low = request.GET.get("state") == "low"
    shown = [
        (each, stock)
        for each, stock in rows
        if text in f"{each.product.title} {each.name} {each.product.code}".lower()
        and (not wants_low or stock is None or stock.count < LOW_COUNT)
    ]
    low_count = sum(1 for _each, stock in rows if stock is None or stock.count < LOW_COUNT)
    context = {
        "rows": shown[:SHOWN_VARIANTS],
        "more_count": max(len(shown) - SHOWN_VARIANTS, 0),
        "total_count": len(rows),
        "low_count": low_count,
        "wants_low": wants_low,
        "text": text,
    }
    return show(request, "console/card_keys/list.html", context)


@console_page("keys.import")
def key_imports(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take a file or pasted keys, look through them, and list the imports so far."""
    variants = list_card_variants()
    is_post = request.method == "POST"
    form = KeyUploadForm(
        request.POST if is_post else None,
        request.FILES if is_post else None,
        variants=variants,
        initial={"variant_id": read_id(request.GET.get("variant"))},
    )
    if form.is_bound:
        job = run_form(form, lambda: _start(request, form))
        if job is not None:
            url = reverse("console:key_import", args=[site.slug, job.id])
            is_checked = job.state == ImportState.DRAFT
            text = _("已检查，请确认后导入。") if is_checked else _("文件已收到，正在检查。")
            return done(request, text, to=url)
    context = {
        "form": form,
        "has_variants": bool(variants),
        "jobs": list_imports(ImportKind.CARD_KEYS.value),
        "limit_mb": _limit_mb(),
    }
    return show(request, "console/card_keys/import.html", context, status=status_of(form))


def _start(request: ConsoleRequest, form: KeyUploadForm) -> ImportJob:
    wanted, actor = form.wanted(), actor_of(request)
    upload = form.upload
    if upload is None:
        return start_key_paste(form.cleaned_data["pasted"], wanted=wanted, actor=actor)
    return start_key_import(upload.chunks(), wanted=wanted, actor=actor)


def _limit_mb() -> int:
    return int(settings.UPLOAD_LIMIT_BYTES) // 1_000_000


@console_page("goods.view")
def variant_keys(request: ConsoleRequest, site: SiteView, variant_id: int) -> HttpResponse:
    """Show the batches of one face value, newest first."""
    variant = require_card_variant(variant_id)
    before_id = read_id(request.GET.get("before"))
    rows = list_batches(variant_id, before_id=before_id, limit=BATCHES_PAGE + 1)
    more, rows = len(rows) > BATCHES_PAGE, rows[:BATCHES_PAGE]
    context = {
        "variant": variant,
        "stock": stock_of([variant_id]).get(variant_id),
        "rows": rows,
        "older_url": f"?before={rows[-1].batch.id}" if more else "",
        "newer_url": request.path if before_id else "",
    }
    return show(request, "console/card_keys/variant.html", context)


@console_page("goods.view")
def card_batch(request: ConsoleRequest, site: SiteView, batch_id: int) -> HttpResponse:
    """Show a batch and its keys, masked."""
    return _show_batch(request, batch_id)


def _show_batch(
    request: ConsoleRequest, batch_id: int, *, problem: str = "", status: int = 200
) -> HttpResponse:
    row = get_batch(batch_id)
    state = read_state(request.GET.get("state"))
    before_id = read_id(request.GET.get("before"))
    keys = list_keys(
        KeyFilter(batch_id=batch_id, state=state), before_id=before_id, limit=KEYS_PAGE + 1
    )
    more, keys = len(keys) > KEYS_PAGE, keys[:KEYS_PAGE]
    query = f"state={state.value}&" if state is not None else ""
    context = {
        "row": row,
        "variant": get_variant(row.batch.variant_id),
        "keys": keys,
        "state": state,
        "states": [(each, each.label) for each in KeyState],
        "older_url": f"?{query}before={keys[-1].key_id}" if more else "",
        "newer_url": f"?{query}" if before_id else "",
        "problem": problem,
    }
    return show(request, "console/card_keys/batch.html", context, status=status)


def read_state(text: str | None) -> KeyState | None:
    """Return the state that an address names, or None."""
    found = {str(each.value): each for each in KeyState}
    return found.get(text or "")


@require_POST
@console_page("keys.import")
def move_batch(request: ConsoleRequest, site: SiteView, batch_id: int) -> HttpResponse:
    """Take a batch out of sale, or put it back."""
    action = read_choice(request, "action", choices=("withdraw", "restore"))
    try:
        if action == "restore":
            count = restore_batch(batch_id, actor=actor_of(request))
            text = _("已恢复，%(count)s 张卡密重新上架。")
        else:
            count = withdraw_batch(batch_id, actor=actor_of(request))
            text = _("已撤回，%(count)s 张没卖出的卡密停售。")
    except Refusal as refusal:
        return _show_batch(request, batch_id, problem=refusal.text(), status=refusal.status)
    url = reverse("console:card_batch", args=[site.slug, batch_id])
    return done(request, text % {"count": count}, to=url)


@console_page("keys.reveal")
def find_key_page(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Find a key by its text: which batch, sold or not, to which order."""
    form = FindKeyForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "is_sought": False}
    if form.is_bound and form.is_valid():
        found = find_key(form.cleaned_data["text"])
        context |= {"is_sought": True, "key": found} | _key_context(found)
    status = 400 if form.is_bound and form.errors else 200
    return show(request, "console/card_keys/find.html", context, status=status)


@console_page("keys.reveal")
@confirmed
def card_key(request: ConsoleRequest, site: SiteView, key_id: int) -> HttpResponse:
    """Show one key, masked; in clear after a reason, which goes into the audit log."""
    found = get_key(key_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    text = None
    if form.is_bound:
        text = run_form(
            form,
            lambda: reveal_key(key_id, reason=form.cleaned_data["reason"], actor=actor_of(request)),
        )
    context = {"key": found, "form": form, "clear_text": text} | _key_context(found)
    response = show(request, "console/card_keys/key.html", context, status=status_of(form))
    response["Cache-Control"] = "no-store"
    return response


def _key_context(found: KeyRow | None) -> dict[str, Any]:
    if found is None:
        return {}
    variant: Variant = get_variant(found.variant_id)
    place = find_order_place(found.order_id) if found.order_id is not None else None
    return {
        "variant": variant,
        "batch": get_batch(found.batch_id).batch,
        "sold_site": None if place is None else get_site(place[0]),
        "order_no": "" if place is None else place[1],
    }
