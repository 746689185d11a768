"""Site A with its pages, and whoever works on them."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.core.audit import Actor
from kameng.pages.content import Content
from kameng.pages.models import Page, PageKind
from kameng.pages.services.drafting import open_page
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, get_site_view, site_scope

LIN = Actor(kind="user", actor_id=1, name="Lin")
MEI = Actor(kind="user", actor_id=2, name="Mei")
Draw = Callable[[], str]


def content(*titles: str, kind: str = "notice") -> Content:
    """Return a content of sections with these words."""
    sections: list[dict[str, Any]] = [
        {"id": f"sec{number:02d}", "type": kind, "version": 1, "props": {"text": title}}
        for number, title in enumerate(titles)
    ]
    return {"root": {}, "sections": sections}


def texts(found: Content) -> list[str]:
    """Return the words of a content of `content`."""
    return [section["props"]["text"] for section in found["sections"]]


@pytest.fixture
def view(db: None, site_a: Site) -> SiteView:
    """Site A as a request sees it."""
    return get_site_view(site_a.id)


@pytest.fixture
def home(view: SiteView) -> Page:
    """The home page of site A, nothing changed on it yet."""
    with site_scope(view.site_id):
        return open_page(PageKind.HOME)
