"""Addresses for machines: /healthz for whoever supervises, /metrics for Prometheus.

They answer on any host, need no site, and tell strangers nothing but whether the system works.
"""

import hmac
import ipaddress
import re
import time
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from kameng.core.events import list_lags
from kameng.tenancy.middleware import HOST_MAX
from kameng.tenancy.permits import may_have_certificate
from kameng.web import metrics
from kameng.web.answers import AWAY
from kameng.web.api import answer_json
from kameng.web.requests import FORWARDED

OWN_HOST = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?|")
BEAT_SECONDS = 30
LAG_SECONDS = 60


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the database answers, 503 while it does not.

    A worker that does not beat, or events that wait, are told and leave the answer at 200: buyers
    are served meanwhile, and a new web server would not help.
    """
    checks = {"database": "ok", "worker": "ok", "events": "ok"}
    try:
        if max(list_lags().values(), default=0) > LAG_SECONDS:
            checks["events"] = "late"
    except AWAY:
        checks["database"], checks["events"] = "away", "unknown"
    if find_beat_age() > BEAT_SECONDS:
        checks["worker"] = "away"
    is_away = checks["database"] != "ok"
    status = "away" if is_away else "ok" if set(checks.values()) == {"ok"} else "degraded"
    return answer_json({"status": status, "checks": checks}, status=503 if is_away else 200)


@require_safe
def show_metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format, to this machine or to who has the token."""
    if not may_read_metrics(request):
        raise Http404
    gauges = dict[str, metrics.Figure](kameng_worker_beat_age_seconds=find_beat_age())
    try:
        gauges |= {
            f'kameng_event_lag_seconds{{consumer="{name}"}}': lag
            for name, lag in list_lags().items()
        }
        gauges["kameng_database_up"] = 1
    except AWAY:
        gauges["kameng_database_up"] = 0
    return HttpResponse(metrics.render(gauges), content_type="text/plain; version=0.0.4")


def may_read_metrics(request: HttpRequest) -> bool:
    """Tell whether the figures may be shown: by token, or to this machine when it asks itself."""
    token = str(settings.METRICS_TOKEN)
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        return True
    return _is_own_machine(request)


@require_safe
def tls_permission(request: HttpRequest, secret: str = "") -> HttpResponse:
    """Answer 200 when the host in `domain` may have a certificate, 404 for any other.

    For the proxy on this machine, or one elsewhere that knows the secret of the settings; for all
    others there is no such address. Answers 429 when it is asked for too many unknown names.
    """
    known = str(settings.TLS_PERMISSION_SECRET)
    is_known = bool(known) and hmac.compare_digest(
        secret.encode("utf-8", "replace"), known.encode()
    )
    if not is_known and (secret or not _is_own_machine(request)):
        raise Http404
    host = request.GET.get("domain", "")[:HOST_MAX]
    if not may_have_certificate(host):
        return HttpResponse(status=404, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


def _is_own_machine(request: HttpRequest) -> bool:
    """Tell whether this machine asks itself, by no name of a shop and for nobody else."""
    # A proxy on this machine that is not named in the settings must not open this to the world.
    if FORWARDED & request.META.keys():
        return False
    # Nor one that says nothing of its clients, nor a page in a browser here that gave its own name
    # this machine's address: they ask by the name of a shop.
    host = request.META.get("HTTP_HOST", "").lower()
    return bool(OWN_HOST.fullmatch(host)) and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def find_beat_age() -> int:
    """Return the seconds since the worker last showed life; very many when it never did."""
    try:
        beaten_at = (Path(settings.HOME) / "run" / "worker.beat").stat().st_mtime_ns
    except OSError:
        return 2**31
    return max(0, (time.time_ns() - beaten_at) // 1_000_000_000)
