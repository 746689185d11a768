"""What every template may use, computed when a template asks for it.

`site`, `site_name`, `palette`, `person`, `theme`, `nonce`, `messages`, `unread`. A page that a view
renders with names of its own wins. Works without a site and without the database.
"""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from kameng.accounts.people import GUEST
from kameng.messaging.selectors import count_unread
from kameng.web.flash import read_flashes

THEMES = frozenset({"light", "dark"})


def page_context(request: HttpRequest) -> dict[str, Any]:
    """Return the context; the flashes and the count of unread messages are read on use."""
    site = getattr(request, "site", None)
    person = getattr(request, "person", GUEST)
    theme = request.COOKIES.get("theme", "")
    return {
        "site": site,
        "site_name": site.name if site is not None else "Kameng",
        "palette": site.settings.palette if site is not None else "indigo",
        "person": person,
        "theme": theme if theme in THEMES else "auto",
        "nonce": getattr(request, "nonce", ""),
        "messages": SimpleLazyObject(lambda: read_flashes(request)),
        "unread": SimpleLazyObject(lambda: unread_count(request)),
    }


def unread_count(request: HttpRequest) -> int:
    """Return how many messages wait for the customer who asks; 0 for everybody else."""
    customer_id: int | None = getattr(request, "person", GUEST).customer_id
    return count_unread(customer_id) if customer_id is not None else 0
