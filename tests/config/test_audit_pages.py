"""The audit finds what is broken of pages and pictures, and nothing in sound ones."""

import datetime as dt
import io

import pytest
from django.db import connection
from PIL import Image

from kameng.config import audit
from kameng.core import clock
from kameng.pages.models import PageKind
from kameng.pages.selectors import get_page
from kameng.pages.services.decorating import apply_template
from kameng.pages.services.drafting import open_page, save_draft
from kameng.pages.services.picturing import add_picture
from kameng.pages.services.publishing import publish_page, schedule_publication
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, get_site_view, site_scope
from tests.damage import as_owner
from tests.pages.conftest import LIN, content

OTHER = "(select r.id from pages_revision r join pages_page p on p.id = r.page_id where p.kind = 1)"
NOT_ON_RECORD = (
    "update pages_decoration set before = jsonb_build_object((select id from pages_page"
    " where kind = 2)::text, '{\"revision_id\": 999999}'::jsonb)"
)
BREAKS = [
    ("I41", f"update pages_page set revision_id = {OTHER} where kind = 2"),
    ("I41", f"update pages_publication set revision_id = {OTHER} where state = 0"),
    ("I41", "update pages_publication set publish_at = now() - interval '1 hour'"),
    ("I41", "update pages_page set draft_version = 0 where kind = 2"),
    ("I41", "update pages_page set draft_version = 0, draft = '{}' where kind = 4"),
    ("I41", "update pages_revision set number = number + 7 where number = 1"),
    ("I41", "update pages_revision set content = content - 'root'"),
    ("I41", "update pages_revision set content = jsonb_set(content, '{sections}', '5')"),
    (
        "I41",
        (
            "update pages_revision set content = jsonb_set(content, '{sections}',"
            " (content -> 'sections') || (content -> 'sections')) where number = 1"
        ),
    ),
    ("I41", "update pages_revision set content = jsonb_set(content, '{sections,0,props}', '5')"),
    ("I41", 'update pages_decoration set before = \'{"999999": {"revision_id": null}}\''),
    ("I41", NOT_ON_RECORD),
    ("I42", "delete from pages_picturefile; delete from pages_picture"),
    ("I42", "delete from pages_picturefile where width = 600"),
    ("I42", "update pages_picturefile set data = ''"),
    ("I42", "update pages_picture set width = width + 1"),
]


@pytest.fixture
def view(db: None, site_a: Site) -> SiteView:
    """Site A: a design, a picture on its home page, a plan and a draft."""
    view = get_site_view(site_a.id)
    with site_scope(view.site_id):
        apply_template("salon", site=view, actor=LIN)
        file = io.BytesIO()
        Image.linear_gradient("L").resize((600, 300)).save(file, "PNG")
        file.seek(0)
        picture = add_picture(file, name="a", crop=None, actor=LIN)
        home = open_page(PageKind.HOME)
        shown = {"id": picture.id, "x": 50, "y": 50, "alt": ""}
        section = {"id": "pict", "type": "picture", "version": 1, "props": {"picture": shown}}
        with_picture = {**content("hello"), "root": {}}
        with_picture["sections"] = [*with_picture["sections"], section]
        version = save_draft(
            home.id,
            content=with_picture,
            base_version=get_page(home.id).draft_version,
            actor=LIN,
        )
        publish_page(home.id, base_version=version, actor=LIN, site=view)
        about = open_page(PageKind.ABOUT)
        version = save_draft(
            about.id,
            content=content("soon"),
            base_version=get_page(about.id).draft_version,
            actor=LIN,
        )
        schedule_publication(
            about.id,
            base_version=version,
            publish_at=clock.now() + dt.timedelta(hours=1),
            actor=LIN,
            site=view,
        )
        open_page(PageKind.PRODUCT)
    return view


def test_sound_pages_have_no_breach(view: SiteView) -> None:
    assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "statement"), BREAKS)
def test_what_is_broken_is_found(view: SiteView, name: str, statement: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("set constraints all deferred")
        cursor.execute(statement)
        assert cursor.rowcount > 0

    found = [line for line in audit.find_breaches() if line.startswith(f"{name}:")]

    assert found
