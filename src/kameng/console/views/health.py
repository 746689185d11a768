"""How the machinery is: worker, events behind, jobs waiting and failed."""

from django.http import HttpResponse

from kameng.console.views.frame import ConsoleRequest, console_page, show
from kameng.insight.health import read_health
from kameng.tenancy.selectors import SiteView
from kameng.web.requests import is_behind_stranger


@console_page("sites.manage")
def health(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the state of what works behind the pages, and of the proxy in front of them."""
    context = {
        "health": read_health(),
        "is_behind_stranger": is_behind_stranger(request),
        "proxy": request.META.get("REMOTE_ADDR", ""),
    }
    return show(request, "console/sites/health.html", context)
