"""What may not be sold is recognised however it is spaced, and honest goods are let through."""

import csv
from pathlib import Path

import pytest

from kameng.catalog.refused_words import REFUSED_WORDS, find_refused_word


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("代开发票 当天寄出", "代开发票"),
        ("代 开·发／票", "代开发票"),
        ("绝地求生 外 挂", "外挂"),
        ("ＶＰＮ 年卡", "vpn"),
        ("稳定VPN节点", "vpn"),
        ("USDT 代购", "usdt"),
        ("接-码 平台", "接码"),
    ],
)
def test_a_word_is_found_however_it_is_written(text: str, word: str) -> None:
    found = find_refused_word(["无关的一句", text])

    assert found is not None
    assert found.word == word
    assert word in REFUSED_WORDS[found.group]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "移动话费 100元",
        "全国流量月包",
        "请填写您的微信号",
        "线上分享课程",
        "空白号码本",
        "注册卡密自动发",
        "QQ 飞车 皮肤四件套",
        "会员账号 直充到您自己的账号",
        "VIP切换说明",
    ],
)
def test_honest_goods_are_let_through(text: str) -> None:
    assert find_refused_word([text]) is None


def test_nothing_of_the_demos_catalogue_is_refused() -> None:
    with Path("data/demo/products.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))

    refused = {" ".join(row): find_refused_word(row) for row in rows}

    assert len(rows) > 100
    assert {text: found for text, found in refused.items() if found is not None} == {}
