"""Payment gateways: the main site's own, and what a sub-site offers of them."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.forms.gateways import NEW_VALUES, GatewayForm, OfferForm, gateway_values
from kameng.console.gateway_words import explain_refusal
from kameng.console.views.confirming import confirmed, confirmed_page
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.payments.errors import GatewayConfigInvalid
from kameng.payments.models import Gateway
from kameng.payments.providers.registry import PROVIDERS, get_provider
from kameng.payments.selectors import list_gateways, list_kinds, read_open_config
from kameng.payments.services.gateways import (
    change_gateway,
    create_gateway,
    get_own_gateway,
    provider_of,
    switch_gateway,
    test_gateway,
)
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.services import change_settings
from kameng.web.forms import read_choice


@console_page("overview.view")
def gateways(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the gateways; on a sub-site, choose which ones to offer."""
    needed = "gateways.edit" if site.is_main else "settings.edit"
    if not request.person.can(needed, site.site_id):
        raise PermissionMissing
    if site.is_main:
        return _own_list(request)
    offered = [row for row in list_gateways() if row.is_enabled]
    ids = [row.id for row in offered]
    hidden = set(site.settings.hidden_gateway_ids)
    form = OfferForm(request.POST if request.method == "POST" else None, gateway_ids=ids)
    if form.is_bound:
        saved = run_form(form, lambda: _offer(request, site, form.hidden_ids()))
        if saved is not None:
            return done(request, _("已保存。"), to=request.path)
    context = {"form": form, "rows": [(row, row.id not in hidden) for row in offered]}
    return show(request, "console/gateways/offer.html", context, status=status_of(form))


def _offer(request: ConsoleRequest, site: SiteView, hidden_ids: list[int]) -> Any:
    changes: dict[str, object] = {"hidden_gateway_ids": hidden_ids}
    return change_settings(site_id=site.site_id, changes=changes, actor=actor_of(request))


def _own_list(request: ConsoleRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    labels = dict(list_kinds())
    rows = [(row, labels[row.kind], _method_label(row)) for row in list_gateways()]
    context = {"rows": rows, "kinds": list_kinds(), "problem": problem}
    return show(request, "console/gateways/list.html", context, status=status)


def _method_label(row: Gateway) -> Any:
    methods = {each.code: each.label for each in provider_of(row).methods}
    return methods.get(row.method, row.method)


@console_page("gateways.edit")
@confirmed_page
def new_gateway(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Add a gateway of a kind; it starts switched off."""
    if not site.is_main:
        raise PermissionMissing
    kind = request.GET.get("kind", "")
    if kind not in PROVIDERS:
        status = 400 if request.method == "POST" else 200
        return show(request, "console/gateways/kinds.html", {"kinds": list_kinds()}, status=status)
    provider = get_provider(kind)
    data = request.POST if request.method == "POST" else None
    initial = NEW_VALUES | {"name": str(provider.label), "method": provider.methods[0].code}
    form = GatewayForm(data, provider=provider, initial=initial)

    def act() -> Gateway:
        typed = form.typed_credentials()
        return create_gateway(kind=kind, form=typed, terms=form.terms(), actor=actor_of(request))

    if form.is_bound:
        made = _run(form, act)
        if made is not None:
            url = reverse("console:gateway", args=[site.slug, made.id])
            return done(request, _("通道已添加。先测试，再启用。"), to=url)
    context = {"form": form, "kind_label": provider.label}
    return show(request, "console/gateways/edit.html", context, status=status_of(form))


@console_page("gateways.edit")
@confirmed_page
def gateway(request: ConsoleRequest, site: SiteView, gateway_id: int) -> HttpResponse:
    """Change a gateway's terms, and its credentials where something was typed."""
    stored = get_own_gateway(gateway_id)
    provider = provider_of(stored)
    data = request.POST if request.method == "POST" else None
    readable = read_open_config(stored)
    form = GatewayForm(
        data, provider=provider, is_stored=True, initial=gateway_values(stored, readable)
    )

    def act() -> Gateway:
        typed = form.typed_credentials()
        secrets = {each.name for each in provider.fields if each.secret}
        is_new = any(typed[name] for name in secrets) or any(
            typed[name] != value for name, value in readable.items()
        )
        return change_gateway(
            gateway_id=gateway_id,
            form=typed if is_new else None,
            terms=form.terms(),
            actor=actor_of(request),
        )

    if form.is_bound:
        saved = _run(form, act)
        if saved is not None:
            retest = _("已保存。资料变了，请重新测试后再启用。")
            text = _("已保存。") if saved.checked_at else retest
            return done(request, text, to=request.path)
    context = {"form": form, "gateway": stored, "kind_label": provider.label}
    return show(request, "console/gateways/edit.html", context, status=status_of(form))


def _run(form: GatewayForm, act: Any) -> Gateway | None:
    """Act; what the provider refuses is said at the field it speaks of."""

    def told() -> Gateway | None:
        try:
            saved: Gateway = act()
        except GatewayConfigInvalid as refusal:
            form.tell_problems(refusal.problems)
            form.refusal_status = refusal.status  # type: ignore[attr-defined]
            return None
        return saved

    return run_form(form, told)


@require_POST
@console_page("gateways.edit")
def prove_gateway(request: ConsoleRequest, site: SiteView, gateway_id: int) -> HttpResponse:
    """Ask the gateway a real question with its credentials."""
    try:
        test_gateway(gateway_id=gateway_id, actor=actor_of(request))
    except Refusal as refusal:
        return _own_list(request, problem=explain_refusal(refusal), status=refusal.status)
    return done(request, _("测试通过，可以启用了。"), to=_list_url(site))


@require_POST
@console_page("gateways.edit")
@confirmed
def set_gateway(request: ConsoleRequest, site: SiteView, gateway_id: int) -> HttpResponse:
    """Offer a gateway to buyers, or no longer."""
    is_enabled = read_choice(request, "action", choices=("enable", "disable")) == "enable"
    try:
        switch_gateway(gateway_id=gateway_id, is_enabled=is_enabled, actor=actor_of(request))
    except Refusal as refusal:
        return _own_list(request, problem=explain_refusal(refusal), status=refusal.status)
    text = _("已启用，买家付款时可以选它。") if is_enabled else _("已停用，买家不再看到它。")
    return done(request, text, to=_list_url(site))


def _list_url(site: SiteView) -> str:
    return reverse("console:gateways", args=[site.slug])
