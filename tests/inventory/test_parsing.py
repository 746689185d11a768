"""Card keys out of files: formats mixed, doubles hidden, every line explained."""

import itertools
import random
import string
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from kameng.core.tabular import read_table, table_of_text
from kameng.inventory.parsing import (
    MAX_KEY_BYTES,
    PROBLEM_TEXT,
    DuplicateFinder,
    KeyFormat,
    KeyProblem,
    ParsedKey,
    normal_form_of,
    parse_key_table,
    parse_keys,
)

DATA = Path(__file__).parents[2] / "data"
KEYS = DATA / "messy-keys.txt"


def key_of(line: str, fmt: KeyFormat = KeyFormat.AUTO) -> tuple[str, str]:
    (found,) = parse_keys(line, fmt=fmt)
    assert isinstance(found, ParsedKey)
    return found.number, found.secret


def code_of(line: str, fmt: KeyFormat = KeyFormat.AUTO) -> str:
    (found,) = parse_keys(line, fmt=fmt)
    assert isinstance(found, KeyProblem)
    assert PROBLEM_TEXT[found.code] % found.params
    return found.code


def test_messy_file_imports_as_it_lies_with_every_odd_line_explained() -> None:
    results = list(parse_keys([KEYS.read_bytes()]))
    keys = [result for result in results if isinstance(result, ParsedKey)]
    problems = [result for result in results if isinstance(result, KeyProblem)]

    assert [result.line_no for result in results] == list(range(1, 5041))
    assert len(keys) == 5000
    assert Counter(bool(key.number) for key in keys) == {False: 2918, True: 2082}
    assert Counter(problem.code for problem in problems) == {
        "duplicate": 37,
        "hidden_duplicate": 1,
        "blank_line": 2,
    }
    assert [p.line_no for p in problems if p.code == "blank_line"] == [101, 2001]
    assert [p.line_no for p in problems if p.code == "duplicate"] == list(range(5004, 5041))
    assert (3001, "hidden_duplicate", {"first_line_no": 11}) in problems
    assert (5004, "duplicate", {"first_line_no": 275}) in problems
    assert keys[0] == (1, "", "KDS4E-VGWVF-B7B9V-92YWX", b"KDS4E-VGWVF-B7B9V-92YWX", ())
    assert keys[4][:3] == (5, "911867678098", "K3CN6-49M92-9XG8B-X43MJ")
    assert not any(key.notes for key in keys)


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_size_of_the_chunks_changes_nothing(size: int) -> None:
    data = KEYS.read_bytes()[: 40_000 if size == 1 else None]
    chunks = (data[start : start + size] for start in range(0, len(data), size))

    assert list(parse_keys(chunks)) == list(parse_keys([data]))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding_and_line_ends_change_nothing(encoding: str, end: str) -> None:
    text = KEYS.read_bytes().decode("utf-8-sig").replace("\r\n", end)

    assert list(parse_keys([text.encode(encoding)])) == list(parse_keys([KEYS.read_bytes()]))


@pytest.mark.parametrize(
    ("line", "number", "secret"),
    [
        ("ABCD-1234", "", "ABCD-1234"),
        ("12345----ABCD", "12345", "ABCD"),
        ("a@b.com----pw----mail", "a@b.com", "pw----mail"),
        ("12345——ABCD", "12345", "ABCD"),
        ("12345|ABCD", "12345", "ABCD"),
        ("12345\tABCD", "12345", "ABCD"),
        ("12345,ABCD", "12345", "ABCD"),
        ('"12345","ABCD"', "12345", "ABCD"),
        ("12345 ABCD", "12345", "ABCD"),
        ("卡号:12345 密码:ABCD", "12345", "ABCD"),
        ("卡号：１２３４５　密码：ＡＢＣＤ", "12345", "ABCD"),
        ("账号: a@b.com，密码: p:w", "a@b.com", "p:w"),
        ("【京东E卡】卡号：12345 卡密：ABCD", "12345", "ABCD"),
        ("兑换码：AB-12", "", "AB-12"),
        ("AAAA BBBB CCCC", "", "AAAA BBBB CCCC"),
        ("https://x.cn/a?b=1,2|c", "", "https://x.cn/a?b=1,2|c"),
        ("请登录官网，兑换码见附件", "", "请登录官网，兑换码见附件"),
        ("  ABCD\u00a0", "", "ABCD"),
    ],
)
def test_format_is_known_line_by_line(line: str, number: str, secret: str) -> None:
    assert key_of(line) == (number, secret)


@pytest.mark.parametrize(
    ("line", "fmt", "number", "secret"),
    [
        ("12345----ABCD", KeyFormat.PLAIN, "", "12345----ABCD"),
        ("12-34 ---- ABCD", KeyFormat.DASHES, "12-34", "ABCD"),
        ("12|34|56", KeyFormat.BAR, "12", "34|56"),
        ("12\t34", KeyFormat.TAB, "12", "34"),
        ("ab,cd,ef", KeyFormat.COMMA, "ab", "cd,ef"),
        ("ab cd ef", KeyFormat.SPACE, "ab", "cd ef"),
        ("卡号:1 密码:2", KeyFormat.LABELLED, "1", "2"),
    ],
)
def test_chosen_format_holds_for_every_line(
    line: str, fmt: KeyFormat, number: str, secret: str
) -> None:
    assert key_of(line, fmt) == (number, secret)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("====------", "no_content"),
        ("卡号\t密码", "heading"),
        ("合计：500张", "summary_line"),
        ("1.23457E+17", "rounded_by_spreadsheet"),
        ("12345----", "secret_missing"),
        ("卡号:12345", "secret_missing"),
        ("AB\ufffdCD", "undecodable"),
        ("x" * (MAX_KEY_BYTES + 1), "too_long"),
        ("密" * (MAX_KEY_BYTES // 3 + 1), "too_long"),
        ("x" * 3_000_000, "too_long"),
        (" \u200b\u3000", "blank_line"),
    ],
)
def test_line_without_a_key_is_explained(line: str, code: str) -> None:
    assert code_of(line) == code


def test_chosen_format_that_a_line_lacks_is_explained() -> None:
    assert code_of("ABCDEF", KeyFormat.BAR) == "number_missing"
    assert code_of("ABCDEF", KeyFormat.LABELLED) == "number_missing"


def test_number_and_secret_on_two_lines_are_one_key() -> None:
    results = list(parse_keys("卡号:111\n密码:AAA\n卡号:222\nBBBB\n"))

    assert results == [
        (2, "111", "AAA", b"111\x1fAAA", ()),
        (3, "secret_missing", {}),
        (4, "", "BBBB", b"BBBB", ()),
    ]


def test_doubles_are_found_behind_characters_that_nobody_sees() -> None:
    hidden = [
        "KEY-1",
        "K\u200bEY-1",
        "KEY-1\u00a0",
        "ＫＥＹ-１",
        "\ufeffKEY-1",
        "KEY\x00-1",
        "key-1",
    ]
    results = list(parse_keys("\n".join(hidden)))

    assert [r[1] if isinstance(r, KeyProblem) else "key" for r in results] == [
        "key",
        "hidden_duplicate",
        "duplicate",
        "hidden_duplicate",
        "hidden_duplicate",
        "hidden_duplicate",
        "key",
    ]


def test_same_key_in_another_format_is_a_double() -> None:
    results = list(parse_keys("12345----ABCD\n卡号：12345 密码：ABCD\n12345|ABCD\nABCD\n"))

    assert [type(r) for r in results] == [ParsedKey, KeyProblem, KeyProblem, ParsedKey]


def test_cleaned_key_says_what_was_cleaned() -> None:
    (removed, folded) = parse_keys("A\u200bB12\nＣＤ３４")

    assert (removed[2], removed[4]) == ("AB12", ("invisible_removed",))
    assert (folded[2], folded[4]) == ("CD34", ("width_folded",))


def test_normal_form_is_what_the_parser_gives() -> None:
    for result in parse_keys("12345----ABCD\nＡＢ１２\n卡号：1234　密码：x\u200by\n"):
        assert isinstance(result, ParsedKey)
        assert normal_form_of(result.number, result.secret) == result.normal_form


def test_table_of_keys_gives_number_and_secret() -> None:
    table = table_of_text('序号,卡号,密码\n,12345,"AB,CD"\n,67890,EFGH\n,,IJKL\n')
    keys = [r[1:3] for r in parse_key_table(table) if isinstance(r, ParsedKey)]

    assert keys == [("12345", "AB,CD"), ("67890", "EFGH"), ("", "IJKL")]
    assert [r.code for r in parse_key_table(table) if isinstance(r, KeyProblem)] == ["heading"]


def test_messy_file_read_as_a_table_gives_the_same_keys() -> None:
    table = read_table(KEYS.read_bytes(), filename="卡密.txt")
    from_table = [r.normal_form for r in parse_key_table(table) if isinstance(r, ParsedKey)]

    assert from_table == [
        r.normal_form for r in parse_keys([KEYS.read_bytes()]) if isinstance(r, ParsedKey)
    ]


def test_duplicate_finder_agrees_with_a_dictionary_through_its_growth() -> None:
    chance = random.Random(7)
    texts = [f"key-{chance.randrange(60_000)}".encode() for _ in range(120_000)]
    finder, seen = DuplicateFinder(), {}

    for line_no, text in enumerate(texts, start=1):
        assert finder.first_line_no(text, line_no) == seen.get(text, 0)
        seen.setdefault(text, line_no)


def test_memory_grows_by_less_than_sixty_bytes_a_key() -> None:
    count = 150_000
    letters = itertools.product(string.ascii_uppercase, repeat=4)
    lines = (f"{''.join(key)}-AAAAA-BBBBB-CCCCC\n".encode() for key in letters)
    tracemalloc.start()

    keys = sum(1 for _ in itertools.islice(parse_keys(lines), count))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert keys == count
    assert peak_bytes < 60 * count + 8 * 1024 * 1024


def test_any_bytes_give_results_and_never_raise() -> None:
    chance = random.Random(11)
    pieces = [
        "卡号",
        "密码",
        ":",
        "：",
        "----",
        "|",
        ",",
        "\t",
        " ",
        "\r",
        "\n",
        "1234",
        "AB",
        "\0",
    ]

    for _ in range(300):
        text = "".join(chance.choices(pieces, k=40))
        lines = [result.line_no for result in parse_keys([text.encode()])]
        assert lines == sorted(lines)
        list(parse_keys([chance.randbytes(200)]))


# Quotes, as spreadsheet programs write CSV


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('"A-1","p,1"', ("A-1", "p,1")),
        ('A-1,"say ""hi"""', ("A-1", 'say "hi"')),
        ('"A-1"\t"p 1"', ("A-1", "p 1")),
        ('"SOLO,KEY"', ("", "SOLO,KEY")),
        ('"SOLO",', ("", "SOLO")),
        ('"","SOLO"', ("", "SOLO")),
        ('AB"CD', ("", 'AB"CD')),
        ('N-1----"x"', ("N-1", "x")),
    ],
)
def test_a_quoted_cell_is_one_part(line: str, expected: tuple[str, str]) -> None:
    assert key_of(line) == expected


def test_a_cell_of_several_lines_is_one_key() -> None:
    results = list(parse_keys('"A-1","one\r\ntwo"\r\nB-2222,p2\r\n"c\nd\ne"\n'))

    assert [result[:3] for result in results] == [
        (1, "A-1", "one two"),
        (3, "B-2222", "p2"),
        (4, "", "c d e"),
    ]


@pytest.mark.parametrize("fmt", [KeyFormat.AUTO, KeyFormat.COMMA, KeyFormat.TAB])
def test_a_quote_that_never_closes_costs_its_own_line_alone(fmt: KeyFormat) -> None:
    sign = "\t" if fmt is KeyFormat.TAB else ","
    lines = [f'"N-0{sign}P-0', *(f"N-{n}{sign}P-{n}" for n in range(1, 50)), f'"N-50{sign}"P-50']

    results = list(parse_keys("\n".join(lines), fmt=fmt))

    assert [r.line_no for r in results] == list(range(1, 52))
    problems = [r for r in results if isinstance(r, KeyProblem)]
    assert [(r.line_no, r.code) for r in problems] == [(1, "open_quote"), (51, "open_quote")]
    assert sum(isinstance(result, ParsedKey) for result in results) == 49


def test_two_stray_quotes_do_not_swallow_what_lies_between() -> None:
    results = list(parse_keys('"Q1\nAAAA\n"Q2\nBBBB\n'))

    assert [(r.line_no, type(r)) for r in results] == [
        (1, KeyProblem),
        (2, ParsedKey),
        (3, KeyProblem),
        (4, ParsedKey),
    ]


def test_a_whole_line_keeps_its_quotes() -> None:
    assert key_of('"Q1', KeyFormat.PLAIN) == ("", '"Q1')


def test_many_quotes_cost_time_that_grows_with_the_file_alone() -> None:
    results = list(parse_keys(',"' * 200_000 + "\n" + ('"' + "x" * 1900 + "\n") * 500))

    assert Counter(result.code for result in results) == {"too_long": 1, "open_quote": 500}


# Columns that a heading names


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("序号,卡号,密码,面值\n1,A1,B1,100\n2,A2,B2,100\n", [("A1", "B1"), ("A2", "B2")]),
        ("备注\t兑换码\n热卖\tK-1\n\tK-2\n", [("", "K-1"), ("", "K-2")]),
        ("账号,密码,邮箱,邮箱密码\nu1,p1,m@x,q1\n", [("u1", "p1\tm@x\tq1")]),
        ("卡号,密码,有效期,供应商\nA1,B1,2027,某店\n", [("A1", "B1\t2027")]),
        ("card no.,pin,price\nA1,B1,9\n", [("A1", "B1")]),
        ("卡号,密码,备注\nＡ1,密钥Ｂ,x\n", [("A1", "密钥Ｂ")]),
        ("key,value\nAAAA,BBBB\n", [("key", "value"), ("AAAA", "BBBB")]),
    ],
)
def test_a_heading_says_which_columns_are_the_key(text: str, keys: list[tuple[str, str]]) -> None:
    results = list(parse_key_table(table_of_text(text)))

    found = [result for result in results if isinstance(result, ParsedKey)]
    assert [(key.number, key.secret) for key in found] == keys
    assert all(normal_form_of(key.number, key.secret) == key.normal_form for key in found)


def test_what_stands_above_and_below_a_table_is_no_key() -> None:
    text = "卡密清单 2026\n卡号\t密码\nA1\tB1\nA2\t\n1.2E+18\tB3\n合计\t3张\n"

    results = list(parse_key_table(table_of_text(text)))

    assert {r.line_no: getattr(r, "code", "key") for r in results} == {
        1: "above_heading",
        2: "heading",
        3: "key",
        4: "secret_missing",
        5: "rounded_by_spreadsheet",
        6: "summary_line",
    }
