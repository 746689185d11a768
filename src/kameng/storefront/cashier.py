"""What a pay page shows: the gateway's instruction, or how to come to where its way works."""

import json
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from kameng.payments.providers.port import Device, PayInstruction
from kameng.payments.selectors import PayChoice, find_known_gateway
from kameng.payments.selectors import suits as suits_device
from kameng.payments.services.paying import Payer
from kameng.storefront.frame import absolute_url
from kameng.storefront.payers import read_payer_ids
from kameng.web.csp import allow_form_target
from kameng.web.devices import device_of
from kameng.web.qr import draw_qr
from kameng.web.requests import KamengRequest

NOTIFY_PATH: Final = "/notify/"
INSIDE: Final = frozenset({"wechat", "alipay"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """How a buyer comes to where the chosen way works: by a link, or by scanning this page."""

    title: str
    steps: tuple[str, ...]
    url: str
    qr_svg: SafeString | None = None


def make_payer(request: KamengRequest, *, back: str) -> Payer:
    """Return a payer who comes back to a path of this shop."""
    return Payer(
        client_ip=request.client_ip,
        device=device_of(request),
        notify_url=absolute_url(request, NOTIFY_PATH),
        return_url=absolute_url(request, back),
        payer_ids=read_payer_ids(request),
    )


def instruction_context(
    request: KamengRequest, instruction: PayInstruction | None
) -> dict[str, Any]:
    """Return what a pay page shows of a gateway's instruction."""
    device = device_of(request)
    context: dict[str, Any] = {
        "is_pc": device == "pc",
        "device_url": reverse("storefront:device") if device not in INSIDE else "",
    }
    if instruction is None:
        return context
    if instruction.kind == "qr":
        context["qr_svg"] = draw_qr(instruction.qr_text, title=_("付款二维码"))
        if instruction.qr_text.startswith(("http://", "https://")):
            context["pay_url"] = instruction.qr_text
    elif instruction.kind == "redirect":
        context["pay_url"] = instruction.url
    elif instruction.kind == "jsapi":
        context["pay_bridge"] = json.dumps(dict(instruction.fields))
    else:
        context["pay_form"] = instruction
    return context


def let_form_go(response: HttpResponse, instruction: PayInstruction | None) -> HttpResponse:
    """Let a page send the form of its instruction, and be led on by the gateway's own hosts."""
    if instruction is not None and instruction.kind == "form":
        for url in (instruction.url, *instruction.leads_to):
            allow_form_target(response, url)
    return response


def guide_elsewhere(request: KamengRequest, way: PayChoice, *, path: str) -> Guidance | None:
    """Return how to come to where a way works; None where it works nowhere a buyer can go."""
    gateway = find_known_gateway(request.site, gateway_id=way.gateway_id)
    url = absolute_url(request, path)
    here: Device = device_of(request)

    def works_on(*devices: Device) -> bool:
        return gateway is not None and any(suits_device(gateway, device=each) for each in devices)

    if here in INSIDE and works_on("mobile", "pc"):
        return Guidance(
            title=_("%(name)s不能在这里打开，请到浏览器付款") % {"name": way.name},
            steps=(_("复制下面的链接"), _("打开手机浏览器，粘贴到地址栏"), _("在浏览器里付款")),
            url=url,
        )
    if works_on("wechat"):
        return Guidance(
            title=_("%(name)s要在微信里打开") % {"name": way.name},
            steps=(_("用微信扫一扫，或把链接发到微信里打开"), _("在微信里付款")),
            url=url,
            qr_svg=draw_qr(url, title=_("付款二维码")),
        )
    if works_on("mobile", "alipay"):
        return Guidance(
            title=_("%(name)s要在手机上打开") % {"name": way.name},
            steps=(_("用手机扫码打开本页"), _("在手机上付款")),
            url=url,
            qr_svg=draw_qr(url, title=_("付款二维码")),
        )
    if works_on("pc"):
        return Guidance(
            title=_("%(name)s要在电脑上打开") % {"name": way.name},
            steps=(_("把链接发到电脑上打开"), _("在电脑上付款")),
            url=url,
        )
    return None
