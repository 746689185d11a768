"""Who may see an order: whoever has its link, or the signed-in customer who owns it.

One answer for everything else: a wrong token, an unknown number, another site's order.
"""

from django.http import HttpResponse

from kameng.accounts.people import CustomerPerson
from kameng.orders.errors import LinkInvalid
from kameng.orders.models import Order
from kameng.orders.selectors import open_order
from kameng.storefront.forms import ORDER_NO
from kameng.web.requests import KamengRequest

TOKEN_CHARS = 64


def read_token(request: KamengRequest) -> str:
    """Return the token that came with a request, in its address or its form."""
    return (request.POST.get("t") or request.GET.get("t") or "")[:TOKEN_CHARS]


def open_for(request: KamengRequest, order_no: str) -> Order:
    """Return the order if this request may see it. Raises `LinkInvalid`."""
    if ORDER_NO.fullmatch(order_no) is None:
        raise LinkInvalid
    person = request.person
    return open_order(
        site_id=request.site.site_id,
        order_no=order_no,
        token=read_token(request),
        customer_id=person.customer_id if isinstance(person, CustomerPerson) else None,
    )


def as_file(text: str, *, name: str) -> HttpResponse:
    """Answer with a text file to keep."""
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
