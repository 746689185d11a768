"""An order in a list: its words, its address, what can be done with it now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from kameng.catalog.selectors import get_catalogue
from kameng.orders.models import Order, OrderState
from kameng.pages.shelf import category_names, cover_url
from kameng.storefront.addresses import next_address
from kameng.tenancy.selectors import SiteView

CSS_CLASSES: Final = {
    OrderState.AWAITING_PAYMENT: "status-warn",
    OrderState.AWAITING_DELIVERY: "status-info",
    OrderState.DELIVERED: "status-ok",
    OrderState.REFUNDING: "status-warn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order in a list; `url` carries the token for those who have proved its contact."""

    order: Order
    url: str
    cover_url: str
    css_class: str
    action: str

    @property
    def id(self) -> int:
        """The key by which lists go on."""
        return int(self.order.id)

    @property
    def is_unpaid(self) -> bool:
        """Tell whether it waits for its buyer."""
        return bool(self.order.state == OrderState.AWAITING_PAYMENT)


def make_rows(
    view: SiteView, orders: Iterable[Order], *, tokens: dict[str, str] | None = None
) -> list[OrderRow]:
    """Return the rows of orders; `tokens` by order number for a guest's list."""
    catalogue = get_catalogue(view)
    names = category_names(catalogue.categories)
    actions = {
        OrderState.AWAITING_PAYMENT: _("去付款"),
        OrderState.AWAITING_DELIVERY: _("看进度"),
        OrderState.DELIVERED: _("看发货内容"),
    }
    rows = []
    for order in orders:
        product = catalogue.find_product(order.product_id)
        name = names.get(product.category_id, "") if product else ""
        state = OrderState(order.state)
        rows.append(
            OrderRow(
                order=order,
                url=next_address(
                    order_no=order.order_no,
                    token=(tokens or {}).get(order.order_no, ""),
                    state=order.state,
                ),
                cover_url=cover_url(product, category_name=name) if product else "",
                css_class=CSS_CLASSES.get(state, ""),
                action=actions.get(state, ""),
            )
        )
    return rows
