"""What of an operator's rich text is kept: words, emphasis, lists, links; nothing that runs."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

import nh3

from kameng.pages.fields import Field, Props, is_safe_url

TAGS: Final = {"p", "br", "strong", "em", "u", "s", "h3", "h4", "ul", "ol", "li", "a", "blockquote"}


def clean_html(text: str, *, through: str = "") -> str:
    """Return the text with only the tags of `TAGS`; links lead to the web over TLS or to the shop.

    Sanitised twice gives the same. With `through`, links out of the shop lead to that address
    first, which tells the buyer that they leave.
    """

    def keep(_tag: str, name: str, value: str) -> str | None:
        if name != "href":
            return value
        if not is_safe_url(value):
            return None
        return f"{through}{quote(value, safe='')}" if through and value[0] != "/" else value

    return nh3.clean(
        text,
        tags=TAGS,
        attributes={"a": {"href"}},
        attribute_filter=keep,
        url_schemes={"https"},
        link_rel="noopener nofollow",
        strip_comments=True,
    )


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
