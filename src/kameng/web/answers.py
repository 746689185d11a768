"""How a fault becomes an answer: one table for every refusal, as a page or as JSON.

Promises that whatever a person sends is answered by a sentence that says what to do, that no
answer shows a trace, a query or a secret, and that an answer to a program is JSON.
"""

import errno
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.core.exceptions import RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from kameng.core.database import DatabaseAway
from kameng.core.errors import Refusal

AWAY_SECONDS = 5
API_PREFIX = "/api/"
CONSOLE = "/console/"
AWAY = (
    DatabaseAway,
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
FULL = {errno.ENOSPC, errno.EDQUOT}  # of an OSError: no room on the disk, for an upload say
MALFORMED = (DataError, psycopg.DataError, UnreadablePostError)

TITLES: dict[int, Callable[[], str]] = {
    400: lambda: _("内容有误"),
    403: lambda: _("没有权限"),
    404: lambda: _("没有找到"),
    405: lambda: _("不支持的操作"),
    409: lambda: _("内容已变化"),
    411: lambda: _("内容有误"),
    413: lambda: _("内容太大"),
    414: lambda: _("地址太长"),
    429: lambda: _("操作太频繁"),
    500: lambda: _("出了点问题"),
    503: lambda: _("暂时不可用"),
}
TEXTS: dict[int, Callable[[], str]] = {
    400: lambda: _("提交的内容无法识别，请返回检查后重试。"),
    403: lambda: _("您没有权限进行这个操作，请换一个有权限的账号登录。"),
    404: lambda: _("页面不存在或已被移除，请检查地址是否正确。"),
    405: lambda: _("这个地址不支持这样访问，请从首页重新进入。"),
    409: lambda: _("内容刚刚发生了变化，请刷新后重试。"),
    411: lambda: _("提交的内容没有说明长度，请换一个浏览器重试。"),
    413: lambda: _("提交的内容太大，请减少内容或分几次提交。"),
    414: lambda: _("地址太长，请从首页重新进入。"),
    429: lambda: _("操作太频繁，请稍后再试。"),
    500: lambda: _("系统出现意外，我们已经记录下来。请稍后再试，您的订单和余额不会受影响。"),
    503: lambda: _("系统正在恢复，请过几秒再试，您的订单和余额不会受影响。"),
}
CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    411: "length_required",
    413: "too_large",
    414: "address_too_long",
    429: "too_many",
    500: "fault",
    503: "away",
}


CODE_TITLES: Mapping[str, Callable[[], str]] = {"csrf_failed": lambda: _("页面已过期")}
HOST_UNKNOWN, NO_SHOP_YET = "host_unknown", "no_shop_yet"  # no shop, so no page to lead to


def wants_json(request: HttpRequest) -> bool:
    """Tell whether a program asks: by the address, or by an Accept that does not name HTML."""
    if request.path_info.startswith(API_PREFIX):
        return True
    accept = request.META.get("HTTP_ACCEPT", "")
    return "application/json" in accept and "text/html" not in accept


def answer(
    request: HttpRequest,
    status: int,
    *,
    text: str = "",
    code: str = "",
    extra: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Return the answer of a status, as a page or as JSON, without touching the database."""
    text = text or TEXTS.get(status, TEXTS[400])()
    code = code or CODES.get(status, CODES[400])
    reference = getattr(request, "request_id", "") if status >= 500 else ""
    response: HttpResponse
    if wants_json(request):
        body = {"code": code, "message": text, **(extra or {})}
        if reference:
            body["reference"] = reference
        response = JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})
    else:
        can_retry = request.method in {"GET", "HEAD"} and status in {429, 500, 503}
        context = {
            "code": status,
            "title": (CODE_TITLES.get(code) or TITLES.get(status, TITLES[400]))(),
            "text": text,
            "reference": reference,
            "has_home": code not in {HOST_UNKNOWN, NO_SHOP_YET},
            "retry_url": request.get_full_path() if can_retry else "",
            "back_url": find_back_url(request) if status < 500 else "",
            "home_url": CONSOLE if request.path_info.startswith(CONSOLE) else "/",
            "palette": _palette(request),
            "theme": _theme(request),
        }
        response = HttpResponse(render_to_string("web/error.html", context), status=status)
    seconds = (extra or {}).get("retry_after_seconds")
    if seconds is not None:
        response.headers["Retry-After"] = str(seconds)
    return response


def answer_refusal(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Return the answer to a refusal: its status, its code, its sentence."""
    seconds = refusal.params.get("retry_after_seconds")
    extra = None if seconds is None else {"retry_after_seconds": seconds}
    return answer(request, refusal.status, text=refusal.text(), code=refusal.code, extra=extra)


def find_answer(request: HttpRequest, fault: BaseException | None) -> HttpResponse | None:
    """Return the answer to a fault that is foreseen, or None for one that is not."""
    if isinstance(fault, Refusal):
        return answer_refusal(request, fault)
    if isinstance(fault, AWAY) or (isinstance(fault, OSError) and fault.errno in FULL):
        return answer(request, 503, extra={"retry_after_seconds": AWAY_SECONDS})
    if isinstance(fault, RequestDataTooBig):
        return answer(request, 413)
    if isinstance(fault, MALFORMED):
        return answer(request, 400)
    return None


def find_back_url(request: HttpRequest) -> str:
    """Return the address of the page of this host that a request came from, or an empty text."""
    referer = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(
        referer, allowed_hosts={request.META.get("HTTP_HOST", "")}
    ):
        return ""
    parts = urlsplit(referer)
    goal = f"{parts.path}?{parts.query}" if parts.query else parts.path
    is_here = request.method != "POST" and goal == request.get_full_path()
    if not parts.netloc or goal[1:2] in {"/", "\\"} or is_here:
        return ""
    return goal


def _palette(request: HttpRequest) -> str:
    site = getattr(request, "site", None)
    return site.settings.palette if site is not None else "indigo"


def _theme(request: HttpRequest) -> str:
    theme = request.COOKIES.get("theme", "")
    return theme if theme in {"light", "dark"} else "auto"
