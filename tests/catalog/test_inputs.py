"""What buyers fill in: clean answers go through, everything else is refused by name."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.catalog.errors import InputInvalid, InputMissing, InputUnknown
from kameng.catalog.inputs import (
    InputField,
    InputKind,
    clean_answer,
    clean_answers,
    dump_fields,
    is_safe_pattern,
    load_fields,
)
from kameng.core.errors import Refusal
from tests.yardstick import count_yards

QQ = InputField(name="qq", label="QQ号", pattern="[1-9][0-9]{4,11}")
REGION = InputField(
    name="region", label="大区", kind=InputKind.CHOICE, choices=("艾欧尼亚", "祖安")
)
PHONE = InputField(name="phone", label="手机号", kind=InputKind.PHONE)
NOTE = InputField(name="note", label="备注", is_required=False)


def test_answers_are_folded_and_kept_by_name() -> None:
    answers = {"qq": " １２３４５６ ", "region": "祖安", "note": "  "}

    assert clean_answers([QQ, REGION, NOTE], answers) == {"qq": "123456", "region": "祖安"}


@pytest.mark.parametrize(
    "text",
    ["上海，浦东：100弄（3号）！", "１２３ＡＢＣ", "北京\u3000朝阳", "①㎡½", "Ａ服~战士"],
)
def test_free_text_stays_as_it_was_typed(text: str) -> None:
    assert clean_answer(NOTE, f" {text}\u3000") == text


def test_a_choice_is_taken_as_it_is_written() -> None:
    field = InputField(
        name="a", label="a", kind=InputKind.CHOICE, choices=("国服（电信）", "外服(US)")
    )

    assert clean_answer(field, "国服（电信）") == "国服（电信）"
    with pytest.raises(InputInvalid):
        clean_answer(field, "外服（US）")


@pytest.mark.parametrize(
    ("kind", "text", "plain"),
    [
        (InputKind.NUMBER, "１２３４\u3000", "1234"),
        (InputKind.PHONE, "１３８００１３８０００", "13800138000"),
        (InputKind.EMAIL, "ａｄａ＠example．com", "ada@example.com"),
    ],
)
def test_numbers_phones_and_addresses_are_folded(kind: InputKind, text: str, plain: str) -> None:
    assert clean_answer(InputField(name="a", label="a", kind=kind), text) == plain


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (QQ, "12"),
        (QQ, "0123456"),
        (QQ, "123456\x00"),
        (QQ, "x" * 201),
        (REGION, "德玛西亚"),
        (PHONE, "12345678901"),
        (PHONE, "+8613800138000"),
        (InputField(name="a", label="a", kind=InputKind.EMAIL), "someone@nowhere"),
        (InputField(name="a", label="a", kind=InputKind.NUMBER), "1e9"),
        (InputField(name="a", label="a", kind=InputKind.NUMBER), "-1"),
        (NOTE, "a\u202eb"),
        (NOTE, "a\nb"),
        (NOTE, "a\x7fb"),
    ],
)
def test_a_wrong_answer_is_refused_with_the_label(field: InputField, text: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        clean_answer(field, text)

    assert refused.value.params == {"label": field.label}


def test_a_missing_answer_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(InputMissing):
        clean_answers([QQ], {})
    with pytest.raises(InputUnknown):
        clean_answers([QQ], {"qq": "123456", "price": "0"})


def test_fields_survive_being_stored() -> None:
    assert load_fields(dump_fields([QQ, REGION, PHONE, NOTE])) == (QQ, REGION, PHONE, NOTE)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "a|b",
        "a*b*c*d*e",
        "[a-z",
        "(?=x)",
        r"(.)\1",
        "x" * 81,
        "a{99999999999999999999}",
        "a\\",
    ],
)
def test_a_pattern_that_could_run_long_or_breaks_is_not_safe(pattern: str) -> None:
    assert not is_safe_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "[0-9]{5,12}", r"\d+-\d+", "[A-Z(|)]{3}", "V[0-9]+"])
def test_a_plain_pattern_is_safe(pattern: str) -> None:
    assert is_safe_pattern(pattern)


@given(st.text(max_size=300))
def test_any_text_is_cleaned_or_refused(text: str) -> None:
    for field in (QQ, REGION, PHONE, NOTE):
        try:
            answer = clean_answer(field, text)
        except Refusal:
            continue
        assert answer == answer.strip()
        assert len(answer) <= 200
        assert not any(unicodedata.category(sign) in {"Cc", "Cf", "Cs"} for sign in answer)


def test_the_worst_safe_pattern_answers_at_once() -> None:
    field = InputField(name="a", label="a", pattern="[a-z]*[a-z]*[a-z]*[0-9]")
    assert is_safe_pattern(field.pattern)

    def answer() -> None:
        with pytest.raises(InputInvalid):
            clean_answer(field, "a" * 200)

    assert count_yards(answer, tries=3) < 60  # it is 6
