"""Fields: what may be kept in a draft, and what may be published."""

from typing import Any

import pytest

from kameng.pages.fields import (
    Field,
    check_props,
    complete,
    default_of,
    find_plain_url,
    is_safe_url,
)


def problems(field: Field, value: Any) -> list[tuple[str, bool]]:
    return [(p.path, p.is_fatal) for p in check_props((field,), {field.name: value})]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 5),
        ("text", "a\x00b"),
        ("text", "x" * 20_001),
        ("rich", None),
        ("choice", "none of them"),
        ("choice", None),
        ("switch", 1),
        ("number", True),
        ("number", 1.5),
        ("number", 1 << 40),
        ("color", "red"),
        ("color", "#FFF"),
        ("image", {"id": 1}),
        ("image", {"id": 0, "x": 1, "y": 1, "alt": ""}),
        ("image", {"id": 1, "x": 101, "y": 1, "alt": ""}),
        ("image", {"id": 1, "x": 1, "y": 1, "alt": "", "more": 1}),
        ("link", {"to": "evil", "id": 0, "url": ""}),
        ("link", {"to": "url", "id": 0}),
        ("products", {"by": "sql", "id": 0, "tag": "", "ids": [], "most": 8}),
        ("products", {"by": "hand", "id": 0, "tag": "", "ids": ["1"], "most": 8}),
        ("products", {"by": "hot", "id": 0, "tag": "", "ids": [], "most": 0}),
        ("products", {"by": "hot", "id": 0, "tag": "", "ids": [], "most": 41}),
        ("categories", {"by": "some", "ids": []}),
        ("items", {}),
        ("items", [1]),
    ],
)
def test_a_value_of_the_wrong_shape_is_fatal(kind: str, value: Any) -> None:
    field = Field(name="f", label="F", kind=kind, options=(("a", "A"), ("b", "B")), most=100)

    assert any(is_fatal for _path, is_fatal in problems(field, value))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "x" * 101),
        ("text", "two\nlines"),
        ("text", "   "),
        ("rich", "<p></p>"),
        ("number", 101),
        ("moment", "yesterday"),
        ("moment", "2026-01-01T00:00:00"),
        ("image", None),
        ("link", None),
        ("link", {"to": "category", "id": 0, "url": ""}),
        ("link", {"to": "url", "id": 0, "url": "javascript:alert(1)"}),
        ("products", {"by": "category", "id": 0, "tag": "", "ids": [], "most": 8}),
        ("products", {"by": "tag", "id": 0, "tag": " ", "ids": [], "most": 8}),
        ("products", {"by": "hand", "id": 0, "tag": "", "ids": [], "most": 8}),
        ("categories", {"by": "hand", "ids": []}),
        ("items", []),
    ],
)
def test_what_is_incomplete_may_stand_in_a_draft_only(kind: str, value: Any) -> None:
    field = Field(name="f", label="F", kind=kind, most=100, least=1, is_required=True)

    assert [is_fatal for _path, is_fatal in problems(field, value)] == [False]


def test_a_field_that_is_not_shown_is_not_missed_but_must_have_its_shape() -> None:
    fields = (
        Field(name="by", label="By", kind="choice", options=(("a", "A"), ("b", "B"))),
        Field(name="f", label="F", kind="text", is_required=True, shown_if=("by", ("b",))),
    )

    assert list(check_props(fields, {"by": "a", "f": ""})) == []
    assert [p.path for p in check_props(fields, {"by": "b", "f": ""})] == ["f"]
    assert [p.is_fatal for p in check_props(fields, {"by": "a", "f": 1})] == [True]


def test_a_problem_in_a_list_names_the_entry_and_its_field() -> None:
    inner = Field(name="text", label="T", kind="text", is_required=True)
    field = Field(name="list", label="L", kind="items", most=5, fields=(inner,))

    assert problems(field, [{"text": "a"}, {"text": ""}]) == [("list.1.text", False)]


def test_what_is_absent_is_the_default_and_what_is_unknown_goes() -> None:
    inner = Field(name="text", label="T", kind="text", default="?")
    fields = (
        Field(name="title", label="T", kind="text", default="Hello"),
        Field(name="list", label="L", kind="items", fields=(inner,)),
    )

    assert complete(fields, {"list": [{"gone": 1}], "gone": 2}) == {
        "title": "Hello",
        "list": [{"text": "?"}],
    }


def test_defaults_are_not_shared() -> None:
    field = Field(name="f", label="F", kind="products")

    default_of(field)["ids"].append(1)

    assert default_of(field)["ids"] == []


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://example.com/a?b=c", True),
        ("/pages/a/", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("http://example.com", False),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,x", False),
        ("https://", False),
        ("https:example.com", False),
        ("https://exa\\mple.com", False),
        ("https://[", False),
        ("https://a_b.example.com:8443/", True),
        ("https://例子.中国/路", True),
        ("https://weixin.qq.com@evil.example/", False),
        ("https://weixin.qq.com\u2024@evil.example", False),
        ("https://evil.example/\u202egpj.lap", False),
        ("https://evil.example/\u200b", False),
        ("https://evil.example:99999/", False),
        ("https://evil.example:x/", False),
        ("/pages/\u202ea/", False),
        ("https://a..b.例子/", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_a_link_leads_to_the_web_over_tls_or_into_the_shop(url: str, *, is_safe: bool) -> None:
    assert is_safe_url(url) is is_safe


def test_an_address_is_shown_with_a_host_that_looks_like_no_other() -> None:
    assert (
        find_plain_url("https://аpple.com/a?b#c") == "https://xn--pple-43d.com/a?b#c"
    )  # Cyrillic а
    assert find_plain_url("https://apple.com:444") == "https://apple.com:444"
    assert find_plain_url("/s/") is None
