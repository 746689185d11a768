"""What was bought here lately. Real sales only (E-Commerce Law 17), and nobody's name.

Nothing is shown where nothing was sold within a day.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field, Props
from kameng.pages.registry import Section, World

SHOWN_FOR = timedelta(days=1)


def _context(props: Props, world: World) -> Mapping[str, Any]:
    lines = []
    for sale in world.sales:
        product = world.catalogue.find_product(sale.product_id)
        if product is not None and world.now - sale.sold_at < SHOWN_FOR:
            lines.append({"product": product, "sold_at": sale.sold_at})
    return {"lines": lines[: props["most"]]}


SECTION = Section(
    type="sales_ticker",
    version=1,
    name=_("最近成交"),
    icon="activity",
    group="trust",
    hint=_("显示本店真实的最近成交，没有成交就不显示。"),
    fields=(
        Field(
            name="title",
            label=_("标题"),
            kind="text",
            most=20,
            is_inline=True,
            default=_("最近成交"),
        ),
        Field(name="most", label=_("最多几条"), kind="number", least=3, most=20, default=8),
    ),
    needs_sales=True,
    context=_context,
)
