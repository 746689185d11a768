"""Pages with holes: the same bytes for everybody, one person's values in their places."""

import pytest
from django.http import HttpRequest

from kameng.storefront import shells
from kameng.storefront.shells import HOLES, Shell, cut, get_shell
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope


def test_values_stand_in_their_holes() -> None:
    shell = Shell(texts=(b"<a ", b">", b"</a>"), names=("theme", "csrf_token"))

    assert shell.fill({"theme": "dark", "csrf_token": "令"}) == "<a dark>令</a>".encode()


def test_a_page_is_cut_at_every_hole_and_rendered_without_a_request(site_a: Site) -> None:
    from kameng.storefront.frame import frame_values

    with site_scope(site_a.id):
        view = get_site_view(site_a.id)
        shell = cut("storefront/help.html", {**frame_values(view), "next_url": "/help/"})

    assert set(shell.names) == set(HOLES)
    filled = shell.fill({name: f"[{name}]" for name in HOLES}).decode()
    assert 'name="csrfmiddlewaretoken" value="[csrf_token]"' in filled
    assert 'data-theme="[theme]"' in filled
    assert "\ue000" not in filled


def test_a_text_that_looks_like_a_mark_is_no_hole() -> None:
    assert not shells._MARKS.search("\ue000guess:csrf_token\ue001")


def test_a_page_is_rendered_once_for_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    monkeypatch.setattr(shells, "render_to_string", lambda template, context: template)

    def build() -> dict[str, object]:
        built.append(1)
        return {}

    first = get_shell("key", template="page", build=build)
    again = get_shell("key", template="page", build=build)
    other = get_shell("other key", template="page", build=build)

    assert first is again
    assert other.texts == (b"page",)
    assert built == [1, 1]


def test_nothing_of_a_request_reaches_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, object]] = []
    monkeypatch.setattr(
        shells, "render_to_string", lambda template, context: given.append(context) or ""
    )

    cut("page", {"title": "x"})

    assert set(given[0]) == {"title", *HOLES}
    assert not any(isinstance(value, HttpRequest) for value in given[0].values())
