"""Contents of other programs: older sections are upgraded, newer and unknown ones stay."""

import copy
from typing import Any

import pytest

from kameng.core import clock
from kameng.pages import registry
from kameng.pages.drawing import draw_content
from kameng.pages.fields import Props
from kameng.pages.models import Page, PageKind, Revision
from kameng.pages.registry import Section, all_sections
from kameng.pages.selectors import current_content, forget_designs, get_design, get_page
from kameng.pages.services.decorating import apply_template, undo_decoration
from kameng.pages.services.drafting import restore_revision, save_draft
from kameng.pages.services.publishing import publish_page
from kameng.tenancy.selectors import SiteView, get_site_view, site_scope
from tests.pages.conftest import LIN, content, texts

NEWER: list[dict[str, Any]] = [
    {
        "id": "newer01",
        "type": "hologram",
        "version": 3,
        "props": {"deep": [{"x": 1.5, "n": None, "html": "<script>alert(1)</script>"}], "": "空名"},
        "hidden": True,
        "more": {"nobody": ["knows", {"this": False}]},
    },
    {"id": "newer02", "type": "notice", "version": 99, "props": {"text": 5, "tone": [], "x": {}}},
]


def test_unknown_and_newer_sections_go_through_everything_as_they_are(
    view: SiteView, home: Page
) -> None:
    first = copy.deepcopy({"root": {}, "sections": [*NEWER, *content("好")["sections"]]})
    with site_scope(view.site_id):
        version = save_draft(home.id, content=first, base_version=0, actor=LIN)
        opened = current_content(get_page(home.id), site=view)
        opened["sections"].reverse()  # an edit of something else
        version = save_draft(home.id, content=opened, base_version=version, actor=LIN)
        publish_page(home.id, base_version=version, actor=LIN, site=view)
        apply_template("salon", site=view, actor=LIN)
        undo_decoration(site=view, actor=LIN)
        page = restore_revision(home.id, number=1, actor=LIN, site=view)

        assert page.draft is not None
        assert page.draft["sections"][:0:-1] == NEWER
        shown = get_design(get_site_view(view.site_id)).contents[PageKind.HOME, 0, ""]
        assert shown["sections"][:0:-1] == NEWER
        drawn = str(draw_content(shown, site=view, now=clock.now()))
        edited = str(draw_content(shown, site=view, now=clock.now(), is_editing=True))
    assert "hologram" not in drawn
    assert "好" in drawn
    for markup in (drawn, edited):
        assert "alert(1)" not in markup
    assert 'data-section="newer01"' in edited


def as_of_version_3(monkeypatch: pytest.MonkeyPatch, upgraded: list[int]) -> None:
    """Let the notice be at version 3: its `text` was called `words`, then `line`."""
    now = all_sections()["notice"]

    def upgrade(props: Props, version: int) -> Props:
        upgraded.append(version)
        if version < 2:
            props["line"] = props.pop("words", "")
        if version < 3:
            props["text"] = props.pop("line", "")
        return props

    later = Section(
        **{
            name: getattr(now, name)
            for name in Section.__dataclass_fields__
            if name not in {"version", "upgrade"}
        },
        version=3,
        upgrade=upgrade,
    )
    known = {**all_sections(), "notice": later}
    monkeypatch.setattr(registry, "all_sections", lambda: known)


def test_an_older_section_is_brought_up_to_date_wherever_it_is_read(
    view: SiteView, home: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"id": "old001", "type": "notice", "version": 1, "props": {"words": "写在第一版"}}
    older = {"id": "old002", "type": "notice", "version": 2, "props": {"line": "写在第二版"}}
    stored = {"root": {}, "sections": [old, older]}
    upgraded: list[int] = []
    with site_scope(view.site_id):
        Page.in_site().filter(id=home.id).update(draft=stored, draft_version=1)
        as_of_version_3(monkeypatch, upgraded)

        opened = current_content(get_page(home.id), site=view)
        assert texts(opened) == ["写在第一版", "写在第二版"]
        publish_page(home.id, base_version=1, actor=LIN, site=view)

        kept = Revision.in_site().get().content["sections"]
        assert [(each["version"], each["props"]["text"]) for each in kept] == [
            (3, "写在第一版"),
            (3, "写在第二版"),
        ]
        assert set(upgraded) == {1, 2}


def test_a_revision_of_an_older_program_is_shown_and_restored_upgraded(
    view: SiteView, home: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_scope(view.site_id):
        version = save_draft(home.id, content=content("x"), base_version=0, actor=LIN)
        revision = publish_page(home.id, base_version=version, actor=LIN, site=view)
        old = {"id": "old001", "type": "notice", "version": 1, "props": {"words": "写在第一版"}}
        Revision.in_site().filter(id=revision.id).update(content={"root": {}, "sections": [old]})
        as_of_version_3(monkeypatch, [])
        forget_designs()

        shown = get_design(get_site_view(view.site_id)).contents[PageKind.HOME, 0, ""]
        page = restore_revision(home.id, number=1, actor=LIN, site=view)

        assert texts(shown) == ["写在第一版"]
        assert page.draft is not None
        assert texts(page.draft) == ["写在第一版"]
        assert Revision.in_site().get(number=1).content["sections"] == [old], "never changed"
