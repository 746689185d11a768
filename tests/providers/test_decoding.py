"""Strict reading: one text, one meaning, or none."""

import hashlib
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.providers import decoding
from kameng.payments.providers.port import CallbackRejected, CallbackRequest


def form(body: bytes) -> dict[str, bytes]:
    return decoding.read_callback_fields(CallbackRequest(method="POST", body=body))


def refused(ask: Callable[[], object]) -> str:
    with pytest.raises(CallbackRejected) as caught:
        ask()
    return caught.value.code


# --- fields of a form --------------------------------------------------------------------------


def test_fields_are_read_from_query_or_form_as_raw_bytes() -> None:
    raw = b"a=1&b_2=x%20y+z&C=&d=1=2&e=%E5%8D%A1%e5"
    fields = {"a": b"1", "b_2": b"x y z", "C": b"", "d": b"1=2", "e": "卡".encode() + b"\xe5"}

    assert form(raw) == fields
    asked = CallbackRequest(method="GET", query=raw)
    assert decoding.read_callback_fields(asked) == fields


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"a", "malformed"),
        (b"=1", "malformed"),
        (b"a=1&", "malformed"),
        (b"a[]=1", "malformed"),
        (b"a-b=1", "malformed"),
        (b"%61=1", "malformed"),
        (b"a" * 65 + b"=1", "malformed"),
        (b"a=%", "malformed"),
        (b"a=%4", "malformed"),
        (b"a=%zz", "malformed"),
        (b"a=1%2", "malformed"),
        (b"a=1&a=1", "duplicate_field"),
        (b"a=1&b=2&a=", "duplicate_field"),
        (b"a=x%26b=2", "ambiguous_value"),
        (b"a=x%00", "ambiguous_value"),
    ],
)
def test_form_that_two_programs_could_read_differently_is_refused(body: bytes, code: str) -> None:
    assert refused(lambda: form(body)) == code


def test_fields_in_two_places_are_refused() -> None:
    both = CallbackRequest(method="POST", query=b"a=1", body=b"b=2")

    assert refused(lambda: decoding.read_callback_fields(both)) == "two_sources"


def test_form_is_bounded_in_bytes_in_fields_and_in_names() -> None:
    assert len(form(b"a=" + b"x" * (16 * 1024 - 2))["a"]) == 16_382
    assert refused(lambda: form(b"a=" + b"x" * (16 * 1024 - 1))) == "too_large"
    many = b"&".join(b"f%d=1" % number for number in range(64))
    assert len(form(many)) == 64
    assert refused(lambda: form(many + b"&one=1")) == "too_many_fields"
    assert form(b"a" * 64 + b"=1") == {"a" * 64: b"1"}


def test_text_that_must_be_there_is_ascii() -> None:
    fields = {"a": b"x y", "empty": b"", "card": "卡".encode()}

    assert decoding.require_text(fields, "a") == "x y"
    assert refused(lambda: decoding.require_text(fields, "b")) == "missing_b"
    assert refused(lambda: decoding.require_text(fields, "empty")) == "missing_empty"
    assert refused(lambda: decoding.require_text(fields, "card")) == "bad_card"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("P20260101A", True),
        ("a_b-9", True),
        ("x", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("../a", False),
        ("１", False),
    ],
)
def test_number_of_a_payment(text: str, *, is_one: bool) -> None:
    assert decoding.is_number(text) is is_one
    if is_one:
        assert decoding.require_number({"no": text.encode()}, "no") == text


def test_number_that_is_none_is_refused_by_its_field() -> None:
    assert refused(lambda: decoding.require_number({"no": b"a b"}, "no")) == "bad_no"
    assert refused(lambda: decoding.require_number({}, "no")) == "missing_no"


@pytest.mark.parametrize(("text", "amount"), [(b"0.01", 100), (b"1", 10_000), (b"12.3", 123_000)])
def test_amount_of_a_callback_is_yuan_in_whole_fen(text: bytes, amount: int) -> None:
    assert decoding.require_amount({"money": text}, "money") == amount


@pytest.mark.parametrize("text", [b"0", b"0.00", b"-1", b"1.234", b"1e3", b"x", b" 1", b"1,000"])
def test_amount_that_is_none_or_nothing_is_refused(text: bytes) -> None:
    assert refused(lambda: decoding.require_amount({"money": text}, "money")) == "bad_amount"


def test_amount_that_is_missing_is_told_apart() -> None:
    assert refused(lambda: decoding.require_amount({}, "money")) == "missing_money"


def test_digests_are_sha256_of_what_was_said() -> None:
    asked = CallbackRequest(method="GET", query=b"a=1")
    posted = CallbackRequest(method="POST", body=b"a=1")

    assert decoding.digest_callback(asked) == hashlib.sha256(b"a=1\n").hexdigest()
    assert decoding.digest_callback(posted) == hashlib.sha256(b"\na=1").hexdigest()
    assert decoding.digest_reply(b"abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


# --- JSON --------------------------------------------------------------------------------------


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.text(max_size=5) | st.booleans(),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        max_size=5,
    )
)
def test_spans_are_the_exact_source_of_each_member(data: dict[str, object]) -> None:
    for text in (json.dumps(data), json.dumps(data, indent=2, ensure_ascii=False)):
        members = decoding.read_json_spans(text) if data else {}
        assert {name: value for name, (value, _) in members.items()} == data
        assert all(json.loads(source) == data[name] for name, (_, source) in members.items())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no {"),
        ("[]", "no {"),
        ("{", 'no "'),
        ("{}", 'no "'),
        ("{1:2}", 'no "'),
        ('{"a":1,}', 'no "'),
        ('{"a"}', "no :"),
        ('{"a" 1}', "no :"),
        ('{"a":1', "no }"),
        ('{"a":1 "b":2}', "no }"),
        ('{"a":1}x', "trailing text"),
        ('{"a":1}{}', "trailing text"),
        ('{"a":1,"a":2}', "doubled member"),
        ('{"a":NaN}', "NaN"),
        ('{"a":-Infinity}', "-Infinity"),
        ('{"a":' + "[" * 60_000, "too deep"),
    ],
)
def test_odd_json_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        decoding.read_json_spans(text)


def test_spans_leave_out_the_space_around_a_value_and_keep_that_inside() -> None:
    text = ' \t\r\n{ "a" : {"b": [1, 2.50 ]} \n,\t"c"\r: "x" } \n'

    assert decoding.read_json_spans(text) == {
        "a": ({"b": ["1", "2.50"]}, '{"b": [1, 2.50 ]}'),
        "c": ("x", '"x"'),
    }


@pytest.mark.parametrize("text", ['\u00a0{"a":1}', '{"a":1}\u00a0', '{"a":\u30001}'])
def test_only_the_four_spaces_of_json_are_space(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decoding.read_json_spans(text)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}',
        b' \n{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b'"{\\"a\\":1}"',
    ],
)
def test_object_is_read_from_the_writings_of_different_gateways(body: bytes) -> None:
    assert decoding.read_json_object(body) == {"a": "1"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[]", "^no object$"),
        (b"1", "^no object$"),
        (b"null", "^no object$"),
        (b'"[]"', "^no object$"),
        (json.dumps(json.dumps(json.dumps({"a": 1}))).encode(), "^no object$"),
        (b'{"a":NaN}', "^NaN$"),
        (b'{"a":Infinity}', "^Infinity$"),
        (b"[" * 60_000, "^too deep$"),
        (b"\xff", "utf-8"),
        (b"", "Expecting value"),
        (b'{"a":1}x', "Extra data"),
    ],
)
def test_reply_that_is_no_object_is_refused_by_name(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decoding.read_json_object(body)


def test_numbers_stay_text() -> None:
    assert decoding.read_json_object(b'{"a":1,"b":1.50,"c":1e3}') == {
        "a": "1",
        "b": "1.50",
        "c": "1e3",
    }


@given(st.text(max_size=300))
def test_subject_never_holds_a_separator_and_fits(text: str) -> None:
    subject = decoding.clean_subject(text, byte_limit=127)

    assert 0 < len(subject.encode()) <= 127
    assert not set(subject) & set("&=/+%#?<>\"'\\\0\n")


def test_subject_swaps_signs_for_wide_ones_and_drops_what_cannot_be_printed() -> None:
    assert decoding.clean_subject("a&b=c/d+e%f#g?h", byte_limit=127) == "a＆b＝c／d＋e％f＃g？h"
    assert decoding.clean_subject("<i>\"x'\\", byte_limit=127) == "＜i＞＂x＇＼"
    assert decoding.clean_subject("\0a\n\tb \u200b c", byte_limit=127) == "a b c"
    for nothing in ("", " \n", "\x00"):
        assert decoding.clean_subject(nothing, byte_limit=127) == "Order"


def test_subject_is_cut_at_a_whole_character_without_a_space_at_its_end() -> None:
    assert decoding.clean_subject("卡卡卡", byte_limit=8) == "卡卡"
    assert decoding.clean_subject("ab cd", byte_limit=3) == "ab"
    assert decoding.clean_subject("卡", byte_limit=2) == "Order"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        (0, "0"),
        (False, "False"),
        (" a\n\tb  c ", "a b c"),
        ("x" * 201, "x" * 200),
    ],
)
def test_words_of_a_gateway_are_one_bounded_line(value: object, text: str) -> None:
    assert decoding.bound_text(value) == text


def test_words_of_a_gateway_are_cut_where_it_is_said() -> None:
    assert decoding.bound_text("abcdef", limit=3) == "abc"
