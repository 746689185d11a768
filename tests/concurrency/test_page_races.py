"""Races of the page editor: drafts, publications by hand and by the clock, decoration.

Each promise has its negative control: the same race with the guard taken out goes wrong.
"""

import datetime as dt
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from PIL import Image

from kameng.core import clock
from kameng.pages import errors
from kameng.pages.models import (
    Page,
    PageKind,
    Picture,
    PreviewLink,
    Publication,
    PublicationState,
    Revision,
)
from kameng.pages.selectors import get_page
from kameng.pages.services import decorating, drafting, picturing, previewing, publishing
from kameng.pages.services.drafting import NewPage, open_page, overrule_draft, save_draft
from kameng.pages.services.publishing import publish_due, publish_page, schedule_publication
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, get_site_view, site_scope
from tests.concurrency.cutting import cut_everywhere
from tests.concurrency.guards import Meeting
from tests.pages.conftest import LIN, content, texts

Run = Callable[[int, Callable[[int], Any]], list[Any]]
RACERS = 6


@pytest.fixture
def view(site_a: Site) -> SiteView:
    """Site A as a request sees it."""
    return get_site_view(site_a.id)


@pytest.fixture
def home(view: SiteView) -> Page:
    """Its home page, with a draft of version 1."""
    with site_scope(view.site_id):
        page = open_page(PageKind.HOME)
        save_draft(page.id, content=content("start"), base_version=0, actor=LIN)
    return page


def outcomes_of(results: list[Any]) -> tuple[int, int]:
    """Return how many came through and how many were told that the draft moved."""
    moved = [each for each in results if isinstance(each, errors.DraftMoved)]
    failed = [each for each in results if isinstance(each, Exception)]
    assert len(moved) == len(failed), failed
    return len(results) - len(failed), len(moved)


def test_of_many_who_save_one_version_one_is_kept_and_the_rest_are_told(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    with site_scope(view.site_id):
        results = run_parallel(
            RACERS,
            lambda n: save_draft(home.id, content=content(f"by {n}"), base_version=1, actor=LIN),
        )

        assert outcomes_of(results) == (1, RACERS - 1)
        page = get_page(home.id)
        winner = next(n for n, each in enumerate(results) if each == 2)
        assert (page.draft_version, texts(page.draft)) == (2, [f"by {winner}"])


@pytest.mark.usefixtures("wrecked_db")
def test_without_the_version_in_the_statement_a_draft_is_lost(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    meeting = Meeting(RACERS)

    def save(number: int) -> int:
        """Look first and write then, as if the version were not in the statement."""
        page = get_page(home.id)
        if page.draft_version != 1:
            raise errors.DraftMoved(who="")
        meeting.arrive()
        Page.in_site().filter(id=home.id).update(
            draft=content(f"by {number}"), draft_version=page.draft_version + 1
        )
        return 2

    with site_scope(view.site_id):
        results = run_parallel(RACERS, save)

        assert outcomes_of(results) == (RACERS, 0), "all believe that theirs was kept"


def test_who_overrules_keeps_the_other_draft_on_record_and_only_one_does(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    with site_scope(view.site_id):
        results = run_parallel(
            RACERS,
            lambda n: overrule_draft(
                home.id, content=content(f"by {n}"), base_version=1, actor=LIN
            ),
        )

        assert outcomes_of(results) == (1, RACERS - 1)
        (kept,) = Revision.in_site().filter(page_id=home.id)
        assert texts(kept.content) == ["start"]


def test_publishing_while_others_save_loses_no_words(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    def act(number: int) -> object:
        if number % 2:
            return publish_page(home.id, base_version=1, actor=LIN, site=view)
        return save_draft(home.id, content=content(f"by {number}"), base_version=1, actor=LIN)

    with site_scope(view.site_id):
        results = run_parallel(RACERS, act)

        done, moved = outcomes_of(
            [each for each in results if not isinstance(each, errors.NothingToPublish)]
        )
        assert done == 1, "either one saved, and who publishes is told; or the other way about"
        assert moved >= RACERS // 2
        page = get_page(home.id)
        saver = next((n for n, each in enumerate(results) if each == 2), None)
        if saver is None:
            assert page.draft is None
            assert texts(Revision.in_site().get(id=page.revision_id).content) == ["start"]
        else:
            assert texts(page.draft) == [f"by {saver}"]
            assert page.revision_id is None


def test_two_who_publish_make_one_revision(view: SiteView, home: Page, run_parallel: Run) -> None:
    with site_scope(view.site_id):
        results = run_parallel(
            RACERS, lambda _n: publish_page(home.id, base_version=1, actor=LIN, site=view)
        )

        assert sum(isinstance(each, Revision) for each in results) == 1
        assert Revision.in_site().filter(page_id=home.id).count() == 1


@contextmanager
def no_page_lock(meeting: Meeting) -> Iterator[None]:
    """Let everybody read the page as if it were theirs, and go on when all have read it."""

    def read(page_id: int) -> Page:
        page = get_page(page_id)
        meeting.arrive()
        return page

    with (
        mock.patch.object(drafting, "lock_page", read),
        mock.patch.object(publishing, "lock_page", read),
    ):
        yield


@pytest.mark.usefixtures("wrecked_db")
def test_without_the_lock_two_who_publish_collide(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    with site_scope(view.site_id), no_page_lock(Meeting(2)):
        results = run_parallel(
            2, lambda _n: publish_page(home.id, base_version=1, actor=LIN, site=view)
        )

    refused = [each for each in results if isinstance(each, Exception)]
    revisions = [each for each in results if isinstance(each, Revision)]
    # Not told that the draft moved: two of one number, which the table alone refuses.
    assert len(revisions) + len(refused) == 2
    assert not any(isinstance(each, errors.DraftMoved) for each in refused)
    assert len(revisions) == 2 or "pages_one_revision_number" in str(refused[0])


def plan(view: SiteView, page: Page, *, version: int) -> None:
    """Plan the publication of a draft, due at once on a clock an hour ahead."""
    schedule_publication(
        page.id,
        base_version=version,
        publish_at=clock.now() + dt.timedelta(minutes=5),
        actor=LIN,
        site=view,
    )


@contextmanager
def an_hour_later() -> Iterator[None]:
    now = clock.now()
    with mock.patch.object(clock, "now", return_value=now + dt.timedelta(hours=1)):
        yield


def test_two_workers_publish_what_is_due_once(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    with site_scope(view.site_id):
        plan(view, home, version=1)
        before = get_site_view(view.site_id).catalogue_version
    with an_hour_later():
        results = run_parallel(RACERS, lambda _n: publish_due())

    assert sum(results) == 1
    with site_scope(view.site_id):
        assert list(Publication.in_site().values_list("state", flat=True)) == [
            PublicationState.DONE
        ]
        assert get_site_view(view.site_id).catalogue_version == before + 1


@pytest.mark.usefixtures("wrecked_db")
def test_without_the_guards_two_workers_both_publish(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    """Neither the page's lock nor the state in the statement: each worker believes it was first."""
    with site_scope(view.site_id):
        plan(view, home, version=1)
    meeting = Meeting(2)
    own = publishing.site_scope

    def take(publication_id: int, site_id: int, page_id: int) -> bool:
        with own(site_id):
            planned = Publication.in_site().select_related("revision").get(id=publication_id)
            if planned.state != PublicationState.WAITING:
                return False
            meeting.arrive()
            Publication.in_site().filter(id=publication_id).update(state=PublicationState.DONE)
            publishing._point(get_page(page_id), planned.revision, actor=LIN)
        return True

    with an_hour_later(), mock.patch.object(publishing, "_publish_planned", take):
        results = run_parallel(2, lambda _n: publish_due())

    assert sum(results) == 2


def test_a_plan_is_cancelled_or_carried_out_never_both(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    with site_scope(view.site_id):
        plan(view, home, version=1)
        with an_hour_later():
            results = run_parallel(
                4,
                lambda n: (
                    publish_due() if n % 2 else publishing.cancel_publication(home.id, actor=LIN)
                ),
            )
        assert sum(map(int, results)) == 1
        page = get_page(home.id)
        was_published = any(results[1::2])
        assert (page.revision_id is not None) is was_published


class DuePublication:
    """A worker publishes what is due and dies on the way; the next run comes."""

    def __init__(self, view: SiteView) -> None:
        self.view = view
        with site_scope(view.site_id):
            page = open_page(PageKind.HOME)
            version = get_page(page.id).draft_version
            self.words = f"at version {version}"
            self.version = save_draft(
                page.id, content=content(self.words), base_version=version, actor=LIN
            )
            plan(view, page, version=self.version)
            self.page_id = page.id

    def act(self) -> None:
        """Run the worker's task."""
        with an_hour_later():
            publish_due()

    def stands(self) -> bool:
        """Tell whether buyers see it."""
        with site_scope(self.view.site_id):
            page = get_page(self.page_id)
            return page.revision is not None and texts(page.revision.content) == [self.words]

    def check(self) -> None:
        """It is published, once, and nothing waits."""
        assert self.stands()
        with site_scope(self.view.site_id):
            assert not Publication.in_site().filter(state=PublicationState.WAITING).exists()
            page = get_page(self.page_id)
            assert (page.draft, page.draft_version) == (None, self.version + 1)


def test_a_worker_that_dies_anywhere_publishes_once(view: SiteView, home: Page) -> None:
    stood = cut_everywhere(lambda: DuePublication(view))

    assert stood[True] >= 1, "a death after the commit was among them"
    assert stood[False] >= 5


def test_two_who_decorate_at_once_leave_one_whole_design(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    with site_scope(view.site_id):
        keys = ("salon", "pixel")
        results = run_parallel(
            4, lambda n: decorating.apply_template(keys[n % 2], site=view, actor=LIN)
        )

        assert not [each for each in results if isinstance(each, Exception)]
        last = decorating.find_last_decoration()
        assert last is not None
        shown = {
            page.kind: page.revision.content
            for page in Page.in_site().select_related("revision")
            if page.revision is not None
        }
        wanted = decorating.get_ready_made(last.template).contents()
        for kind, design in wanted.items():
            ids = [section["id"] for section in design["sections"]]
            assert [section["id"] for section in shown[kind]["sections"]] == ids


def noise(number: int) -> io.BytesIO:
    """Return a small picture that is like no other."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (number * 40, 80, 200 - number * 30)).save(file, "PNG")
    file.seek(0)
    return file


def upload_together(view: SiteView, run_parallel: Run, meeting: Meeting) -> list[Any]:
    """Let several upload at the last place of a library; each has counted before one stores."""
    real = picturing._require_place

    def count(digest: str) -> None:
        real(digest)
        meeting.arrive()

    def upload(number: int) -> Picture:
        with site_scope(view.site_id):
            return picturing.add_picture(noise(number), name="x", crop=None, actor=LIN)

    with (
        mock.patch.object(picturing, "PICTURES_MOST", 1),
        mock.patch.object(picturing, "_require_place", count),
    ):
        return run_parallel(3, upload)


def test_uploads_at_one_moment_do_not_pass_the_limit_together(
    view: SiteView, run_parallel: Run
) -> None:
    results = upload_together(view, run_parallel, Meeting(3, patience=0.3))

    assert sum(isinstance(each, errors.LibraryFull) for each in results) == 2
    with site_scope(view.site_id):
        assert Picture.in_site().count() == 1


def test_control_without_the_sites_lock_uploads_pass_the_limit(
    view: SiteView, run_parallel: Run
) -> None:
    with mock.patch.object(picturing, "lock_site"):
        results = upload_together(view, run_parallel, Meeting(3))

    assert not any(isinstance(each, Exception) for each in results)
    with site_scope(view.site_id):
        assert Picture.in_site().count() == 3


def test_pages_made_at_one_moment_do_not_pass_the_limit_together(
    view: SiteView, run_parallel: Run
) -> None:
    def make(number: int) -> Page:
        with site_scope(view.site_id):
            new = NewPage(kind=PageKind.CUSTOM, slug=f"page-{number}", title="x")
            return drafting.create_page(new, actor=LIN)

    with mock.patch.object(drafting, "PAGES_MOST", 2):
        results = run_parallel(5, make)

    assert sum(isinstance(each, errors.TooManyPages) for each in results) == 3


def share_together(view: SiteView, home: Page, run_parallel: Run, meeting: Meeting) -> int:
    """Let three share a page that may have one link; return how many it has then."""
    real = previewing._clear_away

    def clear_away(page_id: int) -> None:
        real(page_id)
        meeting.arrive()  # each has counted its own link alone, if it can

    def share(_number: int) -> str:
        with site_scope(view.site_id):
            return previewing.make_preview_link(home.id, actor=LIN)

    with (
        mock.patch.object(previewing, "LINKS_MOST", 1),
        mock.patch.object(previewing, "_clear_away", clear_away),
    ):
        results = run_parallel(3, share)
    assert not any(isinstance(each, Exception) for each in results)
    with site_scope(view.site_id):
        return int(PreviewLink.in_site().count())


def test_links_made_at_one_moment_do_not_pass_the_limit_together(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    assert share_together(view, home, run_parallel, Meeting(3, patience=0.3)) == 1


def test_control_without_the_lock_links_pass_the_limit(
    view: SiteView, home: Page, run_parallel: Run
) -> None:
    with mock.patch.object(previewing, "lock_page", get_page):
        assert share_together(view, home, run_parallel, Meeting(3)) == 3
