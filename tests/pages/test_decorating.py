"""One-click decoration: the whole shop at once, and back."""

import pytest

from kameng.pages import errors
from kameng.pages.models import Page, PageKind, Revision
from kameng.pages.ready_made import get_ready_made
from kameng.pages.selectors import current_content, get_design, get_page, list_revisions
from kameng.pages.services import decorating
from kameng.pages.services.decorating import apply_template, undo_decoration
from kameng.pages.services.drafting import open_page, save_draft
from kameng.pages.services.publishing import publish_page
from kameng.tenancy.selectors import SiteView, get_site_view, site_scope
from tests.pages.conftest import LIN, content, texts


def test_a_design_is_seen_at_once_and_taken_back_whole(view: SiteView, home: Page) -> None:
    with site_scope(view.site_id):
        version = save_draft(home.id, content=content("我的首页"), base_version=0, actor=LIN)
        publish_page(home.id, base_version=version, actor=LIN, site=view)
        current = get_page(home.id).draft_version
        save_draft(home.id, content=content("写了一半"), base_version=current, actor=LIN)

        apply_template("paper", site=view, actor=LIN)

        worn = get_design(get_site_view(view.site_id))
        wanted = get_ready_made("paper").contents()
        assert worn.contents[PageKind.HOME, 0, ""] == wanted[PageKind.HOME]
        assert worn.look["root"]["header"] == "center"

        undo_decoration(site=view, actor=LIN)

        back = get_design(get_site_view(view.site_id))
        assert texts(back.contents[PageKind.HOME, 0, ""]) == ["我的首页"]
        assert texts(current_content(get_page(home.id), site=view)) == ["写了一半"]
        assert back.look["root"]["header"] == "bar"
        with pytest.raises(errors.AlreadyUndone):
            undo_decoration(site=view, actor=LIN)


def test_the_shops_own_logo_and_menu_stay(view: SiteView) -> None:
    menu = [{"text": "买点卡", "link": {"to": "all", "id": 0, "url": ""}}]
    with site_scope(view.site_id):
        look = open_page(PageKind.LOOK)
        own = {"root": {"menu": menu, "shows_name": False}, "sections": []}
        version = save_draft(look.id, content=own, base_version=0, actor=LIN)
        publish_page(look.id, base_version=version, actor=LIN, site=view)

        apply_template("starry", site=view, actor=LIN)

        root = get_design(get_site_view(view.site_id)).look["root"]
        assert (root["menu"], root["shows_name"]) == (menu, False)
        assert root["brand"] == "#7c5cff"


def test_a_draft_that_was_replaced_is_in_the_history(view: SiteView, home: Page) -> None:
    with site_scope(view.site_id):
        save_draft(home.id, content=content("我的草稿"), base_version=0, actor=LIN)

        apply_template("mint", site=view, actor=LIN)

        numbers = [(row.number, row.reason) for row in list_revisions(home.id)]
        assert numbers == [(2, 1), (1, 2)]
        assert texts(Revision.in_site().get(page=home, number=1).content) == ["我的草稿"]


def test_a_decoration_that_is_cut_off_changes_nothing(
    view: SiteView, home: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise OSError("killed here")

    monkeypatch.setattr(decorating, "bump_catalogue_version", cut)
    with site_scope(view.site_id):
        with pytest.raises(OSError, match="killed"):
            apply_template("mint", site=view, actor=LIN)

        assert Revision.in_site().count() == 0
        assert not Page.in_site().filter(revision__isnull=False).exists()


def test_an_unknown_design_is_refused_and_nothing_to_undo_too(view: SiteView) -> None:
    with site_scope(view.site_id):
        with pytest.raises(errors.TemplateNotFound):
            apply_template("nothing", site=view, actor=LIN)
        with pytest.raises(errors.TemplateNotFound):
            undo_decoration(site=view, actor=LIN)
        assert Page.in_site().count() == 0
