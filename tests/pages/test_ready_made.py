"""Ready-made designs and the defaults of sections: publishable as they are, in every language."""

import json
from pathlib import Path

import pytest
from django.utils import translation

from kameng.pages.content import check_content, tidy
from kameng.pages.fields import check_props, complete
from kameng.pages.models import PageKind
from kameng.pages.ready_made import KEYS, all_designs
from kameng.pages.registry import GROUPS, TYPES, all_sections

SECTIONS = Path(__file__).parents[2] / "src" / "kameng" / "pages" / "sections"
PICTURES = Path(__file__).parents[2] / "frontend" / "designs"
# What only the operator can say: a picture, an address, a time.
EMPTY_AT_FIRST = {
    "picture": {"picture"},
    "hot_spots": {"picture", "spots"},
    "video": {"address"},
    "countdown": {"until"},
}
LANGUAGES = pytest.mark.parametrize("language", ["zh-hans", "en"])


@LANGUAGES
@pytest.mark.parametrize("key", KEYS)
def test_a_design_can_be_published_as_it_is(key: str, language: str) -> None:
    with translation.override(language):
        contents = all_designs()[key].contents()
        faults = {kind: list(check_content(each, kind=kind)) for kind, each in contents.items()}

    assert {PageKind.LOOK, PageKind.HOME} <= set(contents)
    assert not any(faults.values()), faults


def test_designs_differ_in_more_than_colour() -> None:
    shapes = [
        tuple(part.type for part in design.home) + (str(design.look.get("header")),)
        for design in all_designs().values()
    ]

    assert len(all_designs()) >= 12
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("key", KEYS)
def test_a_design_has_its_pictures(key: str) -> None:
    """`python -m tools.pictures --designs` takes them; the opening page shows them."""
    for name in (f"{key}.webp", f"{key}-phone.webp"):
        assert 3_000 < (PICTURES / name).stat().st_size < 60_000


@LANGUAGES
@pytest.mark.parametrize("name", TYPES)
def test_a_new_section_lacks_only_what_the_operator_must_say(name: str, language: str) -> None:
    section = all_sections()[name]
    with translation.override(language):
        found = {
            each.path for each in check_props(section.all_fields, complete(section.all_fields, {}))
        }

    assert found == EMPTY_AT_FIRST.get(name, set())


@pytest.mark.parametrize("name", TYPES)
def test_a_folder_holds_what_a_section_is(name: str) -> None:
    section = all_sections()[name]

    assert section.type == name
    assert section.group in GROUPS
    assert (SECTIONS / name / "template.html").exists()
    props = json.loads((SECTIONS / name / "preview.json").read_text())
    assert not any(
        each.is_fatal for each in check_props(section.fields, complete(section.fields, props))
    )


def test_every_folder_is_in_the_registry() -> None:
    folders = {path.parent.name for path in SECTIONS.glob("*/section.py")}

    assert folders == set(TYPES)


def test_a_design_does_not_depend_on_the_goods_of_a_shop() -> None:
    for design in all_designs().values():
        for kind, content in design.contents().items():
            text = json.dumps(tidy(content, kind=kind))
            assert '"by": "hand"' not in text
            assert '"by": "category"' not in text
