"""Every Chinese sentence is marked and has an English one; each gap is caught."""

import gettext
import pathlib

import pytest

from tools import messages
from tools.layers import ROOT

PACKAGE = ROOT / "src" / "kameng"

PYTHON = '''"""模块说明不是给人看的句子。"""
from django.utils.translation import gettext_lazy as _, ngettext, pgettext

TITLE = _("我的订单")
COUNT = ngettext("%(count)s 件商品", "%(count)s 件商品。", 2)
OPEN = pgettext("state", "开")
'''
TEMPLATE = """{% load i18n %}{# 注释 #}
<h1>{% translate "去支付" %}</h1>
{% blocktranslate with name=site.name %}欢迎来到 {{ name }}{% endblocktranslate %}
{% comment %}旧的说明{% endcomment %}
"""
ENGLISH = {
    "我的订单": "My orders",
    "开": "Open",
    "去支付": "Pay",
    "欢迎来到 %(name)s": "Welcome to %(name)s",
}


@pytest.fixture
def package(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "web" / "templates" / "web").mkdir(parents=True)
    (tmp_path / "web" / "views.py").write_text(PYTHON, encoding="utf-8")
    (tmp_path / "web" / "templates" / "web" / "a.html").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def translate(package: pathlib.Path, english: dict[str, str]) -> None:
    catalogue = messages.make_catalogue(package)
    for message in catalogue:
        if isinstance(message.id, tuple):
            message.string = ("%(count)s item", "%(count)s items")
        elif message.id:
            message.string = english.get(message.id, "")
    messages.write_catalogue(catalogue, package=package)


def test_catalogue_of_the_project_is_complete() -> None:
    assert list(messages.list_flaws(PACKAGE)) == []


def test_every_chinese_sentence_of_the_project_is_marked() -> None:
    assert list(messages.list_unmarked(PACKAGE)) == []


def test_messages_are_found_in_code_and_templates(package: pathlib.Path) -> None:
    found = {(entry.text, entry.plural, entry.context) for entry in messages.extract(package)}

    assert found == {
        ("我的订单", None, None),
        ("%(count)s 件商品", "%(count)s 件商品。", None),
        ("开", None, "state"),
        ("去支付", None, None),
        ("欢迎来到 %(name)s", None, None),
    }


def test_messages_of_sections_are_found_beside_their_code(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "pages" / "sections" / "video"
    folder.mkdir(parents=True)
    (folder / "template.html").write_text('{% translate "播放视频" %}', encoding="utf-8")

    assert [entry.text for entry in messages.extract(tmp_path)] == ["播放视频"]


def test_complete_catalogue_passes_and_is_read_by_gettext(package: pathlib.Path) -> None:
    translate(package, ENGLISH)

    assert messages.check(package) == 0
    messages.compile_catalogue(package)

    target = messages.catalogue_path(package).with_suffix(".mo")
    with target.open("rb") as file:
        english = gettext.GNUTranslations(file)
    assert english.gettext("我的订单") == "My orders"
    assert english.pgettext("state", "开") == "Open"
    assert english.ngettext("%(count)s 件商品", "%(count)s 件商品。", 1) == "%(count)s item"


def test_update_keeps_translations_and_drops_what_is_gone(package: pathlib.Path) -> None:
    translate(package, ENGLISH)
    (package / "web" / "views.py").write_text('_("我的订单")\n_("新句子")\n', encoding="utf-8")

    messages.update(package)

    known = messages.read_catalogue(package)
    assert known.get("我的订单").string == "My orders"
    assert known.get("新句子").string == ""
    assert known.get("开", context="state") is None


def test_update_twice_changes_nothing(package: pathlib.Path) -> None:
    translate(package, ENGLISH)
    messages.update(package)
    before = messages.catalogue_path(package).read_bytes()

    messages.update(package)

    assert messages.catalogue_path(package).read_bytes() == before


@pytest.mark.parametrize(
    ("text", "english", "word"),
    [
        ("我的订单", "", "no English"),
        ("我的订单", "我的 orders", "Chinese is left"),
        ("欢迎来到 %(name)s", "Welcome", "places differ"),
        ("欢迎来到 %(name)s", "Welcome to %(site)s", "places differ"),
    ],
)
def test_bad_english_is_caught(package: pathlib.Path, text: str, english: str, word: str) -> None:
    translate(package, ENGLISH | {text: english})

    flaws = list(messages.list_flaws(package))

    assert len(flaws) == 1
    assert word in flaws[0]


def test_message_that_is_gone_is_caught(package: pathlib.Path) -> None:
    translate(package, ENGLISH)
    (package / "web" / "templates" / "web" / "a.html").write_text("<p></p>")

    assert len(list(messages.list_flaws(package))) == 2


def test_unmarked_sentences_are_caught(package: pathlib.Path) -> None:
    assert list(messages.list_unmarked(package)) == []

    (package / "web" / "forms.py").write_text('LABEL = "收货人"\n', encoding="utf-8")
    (package / "web" / "templates" / "web" / "b.html").write_text("<p>余额</p>", encoding="utf-8")

    assert list(messages.list_unmarked(package)) == [
        "web/forms.py:1: not marked for translation: '收货人'",
        "web/templates/web/b.html:1: not marked for translation: '<p>余额</p>'",
    ]
