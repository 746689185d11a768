"""Goods are found by what people really type, the popular ones first."""

import csv
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from kameng.catalog.pinyin import PinyinBook
from kameng.catalog.search import Reason, SearchEntry, SearchIndex, within_one
from tests.yardstick import count_yards

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def titles() -> dict[int, str]:
    with (DATA / "catalogue.csv").open(encoding="utf-8-sig", newline="") as file:
        return {number: row["商品名称"] for number, row in enumerate(csv.DictReader(file))}


@pytest.fixture(scope="module")
def index() -> SearchIndex:
    with (DATA / "catalogue.csv").open(encoding="utf-8-sig", newline="") as file:
        return SearchIndex.build(
            SearchEntry(id=number, title=row["商品名称"], brand=row["品牌"], category=row["分类"])
            for number, row in enumerate(csv.DictReader(file))
        )


@pytest.mark.parametrize(
    ("typed", "start", "reason"),
    [
        ("王者荣耀", "王者荣耀", Reason.TITLE),
        ("ＳＴＥＡＭ", "Steam", Reason.TITLE),
        ("app store", "App Store", Reason.TITLE),
        ("appstore", "App Store", Reason.TITLE),
        ("wzry", "王者荣耀", Reason.INITIALS),
        ("WZRY", "王者荣耀", Reason.INITIALS),
        ("qqyy", "QQ音乐", Reason.INITIALS),
        ("hpjy", "和平精英", Reason.INITIALS),
        ("wangzherong", "王者荣耀", Reason.PINYIN),
        ("qqyinyue", "QQ音乐", Reason.PINYIN),
        ("lvzuan", "QQ音乐绿钻", Reason.PINYIN),
        ("王着荣耀", "王者荣耀", Reason.HOMOPHONE),
        ("wangzherongyo", "王者荣耀", Reason.TYPO),
        ("wagnzhe", "王者荣耀", Reason.TYPO),
        ("stean", "Steam", Reason.TYPO),
        ("microsfot", "Microsoft", Reason.TYPO),
        ("王者农药", "王者荣耀", Reason.SYNONYM),
        ("吃鸡", "和平精英", Reason.SYNONYM),
        ("kfc", "肯德基", Reason.SYNONYM),
        ("苹果", "App Store", Reason.BRAND),
        ("礼品卡", "", Reason.CATEGORY),
    ],
)
def test_first_hit_is_what_was_meant(
    index: SearchIndex, titles: dict[int, str], typed: str, start: str, reason: Reason
) -> None:
    first = index.query(typed)[0]

    assert titles[first.id].startswith(start)
    assert reason in first.reasons


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("steam 50", "Steam钱包充值卡 50元 国区"),
        ("原神648", "原神创世结晶 648元档 官服"),
        ("b站年卡", "B站大会员 12个月 直充"),
        ("腾讯视频vip 一个月", "腾讯视频VIP 1个月"),
        ("jd e卡 1000", "京东E卡 1000元 电子卡"),
    ],
)
def test_words_and_numbers_together_find_the_one(
    index: SearchIndex, titles: dict[int, str], typed: str, title: str
) -> None:
    assert titles[index.query(typed)[0].id] == title


def test_number_is_a_whole_number_and_not_a_part(
    index: SearchIndex, titles: dict[int, str]
) -> None:
    found = [titles[hit.id] for hit in index.query("话费 10")]

    assert len(found) == 3
    assert all("10元" in title and "100元" not in title for title in found)


def test_words_that_no_goods_share_find_the_goods_of_the_longest(
    index: SearchIndex, titles: dict[int, str]
) -> None:
    found = [titles[hit.id] for hit in index.query("王者荣耀 星巴克 99999")]

    assert found
    assert all(title.startswith("王者荣耀") for title in found)


def test_filler_around_a_known_word_is_forgiven(index: SearchIndex, titles: dict[int, str]) -> None:
    found = [titles[hit.id] for hit in index.query("喜马拉雅优惠买")]

    assert found
    assert all(title.startswith("喜马拉雅") for title in found)


@pytest.mark.parametrize(
    "typed", ["", "   ", "%_\\'\"", "\0", "🎮", "zzzzqqqq", "..", "'", "(" * 64, "\ud800"]
)
def test_nothing_sensible_finds_nothing(index: SearchIndex, typed: str) -> None:
    assert index.query(typed) == []


@pytest.mark.parametrize("typed", ["元" * 5000, "a" * 5000, "1" * 5000, "王者" * 900, "[a-z]*+?"])
def test_anything_typed_is_answered(index: SearchIndex, typed: str) -> None:
    assert len(index.query(typed, limit=5)) <= 5


def test_limit_is_kept_and_order_is_stable(index: SearchIndex) -> None:
    everything = index.query("元", limit=300)

    assert index.query("元", limit=3) == everything[:3]
    assert index.query("元", limit=0) == []
    assert everything == index.query("元", limit=300)


def test_weight_and_sales_lift_goods_among_equals() -> None:
    index = SearchIndex.build(
        [
            SearchEntry(id=1, title="月卡甲", sold_count=0),
            SearchEntry(id=2, title="月卡乙", sold_count=5_000),
            SearchEntry(id=3, title="月卡丙", weight=90),
        ]
    )

    assert [hit.id for hit in index.query("月卡")] == [3, 2, 1]


def test_polyphones_are_read_by_their_phrase() -> None:
    index = SearchIndex.build(
        [SearchEntry(id=1, title="重庆银行音乐卡"), SearchEntry(id=2, title="重量级")]
    )

    assert [hit.id for hit in index.query("chongqingyinhang")] == [1]
    assert [hit.id for hit in index.query("cqyhyy")] == [1]
    assert [hit.id for hit in index.query("zhongliang")] == [2]


def test_next_build_reads_only_new_words(monkeypatch: pytest.MonkeyPatch) -> None:
    first = SearchIndex.build([SearchEntry(id=1, title="王者荣耀")])

    def refuse(*_arguments: object, **_options: object) -> None:
        pytest.fail("the dictionaries were asked again")

    monkeypatch.setattr(subprocess, "run", refuse)
    second = SearchIndex.build([SearchEntry(id=2, title="王者荣耀 100")], book=first.book)

    assert [hit.id for hit in second.query("wzry")] == [2]


def test_dictionaries_are_never_loaded_into_the_process_that_searches() -> None:
    program = (
        "import sys; from kameng.catalog.search import SearchEntry, SearchIndex\n"
        "index = SearchIndex.build([SearchEntry(id=1, title='王者荣耀')])\n"
        "print(index.query('wzry')[0].id, 'pypinyin' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == ["1", "False"]


def test_empty_index_finds_nothing() -> None:
    index = SearchIndex.build([], book=PinyinBook(characters={"王": "wang"}))

    assert index.query("王者") == []


def test_query_over_five_thousand_goods_takes_milliseconds(
    index: SearchIndex, titles: dict[int, str]
) -> None:
    many = SearchIndex.build(
        (
            SearchEntry(id=number * 1000 + copy, title=f"{title} {copy}区", sold_count=copy)
            for number, title in titles.items()
            for copy in range(26)
        ),
        book=index.book,
    )
    assert len(many.entries) > 5_000

    for typed in ("王者荣耀", "wzry", "wangzherongyo", "王着荣耀", "steam 50", "元", "年卡"):
        assert count_yards(partial(many.query, typed)) < 6, typed  # 0.7 at most, or 3 ms


@pytest.mark.parametrize(
    ("typed", "meant", "is_near"),
    [
        ("abcd", "abcd", True),
        ("abcd", "abxd", True),
        ("abcd", "abd", True),
        ("abd", "abcd", True),
        ("abcd", "abdc", True),
        ("abcd", "badc", False),
        ("abcd", "ab", False),
        ("abcd", "xbcx", False),
        ("", "a", True),
    ],
)
def test_one_error_is_near_and_two_are_not(typed: str, meant: str, is_near: bool) -> None:
    assert within_one(typed, meant) is is_near
