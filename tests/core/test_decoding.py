"""Bytes become text whatever their encoding, and invisible characters go."""

import pytest

from kameng.core.decoding import (
    BLOCK_BYTES,
    decode_blocks,
    detect_encoding,
    fold_width,
    strip_invisible,
)

TEXT = "卡号:1234 密码:ABCD 中文说明，联通话费\r\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
def test_text_of_every_usual_encoding_is_read(encoding: str) -> None:
    text = TEXT if "16-" not in encoding else "card,1234,ABCD 中文\r\n"
    data = text.encode(encoding)

    assert "".join(decode_blocks([data])) == text
    assert data.decode(detect_encoding(data)) == text


def test_two_characters_that_look_like_utf8_stay_gb18030_in_a_longer_text() -> None:
    # 联通 alone in GBK is valid UTF-8: the famous empty Notepad page.
    assert detect_encoding("联通话费".encode("gb18030")) == "gb18030"


def test_encoding_is_settled_by_the_first_odd_byte_after_a_long_ascii_start() -> None:
    data = b"ABCD-1234\n" * (BLOCK_BYTES // 5) + "密码".encode("gb18030")

    assert "".join(decode_blocks([data])).endswith("ABCD-1234\n密码")


def test_stream_in_single_bytes_gives_the_same_text() -> None:
    data = TEXT.encode("utf-8-sig") * 3

    assert "".join(decode_blocks(bytes((byte,)) for byte in data)).startswith(TEXT)


def test_damaged_bytes_become_replacement_characters_and_the_rest_stays() -> None:
    text = "".join(decode_blocks(["中文\n".encode() + b"\xff\xff\n" + "好的\n".encode()]))

    assert text == "中文\n\ufffd\ufffd\n好的\n"


def test_invisible_characters_go_and_odd_blanks_become_spaces() -> None:
    assert strip_invisible("\ufeffA\u200bB\u00a0C\x00\u3000D\u00ad\tE") == "AB C D\tE"


def test_full_width_signs_become_ascii_and_chinese_stays() -> None:
    assert fold_width("ＡＢ１２：（中）\u3000") == "AB12:(中) "
