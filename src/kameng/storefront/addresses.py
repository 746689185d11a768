"""Addresses of an order's pages, with the token that opens them."""

from urllib.parse import urlencode

from django.urls import reverse

from kameng.orders.models import OrderState


def order_address(route: str, *, order_no: str, token: str, **query: str | int) -> str:
    """Return the address of one page of an order: "order", "pay", "pay_status" …."""
    given = {**({"t": token} if token else {}), **query}
    path = reverse(f"storefront:{route}", args=(order_no,))
    return f"{path}?{urlencode(given)}" if given else path


def next_address(*, order_no: str, token: str, state: int) -> str:
    """Return where a buyer goes on: to pay what is unpaid, else to the order."""
    route = "pay" if state == OrderState.AWAITING_PAYMENT else "order"
    return order_address(route, order_no=order_no, token=token)
