"""How the machinery is: worker, events behind, jobs waiting and failed."""

from django.http import HttpResponse

from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.insight.health import read_health
from kameng.tenancy.selectors import SiteView


@console_page("sites.manage")
def health(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the state of what works behind the pages."""
    return show(request, "console/sites/health.html", {"health": read_health()})
