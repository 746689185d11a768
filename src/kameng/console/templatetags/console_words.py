"""Words that only the back office prints: endings of prices, browsers by their names."""

from django import template
from django.utils.translation import gettext

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
