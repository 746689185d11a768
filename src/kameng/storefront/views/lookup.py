"""A guest's orders again: a contact, proved by a code. One answer whether it has orders or not."""

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from kameng.core.errors import Refusal, TooMany
from kameng.orders.errors import ContactInvalid
from kameng.orders.links import order_token
from kameng.orders.services.lookup import find_orders_of_contact, send_lookup_code
from kameng.storefront.errors import PhoneLookup
from kameng.storefront.forms import TYPED_CHARS, clean_contact, read_code, read_text
from kameng.storefront.frame import answer_personal
from kameng.storefront.rows import make_rows
from kameng.web.answers import wants_json
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest


@open_when_suspended
@require_http_methods(["GET", "HEAD", "POST"])
def lookup(request: KamengRequest) -> HttpResponse:
    """Ask for a contact, then for the code sent to it, then show its latest orders."""
    if request.method != "POST":
        return answer_personal(request, "storefront/lookup.html", {"tab": "orders"})
    typed = read_text(request.POST, "contact", limit=TYPED_CHARS)
    is_sent = request.POST.get("step") == "code"
    try:
        contact = clean_contact(typed, is_required=True)
        if "@" not in contact:
            raise PhoneLookup
        if is_sent:
            return _answer_orders(request, contact)
        send_lookup_code(view=request.site, contact=contact, ip=request.client_ip)
    except Refusal as refusal:
        if wants_json(request):
            raise
        is_sent = is_sent and not isinstance(refusal, ContactInvalid | PhoneLookup)
        is_sent = is_sent or isinstance(refusal, TooMany)  # the code sent before may still be used
        context = {"contact": typed, "is_sent": is_sent, "problem": refusal.text(), "tab": "orders"}
        return answer_personal(request, "storefront/lookup.html", context, status=refusal.status)
    return answer_personal(
        request, "storefront/lookup.html", {"contact": contact, "is_sent": True, "tab": "orders"}
    )


def _answer_orders(request: KamengRequest, contact: str) -> HttpResponse:
    site_id = request.site.site_id
    found = find_orders_of_contact(
        view=request.site,
        contact=contact,
        code=read_code(request.POST),
        ip=request.client_ip,
    )
    tokens = {order.order_no: order_token(site_id, order.order_no) for order in found}
    rows = make_rows(request.site, found, tokens=tokens)
    return answer_personal(
        request, "storefront/lookup_orders.html", {"rows": rows, "tab": "orders"}
    )
