"""Payment gateways: a site's own merchant accounts, or what it offers of the main site's ways."""

from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.forms.gateways import NEW_VALUES, GatewayForm, OfferForm, gateway_values
from kameng.console.gateway_words import explain_refusal, explain_rest
from kameng.console.views.confirming import confirmed, confirmed_page
from kameng.console.views.frame import ConsoleRequest, View, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.payments.errors import GatewayConfigInvalid
from kameng.payments.models import Gateway
from kameng.payments.providers.registry import PROVIDERS, get_provider
from kameng.payments.selectors import (
    list_kinds,
    list_offered_ways,
    list_own_ways,
    read_open_config,
    takes_own_money,
)
from kameng.payments.services.gateways import (
    change_gateway,
    create_gateway,
    get_own_gateway,
    move_way,
    provider_of,
    switch_gateway,
    test_gateway,
    wake_gateway,
)
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.services import change_settings
from kameng.web.forms import read_choice


@console_page("overview.view")
def gateways(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the merchant accounts; where the main site's take the money, choose which to offer."""
    is_own = takes_own_money(site)
    if not request.person.can("gateways.edit" if is_own else "settings.edit", site.site_id):
        raise PermissionMissing
    if is_own:
        return _own_list(request)
    form = OfferForm(
        request.POST if request.method == "POST" else None,
        ways=list_offered_ways(site),
        settings=site.settings,
    )
    if form.is_bound:
        saved = run_form(form, lambda: _offer(request, site, form))
        if saved is not None:
            return done(request, _("已保存。"), to=request.path)
    return show(request, "console/gateways/offer.html", {"form": form}, status=status_of(form))


def _offer(request: ConsoleRequest, site: SiteView, form: OfferForm) -> Any:
    changes = form.changes(request.POST.get("move", "")[:30])
    return change_settings(site_id=site.site_id, changes=changes, actor=actor_of(request))


def own_money_page(view: View) -> View:
    """Open a view to sites whose own merchant accounts take the money; others are refused."""

    @wraps(view)
    def opened(request: ConsoleRequest, site: SiteView, **kwargs: Any) -> HttpResponseBase:
        if not takes_own_money(site):
            raise PermissionMissing
        return view(request, site, **kwargs)

    return opened


def _own_list(request: ConsoleRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    ways = [
        {
            "leader": accounts[0].gateway,
            "accounts": [(each, explain_rest(each.gateway)) for each in accounts],
        }
        for accounts in list_own_ways()
    ]
    context = {"ways": ways, "kinds": list_kinds(), "problem": problem}
    return show(request, "console/gateways/list.html", context, status=status)


def _joinable(gateway_id: int = 0) -> list[tuple[int, str]]:
    """Return the ways that an account may join: (id, name)."""
    leaders = [accounts[0].gateway for accounts in list_own_ways()]
    return [(row.id, row.name) for row in leaders if row.id != gateway_id]


@console_page("gateways.edit")
@own_money_page
@confirmed_page
def new_gateway(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Add a merchant account of a kind; it starts switched off."""
    kind = request.GET.get("kind", "")
    if kind not in PROVIDERS:
        status = 400 if request.method == "POST" else 200
        return show(request, "console/gateways/kinds.html", {"kinds": list_kinds()}, status=status)
    provider = get_provider(kind)
    data = request.POST if request.method == "POST" else None
    initial = NEW_VALUES | {"name": str(provider.label), "method": provider.methods[0].code}
    ways = _joinable()
    files = request.FILES if request.method == "POST" else None
    form = GatewayForm(data, files, provider=provider, ways=ways, initial=initial)

    def act() -> Gateway:
        typed = form.typed_credentials()
        terms = form.terms(position=len(ways))
        return create_gateway(kind=kind, form=typed, terms=terms, actor=actor_of(request))

    if form.is_bound:
        made = _run(form, act)
        if made is not None:
            url = reverse("console:gateway", args=[site.slug, made.id])
            return done(request, _("通道已添加。先测试，再启用。"), to=url)
    context = {"form": form, "kind_label": provider.label}
    return show(request, "console/gateways/edit.html", context, status=status_of(form))


@console_page("gateways.edit")
@own_money_page
@confirmed_page
def gateway(request: ConsoleRequest, site: SiteView, gateway_id: int) -> HttpResponse:
    """Change a gateway's terms, and its credentials where something was typed."""
    stored = get_own_gateway(gateway_id)
    provider = provider_of(stored)
    data = request.POST if request.method == "POST" else None
    readable = read_open_config(stored)
    form = GatewayForm(
        data,
        request.FILES if request.method == "POST" else None,
        provider=provider,
        is_stored=True,
        ways=_joinable(gateway_id),
        initial=gateway_values(stored, readable),
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
            terms=form.terms(position=stored.position),
            actor=actor_of(request),
        )

    if form.is_bound:
        saved = _run(form, act)
        if saved is not None:
            retest = _("已保存。资料变了，请重新测试后再启用。")
            text = _("已保存。") if saved.checked_at else retest
            return done(request, text, to=request.path)
    context = {
        "form": form,
        "gateway": stored,
        "rest_reason": explain_rest(stored),
        "kind_label": provider.label,
    }
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
@own_money_page
def prove_gateway(request: ConsoleRequest, site: SiteView, gateway_id: int) -> HttpResponse:
    """Ask the gateway a real question with its credentials."""
    try:
        test_gateway(gateway_id=gateway_id, actor=actor_of(request))
    except Refusal as refusal:
        return _own_list(request, problem=explain_refusal(refusal), status=refusal.status)
    return done(request, _("测试通过，可以启用了。"), to=_list_url(site))


@require_POST
@console_page("gateways.edit")
@own_money_page
@confirmed
def set_gateway(request: ConsoleRequest, site: SiteView, gateway_id: int) -> HttpResponse:
    """Offer a gateway to buyers, no longer, again after a rest, or a place further up or down."""
    action = read_choice(
        request, "action", choices=("enable", "disable", "wake", "move_up", "move_down")
    )
    actor = actor_of(request)
    if action == "wake":
        wake_gateway(gateway_id=gateway_id, actor=actor)
        return done(request, _("已恢复，买家又能用它了。"), to=_list_url(site))
    if action in {"move_up", "move_down"}:
        move_way(gateway_id=gateway_id, is_up=action == "move_up", actor=actor)
        return done(request, _("顺序已调整。"), to=_list_url(site))
    is_enabled = action == "enable"
    try:
        switch_gateway(gateway_id=gateway_id, is_enabled=is_enabled, actor=actor)
    except Refusal as refusal:
        return _own_list(request, problem=explain_refusal(refusal), status=refusal.status)
    text = _("已启用，买家付款时可以选它。") if is_enabled else _("已停用，买家不再看到它。")
    return done(request, text, to=_list_url(site))


def _list_url(site: SiteView) -> str:
    return reverse("console:gateways", args=[site.slug])
