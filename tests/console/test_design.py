"""The editor's calls: who may, whose page, what is refused, and what a saved draft answers."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from PIL import Image

from kameng.accounts.models import Role
from kameng.pages.models import Page, PageKind, Picture, PreviewLink, Revision
from kameng.pages.ready_made import all_designs
from kameng.pages.selectors import current_content, get_page
from kameng.pages.services import previewing
from kameng.pages.services.drafting import open_page
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests import people
from tests.console.conftest import Desk
from tests.pages.conftest import content, texts

PAGE_CALLS = ("draft", "publish", "schedule", "unschedule", "discard", "share", "unshare")
PAGE_VIEWS = ("edit_page", "page_frame", "page_history")
SITE_VIEWS = ("design", "new_page", "templates", "pictures", "list_pictures", "skins", "mail_looks")


BOUNDLESS = (  # a section that is kept unread, with a number that no database holds
    b'{"version": 0, "content": {"root": {}, "sections":'
    b' [{"id": "sec00", "type": "later", "version": 1, "props": {"x": 1e999}}]}}'
)


@pytest.fixture
def home(site_a: Site) -> Page:
    """The home page of site A."""
    with site_scope(site_a.id):
        return open_page(PageKind.HOME)


def call(desk: Desk, page: Page, act: str, body: object = None) -> HttpResponse:
    """Make one of the editor's calls as the editor does."""
    data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {})
    return desk.client.post(
        desk.url(f"design/pages/{page.id}/{act}/"),
        data,
        content_type="application/json",
        headers={"accept": "application/json"},
    )


def answer(response: HttpResponse) -> dict[str, Any]:
    """Return what a call answered."""
    value: dict[str, Any] = json.loads(response.content)
    return value


def draft_of(site: Site, page: Page) -> Any:
    """Return the draft that stands."""
    with site_scope(site.id):
        return get_page(page.id).draft


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.OWNER, True),
        (Role.MANAGER, True),
        (Role.SERVICE, False),
        (Role.FINANCE, False),
        (Role.VIEWER, False),
    ],
)
def test_only_roles_that_may_decorate_open_the_editor_or_save(
    site_a: Site, home: Page, desk_of: Callable[..., Desk], role: Role, may: bool
) -> None:
    person = people.make_operator(site_a, login="somebody", name="S", role=role)
    desk = desk_of(person, site_a)

    views = [desk.get(f"design/pages/{home.id}/").status_code, desk.get("design/").status_code]
    saved = call(desk, home, "draft", {"version": 0, "content": content("x")}).status_code

    assert views == [200, 200] if may else views == [403, 403]
    assert saved == (200 if may else 403)
    assert (draft_of(site_a, home) is not None) is may


def test_guests_are_led_to_sign_in_and_their_calls_are_refused(
    site_a: Site, home: Page, desk_of: Callable[..., Desk]
) -> None:
    desk = desk_of(None, site_a)

    assert desk.get(f"design/pages/{home.id}/").status_code == 302
    refused = call(desk, home, "draft", {"version": 0, "content": content("x")})
    assert (refused.status_code, answer(refused)["code"]) == (401, "sign_in_needed")
    assert draft_of(site_a, home) is None


def test_another_sites_page_is_nobodys(
    site_a: Site, site_b: Site, home: Page, wei: people.Staff, desk_of: Callable[..., Desk]
) -> None:
    desk = desk_of(wei, site_b)
    body = {"version": 0, "content": content("Wei's"), "publish_at": "2027-01-01T00:00:00+00:00"}

    for act in PAGE_CALLS:
        assert call(desk, home, act, body).status_code == 404
    for name in PAGE_VIEWS:
        url = reverse(f"console:{name}", args=(site_b.slug, home.id))
        assert desk.client.get(url).status_code == 404
    own = desk_of(wei, site_b, host=site_a)
    assert own.get(f"design/pages/{home.id}/").status_code == 404
    assert draft_of(site_a, home) is None


def test_a_call_without_the_pages_token_is_refused(
    site_a: Site, home: Page, lin: people.Staff, client_for: Callable[..., Client]
) -> None:
    plain = client_for(site_a, lin)
    strict = Client(enforce_csrf_checks=True, **plain.defaults)
    strict.cookies = plain.cookies

    for act in PAGE_CALLS:
        refused = call(Desk(client=strict, slug=site_a.slug), home, act, {"version": 0})
        assert (refused.status_code, answer(refused)["code"]) == (403, "csrf_failed")
    assert draft_of(site_a, home) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"version": 0, "version": 1}',
        b'{"version": NaN}',
        b'{"version": 0, "content": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"version": 0, "content": {"root": {}, "sections": []}, "x": "' + b"a" * 300_000 + b'"}',
        {},
        {"version": 0},
        {"version": "0", "content": {"root": {}, "sections": []}},
        {"version": True, "content": {"root": {}, "sections": []}},
        {"version": -1, "content": {"root": {}, "sections": []}},
        {"version": 0, "content": {"root": {}, "sections": [{"id": "\u0000"}]}},
        {"version": 0, "content": {"root": {}, "sections": "no"}},
        {"version": 0, "content": [1]},
        BOUNDLESS,
    ],
)
def test_what_is_no_draft_is_told_plainly_and_changes_nothing(
    site_a: Site, home: Page, desk: Desk, body: Any
) -> None:
    for act in ("draft", "publish", "schedule"):
        refused = call(desk, home, act, body)

        if act == "publish" and body == {"version": 0, "content": [1]}:
            continue
        assert refused.status_code in {400, 409, 413} or act == "publish"
        if refused.status_code != 200:
            assert answer(refused)["message"]
    with site_scope(site_a.id):
        assert get_page(home.id).draft is None


def test_a_form_with_files_in_place_of_json_is_told_plainly(home: Page, desk: Desk) -> None:
    for act in ("draft", "publish", "schedule"):
        refused = desk.post(f"design/pages/{home.id}/{act}/", file=io.BytesIO(b"x"))

        assert refused.status_code == 400


def wrong(kind: str, **props: Any) -> dict[str, Any]:
    """Return a content with one section whose props have a value of the wrong shape."""
    section = {"id": "sec00", "type": kind, "version": 1, "props": props}
    return {"root": {}, "sections": [section]}


@pytest.mark.parametrize(
    "content_sent",
    [
        wrong("hero", picture="x"),
        wrong("hero", picture={"id": [], "x": {}, "y": 0, "alt": None}),
        wrong("hero", link=[{}]),
        wrong("hero", points="x"),
        wrong("hero", points=[1, None]),
        wrong("hero", title={"a": []}),
        wrong("hero", tone=[[]]),
        wrong("category_nav", categories={"by": [], "ids": []}),
        wrong("category_nav", categories={"by": {}, "ids": 5}),
        wrong("product_grid", source={"by": {}, "id": [], "tag": [], "ids": {}, "most": "x"}),
        wrong("product_grid", source=[]),
        wrong("countdown", until=5),
        wrong("carousel", slides={"x": 1}),
        wrong("compare", rows=[{"cells": []}], head=[]),
        wrong("spacer", device=[], ground={}),
    ],
)
def test_a_value_that_no_template_can_draw_is_refused_and_breaks_no_page(
    site_a: Site, home: Page, desk: Desk, content_sent: dict[str, Any]
) -> None:
    refused = call(desk, home, "draft", {"version": 0, "content": content_sent, "draw": ["sec00"]})

    assert refused.status_code == 400
    assert answer(refused)["code"] == "page_content_invalid"
    assert draft_of(site_a, home) is None
    with site_scope(site_a.id):  # as a program that was less strict left it
        Page.in_site().filter(id=home.id).update(draft=content_sent)
    for part in ("", "frame/"):
        assert desk.get(f"design/pages/{home.id}/{part}").status_code == 200


@pytest.mark.parametrize("names", [[[]], [{}], {"a": 1}, "sec00", [None, 5, "sec00"]])
def test_odd_names_of_sections_to_draw_are_passed_over(
    home: Page, desk: Desk, names: object
) -> None:
    body = {"version": 0, "content": content("x"), "draw": names}

    assert call(desk, home, "draft", body).status_code == 200


def test_a_saved_draft_answers_markup_faults_and_what_was_tidied(
    site_a: Site, home: Page, desk: Desk
) -> None:
    sections = [
        *content("你好", "")["sections"],
        {
            "id": "text01",
            "type": "rich_text",
            "version": 1,
            "props": {"text": "<p onclick=x>好</p><script>1</script>"},
        },
    ]
    sent = {"root": {}, "sections": sections}

    saved = call(desk, home, "draft", {"version": 0, "content": sent, "draw": ["sec00", "none"]})

    told = answer(saved)
    assert (saved.status_code, told["version"]) == (200, 1)
    assert list(told["drawn"]) == ["sec00"]
    assert "你好" in told["drawn"]["sec00"]
    faults = [(each["section_id"], each["section"], each["path"]) for each in told["faults"]]
    assert ("sec01", "公告条", "text") in faults
    assert "text01" in told["tidied"]
    assert "script" not in json.dumps(told["tidied"]["text01"])
    assert told["tidied"]["text01"] == draft_of(site_a, home)["sections"][2]


def test_who_was_overtaken_gets_what_stands_and_may_overrule_it(
    site_a: Site, home: Page, desk: Desk
) -> None:
    call(desk, home, "draft", {"version": 0, "content": content("theirs")})

    refused = call(desk, home, "draft", {"version": 0, "content": content("mine")})
    told = answer(refused)
    assert (refused.status_code, told["code"], told["version"]) == (409, "page_draft_moved", 1)
    assert texts(told["content"]) == ["theirs"]
    assert "Lin" in told["message"]

    body = {"version": 1, "content": content("mine"), "overrules": True}
    assert call(desk, home, "draft", body).status_code == 200
    assert call(desk, home, "draft", body).status_code == 409, "an older version overrules nothing"
    assert texts(draft_of(site_a, home)) == ["mine"]
    with site_scope(site_a.id):
        (kept,) = Revision.in_site().filter(page_id=home.id)
        assert texts(kept.content) == ["theirs"]


def test_publishing_what_is_wrong_names_section_and_field(home: Page, desk: Desk) -> None:
    call(desk, home, "draft", {"version": 0, "content": content("")})

    for act, more in (("publish", {}), ("schedule", {"publish_at": "2027-01-01T00:00:00+08:00"})):
        refused = call(desk, home, act, {"version": 1, **more})
        told = answer(refused)
        assert (refused.status_code, told["code"]) == (400, "page_not_publishable")
        (fault,) = told["faults"]
        assert (fault["section"], fault["path"]) == ("公告条", "text")
        assert fault["message"].startswith("请填写“")
        assert told["message"].startswith("公告条：请填写“")
        assert "1 处" in told["message"]


@pytest.mark.parametrize(
    "when", ["", "tomorrow", "2027-01-01T00:00:00", "2020-01-01T00:00:00+08:00", None, 5]
)
def test_a_time_that_is_none_is_refused(home: Page, desk: Desk, when: object) -> None:
    call(desk, home, "draft", {"version": 0, "content": content("x")})

    refused = call(desk, home, "schedule", {"version": 1, "publish_at": when})

    assert (refused.status_code, answer(refused)["code"]) == (400, "page_time_invalid")


def test_preview_links_open_for_anybody_until_they_are_revoked(
    site_a: Site, home: Page, desk: Desk, client_for: Callable[..., Client]
) -> None:
    call(desk, home, "draft", {"version": 0, "content": content("只有草稿里有")})
    path = "/" + answer(call(desk, home, "share"))["url"].split("/", 3)[3]
    guest = client_for(site_a)
    shown = guest.get(path)
    assert "只有草稿里有" in shown.content.decode()

    assert answer(call(desk, home, "unshare")) == {"count": 1}

    assert guest.get(path).status_code == 404


def test_designs_are_drawn_when_they_are_looked_at(desk: Desk) -> None:
    """The frames are costly: a script fetches each as it comes into view; without one, all."""
    page = desk.get("design/templates/").content.decode()
    with_script = re.sub(r"<noscript>.*?</noscript>", "", page)

    count = len(all_designs())
    assert with_script.count("<iframe") == with_script.count(" data-src=") == count
    assert page.count("<noscript><iframe") == count


def test_a_page_has_so_many_preview_links_and_the_oldest_ends(
    site_a: Site,
    home: Page,
    desk: Desk,
    client_for: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(previewing, "LINKS_MOST", 3)
    call(desk, home, "draft", {"version": 0, "content": content("只有草稿里有")})
    guest = client_for(site_a)

    def share() -> str:
        return "/" + str(answer(call(desk, home, "share"))["url"]).split("/", 3)[3]

    def opened(paths: list[str]) -> list[bool]:
        return [guest.get(path).status_code == 200 for path in paths]

    paths = [share() for _ in range(4)]
    assert opened(paths) == [False, True, True, True]

    call(desk, home, "unshare")
    paths = [share() for _ in range(3)]  # what opens nothing takes no place, and is not kept
    assert opened(paths) == [True, True, True]
    with site_scope(site_a.id):
        assert PreviewLink.objects.count() == 3


def test_every_section_of_the_palette_is_shown_and_a_wrong_one_is_not(desk: Desk) -> None:
    boot = desk.get("design/open/2/")
    page = desk.client.get(boot.headers["Location"]).content.decode()
    sections = json.loads(
        page.partition('<script id="boot" type="application/json">')[2].split("</script>")[0]
    )["sections"]
    for section in sections:
        shown = desk.get(f"design/sections/{section['type']}/frame/")
        assert shown.status_code == 200
        assert f"s-{section['type']}" in shown.content.decode()
        assert shown.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert desk.get("design/sections/hologram/frame/").status_code == 404


def test_a_look_that_is_hard_to_read_is_noted_and_may_be_published(
    site_a: Site, desk: Desk
) -> None:
    with site_scope(site_a.id):
        look = open_page(PageKind.LOOK)
        root = current_content(look, site=get_site_view(site_a.id))
    root["root"] |= {"brand": "#ffe14d", "accent": "#1d3fbb"}

    told = answer(call(desk, look, "draft", {"version": 0, "content": root}))

    assert [note["path"] for note in told["notes"]] == ["brand"]
    assert "#" in told["notes"][0]["message"]
    assert told["faults"] == []
    assert call(desk, look, "publish", {"version": told["version"]}).status_code == 200


def test_an_upload_answers_in_json_and_refuses_plainly(site_a: Site, desk: Desk) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((300, 200)).save(file, "PNG")

    def upload(data: bytes, **more: str) -> HttpResponse:
        part = io.BytesIO(data)
        part.name = "x.png"
        return desk.client.post(
            desk.url("design/pictures/upload/"),
            {"file": part, **more},
            headers={"accept": "application/json"},
        )

    taken = answer(upload(file.getvalue(), left="10", top="0", width="100", height="50"))
    assert (taken["width"], taken["height"], taken["has_code"]) == (100, 50, False)
    for data, more in (
        (b"<svg onload=alert(1)>", {}),
        (b"", {}),
        (file.getvalue(), {"left": "-1", "top": "0", "width": "5", "height": "5"}),
        (file.getvalue(), {"left": "1", "top": "0", "width": "999999", "height": "5"}),
    ):
        refused = upload(data, **more)
        assert refused.status_code == 400
        assert answer(refused)["message"]
    with site_scope(site_a.id):
        assert Picture.in_site().count() == 1


def test_the_screens_of_decoration_open(desk: Desk, home: Page) -> None:
    for name in SITE_VIEWS:
        url = reverse(f"console:{name}", args=(desk.slug,))
        assert desk.client.get(url).status_code == 200
    for name in PAGE_VIEWS:
        url = reverse(f"console:{name}", args=(desk.slug, home.id))
        assert desk.client.get(url).status_code == 200


@pytest.mark.parametrize("wrong", ["", "x", "0", "-1", "9" * 18, "9" * 900, "\u0663"])
def test_a_number_that_is_none_is_no_fault(home: Page, desk: Desk, wrong: str) -> None:
    call(desk, home, "draft", {"version": 0, "content": content("x")})
    call(desk, home, "publish", {"version": 1})

    assert desk.get(f"design/pages/{home.id}/history/", number=wrong).status_code == 200
    assert answer(desk.get("design/goods/", ids=f"{wrong},5", q=wrong[:60])) == {"items": []}
    assert desk.get("design/pictures/list/", id=wrong, before=wrong).status_code == 200


def test_the_operator_sees_the_mails_of_the_shop_in_a_closed_frame(
    lin: people.Staff, site_a: Site, desk_of: Callable[..., Desk]
) -> None:
    desk = desk_of(lin, site_a)

    page = desk.get("design/mails/?kind=one_time_code&lang=en").content.decode()
    frames = re.findall(r'<iframe[^>]* sandbox="" src="([^"]*)"', page)

    assert [frame.rpartition("?")[2] for frame in frames] == [
        "lang=en&amp;theme=light",
        "lang=en&amp;theme=dark",
    ]
    mail = desk.client.get(frames[1].replace("&amp;", "&"))
    assert mail.status_code == 200
    assert "Your code is" in mail.content.decode()
    policy = mail.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", " sandbox;", "img-src data:", "frame-ancestors 'self'"):
        assert part in policy
    assert "script" not in policy
    assert mail.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("design/mails/?kind=none&lang=xx", 200),
        ("design/mails/none/frame/", 404),
        ("design/mails/order_delivered/frame/?lang=xx&theme=xx", 200),
        ("design/mails/order_delivered/frame/?design=pixel", 200),
        ("design/mails/order_delivered/frame/?design=none", 404),
    ],
)
def test_an_odd_mail_is_the_first_one_or_none(
    lin: people.Staff, site_a: Site, desk_of: Callable[..., Desk], path: str, status: int
) -> None:
    assert desk_of(lin, site_a).get(path).status_code == status
