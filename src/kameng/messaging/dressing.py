"""What an e-mail wears: the colours, shapes, logo and foot of the shop that sends it.

Values only. Who knows how shops look stands above messages (`pages.letterheads`) and is handed to
the delivery by the calendar of tasks as a `Dresser`; without one mails go out as text alone.
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Shades:
    """The colours of one theme, "#rrggbb". Each ink reaches a contrast of 4.5 on its ground."""

    ground: str  # around the sheet; carries `quiet`
    surface: str  # the sheet; carries `text`, `soft`, `ink`
    line: str
    text: str
    soft: str
    quiet: str
    ink: str  # links
    solid: str  # the button; carries `on_solid`
    on_solid: str
    head: str  # behind logo and name; carries `head_ink`
    head_ink: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A small PNG, and the size at which it is shown in CSS pixels."""

    data: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dress:
    """The look of a site's mails in one language."""

    name: str
    url: str  # of the shop, without a slash at the end
    language: str  # "zh-hans" or "en"
    light: Shades
    dark: Shades
    font: str  # families, quoted with '
    title_font: str
    button_radius: int  # CSS pixels, as all sizes here
    card_radius: int
    edge: int  # width of the line around the sheet
    has_shadow: bool
    is_centered: bool
    has_head: bool  # the head has a colour of its own
    has_bar: bool  # a coloured line on top of the sheet, for a head without colour
    shows_name: bool
    origins: tuple[str, ...]  # scheme, host and port that links may lead to
    reason: str  # why one gets this mail
    facts: tuple[str, ...]  # who runs the shop, as far as verified
    logo: Logo | None = None


class Dresser(Protocol):
    """Finds the dress of a site's mails; queries are allowed, outside calls are not."""

    def __call__(self, site_id: int, *, audience: int, language: str) -> Dress:
        """Return the dress for mails of a site to buyers or to its staff (`Audience`)."""
        ...
