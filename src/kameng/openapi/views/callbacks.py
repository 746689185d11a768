"""Callbacks of payment gateways: verified over the raw bytes, answered in the gateway's own words.

Only forged callbacks count against an address, and only they are turned away there: a gateway under
load, or behind the same proxy as a forger, is always heard.
"""

from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

from kameng.orders.services.confirming import confirm_plain
from kameng.payments.errors import GatewayNotFound
from kameng.payments.providers.port import CallbackRequest
from kameng.payments.selectors import are_gateways_at_hand
from kameng.payments.services.confirming import Reply, accept_callback, read_plain
from kameng.risk.services import forged_callbacks, network_of
from kameng.tenancy.selectors import forget_stamped_view
from kameng.web.requests import KamengRequest

PREFIX = "/notify/"
DIGITS_MAX = 19
BODY_LIMIT = 64_000
# Names of headers that gateways sign or speak of, each with that of its WSGI variable: reading all
# headers of a request into a mapping costs a callback a twentieth of its time.
HEADERS = {
    name: name.upper().replace("-", "_")
    if name == "content-type"
    else f"HTTP_{name.upper().replace('-', '_')}"
    for name in (
        "content-type",
        "wechatpay-serial",
        "wechatpay-signature",
        "wechatpay-signature-type",
        "wechatpay-timestamp",
        "wechatpay-nonce",
        "stripe-signature",
    )
}
NO_GATEWAY = Reply(
    status=404, body=b"fail", content_type="text/plain", accepted=False, is_genuine=False
)


@csrf_exempt
def gateway_callback(request: KamengRequest, gateway_id: int) -> HttpResponse:
    """Take one callback (GET or POST) for a gateway; every refusal looks the same."""
    if request.method not in {"GET", "POST"}:
        return HttpResponse("fail", status=405, content_type="text/plain")
    if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
        return HttpResponse("fail", status=413, content_type="text/plain")
    ip, line = request.client_ip, network_of(request.client_ip)
    is_forger = forged_callbacks.over(line)
    try:
        reply = accept_callback(
            gateway_id=gateway_id,
            callback=_read(request),
            ip=ip,
            view=request.site,
            logs_forgery=not is_forger,
        )
    except GatewayNotFound:
        reply = NO_GATEWAY
    if is_forger and not reply.is_genuine:
        return HttpResponse("fail", status=429, content_type="text/plain")
    if not reply.is_genuine:
        forged_callbacks.hit(line)
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)


async def take_on_the_loop(request: KamengRequest) -> HttpResponse | None:
    """Take a plain callback on the event loop; None for everything that needs a closer look."""
    number = request.path_info.removeprefix(PREFIX).removesuffix("/")
    if not (number.isascii() and number.isdigit() and len(number) < DIGITS_MAX):
        return None
    line = network_of(request.client_ip)
    if request.method not in {"GET", "POST"} or forged_callbacks.over(line):
        return None
    if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
        return None
    if not are_gateways_at_hand(request.site):
        return None
    plain = read_plain(gateway_id=int(number), callback=_read(request), view=request.site)
    if plain is None:
        return None
    site_id, stamp = request.site.site_id, request.stamp
    if not await confirm_plain(plain.statement, site_id=site_id, stamp=stamp):
        forget_stamped_view(site_id)  # it may be of yesterday
        return None
    reply = plain.reply
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)


def _read(request: KamengRequest) -> CallbackRequest:
    return CallbackRequest(
        method=request.method or "",
        query=request.META.get("QUERY_STRING", "").encode("latin-1", "replace"),
        body=request.body,
        headers={name: request.META.get(variable, "") for name, variable in HEADERS.items()},
    )
