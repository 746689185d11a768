"""What an operator should know of a look that is right but will not be drawn as it was chosen.

Pure. Unlike faults, notes keep nobody from publishing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from kameng.pages.colours import contrast, darken_until, parse
from kameng.pages.content import Content, Fault
from kameng.pages.models import PageKind

WHITE = "#ffffff"
READABLE = 4.6  # as the style sheet of a look has it for white words on a button
TOO_NEAR = 1.12  # two colours of which nobody sees that they are two


def list_notes(content: Content, *, kind: int) -> list[Fault]:
    """Return what to know of a content, with the field it is about; a look's colours only."""
    return list(_look_notes(content["root"])) if kind == PageKind.LOOK else []


def _look_notes(root: Mapping[str, Any]) -> Iterator[Fault]:
    for name in ("brand", "accent"):
        chosen = str(root[name])
        if contrast(chosen, WHITE) < READABLE:
            drawn = darken_until(parse(chosen), against=[WHITE], ratio=READABLE)
            words = _("白字在这个颜色上不够清楚，按钮和横幅会自动加深为 %(colour)s。")
            yield _note(name, words % {"colour": drawn})
    if contrast(root["brand"], root["accent"]) < TOO_NEAR and root["brand"] != root["accent"]:
        yield _note("accent", _("两个颜色的深浅几乎一样，放在一起不容易分清。"))


def _note(path: str, message: str) -> Fault:
    return Fault(section_id="", section_name="", path=path, message=message, is_fatal=False)
