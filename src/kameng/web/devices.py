"""What a browser runs on, as far as pages differ by it: a computer, a phone, another app."""

from collections.abc import Mapping
from typing import Final

from django.http import HttpRequest

from kameng.payments.providers.port import Device

DEVICE_COOKIE: Final = "kameng_device"
SAID_DEVICES: Final[Mapping[str, Device]] = {"pc": "pc", "mobile": "mobile"}


def device_of(request: HttpRequest) -> Device:
    """Return what the person holds: gateways show other pages inside WeChat and on phones.

    Who is taken for the wrong one says so (a cookie); in which program he is, he cannot say.
    """
    agent = request.META.get("HTTP_USER_AGENT", "")
    if "MicroMessenger" in agent:
        return "wechat"
    if "AlipayClient" in agent:
        return "alipay"
    told = request.COOKIES.get(DEVICE_COOKIE, "")
    if told in SAID_DEVICES:
        return SAID_DEVICES[told]
    return "mobile" if "Mobi" in agent or "Android" in agent else "pc"
