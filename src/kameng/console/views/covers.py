"""The cover of a product for the pages of the back office, listed or not, as the shop draws it."""

from django.http import HttpResponse

from kameng.catalog.selectors import get_catalogue, get_category, get_goods
from kameng.console.views.frame import ConsoleRequest, console_page
from kameng.tenancy.selectors import SiteView
from kameng.web.covers import draw_cover, split_label

FRESH_SECONDS = 600


@console_page("goods.view")
def product_cover(request: ConsoleRequest, site: SiteView, product_id: int) -> HttpResponse:
    """Draw the cover; what is listed comes from the snapshot in the process."""
    title, category_name = _find_names(site, product_id)
    label, sublabel = split_label(title, fallback=category_name)
    svg = draw_cover(
        seed=product_id, category_key=category_name, icon="", label=label, sublabel=sublabel
    )
    response = HttpResponse(svg, content_type="image/svg+xml")
    response["Cache-Control"] = f"private, max-age={FRESH_SECONDS}"
    return response


def _find_names(site: SiteView, product_id: int) -> tuple[str, str]:
    catalogue = get_catalogue(site)
    listed = catalogue.find_product(product_id)
    if listed is not None:
        names = {each.id: each.name for each in catalogue.categories}
        return listed.title, names.get(listed.category_id, "")
    product = get_goods(product_id).product
    return str(product.title), str(get_category(product.category_id).name)
