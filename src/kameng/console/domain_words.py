"""Own domains in words: what was found, what is in the way, how far each has come."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.tenancy.claims import Findings, Target, read_findings
from kameng.tenancy.models import ClaimState, DomainClaim
from kameng.tenancy.own_hosts import record_name, shown_as
from kameng.tenancy.proving import TEXT_PREFIX, Problem, Proof

Text = str | Promise
AGAIN = (ClaimState.EXPIRED, ClaimState.RELEASED)

PROBLEMS: Final = {
    "no_reply": gettext_lazy("域名服务器没有回答，马上会再查一次。"),
    "no_name": gettext_lazy("还没有这个域名的解析记录。刚添加的记录一般几分钟生效，最长要等一天。"),
    "no_address": gettext_lazy("找到了这个域名，但它还没有指向任何地方。"),
    "wrong_address": gettext_lazy("现在指向 %(found)s，不是我们这里。请把记录改成表里的值。"),
    "extra_address": gettext_lazy(
        "除了我们的地址，还多出 %(found)s，一部分买家会打不开。请删除多余的 A 记录。"
    ),
    "stray_v6": gettext_lazy("有一条 AAAA 记录指向 %(found)s，手机网络会走到那里。请删除它。"),
    "platforms": gettext_lazy("这个网址已由平台分配给一个站点，不能绑定。请联系平台。"),
    "held_by_other": gettext_lazy(
        "另一个店正在使用这个域名。域名是您的话，添加验证记录（TXT）就转到您这里。"
    ),
    "claimed_by_other": gettext_lazy(
        "别的店也绑定过这个域名。请添加验证记录（TXT），证明它是您的。"
    ),
    "led_here_before": gettext_lazy(
        "绑定之前它就已经指向我们这里，看不出是谁设置的。请添加验证记录（TXT），证明它是您的。"
    ),
    "other_text": gettext_lazy("验证记录的值不对，现在是 %(found)s。请重新复制表里的值。"),
}
FAULTS: Final = {
    "unreachable": gettext_lazy("连不上 443 端口"),
    "refused": gettext_lazy("服务器还没有给出证书"),
    "untrusted": gettext_lazy("证书不是受信任的机构签发的"),
    "wrong_name": gettext_lazy("证书是别的域名的"),
    "expired": gettext_lazy("证书已过期"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line to enter at the registrar, and whether it was found."""

    host: str
    name: str  # @, www, _kameng
    kind: str  # A, AAAA, CNAME, TXT
    value: str
    why: Text
    is_found: bool
    is_needed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One of the four stages of a domain: done, now, bad, or to come."""

    label: Text
    mark: str  # done, now, bad, later


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A host as its operator sees it."""

    claim: DomainClaim
    shown: str
    word: Text
    tone: str  # ok, warn, bad, info
    note: str
    stages: tuple[Stage, ...]
    problems: tuple[str, ...]
    found: tuple[str, ...]


def describe(claim: DomainClaim, *, with_tls: bool) -> Card:
    """Return a host in words."""
    findings = read_findings(claim)
    word, tone = _state_of(claim, with_tls=with_tls)
    return Card(
        claim=claim,
        shown=shown_as(claim.host),
        word=word,
        tone=tone,
        note=_note_of(claim, with_tls=with_tls),
        stages=_stages(claim, with_tls=with_tls),
        problems=_problems(claim, findings),
        found=_found_lines(findings),
    )


def _state_of(claim: DomainClaim, *, with_tls: bool) -> tuple[Text, str]:
    if claim.state == ClaimState.VERIFIED:
        if not claim.points:
            return _("已验证，等待指向"), "warn"
        return (_("正在签发证书"), "info") if with_tls else (_("即将上线"), "info")
    if claim.state == ClaimState.LIVE and claim.certificate_fault and with_tls:
        return _("证书有问题"), "bad"
    tones = {ClaimState.WAITING: "warn", ClaimState.LIVE: "ok", ClaimState.AWAY: "bad"}
    return ClaimState(claim.state).label, tones.get(ClaimState(claim.state), "info")


def _note_of(claim: DomainClaim, *, with_tls: bool) -> str:
    if claim.state == ClaimState.EXPIRED:
        return _("14 天内没有通过验证。要继续使用，请重新添加。")
    if claim.state == ClaimState.AWAY:
        return _("解析不再指向我们。店里的链接已换回平台网址，恢复解析后自动恢复。")
    if claim.state == ClaimState.VERIFIED and claim.points and with_tls:
        if claim.certificate_fault:
            return _("%(fault)s，正在自动重试。") % {"fault": FAULTS[claim.certificate_fault]}
        return _("不用操作，一般一两分钟。")
    if claim.state == ClaimState.LIVE and with_tls and claim.certificate_fault:
        return _("%(fault)s，平台已收到提醒。") % {"fault": FAULTS[claim.certificate_fault]}
    return ""


def _stages(claim: DomainClaim, *, with_tls: bool) -> tuple[Stage, ...]:
    is_proved = claim.proof != Proof.NONE
    is_live = claim.state == ClaimState.LIVE
    is_bad = claim.state in (ClaimState.AWAY, ClaimState.EXPIRED)
    steps = [
        (_("证明域名是您的"), is_proved),
        (_("指向我们"), claim.points and is_proved),
        *([(_("签发证书"), is_live)] if with_tls else []),
        (_("上线"), is_live),
    ]
    stages, is_current = [], True
    for label, is_done in steps:
        mark = "done" if is_done else ("bad" if is_bad else "now") if is_current else "later"
        is_current = is_current and is_done
        stages.append(Stage(label=label, mark=mark))
    return tuple(stages)


def _problems(claim: DomainClaim, findings: Findings | None) -> tuple[str, ...]:
    if findings is None or claim.state in AGAIN:
        return ()
    return tuple(_problem(each) for each in findings.problems)


def _problem(problem: Problem) -> str:
    text = str(PROBLEMS[problem.code])
    return text % {"found": _("、").join(problem.found[:5])} if "%(" in text else text


def _found_lines(findings: Findings | None) -> tuple[str, ...]:
    """Return what the domain name system said, line by line, as it would stand in a zone."""
    if findings is None:
        return ()
    found = findings.found
    return (
        *(f"CNAME  {name}" for name in found.names),
        *(f"A  {address}" for address in found.addresses),
        *(f"AAAA  {address}" for address in found.v6_addresses),
        *(f"TXT  {text}" for text in found.texts),
    )


def list_records(claims: Sequence[DomainClaim], *, site_host: str, target: Target) -> list[Record]:
    """Return what to enter for these hosts of one domain: where they lead, and the proof."""
    records: list[Record] = []
    for claim in claims:
        findings = read_findings(claim)
        records += _ways(claim, findings, site_host=site_host, target=target)
    texts = [claim for claim in claims if not _names_site(claim, site_host)] or list(claims[:1])
    first = texts[0]
    name = record_name(f"_kameng.{first.host}")
    value = f"{TEXT_PREFIX}{first.token}"
    records.append(
        Record(
            host=f"_kameng.{first.host}",
            name=name,
            kind="TXT",
            value=value,
            why=gettext_lazy("证明域名是您的"),
            is_found=any(value in _texts(claim) for claim in claims),
            is_needed=any(claim.proof == Proof.NONE for claim in claims),
        )
    )
    return records


def _names_site(claim: DomainClaim, site_host: str) -> bool:
    """Tell whether the record by which a host leads here names the site, which proves it too."""
    return bool(site_host) and record_name(claim.host) != "@"


def _texts(claim: DomainClaim) -> tuple[str, ...]:
    findings = read_findings(claim)
    return findings.found.texts if findings else ()


def _ways(
    claim: DomainClaim, findings: Findings | None, *, site_host: str, target: Target
) -> list[Record]:
    name, found = record_name(claim.host), findings.found if findings else None
    why = gettext_lazy("让域名打开您的店")
    if _names_site(claim, site_host):
        is_found = found is not None and site_host in found.names
        lines = [("CNAME", site_host, is_found)]
    else:
        known = target.addresses or (findings.expected_addresses if findings else ())
        here = {*found.addresses, *found.v6_addresses} if found else set()
        lines = [("AAAA" if ":" in each else "A", each, each in here) for each in known]
    return [
        Record(
            host=claim.host,
            name=name,
            kind=kind,
            value=value,
            why=why,
            is_found=is_found,
            is_needed=not claim.points,
        )
        for kind, value, is_found in lines
    ]


def days_left(ends_at: dt.datetime | None, now: dt.datetime) -> int | None:
    """Return the whole days until a certificate ends."""
    return None if ends_at is None else max(0, (ends_at - now).days)
