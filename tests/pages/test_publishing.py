"""Drafts and publication: what is seen, what is refused, what comes back."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection

from kameng.core import clock
from kameng.pages import errors
from kameng.pages.models import Page, PageKind, Publication, Revision, RevisionReason
from kameng.pages.selectors import current_content, get_design, get_page, list_revisions
from kameng.pages.services.drafting import (
    NewPage,
    create_page,
    open_page,
    remove_page,
    replace_draft,
    restore_revision,
    save_draft,
)
from kameng.pages.services.publishing import (
    cancel_publication,
    publish_due,
    publish_page,
    schedule_publication,
    withdraw_page,
)
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, get_site_view, site_scope
from tests.pages.conftest import LIN, MEI, content, texts


def shown(site_id: int, kind: int = PageKind.HOME, slug: str = "") -> list[str]:
    """Return what buyers see now."""
    with site_scope(site_id) as fresh:
        return texts(get_design(fresh).contents[kind, 0, slug])


def save(page: Page, *words: str, version: int) -> int:
    return save_draft(page.id, content=content(*words), base_version=version, actor=LIN)


def test_a_draft_is_seen_by_nobody_until_it_is_published(view: SiteView, home: Page) -> None:
    with site_scope(view.site_id):
        before = get_design(view).contents[PageKind.HOME, 0, ""]
        version = save(home, "新品上架", version=0)
        assert get_design(get_site_view(view.site_id)).contents[PageKind.HOME, 0, ""] == before

        revision = publish_page(home.id, base_version=version, actor=LIN, site=view)

        assert (revision.number, revision.reason) == (1, RevisionReason.PUBLISHED)
        page = get_page(home.id)
        assert (page.draft, page.revision_id) == (None, revision.id)
    assert shown(view.site_id) == ["新品上架"]


def test_who_saves_over_anothers_draft_is_refused_and_told_of_whom(
    view: SiteView, home: Page
) -> None:
    with site_scope(view.site_id):
        save_draft(home.id, content=content("Mei's"), base_version=0, actor=MEI)

        with pytest.raises(errors.DraftMoved) as refused:
            save(home, "Lin's", version=0)

        assert "Mei" in refused.value.text()
        assert texts(current_content(get_page(home.id), site=view)) == ["Mei's"]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {"root": {}},
        {"root": {}, "sections": {}},
        {"root": {}, "sections": [], "more": 1},
        {"root": {}, "sections": [5]},
        {"root": {}, "sections": [{"id": "x", "type": "notice", "version": 1, "props": {}}]},
        {"root": {}, "sections": [{"id": "sec01", "type": "notice", "version": "1", "props": {}}]},
        {"root": {}, "sections": [{"id": "sec01", "type": "n" * 41, "version": 1, "props": {}}]},
        {"root": {}, "sections": content("a")["sections"] * 2},
        {
            "root": {},
            "sections": [
                {**content("a")["sections"][0], "id": f"sec{n}"} for n in range(1000, 1061)
            ],
        },
        content("x" * 200_001),
    ],
)
def test_what_is_no_content_is_refused_and_changes_nothing(
    view: SiteView, home: Page, wrong: Any
) -> None:
    with site_scope(view.site_id):
        with pytest.raises(errors.ContentInvalid):
            save_draft(home.id, content=wrong, base_version=0, actor=LIN)

        assert get_page(home.id).draft is None
        assert get_page(home.id).draft_version == 0


def test_publishing_names_the_section_and_the_field(view: SiteView, home: Page) -> None:
    with site_scope(view.site_id):
        version = save(home, "好", "", version=0)

        with pytest.raises(errors.NotPublishable) as refused:
            publish_page(home.id, base_version=version, actor=LIN, site=view)

        (fault,) = refused.value.faults
        assert (fault.section_id, fault.section_name, fault.path) == ("sec01", "公告条", "text")  # type: ignore[attr-defined]
        assert Revision.in_site().count() == 0
        assert get_page(home.id).revision_id is None


def test_publishing_an_older_draft_or_nothing_is_refused(view: SiteView, home: Page) -> None:
    with site_scope(view.site_id):
        version = save(home, "一", version=0)
        save(home, "二", version=version)
        with pytest.raises(errors.DraftMoved):
            publish_page(home.id, base_version=version, actor=LIN, site=view)
        publish_page(home.id, base_version=version + 1, actor=LIN, site=view)

        page = get_page(home.id)
        with pytest.raises(errors.NothingToPublish):
            publish_page(home.id, base_version=page.draft_version, actor=LIN, site=view)

        assert Revision.in_site().count() == 1


def test_a_section_of_a_newer_program_is_kept_as_it_is_and_published(
    view: SiteView, home: Page
) -> None:
    unknown = {"id": "newer01", "type": "hologram", "version": 3, "props": {"deep": [{"x": 1}]}}
    later = {"id": "newer02", "type": "notice", "version": 99, "props": {"text": 5, "tone": []}}
    with site_scope(view.site_id):
        mixed = {"root": {}, "sections": [unknown, later, *content("好")["sections"]]}
        version = save_draft(home.id, content=mixed, base_version=0, actor=LIN)
        publish_page(home.id, base_version=version, actor=LIN, site=view)

        kept = Revision.in_site().get().content["sections"]

    assert kept[:2] == [unknown, later]


def test_a_revision_comes_back_as_a_draft_and_what_stood_is_on_record(
    view: SiteView, home: Page
) -> None:
    with site_scope(view.site_id):
        first = save(home, "旧", version=0)
        publish_page(home.id, base_version=first, actor=LIN, site=view)
        save(home, "写了一半", version=get_page(home.id).draft_version)

        page = restore_revision(home.id, number=1, actor=LIN, site=view)

        assert page.draft is not None
        assert texts(page.draft) == ["旧"]
        reasons = [(row.number, row.reason) for row in list_revisions(home.id)]
        assert reasons == [(2, RevisionReason.REPLACED), (1, RevisionReason.PUBLISHED)]
        assert texts(Revision.in_site().get(number=2).content) == ["写了一半"]


def test_a_draft_thrown_away_is_on_record_and_the_published_page_stands(
    view: SiteView, home: Page
) -> None:
    with site_scope(view.site_id):
        version = save(home, "发布的", version=0)
        publish_page(home.id, base_version=version, actor=LIN, site=view)
        save(home, "不要的", version=get_page(home.id).draft_version)

        replace_draft(home.id, content=None, actor=LIN, site=view)

        page = get_page(home.id)
        assert page.draft is None
        assert texts(current_content(page, site=view)) == ["发布的"]
        assert texts(Revision.in_site().get(number=2).content) == ["不要的"]


def test_a_timed_publication_shows_what_stood_when_it_was_planned(
    view: SiteView, home: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    with site_scope(view.site_id):
        version = save(home, "定时的", version=0)
        schedule_publication(
            home.id,
            base_version=version,
            publish_at=now + dt.timedelta(hours=1),
            actor=LIN,
            site=view,
        )
        save(home, "之后改的", version=version)
    assert publish_due() == 0
    monkeypatch.setattr(clock, "now", lambda: now + dt.timedelta(hours=2))

    assert publish_due() == 1
    assert publish_due() == 0

    assert shown(view.site_id) == ["定时的"]
    with site_scope(view.site_id):
        assert texts(current_content(get_page(home.id), site=view)) == ["之后改的"]


def test_a_plan_is_dropped_by_another_and_by_hand(
    view: SiteView, home: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    with site_scope(view.site_id):
        version = save(home, "甲", version=0)
        for hours in (1, 2):
            schedule_publication(
                home.id,
                base_version=version,
                publish_at=now + dt.timedelta(hours=hours),
                actor=LIN,
                site=view,
            )
        assert sorted(Publication.in_site().values_list("state", flat=True)) == [0, 2]
        assert cancel_publication(home.id, actor=LIN) is True
        assert cancel_publication(home.id, actor=LIN) is False
    monkeypatch.setattr(clock, "now", lambda: now + dt.timedelta(hours=3))
    assert publish_due() == 0


@pytest.mark.parametrize("ahead", [dt.timedelta(seconds=-1), dt.timedelta(days=400)])
def test_a_time_that_is_over_or_too_far_is_refused(
    view: SiteView, home: Page, ahead: dt.timedelta
) -> None:
    with site_scope(view.site_id):
        version = save(home, "甲", version=0)
        with pytest.raises(errors.TimeInvalid):
            schedule_publication(
                home.id, base_version=version, publish_at=clock.now() + ahead, actor=LIN, site=view
            )
        assert Publication.in_site().count() == 0


def test_a_landing_page_is_made_shown_withdrawn_and_removed(view: SiteView) -> None:
    new = NewPage(kind=PageKind.LANDING, slug="double-11", title="双十一")
    with site_scope(view.site_id):
        page = create_page(new, content=content("大促"), actor=LIN)
        with pytest.raises(errors.SlugTaken):
            create_page(new, actor=LIN)
        with pytest.raises(errors.SlugTaken):
            create_page(NewPage(kind=PageKind.CUSTOM, slug="double-11", title="x"), actor=LIN)
        publish_page(page.id, base_version=page.draft_version, actor=LIN, site=view)
    assert shown(view.site_id, PageKind.LANDING, "double-11") == ["大促"]
    with site_scope(view.site_id):
        with pytest.raises(errors.PageStillPublished):
            remove_page(page.id, actor=LIN)
        withdraw_page(page.id, actor=LIN)
        assert (PageKind.LANDING, 0, "double-11") not in get_design(
            get_site_view(view.site_id)
        ).contents
        assert texts(get_page(page.id).draft) == ["大促"]
        remove_page(page.id, actor=LIN)
        assert Revision.in_site().count() == 0
        with pytest.raises(errors.PageNotFound):
            get_page(page.id)


@pytest.mark.parametrize("slug", ["", "A", "a", "a b", "-a", "a-", "ä", "a" * 41, "../a", "a/b"])
def test_an_address_that_is_none_is_refused(view: SiteView, slug: str) -> None:
    with site_scope(view.site_id), pytest.raises(errors.SlugInvalid):
        create_page(NewPage(kind=PageKind.LANDING, slug=slug, title="x"), actor=LIN)


def test_another_site_sees_and_touches_nothing(view: SiteView, home: Page, site_b: Site) -> None:
    with site_scope(view.site_id):
        version = save(home, "A 的", version=0)
        publish_page(home.id, base_version=version, actor=LIN, site=view)
    with site_scope(site_b.id) as other:
        for act in (
            lambda: get_page(home.id),
            lambda: save(home, "B 的", version=version),
            lambda: publish_page(home.id, base_version=version, actor=LIN, site=other),
            lambda: restore_revision(home.id, number=1, actor=LIN, site=other),
            lambda: withdraw_page(home.id, actor=LIN),
        ):
            with pytest.raises((errors.PageNotFound, errors.RevisionNotFound)):
                act()
        with connection.cursor() as cursor:  # the second wall
            cursor.execute("select count(*) from pages_page where id = %s", (home.id,))
            assert cursor.fetchone() == (0,)
    assert shown(view.site_id) == ["A 的"]


def test_a_page_of_which_there_is_one_is_opened_once(view: SiteView) -> None:
    with site_scope(view.site_id):
        assert open_page(PageKind.ABOUT).id == open_page(PageKind.ABOUT).id
        with pytest.raises(errors.PageNotFound):
            open_page(PageKind.LANDING)
