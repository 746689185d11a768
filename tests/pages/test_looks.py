"""Looks: whatever colour is chosen, what is written can be read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.pages.colours import contrast, parse, print_hex
from kameng.pages.looks import LOOK_FIELDS, complete_look, find_sheet, sheet_of

HEX = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
NEUTRALS = st.sampled_from(["cool", "warm", "pure", "tint"])
# (text, ground): what the style sheets put on one another.
PAIRS = (
    ("text", "bg"),
    ("text", "surface"),
    ("text-2", "surface"),
    ("text-2", "sunken"),
    ("text-3", "surface"),
    ("text-3", "sunken"),
    ("text-3", "bg"),
    ("brand-ink", "surface"),
    ("brand-ink", "bg"),
    ("brand-ink", "sunken"),
    ("brand-ink", "raised"),
    ("text-3", "raised"),
    ("on-solid", "brand-solid"),
    ("on-solid", "brand-solid-2"),
    ("banner-ink", "banner-1"),
    ("banner-ink", "banner-2"),
)


def tokens_of(css: str, selector: str) -> dict[str, str]:
    block = css[css.index(selector) :]
    body = block[block.index("{") + 1 : block.index("}")]
    return dict(re.findall(r"--([a-z0-9-]+):(#[0-9a-f]{6})", body))


@given(brand=HEX, accent=HEX, neutral=NEUTRALS)
def test_every_text_reaches_the_contrast_of_wcag(brand: str, accent: str, neutral: str) -> None:
    look = complete_look({"brand": brand, "accent": accent, "neutral": neutral})

    css = sheet_of(look).css

    light = {"raised": "#ffffff", **tokens_of(css, ":root")}
    dark = {**light, **tokens_of(css, '[data-theme="dark"]')}
    for tokens in (light, dark):
        for text, ground in PAIRS:
            assert contrast(tokens[text], tokens[ground]) >= 4.5, (text, ground, tokens)


@given(colour=HEX)
def test_a_colour_survives_the_way_there_and_back(colour: str) -> None:
    shown = print_hex(parse(colour))

    for at in (1, 3, 5):
        assert abs(int(shown[at : at + 2], 16) - int(colour[at : at + 2], 16)) <= 1


def test_black_on_white_is_twenty_one_and_a_colour_on_itself_one() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0
    assert contrast("#3b5bfd", "#3b5bfd") == 1.0


def test_the_name_of_a_sheet_says_all_that_it_is_made_from() -> None:
    sheet = sheet_of(complete_look({"brand": "#0e9f7e", "radius": "square", "type": "song"}))

    assert find_sheet(sheet.name) == sheet


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a-b-c",
        "0e9f7e-7a4dff-cool-sans-soft",
        "0e9f7e-7a4dff-cool-sans-soft-normal-more",
        "zzzzzz-7a4dff-cool-sans-soft-normal",
        "0E9F7E-7a4dff-cool-sans-soft-normal",
        "0e9f7e-7a4dff-hot-sans-soft-normal",
    ],
)
def test_a_name_that_is_none_is_no_sheet(name: str) -> None:
    assert find_sheet(name) is None


def test_a_look_with_nothing_said_has_every_field() -> None:
    assert set(complete_look({})) == {field.name for field in LOOK_FIELDS}
