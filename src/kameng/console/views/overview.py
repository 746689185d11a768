"""Today: four figures, what needs attention, what to do next, what sells."""

from django.http import HttpResponse

from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.tenancy.selectors import SiteView


@console_page("overview.view")
def overview(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the site's day."""
    return show(request, "console/overview.html")
