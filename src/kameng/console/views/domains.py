"""A sub-site's own domains: claim, records to enter, what was found, the primary one, removal."""

import hashlib
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kameng.console.answers import done, run_form, status_of
from kameng.console.domain_guides import GUIDES, find_guide
from kameng.console.domain_words import Card, describe, list_records
from kameng.console.forms.domains import ClaimForm
from kameng.console.views.confirming import confirmed
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.tenancy.checking import check_claims
from kameng.tenancy.claiming import choose_primary, claim_hosts, needs_certificate, remove_claim
from kameng.tenancy.claims import (
    count_bases,
    find_platform_host,
    get_claim,
    get_target,
    list_claims,
    list_pair,
    read_findings,
)
from kameng.tenancy.errors import DomainsNotAllowed
from kameng.tenancy.models import ClaimState, DomainClaim
from kameng.tenancy.own_hosts import base_of, shown_as
from kameng.tenancy.selectors import SiteView, get_limits, primary_host
from kameng.web.forms import read_whole


@console_page("settings.edit")
def domains(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the addresses of a sub-site; claim a domain."""
    form = ClaimForm(request.POST if request.method == "POST" else None)

    def act() -> list[DomainClaim]:
        if site.is_main:
            raise DomainsNotAllowed
        data = form.cleaned_data
        return claim_hosts(
            data["host"],
            with_twin=data["with_twin"],
            wants_primary=data["wants_primary"],
            actor=actor_of(request),
        )

    if form.is_bound and (claimed := run_form(form, act)) is not None:
        url = reverse("console:domain", args=[site.slug, claimed[0].id])
        return done(request, _("已添加。按下面的步骤设置解析，我们会自动检查。"), to=url)
    claims = list_claims()
    most = get_limits(site.site_id).domains_most
    context = {
        "form": form,
        "groups": _groups(claims),
        "platform_host": find_platform_host(site.site_id),
        "primary": primary_host(site.site_id),
        "port": _port(),
        "scheme": settings.PUBLIC_SCHEME,
        "most": most,
        "used": count_bases(claims),
        "may_add": most is None or count_bases(claims) < most,
    }
    return show(request, "console/domains/list.html", context, status=status_of(form))


def _groups(claims: list[DomainClaim]) -> list[list[Card]]:
    groups: dict[str, list[Card]] = {}
    for claim in claims:
        card = describe(claim, with_tls=needs_certificate())
        groups.setdefault(base_of(claim.host), []).append(card)
    return list(groups.values())


def _port() -> str:
    port = str(settings.PUBLIC_PORT)
    return "" if port in {"80", "443"} else f":{port}"


@require_GET
@console_page("settings.edit")
def domain(request: ConsoleRequest, site: SiteView, claim_id: int) -> HttpResponse:
    """Show a domain: the records to enter, how, what was found, and how far it has come."""
    return show(request, "console/domains/detail.html", _detail(request, site, claim_id))


def _detail(request: ConsoleRequest, site: SiteView, claim_id: int) -> dict[str, Any]:
    claim = get_claim(claim_id)
    pair = list_pair(claim)
    site_host = find_platform_host(site.site_id)
    findings = read_findings(claim)
    servers = findings.found.servers if findings else ()
    guide, is_told = find_guide(request.GET.get("guide", ""), servers=servers)
    cards = [describe(each, with_tls=needs_certificate()) for each in pair]
    standing = [card for card in cards if card.claim.state != ClaimState.EXPIRED]
    records = list_records(pair, site_host=site_host, target=get_target())
    told = {record.host for record in records}
    return {
        "claim": claim,
        "cards": cards,
        "untold": [shown_as(each.host) for each in pair if each.host not in told],
        "shown": shown_as(base_of(claim.host)),
        "records": records,
        "guides": GUIDES,
        "guide": guide,
        "is_told": is_told,
        "servers": servers,
        "is_checked": all(each.checked_at for each in pair),
        "checked_at": claim.checked_at,
        "is_done": all(card.claim.state == ClaimState.LIVE for card in cards),
        "is_standing": bool(standing),
        "primary": primary_host(site.site_id),
        "platform_host": site_host,
        "port": _port(),
        "scheme": settings.PUBLIC_SCHEME,
        "state": _state_of(pair),
    }


def _state_of(pair: list[DomainClaim]) -> str:
    """Return a word that changes when the page of a domain would look otherwise."""
    parts = []
    for claim in pair:
        findings = read_findings(claim)
        problems = [each.code for each in findings.problems] if findings else ["new"]
        found = findings.found if findings else None
        seen = (found.addresses, found.v6_addresses, found.names, found.texts) if found else ()
        parts.append((claim.state, claim.points, claim.certificate_fault, problems, seen))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@require_GET
@console_page("settings.edit")
def status(request: ConsoleRequest, site: SiteView, claim_id: int) -> HttpResponse:
    """Tell whether the page of a domain still shows it as it is; the worker looks meanwhile."""
    state = _state_of(list_pair(get_claim(claim_id)))
    return JsonResponse({"state": state, "reload": request.GET.get("s") != state})


@require_POST
@console_page("settings.edit")
def check(request: ConsoleRequest, site: SiteView, claim_id: int) -> HttpResponse:
    """Look at a domain and its twin now."""
    pair = check_claims([each.id for each in list_pair(get_claim(claim_id))])
    url = reverse("console:domain", args=[site.slug, claim_id])
    if all(each.state == ClaimState.LIVE for each in pair):
        return done(request, _("检查过了，一切正常。"), to=url)
    return done(request, _("检查过了，结果在下面。"), to=url)


@require_POST
@console_page("settings.edit")
@confirmed
def primary(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Choose the address that links use: a live domain, or without an id the platform's."""
    given = request.POST.get("claim_id")
    claim_id = read_whole(request, "claim_id", low=1, high=2**62) if given else None
    choose_primary(claim_id, actor=actor_of(request))
    return done(
        request,
        _("主网址已换，其他网址半分钟内开始跳转。"),
        to=reverse("console:domains", args=[site.slug]),
    )


@require_POST
@console_page("settings.edit")
@confirmed
def remove(request: ConsoleRequest, site: SiteView, claim_id: int) -> HttpResponse:
    """Give up a domain, with its twin when asked."""
    claim = get_claim(claim_id)
    chosen = list_pair(claim) if request.POST.get("with_twin") else [claim]
    for each in chosen:
        remove_claim(each.id, actor=actor_of(request))
    return done(
        request,
        _("已移除 %(host)s。") % {"host": _("、").join(shown_as(each.host) for each in chosen)},
        to=reverse("console:domains", args=[site.slug]),
    )
