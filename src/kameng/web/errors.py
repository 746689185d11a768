"""The views that Django calls when a request goes wrong, and refusals of the web layer itself."""

import sys
from functools import lru_cache
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.core.errors import Refusal
from kameng.tenancy.middleware import HostUnknown
from kameng.tenancy.selectors import has_any_host
from kameng.web import metrics
from kameng.web.answers import HOST_UNKNOWN, NO_SHOP_YET, answer, find_answer
from kameng.web.requests import is_behind_stranger

log = structlog.get_logger("kameng.web")


class KeyMissing(Refusal):
    code = "request_key_missing"
    message = gettext_lazy("页面已过期，请刷新后重新提交。")


class ValueMalformed(Refusal):
    code = "value_malformed"
    message = gettext_lazy("“%(name)s”填写有误，请检查后重试。")


class BodyMalformed(Refusal):
    code = "body_malformed"
    message = gettext_lazy("提交的内容不是有效的 JSON，请检查后重试。")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that cannot be understood."""
    return answer(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that its sender may not make."""
    return answer(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for what is not there."""
    if isinstance(exception, HostUnknown):
        if not has_any_host():
            text = _("还没有店铺。请在服务器上运行 kameng open-shop，按提示开第一家。")
            return answer(request, 404, text=text, code=NO_SHOP_YET)
        text = _("这个网址没有对应的站点，请检查网址是否正确。")
        return answer(request, 404, text=text, code=HOST_UNKNOWN)
    return answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a fault; one that was not foreseen is logged under the id that the answer shows."""
    fault = sys.exc_info()[1]
    foreseen = find_answer(request, fault)
    if foreseen is not None:
        return foreseen
    match = request.resolver_match
    view = match.view_name if match else ""
    log.error("request_failed", view=view, method=request.method, exc_info=fault)
    metrics.record_fault(view)
    return answer(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "", **_values: Any) -> HttpResponse:
    """Answer a form that does not come from a page of ours, or from one too old.

    Behind a proxy that speaks TLS and is not named no form can pass, whoever sends it.
    """
    speaks_tls = request.META.get("HTTP_ORIGIN", "").startswith("https://")
    if speaks_tls and not request.is_secure() and is_behind_stranger(request):
        _log_stranger(request.META.get("REMOTE_ADDR", ""))
        text = _("网站前面的反向代理没有登记，表单无法提交。站长请设置 KAMENG_TRUSTED_PROXIES。")
        return answer(request, 403, text=text, code="proxy_not_named")
    text = _("页面已过期或浏览器禁用了 Cookie，请刷新页面后重新提交。")
    return answer(request, 403, text=text, code="csrf_failed")


@lru_cache(maxsize=64)
def _log_stranger(address: str) -> None:
    """Log a proxy once, not at each form."""
    log.error("proxy_not_named", address=address)
