"""What a browser calls itself, said so that its owner recognises it: "Chrome · Windows"."""

from typing import Final

from django.utils.translation import gettext as _

# The first that is found wins: most browsers also claim to be the ones below them.
BROWSERS: Final = (
    ("MicroMessenger", "WeChat"),
    ("AlipayClient", "Alipay"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def describe_agent(agent: str) -> str:
    """Return browser and system of a User-Agent header, as far as they are known."""
    names = [
        next((name for mark, name in table if mark in agent), "") for table in (BROWSERS, SYSTEMS)
    ]
    return " · ".join(name for name in names if name) or _("未知设备")
