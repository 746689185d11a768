"""The cover of a product, for the pages of the back office, listed or not."""

from django.http import HttpResponse

from kameng.catalog.selectors import get_category, get_goods
from kameng.console.views.frame import ConsoleRequest, console_page
from kameng.tenancy.selectors import SiteView
from kameng.web.covers import draw_cover, split_label

FRESH_SECONDS = 600


@console_page("goods.view")
def product_cover(request: ConsoleRequest, site: SiteView, product_id: int) -> HttpResponse:
    """Draw the cover as the shop draws it."""
    product = get_goods(product_id).product
    category = get_category(product.category_id)
    label, sublabel = split_label(product.title, fallback=category.name)
    svg = draw_cover(
        seed=product.id,
        category_key=category.name,
        icon=category.icon,
        label=label,
        sublabel=sublabel,
    )
    response = HttpResponse(svg, content_type="image/svg+xml")
    response["Cache-Control"] = f"private, max-age={FRESH_SECONDS}"
    return response
