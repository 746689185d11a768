"""Skins: each is in the style sheet, and its words can be read."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from kameng.pages.colours import contrast
from kameng.pages.skins import SKINS
from kameng.tenancy.models import Site
from tests.people import Staff

SHEET = Path(__file__).parents[2] / "frontend" / "storefront" / "skins.css"
RULE = re.compile(r'html\[data-skin="(\w+)"\](?:\[data-palette\]\[data-theme\])? \{ (--.*) \}')


def tokens() -> dict[str, dict[str, str]]:
    """Return the tokens that the style sheet gives each skin."""
    found: dict[str, dict[str, str]] = {}
    for key, body in RULE.findall(SHEET.read_text()):
        pairs = re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", body)
        found.setdefault(key, {}).update(pairs)
    return found


def test_every_skin_is_in_the_style_sheet_and_no_other() -> None:
    assert set(tokens()) == set(SKINS)


@pytest.mark.parametrize("key", sorted(SKINS))
def test_words_on_a_skin_can_be_read(key: str) -> None:
    skin = tokens()[key]

    assert contrast(skin["banner-ink"], skin["banner-1"]) >= 4.5
    assert contrast(skin["banner-ink"], skin["banner-2"]) >= 4.5
    assert contrast(skin["on-solid"], skin["brand-solid"]) >= 4.5
    assert contrast(skin["on-solid"], skin["brand-solid-2"]) >= 4.5
    assert contrast(skin["brand-ink"], "#f2f4f7") >= 4.5


def test_a_skin_can_be_tried_before_it_is_planned(
    db: None, lin: Staff, site_a: Site, client_for: Callable[..., Client]
) -> None:
    browser = client_for(site_a, lin)

    shown = browser.get(f"/console/{site_a.slug}/design/skins/spring/frame/")
    unknown = browser.get(f"/console/{site_a.slug}/design/skins/none/frame/")

    assert (shown.status_code, unknown.status_code) == (200, 400)
    assert 'data-skin="spring"' in shown.content.decode()
    assert "data-skin" not in browser.get("/").content.decode()


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ("9999-12-01T00:00", "9999-12-31T23:59"),
        ("0001-01-01T00:00", "9999-12-31T23:59"),
        ("9999-12-31T23:59", "9999-12-31T23:59"),
        ("2031-01-02T00:00", "2031-01-01T00:00"),
    ],
)
def test_a_span_that_is_none_is_told_plainly(
    db: None, lin: Staff, site_a: Site, client_for: Callable[..., Client], starts: str, ends: str
) -> None:
    form = {"kind": "spring", "starts_at": starts, "ends_at": ends}

    answer = client_for(site_a, lin).post(f"/console/{site_a.slug}/design/skins/", form)

    assert answer.status_code == 400
    assert "Traceback" not in answer.content.decode()
