"""What the tests of the back office share: addresses, and the text of a page."""

import html
import re

from django.http import HttpResponse
from django.urls import reverse

from kameng.tenancy.models import Site


def address(site: Site, name: str, *args: object, query: str = "") -> str:
    """Return the address of a console page of a site."""
    return reverse(f"console:{name}", args=[site.slug, *args]) + (f"?{query}" if query else "")


def text_of(response: HttpResponse) -> str:
    """Return what a person reads on a page, blanks tidied."""
    body = re.sub(r"<(script|style|template)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def _time_line(response: HttpResponse) -> str:
    """Return the mark-up of the time line of a page."""
    page = response.content.decode()
    return page.partition('class="card-body timeline"')[2].partition("</aside>")[0]


def time_line_of(response: HttpResponse) -> list[str]:
    """Return the titles of the time line of a page, the oldest (the last on it) first."""
    return re.findall(r'<p class="event-title">(.*?)</p>', _time_line(response))[::-1]


def time_line_text(response: HttpResponse) -> str:
    """Return what a person reads in the time line of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", _time_line(response))).split())
