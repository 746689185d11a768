"""What stands around every page of a shop, and a shop's page drawn for nobody.

Shared by the storefront, whose pages these are, and the back office, which shows them while they
are being made.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.template.loader import render_to_string
from django.urls import reverse

from kameng.catalog.selectors import get_catalogue
from kameng.core import clock
from kameng.pages.content import Content
from kameng.pages.heading import draw_heading, get_heading
from kameng.pages.looks import complete_look, sheet_of
from kameng.pages.selectors import get_design
from kameng.tenancy.selectors import SiteView

THEMES: Final = ("auto", "light", "dark")


def frame_values(
    view: SiteView, *, look: Content | None = None, is_editing: bool = False
) -> dict[str, Any]:
    """Return what the frame shows of a site, to anybody; of another look than the published one."""
    design = get_design(view)
    now = clock.now()
    shown = look or design.look
    sheet = sheet_of(complete_look(shown["root"])) if look else design.sheet
    heading = (
        draw_heading(view, shown, now=now, is_editing=is_editing)
        if look
        else get_heading(view, shown, now=now)
    )
    return {
        "site": view,
        "site_name": view.name,
        "palette": view.settings.palette,
        "look": shown["root"],
        "look_url": f"{reverse('storefront:look', args=(sheet.name,))}?{sheet.digest}",
        "skin": design.skin_at(now),
        "heading": heading,
        "settings": view.settings,
        "categories": get_catalogue(view).categories,
        "year": now.astimezone(view.settings.zone).year,
    }


def draw_for_nobody(
    view: SiteView,
    template: str,
    context: Mapping[str, Any],
    *,
    look: Content | None = None,
    is_editing: bool = False,
) -> str:
    """Return a page of the shop as a guest would get it, with nothing that is one person's.

    `is_editing` marks the parts of the look for the editor.
    """
    theme = (look or get_design(view).look)["root"]["mode"]
    return render_to_string(
        template,
        {
            **frame_values(view, look=look, is_editing=is_editing),
            "theme": theme if theme in THEMES else "auto",
            "person_tools": "",
            "unread_dot": "",
            "site_bar": "",
            "orders_url": reverse("storefront:lookup"),
            "next_url": "/",
            **context,
        },
    )
