"""The HTML part of mails: the words of the text part, escaped, and nothing from elsewhere."""

import dataclasses
import html
import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.messaging.channels.email.markup import (
    HTML_MOST,
    LOGO_CID,
    UNSEEN,
    draw_mail,
    is_own,
    read_blocks,
)
from kameng.messaging.channels.email.wire import OutgoingMail, build_message
from kameng.messaging.dressing import Dress, Logo, Shades

LIGHT = Shades(
    ground="#f6f7f9",
    surface="#ffffff",
    line="#e5e8ed",
    text="#141a26",
    soft="#4a5565",
    quiet="#626d7f",
    ink="#2f4be0",
    solid="#3452ef",
    on_solid="#fffffe",
    head="#fffffd",
    head_ink="#141a27",
)
DARK = dataclasses.replace(LIGHT, ground="#0d1118", surface="#151a23", text="#edf0f5")
DRESS = Dress(
    name="星际点卡",
    url="https://star.example",
    language="zh-hans",
    light=LIGHT,
    dark=DARK,
    font="sans-serif",
    title_font="serif",
    button_radius=8,
    card_radius=12,
    edge=1,
    has_shadow=False,
    is_centered=False,
    has_head=False,
    has_bar=True,
    shows_name=True,
    origins=("https://star.example", "https://star.main.example:8443"),
    reason="您收到这封邮件，是因为您留下了邮箱。",
    facts=("星际网络科技有限公司", "京ICP备12345678号"),
)
LOGO = Logo(data=b"\x89PNG\r\n\x1a\n" + b"x" * 40, width=80, height=40)
BODY = (
    "订单 1（点卡）已发货。打开下面的链接查看内容：\n"
    "https://star.example/o/1/?t=a&b=c\n\n"
    "这个链接只属于您，请不要转发给别人。\n\n星际点卡\n"
)
TAG = re.compile(r"<[^>]*>")
HREF = re.compile(r'href="([^"]*)"')


def shown(page: str) -> str:
    """Return the words of the sheet, without what the head, the name and the foot add."""
    sheet = page[page.index("<h1") : page.index("<!--[if mso]></td>")]
    return html.unescape(TAG.sub("\n", sheet))


def words(text: str) -> list[str]:
    return text.split()


def test_both_parts_say_the_same() -> None:
    page = draw_mail("您的订单已发货", BODY, DRESS)

    found = words(shown(page))
    assert found[0] == "您的订单已发货"
    assert [word for word in found[1:] if word != "查看订单"] == words(BODY)


@given(body=st.text(max_size=400), subject=st.text(max_size=80))
def test_whatever_is_written_comes_out_as_words(body: str, subject: str) -> None:
    page = draw_mail(subject, body, DRESS)

    # A value beside its name stands apart from its colon; letters are never lost or added.
    def letters(text: str) -> str:
        return re.sub(r"[\s：:]", "", UNSEEN.sub("", text))

    assert letters(shown(page)) == letters(f"{subject} {body}")


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "' style='x",
        "<img src=https://evil.example/x.png>",
        "</td></table><!--",
        "&lt;b&gt;",
    ],
)
def test_words_never_become_markup(evil: str) -> None:
    plain = draw_mail("x", f"甲\n\n{evil}\n\n原因：{evil}\n\n乙", DRESS)
    named = draw_mail(evil, f"甲\n\n{evil}", dataclasses.replace(DRESS, name=evil, facts=(evil,)))

    for page in (plain, named):
        assert html.escape(evil, quote=True) in page
        assert evil not in page
        assert "<script" not in page
        tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z0-9]+)", page)}
        assert tags <= {
            *("html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td"),
            *("a", "h1", "p", "br", "span"),
        }


def test_nothing_turns_the_direction_of_an_address() -> None:
    page = draw_mail("a\u202eb", "c\u202ed\u2066e\x07f\n\ng", DRESS)

    assert not UNSEEN.search(page)
    assert "cdef" in page


def test_links_lead_to_the_shop_alone() -> None:
    body = (
        "https://evil.example/o/1/\n"
        "https://star.example.evil.example/\n"
        "https://star.example@evil.example/\n"
        "http://star.example/o/2/\n"
        "看 https://star.main.example:8443/console/ 和 https://evil.example/\n"
        "https://star.example/o/3/\n\n完"
    )
    page = draw_mail("x", body, DRESS)

    assert set(HREF.findall(page)) == {
        "https://star.example/",  # the name above and the address below
        "https://star.main.example:8443/console/",
        "https://star.example/o/3/",
    }
    assert "https://evil.example/o/1/" in shown(page)


def test_an_address_is_own_by_its_whole_origin() -> None:
    origins = ("https://star.example",)
    assert is_own("https://star.example", origins)
    assert is_own("https://star.example/x", origins)
    assert is_own("https://star.example?x", origins)
    assert not is_own("https://star.example:444/x", origins)
    assert not is_own("https://star.examples/x", origins)


def test_nothing_comes_from_elsewhere() -> None:
    page = draw_mail("x", BODY, dataclasses.replace(DRESS, logo=LOGO))

    assert re.findall(r'src="([^"]*)"', page) == [f"cid:{LOGO_CID}"]
    for word in ("url(", "@import", "@font-face", "<link", "<script", "background=", "http-equiv"):
        assert word not in page
    assert "max-width:600px" in page


def test_names_and_values_stand_in_a_table() -> None:
    kinds = [(block.kind, block.lines) for block in read_blocks("说\n原因：没货\n说明: x:y\n\nend")]

    assert kinds == [("text", ("说",)), ("pairs", ("原因：没货", "说明: x:y")), ("sign", ("end",))]
    page = draw_mail("x", "说\n原因：没货\n\nend", DRESS)
    assert re.search(r"<td[^>]*>原因</td><td[^>]*>没货</td>", page)
    assert read_blocks("打开下面的链接：\nx")[0].kind == "text"


def test_the_reader_chooses_the_theme_unless_one_is_held() -> None:
    auto, light, dark = (draw_mail("x", BODY, DRESS, theme=t) for t in ("auto", "light", "dark"))

    assert '<meta name="color-scheme" content="light dark">' in auto
    night = auto[auto.index("prefers-color-scheme:dark") :]
    assert f"background:{DARK.surface}!important" in night
    for name in re.findall(r"(k-[a-z-]+)\{", night[: night.index("</style>")]):
        assert name in auto[auto.index("<body") :] or name == "k-mark"
    assert DARK.surface not in light
    assert "prefers-color-scheme" not in dark
    assert LIGHT.ground not in dark


def test_an_english_mail_says_so() -> None:
    page = draw_mail("x", BODY, dataclasses.replace(DRESS, language="en"))

    assert '<html lang="en">' in page
    assert "View the order" in page
    assert '<html lang="zh-Hans">' in draw_mail("x", BODY, DRESS)


def test_a_text_that_mailboxes_would_cut_goes_alone() -> None:
    assert draw_mail("x", "长" * HTML_MOST, DRESS) == ""
    assert 0 < len(draw_mail("x", BODY, DRESS).encode()) < 10_000


def sent(mail: OutgoingMail) -> EmailMessage:
    """Return a mail as who gets it reads it."""
    made = message_from_bytes(build_message(mail).as_bytes(), policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def test_the_text_part_stays_as_it_was_and_the_logo_comes_along() -> None:
    mail = OutgoingMail(
        to="mei@example.com",
        sender="shop@example.com",
        sender_name="星际\r\nBcc: evil@example.com",
        subject="x",
        body=BODY,
        reference="kameng.7",
    )
    page = draw_mail("x", BODY, dataclasses.replace(DRESS, logo=LOGO))

    alone = sent(mail)
    dressed = sent(dataclasses.replace(mail, html=page))
    whole = sent(dataclasses.replace(mail, html=page, logo=LOGO.data))

    assert alone.get_content_type() == "text/plain"
    for made in (dressed, whole):
        assert made.get_content_type() == "multipart/alternative"
        assert made["Message-ID"] == alone["Message-ID"] == "<kameng.7@example.com>"
        assert made["Bcc"] is None
        text, page_part = made.iter_parts()
        assert isinstance(text, EmailMessage)
        assert text.get_payload() == alone.get_payload()
        assert text.get_content() == BODY
        assert page_part.get_content_type() in {"text/html", "multipart/related"}
    kinds = [part.get_content_type() for part in whole.walk()]
    assert kinds == [
        *("multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"),
    ]
    logo = list(whole.walk())[-1]
    assert logo["Content-ID"] == f"<{LOGO_CID}>"
    assert logo.get_payload(decode=True) == LOGO.data
    assert "image/png" not in [part.get_content_type() for part in dressed.walk()]
