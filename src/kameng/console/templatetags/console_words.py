"""Words that only the back office prints: endings of prices."""

from django import template
from django.utils.translation import gettext

from kameng.pricing.trace import ENDING_TEXT

register = template.Library()


@register.filter
def ending_text(ending: str) -> str:
    """Print what a price is raised to: 以 .9 结尾."""
    return gettext(ENDING_TEXT[ending]) if ending in ENDING_TEXT else ending
