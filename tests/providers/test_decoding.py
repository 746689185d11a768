"""Strict reading: one text, one meaning, or none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.providers import decoding


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
    "text",
    [
        "",
        "{",
        "[]",
        '{"a":1',
        '{"a":1}x',
        '{"a":1,"a":2}',
        "{1:2}",
        '{"a"}',
        '{"a":NaN}',
        '{"a":' + "[" * 60_000,
    ],
)
def test_odd_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any refusal will do
        decoding.read_json_spans(text)


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
