"""The HTML part of an e-mail, made from its text part: one source, nothing to keep in step.

Pure. Tables and inline styles that mail programs understand; no script, no remote picture, no web
font, nothing that tells who opened it. Every word is escaped, and links lead to the shop's own
hosts only: any other address stays text. The dark theme comes by a media query.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import override

from kameng.messaging.dressing import Dress, Shades

Theme = Literal["auto", "light", "dark"]
HTML_MOST: Final = 90_000  # bytes; mail programs cut a part that is longer than 100 kB
LOGO_CID: Final = "logo@kameng"
LOGO_URL: Final = f"cid:{LOGO_CID}"
WIDTH: Final = 600
PREVIEW_CHARS: Final = 120
SIGN_LINES: Final = 2
BREAK: Final = re.compile(r"\n[ \t]*\n")
URL: Final = re.compile(r"https?://[^\s<>\"'，。；、）】]+")
PAIR: Final = re.compile(
    r"([^\s：:。，,.;；()（）/\d][^：:。，,.;；()（）/]{0,15})(?:：|:\s)\s*(\S.*)"
)
# Direction overrides and embeddings let an address read as another; control characters are none.
UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
LANGS: Final = {"zh-hans": "zh-Hans", "en": "en"}


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text: its kind ("text", "pairs", "link" or "sign") and its lines."""

    kind: Literal["text", "pairs", "link", "sign"]
    lines: tuple[str, ...]


def draw_mail(
    subject: str, body: str, dress: Dress, *, theme: Theme = "auto", logo_url: str = LOGO_URL
) -> str:
    """Return the HTML of a mail, or "" for a text too long to be shown whole.

    `theme` holds one theme (for a preview), else it is the reader's. `logo_url` is where the logo
    comes from: the mail's own part, in a preview a data: address.
    """
    text = UNSEEN.sub("", body.replace("\r\n", "\n"))
    with override(dress.language):
        pen = _Pen(dress, dress.dark if theme == "dark" else dress.light)
        html = pen.page(UNSEEN.sub(" ", subject), read_blocks(text), theme, logo_url)
    return html if len(html.encode()) <= HTML_MOST else ""


def read_blocks(body: str) -> list[Block]:
    """Return a text as blocks: paragraphs, "name: value" lines, lone addresses, the signature."""
    chunks = [chunk.strip("\n") for chunk in BREAK.split(body) if chunk.strip()]
    blocks: list[Block] = []
    for number, chunk in enumerate(chunks):
        lines = [line.strip() for line in chunk.split("\n") if line.strip()]
        if 0 < number == len(chunks) - 1 and len(lines) <= SIGN_LINES:
            blocks.append(Block("sign", tuple(lines)))
        else:
            blocks.extend(_group(lines))
    return blocks


def is_own(url: str, origins: tuple[str, ...]) -> bool:
    """Tell whether an address leads to one of these origins, exactly."""
    return any(url == origin or url.startswith((f"{origin}/", f"{origin}?")) for origin in origins)


def _group(lines: list[str]) -> Iterator[Block]:
    kept: list[str] = []
    kind: Literal["text", "pairs"] = "text"
    for line in lines:
        if URL.fullmatch(line):
            if kept:
                yield Block(kind, tuple(kept))
            yield Block("link", (line,))
            kept = []
            continue
        is_pair = PAIR.fullmatch(line) is not None
        if kept and is_pair != (kind == "pairs"):
            yield Block(kind, tuple(kept))
            kept = []
        kind = "pairs" if is_pair else "text"
        kept.append(line)
    if kept:
        yield Block(kind, tuple(kept))


def _button_text(path: str) -> str:
    """Return what the button of an address says, by where in the product it leads."""
    known = (
        ("/o/", _("查看订单")),
        ("/account/", _("打开我的账户")),
        ("/console/join/", _("查看并接受")),
        ("/console/", _("打开后台")),
    )
    return next((text for start, text in known if path.startswith(start)), _("打开链接"))


class _Pen:
    """Writes one mail in one theme's colours; a class beside each colour names it for the other."""

    def __init__(self, dress: Dress, shades: Shades) -> None:
        self.dress = dress
        self.shades = shades

    def page(self, subject: str, blocks: list[Block], theme: Theme, logo_url: str) -> str:
        dress, shades = self.dress, self.shades
        scheme = "light dark" if theme == "auto" else theme
        lead = next((block.lines[0] for block in blocks if block.kind == "text"), subject)
        return (
            f'<!doctype html><html lang="{LANGS.get(dress.language, dress.language)}">'
            '<head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta name="color-scheme" content="{scheme}">'
            f'<meta name="supported-color-schemes" content="{scheme}">'
            '<meta name="format-detection" content="telephone=no,date=no,address=no,email=no">'
            f"<title>{escape(subject)}</title><style>{self._sheet(theme)}</style></head>"
            f'<body class="k-ground" style="margin:0;padding:0;background:{shades.ground};'
            f'-webkit-text-size-adjust:100%">{self._preview(lead)}'
            f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'
            f' class="k-ground" style="background:{shades.ground}"><tr>'
            '<td align="center" style="padding:24px 12px 32px">'
            f"{self._card(subject, blocks, logo_url)}{self._foot()}</td></tr></table></body></html>"
        )

    def _sheet(self, theme: Theme) -> str:
        """Return the rules that no inline style can say: a phone's spacing, and the dark theme."""
        rules = "@media(max-width:480px){.k-pad{padding-left:20px!important;"
        rules += "padding-right:20px!important}.k-wide{display:block!important}}"
        if theme != "auto":
            return f":root{{color-scheme:{theme}}}{rules}"
        dark = self.dress.dark
        pairs = (
            (".k-ground", f"background:{dark.ground}"),
            (".k-surface", f"background:{dark.surface};border-color:{dark.line}"),
            (".k-head", f"background:{dark.head}"),
            (".k-head-ink", f"color:{dark.head_ink}"),
            (".k-mark", f"background:{dark.head_ink};color:{dark.head}"),
            (".k-line", f"border-color:{dark.line}"),
            (".k-bar", f"background:{dark.solid}"),
            (".k-text", f"color:{dark.text}"),
            (".k-soft", f"color:{dark.soft}"),
            (".k-quiet", f"color:{dark.quiet}"),
            (".k-ink", f"color:{dark.ink}"),
            (".k-solid", f"background:{dark.solid}"),
            (".k-on-solid", f"color:{dark.on_solid}"),
        )
        night = "".join(
            f"{name}{{{';'.join(f'{part}!important' for part in style.split(';'))}}}"
            for name, style in pairs
        )
        return (
            f":root{{color-scheme:light dark}}{rules}@media(prefers-color-scheme:dark){{{night}}}"
        )

    def _preview(self, lead: str) -> str:
        """Return the line that a mailbox shows beside the subject; the mail itself hides it."""
        return (
            '<div style="display:none;max-height:0;overflow:hidden;opacity:0;font-size:1px;'
            f'line-height:1px" aria-hidden="true">{escape(lead[:PREVIEW_CHARS])}'
            f"{'&#847;&zwnj;&nbsp;' * 40}</div>"
        )

    def _card(self, subject: str, blocks: list[Block], logo_url: str) -> str:
        dress, shades = self.dress, self.shades
        shadow = "box-shadow:0 8px 24px -8px rgba(16,24,40,.18);" if dress.has_shadow else ""
        edge = f"border:{dress.edge}px solid {shades.line};" if dress.edge else ""
        bar = (
            f'<tr><td class="k-bar" style="height:4px;line-height:4px;font-size:4px;'
            f'background:{shades.solid}">&nbsp;</td></tr>'
            if dress.has_bar
            else ""
        )
        inside = "".join(self._block(block) for block in blocks)
        return (
            f'<!--[if mso]><table role="presentation" width="{WIDTH}"><tr><td><![endif]-->'
            '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'
            f' class="k-surface" style="max-width:{WIDTH}px;{edge}{shadow}'
            f"border-radius:{dress.card_radius}px;border-collapse:separate;overflow:hidden;"
            f'background:{shades.surface}">{bar}{self._head(logo_url)}'
            '<tr><td class="k-pad" style="padding:28px 32px 32px">'
            f'<h1 class="k-text" dir="auto" style="margin:0 0 16px;font:600 22px/1.4 '
            f'{dress.title_font};color:{shades.text};overflow-wrap:anywhere">{escape(subject)}</h1>'
            f"{inside}</td></tr></table><!--[if mso]></td></tr></table><![endif]-->"
        )

    def _head(self, logo_url: str) -> str:
        dress, shades = self.dress, self.shades
        logo = (
            f'<img src="{escape(logo_url)}" width="{dress.logo.width}" height="{dress.logo.height}"'
            f' alt="{escape("" if dress.shows_name else dress.name)}" style="display:inline-block;'
            'border:0;vertical-align:middle;max-width:100%">'
            if dress.logo
            else ""
        )
        logo = logo or self._mark()
        gap = "margin-left:12px;"
        name = (
            f'<span class="k-head-ink" dir="auto" style="{gap}font:600 18px/1.4 {dress.title_font};'
            f'color:{shades.head_ink};vertical-align:middle">{escape(dress.name)}</span>'
            if dress.shows_name or not dress.logo
            else ""
        )
        side = "center" if dress.is_centered else "left"
        return (
            f'<tr><td class="k-head k-line k-pad" align="{side}" style="padding:20px 32px;'
            f'background:{shades.head};border-bottom:1px solid {shades.line}">'
            f'<a href="{escape(dress.url)}/" target="_blank" '
            f'style="text-decoration:none">{logo}{name}</a></td></tr>'
        )

    def _mark(self) -> str:
        """Return the first sign of the name in a square, as the shop has it without a logo."""
        dress, shades = self.dress, self.shades
        names, ground, ink = "k-solid k-on-solid", shades.solid, shades.on_solid
        if dress.has_head:  # the head has a colour of its own: the square turns its two about
            names, ground, ink = "k-mark", shades.head_ink, shades.head
        return (
            f'<span class="{names}" aria-hidden="true" style="display:inline-block;width:36px;'
            f"border-radius:{dress.button_radius}px;background:{ground};color:{ink};"
            f'font:600 18px/36px {dress.title_font};text-align:center;vertical-align:middle">'
            f"{escape(dress.name[:1])}</span>"
        )

    def _block(self, block: Block) -> str:
        if block.kind == "link" and is_own(block.lines[0], self.dress.origins):
            return self._link(block.lines[0])
        if block.kind == "pairs":
            return self._pairs(block.lines)
        is_sign = block.kind == "sign"
        style = self._type(self.shades.soft if is_sign else self.shades.text, 14 if is_sign else 15)
        lines = "<br>".join(self._words(line) for line in block.lines)
        return (
            f'<p class="{"k-soft" if is_sign else "k-text"}" dir="auto" '
            f'style="margin:{"24px 0 0" if is_sign else "0 0 14px"};{style}">{lines}</p>'
        )

    def _link(self, url: str) -> str:
        dress, shades = self.dress, self.shades
        path = next(url[len(each) :] for each in dress.origins if is_own(url, (each,)))
        small = self._type(shades.soft, 12)
        return (
            '<table role="presentation" cellpadding="0" cellspacing="0" border="0" '
            'style="margin:20px 0 10px"><tr>'
            f'<td class="k-solid" style="border-radius:{dress.button_radius}px;'
            f'background:{shades.solid}"><a class="k-on-solid" target="_blank" '
            f'href="{escape(url)}" '
            f'style="display:inline-block;padding:12px 28px;font:600 15px/20px {dress.font};'
            f'color:{shades.on_solid};text-decoration:none">{escape(_button_text(path))}</a>'
            f'</td></tr></table><p dir="ltr" class="k-soft" style="margin:0 0 18px;{small}'
            f'word-break:break-all">{self._anchor(url)}</p>'
        )

    def _pairs(self, lines: tuple[str, ...]) -> str:
        rows = []
        for line in lines:
            found = PAIR.fullmatch(line)
            name, value = found.groups() if found else (line, "")
            edge = f"border-top:1px solid {self.shades.line};padding:10px 0;vertical-align:top"
            rows.append(
                f'<tr><td class="k-soft k-line" style="{edge};white-space:nowrap;'
                f'{self._type(self.shades.soft, 14)}">{escape(name)}</td>'
                f'<td class="k-text k-line" dir="auto" style="{edge};padding-left:20px;'
                f'{self._type(self.shades.text, 14)}">{self._words(value)}</td></tr>'
            )
        return (
            '<table width="100%" cellpadding="0" cellspacing="0" border="0" '
            f'style="margin:4px 0 14px">{"".join(rows)}</table>'
        )

    def _words(self, text: str) -> str:
        """Return a line with its own addresses as links; others stay text."""
        out, last = [], 0
        for found in URL.finditer(text):
            if is_own(found[0], self.dress.origins):
                out += [escape(text[last : found.start()]), self._anchor(found[0])]
                last = found.end()
        return "".join([*out, escape(text[last:])])

    def _anchor(self, url: str) -> str:
        return (
            f'<a class="k-ink" target="_blank" href="{escape(url)}" style="color:{self.shades.ink};'
            f'text-decoration:underline;word-break:break-all">{escape(url)}</a>'
        )

    def _foot(self) -> str:
        dress = self.dress
        style = self._type(self.shades.quiet, 12)
        lines = [escape(dress.reason), escape(" · ".join(dress.facts))]
        return (
            f'<div class="k-quiet" style="max-width:{WIDTH}px;margin:20px auto 0;padding:0 8px;'
            f'text-align:center;{style}">'
            + "".join(f'<p dir="auto" style="margin:0 0 4px">{line}</p>' for line in lines if line)
            + f'<p style="margin:0"><a class="k-quiet" target="_blank" href="{escape(dress.url)}/" '
            f'style="color:{self.shades.quiet};text-decoration:underline">{escape(dress.url)}</a></p>'
            "</div>"
        )

    def _type(self, colour: str, size: int) -> str:
        return f"font:{size}px/1.7 {self.dress.font};color:{colour};overflow-wrap:anywhere;"
