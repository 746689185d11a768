"""Words that only the back office prints: endings of prices, browsers by their names."""

from django import template
from django.utils.translation import gettext

from kameng.console.forms.gateways import DEVICE_NAMES
from kameng.pricing.trace import ENDING_TEXT
from kameng.web.agents import describe_agent

register = template.Library()


@register.filter
def ending_text(ending: str) -> str:
    """Print what a price is raised to: 以 .9 结尾."""
    return gettext(ENDING_TEXT[ending]) if ending in ENDING_TEXT else ending


@register.filter
def agent_name(agent: str) -> str:
    """Print a browser by names that people know: Chrome · Windows."""
    return describe_agent(agent)


@register.filter
def device_names(codes: list[str]) -> str:
    """Print where a way to pay is shown: 电脑、手机浏览器."""
    return "、".join(str(name) for code, name in DEVICE_NAMES if code in codes)
