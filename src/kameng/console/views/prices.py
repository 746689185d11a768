"""Mark-up rules: what each covers, the editor with its preview, deleting.

Promises that the preview shows exactly what saving would do, and that a sub-site sees what it pays
for goods, never what the main site pays.
"""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.catalog.models import PriceRule
from kameng.catalog.selectors import (
    get_category,
    get_goods,
    get_variant,
    list_categories,
    list_rules,
)
from kameng.catalog.services.marking import (
    RulePreview,
    RuleTarget,
    RuleTerms,
    delete_rule,
    preview_rule,
    save_rule,
    undo_rule,
)
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.fields import read_id
from kameng.console.forms.prices import RuleForm, rule_values
from kameng.console.price_trace import PriceTrace, trace_steps
from kameng.console.rule_undo import RuleChange, keep_undo, kept_undo, pack, unpack
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.pricing.markups import MarkupRule, PriceBasis, RuleScope, form_price
from kameng.pricing.money import MoneyInvalid
from kameng.tenancy.selectors import SiteView

SHOWN_ROWS = 10


@console_page("prices.edit")
def prices(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the rules from the widest to the narrowest."""
    rules = list_rules()
    by_category = {row.rule.category_id: row for row in rules if row.scope is RuleScope.CATEGORY}
    context = {
        "site_rule": next((row for row in rules if row.scope is RuleScope.SITE), None),
        "categories": [(row, by_category.get(row.category.id)) for row in list_categories()],
        "narrow_rules": [row for row in rules if row.scope > RuleScope.CATEGORY],
        "undo": _shown_undo(request, site),
    }
    return show(request, "console/prices/list.html", context)


@console_page("prices.edit")
def rule(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Set the rule of the site, a category, a product or a variant."""
    target = read_target(request.GET)
    stored = _find_stored(target)
    data = request.POST if request.method == "POST" else None
    form = RuleForm(data, initial=rule_values(stored))
    if data is not None:
        saved = run_form(
            form, lambda: save_rule(target, terms=form.terms(), actor=actor_of(request))
        )
        if saved is not None:
            change = RuleChange(target=target, before=_stored_terms(stored), after=form.terms())
            text = _("已保存，新价格马上生效，已下的单不受影响。")
            return _changed(request, site, change, text)
    terms = form.terms() if form.is_bound and form.is_valid() else _stored_terms(stored)
    context = {
        "form": form,
        "stored": stored,
        "scope": target.scope.name.lower(),
        "target_name": _target_name(target),
        "query": request.GET.urlencode(),
    } | _preview_context(site, target, terms)
    return show(request, "console/prices/rule.html", context, status=status_of(form))


@require_POST
@console_page("prices.edit")
def preview(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show what the typed rule would do, before it is saved."""
    target = read_target(request.GET)
    form = RuleForm(request.POST)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        try:
            context |= _preview_context(site, target, form.terms())
        except Refusal as refusal:
            context["problem"] = refusal.text()
    return show(request, "console/prices/preview.html", context)


@require_POST
@console_page("prices.edit")
def remove_rule(request: ConsoleRequest, site: SiteView, rule_id: int) -> HttpResponse:
    """Delete a rule; the next wider one counts again."""
    gone = delete_rule(rule_id, actor=actor_of(request))
    target = RuleTarget(
        category_id=gone.category_id, product_id=gone.product_id, variant_id=gone.variant_id
    )
    change = RuleChange(target=target, before=_stored_terms(gone), after=None)
    return _changed(request, site, change, _("规则已删除，价格按上一级规则计算。"))


@require_POST
@console_page("prices.edit")
def undo_change(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Bring a rule back to what it was before the change that this press follows."""
    change = unpack(request.POST.get("undo", ""), site_id=site.site_id)
    back = reverse("console:prices", args=[site.slug])
    if change is None:
        return done(request, _("这次改动已不能撤销，请直接修改规则。"), to=back)
    try:
        undo_rule(change.target, before=change.before, after=change.after, actor=actor_of(request))
    except Refusal as refusal:
        return done(request, str(refusal.text()), to=back)
    return done(request, _("已撤销，价格恢复原样。"), to=back)


def _changed(
    request: ConsoleRequest, site: SiteView, change: RuleChange, text: str
) -> HttpResponse:
    """Lead to the rules; the browser keeps the way back, for who looks at the shop first."""
    back = reverse("console:prices", args=[site.slug])
    if change.before == change.after:
        return done(request, text, to=back)
    token = pack(change, site_id=site.site_id)
    response = done(request, text, to=f"{back}?{urlencode({'undo': token})}")
    keep_undo(request, response, token, path=back)
    return response


def _shown_undo(request: ConsoleRequest, site: SiteView) -> str:
    """Return the token of the last change, while it can still be undone."""
    for token in (request.GET.get("undo", ""), kept_undo(request)):
        change = unpack(token[:2000], site_id=site.site_id) if token else None
        if change is not None and _stored_terms(_find_stored(change.target)) == change.after:
            return token[:2000]
    return ""


def read_target(query: QueryDict) -> RuleTarget:
    """Return what the address says the rule covers: the narrowest one named."""
    found = {name: read_id(query.get(name)) for name in ("variant", "product", "category")}
    name = next((name for name, value in found.items() if value is not None), "")
    return RuleTarget(**{f"{name}_id": found[name]}) if name else RuleTarget()


def _find_stored(target: RuleTarget) -> PriceRule | None:
    for row in list_rules():
        scope_ids = (row.rule.category_id, row.rule.product_id, row.rule.variant_id)
        if scope_ids == (target.category_id, target.product_id, target.variant_id):
            return row.rule
    return None


def _stored_terms(stored: PriceRule | None) -> RuleTerms | None:
    if stored is None:
        return None
    form = RuleForm({})
    form.cleaned_data = rule_values(stored)
    return form.terms()


def _target_name(target: RuleTarget) -> str:
    if target.variant_id is not None:
        variant = get_variant(target.variant_id)
        return f"{variant.product.title} {variant.name}"
    if target.product_id is not None:
        return str(get_goods(target.product_id).product.title)
    return str(get_category(target.category_id).name) if target.category_id is not None else ""


def _preview_context(site: SiteView, target: RuleTarget, terms: RuleTerms | None) -> dict[str, Any]:
    shown = preview_rule(target, terms=terms)
    return {
        "preview": shown,
        "preview_rows": shown.rows[:SHOWN_ROWS],
        "more_count": max(shown.covered_count - SHOWN_ROWS, 0),
        "trace": _sample_trace(site, target, terms, shown),
        "sample": shown.rows[0] if shown.rows else None,
    }


def _sample_trace(
    site: SiteView, target: RuleTarget, terms: RuleTerms | None, shown: RulePreview
) -> PriceTrace | None:
    """Explain the first price of the preview from what the site pays for it."""
    if not shown.rows or terms is None:
        return None
    row = shown.rows[0]
    rule = MarkupRule(
        rule_id=0,
        scope=target.scope,
        kind=terms.kind,
        rate_bps=terms.rate_bps,
        amount=terms.amount,
        ending=terms.ending,
        cap_bps=terms.cap_bps,
    )
    basis = PriceBasis(floor_amount=row.floor_amount, list_amount=row.list_amount)
    try:
        steps = form_price(basis, rule=rule)
    except MoneyInvalid:
        return None
    return trace_steps(steps, floor_amount=row.floor_amount, site=site)
