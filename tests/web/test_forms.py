"""Strict reading: what passes is one typed value, everything else is refused or the default."""

import json
from typing import Any

import pytest
from django.http import HttpRequest, QueryDict
from django.test import RequestFactory

from kameng.web.errors import BodyMalformed, KeyMissing, ValueMalformed
from kameng.web.forms import (
    clean_text,
    find_choice,
    find_text,
    find_whole,
    parse_whole,
    read_choice,
    read_json,
    read_text,
    read_whole,
)
from kameng.web.idempotency import new_key, read_key


def posted(**values: str) -> HttpRequest:
    request = RequestFactory().post("/")
    form = QueryDict(mutable=True)
    form.update(values)
    request.POST = form
    return request


def asked(**values: str) -> HttpRequest:
    return RequestFactory().get("/", values)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("-3", -3), ("100", 100)])
def test_a_whole_number_is_read(text: str, number: int) -> None:
    assert parse_whole(text, low=-5, high=100) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "7 ", "+7", "07", "-0", "--1", "1.0", "1e2", "0x7", "1_0", "７", "٧", "½", "Ⅶ"),
        *("101", "-6", "9" * 30, "NaN", "1\x00", "1\n", "😀", "a"),
    ],
)
def test_what_is_no_whole_number_within_bounds_is_none(text: str) -> None:
    if text == "-0":
        assert parse_whole(text, low=-5, high=100) == 0
        return
    assert parse_whole(text, low=-5, high=100) is None


def test_a_posted_number_is_refused_by_name_and_a_query_has_a_default() -> None:
    assert read_whole(posted(quantity=" 3 "), "quantity", low=1, high=9) == 3
    with pytest.raises(ValueMalformed) as refused:
        read_whole(posted(quantity="３"), "quantity", low=1, high=9)
    assert "quantity" in refused.value.text()
    with pytest.raises(ValueMalformed):
        read_whole(posted(), "quantity", low=1, high=9)
    assert find_whole(asked(before="12"), "before") == 12
    assert find_whole(asked(before="-1"), "before") is None
    assert find_whole(asked(), "before") is None


def test_a_choice_is_one_of_the_choices() -> None:
    assert read_choice(posted(method="wallet"), "method", choices={"wallet"}) == "wallet"
    with pytest.raises(ValueMalformed):
        read_choice(posted(method="other"), "method", choices={"wallet"})
    assert find_choice(asked(sort="x"), "sort", choices={"new"}, default="new") == "new"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (" 王者 荣耀 ", "王者 荣耀"),
        ("😀", "😀"),
        ("a\x00b", None),
        ("a\nb", None),
        ("a\x7f", None),
        ("\ud800", None),
        ("x" * 11, None),
        ("", ""),
    ],
)
def test_a_line_holds_no_control_characters(text: str, clean: str | None) -> None:
    assert clean_text(text, limit=10) == clean


def test_several_lines_keep_their_ends_made_equal() -> None:
    assert clean_text("a\r\nb\rc\td", limit=20, is_multiline=True) == "a\nb\nc\td"
    assert read_text(posted(note=" a "), "note", limit=5) == "a"
    with pytest.raises(ValueMalformed):
        read_text(posted(note="x" * 6), "note", limit=5)
    assert find_text(asked(q=" 王者 "), "q", limit=20) == "王者"
    assert find_text(asked(q="\x00"), "q", limit=20) == ""


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"1", b"null", b'"x"', b"{", b'{"a":1}x', b'{"a":NaN}', b'{"a":Infinity}'),
        *(b'{"a":1,"a":2}', b'{"a":"\\u0000"}', b'{"a":"\\ud800"}', b"\xff", b'{"a":"\xff"}'),
        *(b"[" * 5000, b'{"a":' * 20 + b"1" + b"}" * 20, b'{"a":"' + b"x" * 70_000 + b'"}'),
    ],
)
def test_a_body_that_is_no_plain_json_object_is_refused(body: bytes) -> None:
    request = RequestFactory().post("/", body, content_type="application/json")

    with pytest.raises(BodyMalformed):
        read_json(request)


def test_a_json_object_is_read() -> None:
    value: dict[str, Any] = {"名": ["😀", 1, None, {"x": True}]}
    request = RequestFactory().post("/", json.dumps(value), content_type="application/json")

    assert read_json(request) == value


def test_a_request_key_comes_by_header_or_form_and_must_be_long() -> None:
    key = new_key()
    by_header = RequestFactory().post("/", headers={"Idempotency-Key": key})

    assert read_key(by_header) == key
    assert read_key(posted(request_key=key)) == key
    assert new_key() != key
    for bad in ("", "short", "x" * 65, "a b" * 8, "中" * 20, "x" * 15 + "\n"):
        with pytest.raises(KeyMissing):
            read_key(posted(request_key=bad))
