"""Callbacks of payment gateways: verified over the raw bytes, answered in the gateway's own words.

Only refused callbacks count against an address: a gateway under load is never turned away, a
forger soon is.
"""

from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

from kameng.payments.errors import GatewayNotFound
from kameng.payments.providers.port import CallbackRequest
from kameng.payments.services.confirming import accept_callback
from kameng.risk.services import forged_callbacks
from kameng.web.requests import KamengRequest

BODY_LIMIT = 64_000
HEADERS = ("content-type", "wechatpay-serial", "wechatpay-signature")


@csrf_exempt
def gateway_callback(request: KamengRequest, gateway_id: int) -> HttpResponse:
    """Take one callback (GET or POST) for a gateway; every refusal looks the same."""
    ip = request.client_ip
    if request.method not in {"GET", "POST"}:
        return HttpResponse("fail", status=405, content_type="text/plain")
    if forged_callbacks.over(ip):
        return HttpResponse("fail", status=429, content_type="text/plain")
    if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
        return HttpResponse("fail", status=413, content_type="text/plain")
    callback = CallbackRequest(
        method=request.method,
        query=request.META.get("QUERY_STRING", "").encode("latin-1", "replace"),
        body=request.body,
        headers={name: request.headers.get(name, "") for name in HEADERS},
    )
    try:
        reply = accept_callback(gateway_id=gateway_id, callback=callback, ip=ip, view=request.site)
    except GatewayNotFound:
        forged_callbacks.hit(ip)
        return HttpResponse("fail", status=404, content_type="text/plain")
    if not reply.accepted:
        forged_callbacks.hit(ip)
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
