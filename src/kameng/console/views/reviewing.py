"""The frame of pages on which a main site decides about what its sub-sites are paid."""

from functools import wraps
from typing import Any

from django.http.response import HttpResponseBase

from kameng.console.errors import PermissionMissing
from kameng.console.views.frame import ConsoleRequest, View, console_page
from kameng.tenancy.selectors import SiteView


def review_page(view: View) -> View:
    """Open a view for who may review, on a main site only; raises `PermissionMissing`."""

    @wraps(view)
    def opened(request: ConsoleRequest, site: SiteView, **kwargs: Any) -> HttpResponseBase:
        if not site.is_main:
            raise PermissionMissing
        return view(request, site, **kwargs)

    return console_page("settlement.review")(opened)
