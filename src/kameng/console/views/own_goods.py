"""Sub-sites' own goods as the main site oversees them: all, one, off sale with a reason."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from kameng.catalog.errors import NotOwner
from kameng.catalog.inputs import load_fields
from kameng.catalog.models import DeliveryKind
from kameng.catalog.own_goods import OwnGoodsFilter, get_own_goods, list_own_goods
from kameng.catalog.services.judging import MOST_AT_ONCE, take_down_many, undo_take_downs
from kameng.catalog.services.own_goods import allow_goods_again, take_down_goods
from kameng.console.answers import done, run_form, status_of
from kameng.console.chips import list_chips
from kameng.console.forms.fields import read_id
from kameng.console.forms.goods import TakeDownForm
from kameng.console.goods_undo import pack, unpack
from kameng.console.paging import read_number, read_page
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.tenancy.selectors import SiteView, list_sites_by_id
from kameng.web.forms import read_choice

PAGE_SIZE = 50
STATES = {
    "all": gettext_lazy("全部"),
    "listed": gettext_lazy("在售"),
    "unlisted": gettext_lazy("已下架"),
    "taken_down": gettext_lazy("平台下架"),
    "scanned": gettext_lazy("待复查"),
}


@console_page("goods.oversee")
def own_goods(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List what sub-sites sell of their own, over all of them."""
    _require_main(site)
    return _list(request, site, TakeDownForm())


def _list(request: ConsoleRequest, site: SiteView, form: TakeDownForm) -> HttpResponse:
    filters = _read_filter(request.GET)
    offset = (read_number(request.GET) - 1) * PAGE_SIZE
    found = list_own_goods(filters, offset=offset, limit=PAGE_SIZE)
    only = list_sites_by_id([filters.site_id]) if filters.site_id else []
    named = [
        ("q", _("搜索"), filters.text),
        ("site", _("站点"), only[0].name if only else filters.site_id or ""),
    ]
    context = {
        "rows": found.rows,
        "filters": filters,
        "states": STATES,
        "page": read_page(request.GET, size=PAGE_SIZE, total_count=found.total_count),
        "chips": list_chips(request.GET, named),
        "form": form,
        "picked": _picked(request),
        "query": request.GET.urlencode(),
        "undo": _shown_undo(request, site),
    }
    return show(request, "console/own_goods/list.html", context, status=status_of(form))


@require_POST
@console_page("goods.oversee")
@confirmed
def judge_many(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take many of sub-sites' products off sale with one reason; one press takes it back."""
    _require_main(site)
    form, picked = TakeDownForm(request.POST), _picked(request)
    if not picked:
        form.add_error(None, _("请先勾选商品。"))
        form.refusal_status = 400  # type: ignore[attr-defined]
        return _list(request, site, form)
    taken = run_form(
        form,
        lambda: take_down_many(picked, reason=form.cleaned_data["reason"], actor=actor_of(request)),
    )
    if taken is None:
        return _list(request, site, form)
    query = request.GET.copy()
    query.pop("undo", None)
    if taken:
        query["undo"] = pack(taken, reason=form.cleaned_data["reason"], site_id=site.site_id)
    text = ngettext(
        "已下架 %(n)s 件，店主会收到通知。", "已下架 %(n)s 件，店主会收到通知。", len(taken)
    )
    back = reverse("console:own_goods", args=[site.slug])
    return done(request, text % {"n": len(taken)}, to=f"{back}?{query.urlencode()}")


@require_POST
@console_page("goods.oversee")
@confirmed
def undo_judging(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take back what `judge_many` did, as far as nobody judged it since."""
    _require_main(site)
    back = reverse("console:own_goods", args=[site.slug])
    found = unpack(request.POST.get("undo", ""), site_id=site.site_id)
    if found is None:
        return done(request, _("撤销的时间已过，请在商品页上允许重新上架。"), to=back)
    taken, reason = found
    count = undo_take_downs(taken, reason=reason, actor=actor_of(request))
    text = ngettext("已撤销 %(n)s 件。", "已撤销 %(n)s 件。", count) % {"n": count}
    return done(request, text, to=back)


def _picked(request: ConsoleRequest) -> list[int]:
    ids = (read_id(each) for each in request.POST.getlist("id")[:MOST_AT_ONCE])
    return [each for each in ids if each is not None]


def _shown_undo(request: ConsoleRequest, site: SiteView) -> str:
    token = request.GET.get("undo", "")[:8000]
    return token if token and unpack(token, site_id=site.site_id) is not None else ""


@console_page("goods.oversee")
def own_product(request: ConsoleRequest, site: SiteView, product_id: int) -> HttpResponse:
    """Show one product of a sub-site: what its buyers read, never its cost or card keys."""
    _require_main(site)
    row = get_own_goods(product_id)
    initial = {"reason": row.product.taken_down_reason}  # of what a scan found
    return _show(request, product_id, TakeDownForm(initial=initial))


@require_POST
@console_page("goods.oversee")
@confirmed
def judge_own_product(request: ConsoleRequest, site: SiteView, product_id: int) -> HttpResponse:
    """Take a sub-site's product off sale with a reason, or let its operator list it again."""
    _require_main(site)
    action = read_choice(request, "action", choices=("take_down", "allow"))
    back = reverse("console:own_product", args=[site.slug, product_id])
    if action == "allow":
        allow_goods_again(product_id, actor=actor_of(request))
        return done(request, _("已允许，店主可以重新上架。"), to=back)
    form = TakeDownForm(request.POST)
    taken = run_form(
        form,
        lambda: take_down_goods(
            product_id, reason=form.cleaned_data["reason"], actor=actor_of(request)
        ),
    )
    if taken is None:
        return _show(request, product_id, form)
    return done(request, _("已下架，店主能看到原因。"), to=back)


def _show(request: ConsoleRequest, product_id: int, form: TakeDownForm) -> HttpResponse:
    row = get_own_goods(product_id)
    context: dict[str, Any] = {
        "row": row,
        "product": row.product,
        "fields": load_fields(row.product.input_fields),
        "delivery_label": DeliveryKind(row.product.delivery_kind).label,
        "form": form,
    }
    return show(request, "console/own_goods/detail.html", context, status=status_of(form))


def _read_filter(query: QueryDict) -> OwnGoodsFilter:
    state = query.get("state", "all")
    return OwnGoodsFilter(
        text=query.get("q", "")[:60].replace("\x00", ""),
        site_id=read_id(query.get("site")),
        state=state if state in STATES else "all",
    )


def _require_main(site: SiteView) -> None:
    if not site.is_main:
        raise NotOwner
