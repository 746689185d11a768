"""Cover art: deterministic, small, safe, and readable on every ground."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.web.cover_icons import ICON_PATHS
from kameng.web.covers import (
    HUE_COUNT,
    NAMES,
    STYLES,
    contrast_with_white,
    draw_cover,
    get_style,
    split_label,
)

SVG = "{http://www.w3.org/2000/svg}"


def _draw(
    *, seed: int = 7, category_key: str = "game", icon: str = "", label: str = "100元"
) -> str:
    return draw_cover(
        seed=seed, category_key=category_key, icon=icon, label=label, sublabel="Q币 自动充值"
    )


def _texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_same_product_has_same_cover() -> None:
    assert _draw() == _draw()


def test_neighbouring_products_differ() -> None:
    assert len({_draw(seed=seed) for seed in range(40)}) == 40


@given(
    seed=st.integers(min_value=-(2**63), max_value=2**63),
    category_key=st.sampled_from([*STYLES, *NAMES, "乐器", ""]),
    icon=st.sampled_from([*ICON_PATHS, "no-such-icon", ""]),
    label=st.text(max_size=80),
    sublabel=st.text(max_size=80),
)
def test_any_text_gives_a_small_picture_that_parses(
    seed: int, category_key: str, icon: str, label: str, sublabel: str
) -> None:
    svg = draw_cover(
        seed=seed, category_key=category_key, icon=icon, label=label, sublabel=sublabel
    )

    assert len(svg.encode()) <= 3 * 1024
    assert ElementTree.fromstring(svg).get("viewBox") == "0 0 400 300"


def test_texts_are_escaped_and_nothing_runs() -> None:
    svg = _draw(label='<script>alert("1")</script>&')

    assert "<script" not in svg
    assert " style=" not in svg
    assert " on" not in re.sub(r"<text.*?</text>", "", svg)
    assert _texts(svg)[0].startswith("<script>")


@pytest.mark.parametrize("category_key", list(STYLES))
@pytest.mark.parametrize("seed", range(12))
def test_lettering_stands_out_on_both_ends_of_the_gradient(seed: int, category_key: str) -> None:
    stops = re.findall(r'stop-color="#(\w{6})"', _draw(seed=seed, category_key=category_key))

    assert len(stops) == 2
    for stop in stops:
        red, green, blue = (int(stop[at : at + 2], 16) / 255 for at in (0, 2, 4))
        assert contrast_with_white(red, green, blue) >= 4.5


def test_face_value_is_set_with_a_small_unit() -> None:
    assert _texts(_draw(label="100元"))[0] == "100元"
    assert "<tspan" in _draw(label="100元")


def test_long_name_is_broken_in_two_lines_and_then_cut() -> None:
    texts = _texts(_draw(label="微软 Office 家庭和学生版 永久激活密钥 支持重装 送教程"))

    assert len(texts) == 3
    assert texts[1].endswith("…")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Q币100个 自动充值", ("100个", "Q币 自动充值")),
        ("王者荣耀点券 648元档", ("648元", "王者荣耀点券")),
        ("腾讯视频超级影视SVIP 1个月", ("1个月", "腾讯视频超级影视SVIP")),
        ("任天堂eShop点卡 3000日元 日服", ("3000日元", "任天堂eShop点卡 日服")),
        ("移动流量 月包 10GB", ("10GB", "移动流量 月包")),
        ("星巴克中杯拿铁兑换券", ("星巴克中杯拿铁兑换券", "生活服务")),
        ("50元", ("50元", "生活服务")),
        ("Q币 100 个", ("100 个", "Q币")),
        ("剑网3 月卡", ("剑网3 月卡", "生活服务")),
        ("大话西游2 点卡", ("大话西游2 点卡", "生活服务")),
        ("Microsoft 365 个人版", ("Microsoft 365 个人版", "生活服务")),
        ("全国流量7天包", ("全国流量7天包", "生活服务")),
    ],
)
def test_label_is_the_face_value_or_term_of_the_name(name: str, expected: tuple[str, str]) -> None:
    assert split_label(name, fallback="生活服务") == expected


def test_every_category_has_its_own_hue_and_a_known_icon() -> None:
    assert sorted(style.number for style in STYLES.values()) == list(range(1, HUE_COUNT + 1))
    assert {style.icon for style in STYLES.values()} <= set(ICON_PATHS)
    assert set(NAMES.values()) == set(STYLES)


def test_unknown_category_keeps_one_style() -> None:
    assert get_style("乐器") == get_style("乐器")
    assert get_style("视频会员") == STYLES["video"]
