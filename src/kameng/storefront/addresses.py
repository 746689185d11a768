"""Addresses of an order's pages, with the token that opens them."""

from functools import cache
from urllib.parse import quote, urlencode

from django.urls import reverse

from kameng.orders.models import OrderState

_NUMBER = "000000000000000000"


def order_address(route: str, *, order_no: str, token: str, **query: str | int) -> str:
    """Return the address of one page of an order: "order", "pay", "pay_status" …."""
    given = {**({"t": token} if token else {}), **query}
    before, after = _path_around_number(route)
    path = before + quote(order_no, safe="") + after
    return f"{path}?{urlencode(given)}" if given else path


@cache
def _path_around_number(route: str) -> tuple[str, str]:
    """Return what stands before and behind the order's number: found once, not at each order."""
    before, _, after = reverse(f"storefront:{route}", args=(_NUMBER,)).partition(_NUMBER)
    return before, after


def next_address(*, order_no: str, token: str, state: int) -> str:
    """Return where a buyer goes on: to pay what is unpaid, else to the order."""
    route = "pay" if state == OrderState.AWAITING_PAYMENT else "order"
    return order_address(route, order_no=order_no, token=token)
