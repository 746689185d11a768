"""Draw the cover of a product that has no picture: one SVG, by rules alone.

Owns the look of cover art and the hue of each category. Promises the same picture for the same
input, at most 3 KiB, no trademark, no script, no style attribute, escaped text, and lettering that
stands out from its ground by a contrast of 4.5 or more.
"""

import colorsys
import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from kameng.web.cover_icons import ICON_PATHS

WIDTH: Final = 400
HEIGHT: Final = 300
HUE_COUNT: Final = 12
_LINE_WIDTH: Final = 344
_WHITE_CONTRAST: Final = 4.8
_FONT: Final = "PingFang SC,HarmonyOS Sans SC,Microsoft YaHei,Noto Sans CJK SC,sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryStyle:
    """The look of one category: the number of its hue class, its gradient and its icon."""

    number: int
    from_hue: int
    to_hue: int
    saturation: float
    icon: str


def _style(number: int, hues: tuple[int, int], saturation: float, icon: str) -> CategoryStyle:
    return CategoryStyle(
        number=number, from_hue=hues[0], to_hue=hues[1], saturation=saturation, icon=icon
    )


STYLES: Final[dict[str, CategoryStyle]] = {
    "game": _style(1, (232, 268), 0.66, "device-gamepad-2"),
    "top-up": _style(2, (158, 188), 0.72, "phone"),
    "traffic": _style(3, (190, 214), 0.74, "wifi"),
    "video": _style(4, (352, 330), 0.68, "player-play"),
    "music": _style(5, (328, 288), 0.6, "music"),
    "software": _style(6, (206, 234), 0.7, "key"),
    "gift": _style(7, (32, 8), 0.78, "gift"),
    "learning": _style(8, (98, 148), 0.52, "school"),
    "social": _style(9, (284, 322), 0.58, "message-circle"),
    "console": _style(10, (222, 204), 0.36, "device-desktop"),
    "cloud": _style(11, (174, 202), 0.66, "cloud"),
    "life": _style(12, (14, 346), 0.6, "coffee"),
}
"""Category key → look; the numbers are those of the hue-N classes of the style sheet."""

NAMES: Final[dict[str, str]] = {
    "游戏点卡": "game",
    "话费充值": "top-up",
    "流量充值": "traffic",
    "视频会员": "video",
    "音乐会员": "music",
    "软件激活": "software",
    "礼品卡": "gift",
    "学习教育": "learning",
    "社交直播": "social",
    "Steam与主机": "console",
    "网盘工具": "cloud",
    "生活服务": "life",
}
"""The usual Chinese names of those categories → key."""


def get_style(category_key: str) -> CategoryStyle:
    """Return the look of a category by key or usual name; an unknown one gets one for good."""
    known = STYLES.get(NAMES.get(category_key, category_key))
    if known is not None:
        return known
    digest = hashlib.blake2b(category_key.encode(), digest_size=2).digest()
    return list(STYLES.values())[int.from_bytes(digest, "big") % HUE_COUNT]


def _channel(value: float) -> float:
    return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4


def contrast_with_white(red: float, green: float, blue: float) -> float:
    """Return the WCAG contrast of a colour (channels 0 to 1) with white."""
    luminance = 0.2126 * _channel(red) + 0.7152 * _channel(green) + 0.0722 * _channel(blue)
    return 1.05 / (luminance + 0.05)


def _colour(hue: int, saturation: float, lightness: float) -> str:
    """Return the colour as hex, darkened until white lettering stands out."""
    while True:
        rgb = colorsys.hls_to_rgb((hue % 360) / 360, lightness, saturation)
        if contrast_with_white(*rgb) >= _WHITE_CONTRAST:
            return "#" + "".join(f"{round(channel * 255):02x}" for channel in rgb)
        lightness -= 0.01


def _rings(a: int, b: int) -> str:
    x, y = 250 + a % 150, 40 + b % 200
    return "".join(
        f'<circle cx="{x}" cy="{y}" r="{radius}"/>' for radius in range(30 + a % 20, 330, 34)
    )


def _stripes(a: int, b: int) -> str:
    gap = 22 + a % 14
    lean = 120 + b % 120
    lines = "".join(f"M{x} 300l{lean}-300" for x in range(-lean, WIDTH, gap))
    return f'<path d="{lines}"/>'


def _waves(a: int, b: int) -> str:
    height = 18 + a % 16
    length = 100 + b % 60
    lines = "".join(
        f"M-20 {y}q{length // 2}-{height * 2} {length} 0t{length} 0 {length} 0 {length} 0"
        for y in range(10, 340, 26)
    )
    return f'<path d="{lines}"/>'


def _diamonds(a: int, b: int) -> str:
    size = 26 + a % 14
    rows = []
    for row in range(-1, HEIGHT // size + 2):
        shift = (row % 2) * size
        rows.append(
            "".join(
                f"M{x + shift} {row * size}l{size} {size}"
                for x in range(-size * 2 + b % size, WIDTH, size * 2)
            )
        )
        if len(rows) > 13:
            break
    return f'<path d="{"".join(rows)}"/>'


def _dots(a: int, b: int) -> str:
    gap = 22 + a % 8
    lines = "".join(f"M{b % gap} {y}h{WIDTH}" for y in range(gap // 2, HEIGHT, gap))
    return f'<path stroke-width="5" stroke-linecap="round" stroke-dasharray="0 {gap}" d="{lines}"/>'


def _quarters(a: int, b: int) -> str:
    size = 50
    cells = []
    bits = a * 65_537 + b * 257 + 1
    for index in range(48):
        x, y = (index % 8) * size, (index // 8) * size
        bits = (bits * 1_103_515_245 + 12_345) % 2**31
        turn = bits >> 16 & 3
        if turn == 0:
            cells.append(f"M{x} {y}a50 50 0 0 0 50 50")
        elif turn == 1:
            cells.append(f"M{x + size} {y}a50 50 0 0 1-50 50")
    return f'<path d="{"".join(cells)}"/>'


def _panes(a: int, b: int) -> str:
    x, y = 210 + a % 90, -70 + b % 90
    return "".join(
        f'<rect x="{x + step * 13}" y="{y + step * 13}" width="{230 - step * 26}" '
        f'height="{230 - step * 26}" rx="{max(50 - step * 8, 8)}" '
        f'transform="rotate({20 + a % 30} {x + 115} {y + 115})"/>'
        for step in range(7)
    )


def _hills(a: int, b: int) -> str:
    bend = f"c{90 + a % 60} {-50 - b % 40} {150 + b % 50} {60 + a % 30} 420"
    lines = "".join(f"M-10 {60 + step * 30}{bend} {-30 - step * 4}" for step in range(9))
    return f'<path d="{lines}"/>'


_PATTERNS: Final[tuple[Callable[[int, int], str], ...]] = (
    _rings,
    _stripes,
    _waves,
    _diamonds,
    _dots,
    _quarters,
    _panes,
    _hills,
)


def _width(text: str) -> float:
    """Estimate the width of a text in ems: full for Chinese, about half for Latin."""
    return sum(1.0 if unicodedata.east_asian_width(char) in "WF" else 0.6 for char in text)


def _clipped(text: str, limit: float) -> str:
    if _width(text) <= limit:
        return text
    while text and _width(text) > limit - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def _broken(text: str, limit: float) -> tuple[str, str]:
    """Break a text in two lines, at a space when there is one near."""
    head = text
    while _width(head) > limit:
        head = head[:-1]
    space = head.rfind(" ")
    if space > len(head) // 2:
        head = head[:space]
    return head.rstrip(), text[len(head) :].strip()


_FACE_VALUE: Final = re.compile(r"([¥￥]?)([0-9][0-9,.]*)([^0-9]{0,5})")


def _label(label: str) -> str:
    """Set the label: a face value with small units, a short name large, a long one in two lines."""
    face = _FACE_VALUE.fullmatch(label)
    if face is not None and _width(label) <= 6.5:
        sign, number, unit = (escape(part.strip()) for part in face.groups())
        size = min(84, int(_LINE_WIDTH / (_width(number) + _width(sign + unit) * 0.45)))
        before = f'<tspan font-size="{size // 2}">{sign}</tspan>' if sign else ""
        after = f'<tspan font-size="{size * 2 // 5}" dx="5">{unit}</tspan>' if unit else ""
        return f'<text x="27" y="232" font-size="{size}">{before}{number}{after}</text>'
    size = min(54, int(_LINE_WIDTH / max(_width(label), 1)))
    if size >= 38:
        return f'<text x="28" y="228" font-size="{size}">{escape(label)}</text>'
    first, second = _broken(label, _LINE_WIDTH / 38)
    second = _clipped(second, _LINE_WIDTH / 38)
    return (
        f'<text x="28" y="184" font-size="38">{escape(first)}</text>'
        f'<text x="28" y="230" font-size="38">{escape(second)}</text>'
    )


def _clean(text: str) -> str:
    """Drop what XML cannot carry and fold white space."""
    kept = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in text)
    return " ".join(kept.split())


_UNIT: Final = "(?:美元|港币|日元|英镑|欧元|个月|元|个(?!人)|月|年|天|日|点|张|次|GB|G|TB|T|MB|M)"
# A space before the unit is meant only where the number stands alone: not in "剑网3 月卡".
_IN_NAME: Final = re.compile(
    rf"([¥￥]?[0-9][0-9,.]*{_UNIT}|(?<!\S)[¥￥]?[0-9][0-9,.]*\s{_UNIT}(?![\u4e00-\u9fff]))(?!包)档?"
)


def split_label(name: str, *, fallback: str) -> tuple[str, str]:
    """Return label and sublabel of a cover from a product's name.

    A face value or term in the name ("Q币 100个", "会员 1个月") becomes the label and the rest the
    line below; a name without one is the label itself, with `fallback` (the category) below.
    """
    found = _IN_NAME.search(name)
    if found is None:
        return name, fallback
    rest = " ".join((name[: found.start()] + " " + name[found.end() :]).split())
    return found.group(1), rest.strip(" -·×,，()（）") or fallback


def draw_cover(*, seed: int, category_key: str, icon: str, label: str, sublabel: str) -> str:
    """Return the SVG text of a cover, 400 × 300.

    `seed` (the product's id) chooses pattern, shade and angle; `category_key` the hues; `icon` a
    name of `ICON_PATHS`, or the category's own when unknown; `label` is the face value or short
    name, `sublabel` the line below it. Texts of any length and content are taken.
    """
    style = get_style(category_key)
    digest = hashlib.blake2b(str(seed).encode(), digest_size=8).digest()
    shift = digest[0] % 15 - 7
    start = _colour(style.from_hue + shift, style.saturation, 0.5 + digest[1] % 7 / 100)
    end = _colour(style.to_hue + shift, style.saturation, 0.34 + digest[2] % 6 / 100)
    pattern = _PATTERNS[digest[3] % len(_PATTERNS)](digest[4], digest[5])
    path = ICON_PATHS.get(icon) or ICON_PATHS[style.icon]
    name = f"c{digest[:4].hex()}"
    flip = "0" if digest[6] % 2 else "1"
    small = escape(_clipped(_clean(sublabel), _LINE_WIDTH / 20))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}"><defs>'
        f'<linearGradient id="{name}" x1="{flip}" y1="0" x2="{1 - int(flip)}" y2="1">'
        f'<stop stop-color="{start}"/><stop offset="1" stop-color="{end}"/></linearGradient>'
        f'<path id="i{name}" d="{path}"/></defs>'
        f'<path fill="url(#{name})" d="M0 0h400v300H0z"/>'
        f'<g fill="none" stroke="#fff" stroke-opacity=".13" stroke-width="1.5">{pattern}</g>'
        f'<g fill="none" stroke="#fff" stroke-linecap="round" stroke-linejoin="round">'
        f'<use href="#i{name}" transform="translate(222 {66 + digest[7] % 20}) '
        f'rotate({digest[6] % 17 - 12}) scale(8.6)" stroke-width="1.1" stroke-opacity=".13"/>'
        f'<rect x="28" y="28" width="60" height="60" rx="18" fill="#fff" fill-opacity=".16" '
        f'stroke="none"/><use href="#i{name}" transform="translate(40 40) scale(1.5)" '
        f'stroke-width="1.5"/></g>'
        f'<g fill="#fff" font-family="{_FONT}" font-weight="700">{_label(_clean(label))}'
        f'<text x="28" y="267" font-size="20" font-weight="500" fill-opacity=".88">{small}</text>'
        f"</g></svg>"
    )
