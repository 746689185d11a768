"""Cost and list prices of many goods at once, for the owner of the goods."""

from dataclasses import replace

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kameng.catalog.errors import NotOwner
from kameng.catalog.own_goods import makes_goods
from kameng.catalog.selectors import list_categories, list_goods
from kameng.catalog.services.editing import change_prices
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.goods import read_goods_filter
from kameng.console.forms.price_table import PriceTableForm
from kameng.console.paging import read_number, read_page
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.tenancy.selectors import SiteView

PAGE_SIZE = 40


@console_page("prices.edit")
def price_table(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show a page of face values with their prices; save all of them together or none."""
    if not makes_goods(site):
        raise NotOwner
    filters = replace(read_goods_filter(request.GET), owner="own")
    offset = (read_number(request.GET) - 1) * PAGE_SIZE
    found = list_goods(filters, offset=offset, limit=PAGE_SIZE)
    variants = [each.variant for row in found.rows for each in row.variants][:200]
    form = PriceTableForm(request.POST if request.method == "POST" else None, variants=variants)
    if form.is_bound:
        count = run_form(form, lambda: _save(request, form))
        if count is not None:
            text = ngettext("已改 %(count)s 个价格。", "已改 %(count)s 个价格。", count)
            return done(request, text % {"count": count}, to=request.get_full_path())
    context = {
        "form": form,
        "rows": form.rows(),
        "filters": filters,
        "query": request.GET.urlencode(),
        "categories": list_categories(),
        "page": read_page(request.GET, size=PAGE_SIZE, total_count=found.total_count),
        "note": (
            _("成本价只有主站看得到，建议售价各分站都能看到。")
            if site.is_main
            else _("这里是您的自营商品。成本价只有您看得到。")
        ),
    }
    return show(request, "console/prices/table.html", context, status=status_of(form))


def _save(request: ConsoleRequest, form: PriceTableForm) -> int:
    changes = form.price_changes()
    return change_prices(changes, actor=actor_of(request)) if changes else 0
