"""Which pages count as visits, and whose.

Counted: pages of the shop that a browser was shown whole, by GET. Not counted: programs that name
themselves (insight.rules.BOTS), pages fetched ahead, staff, and who asks not to be tracked (DNT,
Sec-GPC): no cookie is set for them. The cookie is random, ends with the browser, and names nobody.
Nor counted are more visitors from one address within an hour than a crowd behind it would be: who
makes cookies up neither fills the tables nor moves the figures by more.
"""

import secrets
import threading
from collections.abc import Callable
from typing import Final, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from kameng.core import clock
from kameng.insight.services.visiting import (
    CHECKOUT,
    PAGE,
    PRODUCT,
    Seen,
    note_visit,
)
from kameng.insight.sources import BOTS, find_source, host_of
from kameng.risk.services import network_of
from kameng.web.requests import KamengRequest

COOKIE: Final = "kameng_visit"
VISITOR_BYTES: Final = 9
VISITOR_LENGTH: Final = 12
STEPS: Final = {
    "storefront:home": PAGE,
    "storefront:category": PAGE,
    "storefront:search": PAGE,
    "storefront:page": PAGE,
    "storefront:about": PAGE,
    "storefront:help": PAGE,
    "storefront:product": PAGE | PRODUCT,
    "storefront:checkout": PAGE | PRODUCT | CHECKOUT,
    "storefront:pay": PAGE | PRODUCT | CHECKOUT,
    "storefront:order": PAGE,
}
WITH_ORDER: Final = frozenset({"storefront:pay", "storefront:order"})
AN_HOUR: Final = (
    500  # visitors of one address, in each process: schools and phone networks share one
)
KEPT_MOST: Final = 100_000  # visitors of all addresses; then all are forgotten, some MB at most
HOUR_SECONDS: Final = 3600


class _Crowd:
    """Who came from which address within this hour, in the memory of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hour, self._count = 0, 0
        self._known: dict[str, set[int]] = {}

    def admit(self, address: str, visitor: str, *, hour: int) -> bool:
        """Tell whether this visitor is one of those who count; a known one is."""
        with self._lock:
            if hour != self._hour or self._count >= KEPT_MOST:
                self._hour, self._count, self._known = hour, 0, {}
            known = self._known.setdefault(address, set())
            number = hash(visitor)
            if number in known:
                return True
            if len(known) >= AN_HOUR:
                return False
            known.add(number)
            self._count += 1
            return True

    def forget(self) -> None:
        """Empty it (tests)."""
        with self._lock:
            self._hour, self._count, self._known = 0, 0, {}


crowd: Final = _Crowd()


class VisitMiddleware:
    """Count the pages of the shop; innermost, so that site and person are known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and note the visit."""
        response = self.get_response(request)
        match = request.resolver_match
        step = STEPS.get(match.view_name) if match is not None else None
        if step is not None and response.status_code == 200:
            shown = cast(KamengRequest, request)
            if _is_counted(shown):
                _note(shown, response, step)
        return response


def _is_counted(request: KamengRequest) -> bool:
    meta = request.META
    if request.method != "GET" or meta.get("HTTP_DNT") == "1" or meta.get("HTTP_SEC_GPC") == "1":
        return False
    if "prefetch" in meta.get("HTTP_SEC_PURPOSE", meta.get("HTTP_PURPOSE", "")):
        return False
    agent = meta.get("HTTP_USER_AGENT", "")
    if not agent or BOTS.search(agent):
        return False
    return not request.person.is_staff


def _note(request: KamengRequest, response: HttpResponseBase, step: int) -> None:
    site = request.site
    match = request.resolver_match
    visitor = request.COOKIES.get(COOKIE, "")
    if len(visitor) != VISITOR_LENGTH or not visitor.isascii():
        visitor = secrets.token_urlsafe(VISITOR_BYTES)
        response.set_cookie(
            COOKIE, visitor, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    hour = int(clock.now().timestamp()) // HOUR_SECONDS
    if not crowd.admit(network_of(request.client_ip), visitor, hour=hour):
        return
    with_order = match is not None and match.view_name in WITH_ORDER
    note_visit(
        Seen(
            site_id=site.site_id,
            at=timezone.localtime(clock.now(), site.settings.zone),
            visitor=visitor,
            step=step,
            # Who comes back from a gateway's page comes from no source.
            source=None
            if with_order
            else find_source(
                referrer=request.META.get("HTTP_REFERER", ""),
                query=_text_of(request.META.get("QUERY_STRING", "")),
                own_host=host_of(f"http://{request.get_host()}"),
            ),
            order_no=str(match.kwargs["order_no"])[:32] if match and with_order else "",
        )
    )


def _text_of(raw: str) -> str:
    """Return a query as text: some senders do not encode what is not ASCII."""
    return raw if raw.isascii() else raw.encode("latin-1", "replace").decode("utf-8", "replace")
