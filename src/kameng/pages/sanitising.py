"""What of an operator's rich text is kept: words, emphasis, lists, links; nothing that runs."""

from collections.abc import Iterable
from typing import Final

import nh3

from kameng.pages.fields import Field, Props, is_safe_url

TAGS: Final = {"p", "br", "strong", "em", "u", "s", "h3", "h4", "ul", "ol", "li", "a", "blockquote"}


def clean_html(text: str) -> str:
    """Return the text with only the tags of `TAGS`; links lead to the web over TLS or to the shop.

    Sanitised twice gives the same.
    """
    return nh3.clean(
        text,
        tags=TAGS,
        attributes={"a": {"href"}},
        attribute_filter=_keep,
        url_schemes={"https"},
        link_rel="noopener nofollow",
        strip_comments=True,
    )


def _keep(_tag: str, name: str, value: str) -> str | None:
    return value if name != "href" or is_safe_url(value) else None


def clean_rich(fields: Iterable[Field], props: Props) -> Props:
    """Return props with each rich text cleaned, in lists too."""
    cleaned = dict(props)
    for field in fields:
        value = cleaned[field.name]
        if field.kind == "rich" and isinstance(value, str):
            cleaned[field.name] = clean_html(value)
        elif field.kind == "items" and isinstance(value, list):
            cleaned[field.name] = [
                clean_rich(field.fields, item) if isinstance(item, dict) else item for item in value
            ]
    return cleaned
