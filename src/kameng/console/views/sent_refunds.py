"""Refunds through gateways, of orders, top-ups and odd payments alike: where each one hangs."""

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.console.answers import done
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.payments.models import RefundState
from kameng.payments.selectors import list_gateways, list_sent_refunds
from kameng.payments.services.refunding import hurry_refund
from kameng.tenancy.selectors import SiteView
from kameng.web.forms import find_choice
from kameng.web.pagination import paginate

VIEWS = {
    "all": (gettext_lazy("全部"), None),
    "waiting": (gettext_lazy("退款中"), RefundState.WAITING),
    "refused": (gettext_lazy("退款失败"), RefundState.REFUSED),
    "done": (gettext_lazy("已退款"), RefundState.DONE),
}


@console_page("orders.view")
def sent_refunds(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List refunds through gateways by state, with why one still waits."""
    view = find_choice(request, "view", choices=VIEWS, default="all")
    state = VIEWS[view][1]
    page = paginate(
        request,
        lambda before_id, limit: list_sent_refunds(state=state, before_id=before_id, limit=limit),
    )
    names = {gateway.id: gateway.name for gateway in list_gateways()}
    context = {
        "views": [(f"view={key}", name, key == view) for key, (name, _state) in VIEWS.items()],
        "view": view,
        "rows": [(each, names.get(each.payment.gateway_id, "")) for each in page.rows],
        "page": page,
        "export_query": f"view={view}",
    }
    return show(request, "console/payments/refunds.html", context)


@console_page("orders.refund")
def retry_refund(request: ConsoleRequest, site: SiteView, refund_id: int) -> HttpResponse:
    """Let a waiting refund be asked for at once."""
    url = reverse("console:sent_refunds", args=[site.slug]) + "?view=waiting"
    if request.method != "POST":
        return HttpResponseRedirect(url)
    hurry_refund(refund_id=refund_id, actor=actor_of(request))
    return done(request, _("几秒内会再问一次支付通道。"), to=url)
