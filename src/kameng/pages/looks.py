"""The look of a site: design tokens an operator chooses, and the style sheet made from them.

Pure. Every text pair of the sheet reaches a contrast of 4.5, whatever colour is chosen: shades are
walked until they do. What a look cannot say by tokens it says by `data-` attributes of the page.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from kameng.pages.colours import (
    Lch,
    contrast,
    darken_until,
    ink_on,
    lighten_until,
    parse,
    print_hex,
)
from kameng.pages.fields import Field, Props, check_props, complete

MENU_MOST: Final = 8
SHEET_TOKENS: Final = ("brand", "accent", "neutral", "type", "radius", "density")
WHITE: Final = "#ffffff"

LOOK_FIELDS: Final = (
    Field(name="brand", label=_("主色"), kind="color", default="#3b5bfd"),
    Field(name="accent", label=_("点缀色"), kind="color", default="#7a4dff"),
    Field(
        name="neutral",
        label=_("底色"),
        kind="choice",
        options=(
            ("cool", _("冷灰")),
            ("warm", _("暖灰")),
            ("pure", _("纯白")),
            ("tint", _("主色浅底")),
        ),
    ),
    Field(
        name="mode",
        label=_("明暗"),
        kind="choice",
        options=(("auto", _("跟随系统")), ("light", _("总是浅色")), ("dark", _("总是深色"))),
    ),
    Field(
        name="type",
        label=_("字体"),
        kind="choice",
        options=(
            ("sans", _("黑体")),
            ("song", _("宋体标题")),
            ("round", _("圆体")),
            ("mono", _("等宽标题")),
        ),
    ),
    Field(
        name="radius",
        label=_("圆角"),
        kind="choice",
        options=(
            ("soft", _("适中")),
            ("square", _("直角")),
            ("small", _("小")),
            ("round", _("大")),
        ),
    ),
    Field(
        name="density",
        label=_("疏密"),
        kind="choice",
        options=(("normal", _("适中")), ("compact", _("紧凑")), ("airy", _("宽松"))),
    ),
    Field(
        name="cards",
        label=_("卡片"),
        kind="choice",
        options=(
            ("line", _("细线")),
            ("shadow", _("阴影")),
            ("flat", _("无边")),
            ("bold", _("粗线")),
        ),
    ),
    Field(
        name="header",
        label=_("页头"),
        kind="choice",
        options=(
            ("bar", _("标准")),
            ("center", _("居中")),
            ("brand", _("主色页头")),
            ("dark", _("深色页头")),
            ("minimal", _("极简")),
        ),
    ),
    Field(name="logo", label=_("标志"), kind="image"),
    Field(name="favicon", label=_("浏览器图标"), kind="image"),
    Field(name="shows_name", label=_("标志旁显示店名"), kind="switch", default=True),
    Field(
        name="menu",
        label=_("菜单"),
        kind="items",
        most=MENU_MOST,
        help=_("电脑上显示在页头下方，手机上显示在分类页。留空时显示商品分类。"),
        fields=(
            Field(name="text", label=_("文字"), kind="text", most=12, is_required=True),
            Field(name="link", label=_("链接"), kind="link", is_required=True),
        ),
    ),
)

NEUTRALS: Final = {"cool": (0.006, 262.0), "warm": (0.007, 70.0), "pure": (0.0, 0.0)}
RADII: Final = {
    "soft": (6, 8, 12, 16),
    "square": (0, 0, 0, 0),
    "small": (3, 4, 6, 8),
    "round": (10, 14, 20, 28),
}
FONTS: Final = {
    "song": '"Songti SC", "STSong", "Noto Serif SC", "Source Han Serif SC", "SimSun", serif',
    "round": '"Yuanti SC", "HarmonyOS Sans SC", "MiSans", "PingFang SC", "Microsoft YaHei",'
    ' "Noto Sans SC", "WenQuanYi Micro Hei", system-ui, sans-serif',
    "mono": "var(--mono)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A style sheet; `name` says everything that it is made from, `digest` what came out."""

    name: str
    digest: str
    css: str


def complete_look(root: Mapping[str, Any]) -> Props:
    """Return a look with every field."""
    return complete(LOOK_FIELDS, root)


def sheet_of(look: Mapping[str, Any]) -> Sheet:
    """Return the style sheet of a look."""
    return _sheet(tuple(str(look[name]).removeprefix("#") for name in SHEET_TOKENS))


def shades_of(look: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the colours of a look by token, light and dark: for a mail, which reads no sheet."""
    brand, accent = parse(look["brand"]), parse(look["accent"])
    return _light(brand, accent, look["neutral"]), _dark(brand, accent, look["neutral"])


def banner_colours(look: Mapping[str, Any]) -> tuple[str, str]:
    """Return both ends of the banner's gradient: for an icon, which reads no style sheet."""
    drawn = _banner(parse(look["brand"]), parse(look["accent"]))
    return drawn["banner-1"], drawn["banner-2"]


def find_sheet(name: str) -> Sheet | None:
    """Return the style sheet of a name as `Sheet.name` has it, or None for one that is none."""
    tokens = name.split("-")
    if len(tokens) != len(SHEET_TOKENS):
        return None
    look = dict(zip(SHEET_TOKENS, tokens, strict=True))
    look["brand"], look["accent"] = f"#{look['brand']}", f"#{look['accent']}"
    fields = tuple(field for field in LOOK_FIELDS if field.name in look)
    if any(check_props(fields, look)):
        return None
    return sheet_of(look)


@lru_cache(maxsize=4096)
def _sheet(tokens: tuple[str, ...]) -> Sheet:
    brand, accent, neutral, type_, radius, density = tokens
    brand, accent = f"#{brand}", f"#{accent}"
    shape = _shape(type_, radius, density)
    light = _light(parse(brand), parse(accent), neutral)
    dark = _dark(parse(brand), parse(accent), neutral)
    css = (
        f":root,[data-palette]{{{_print({**shape, **light})}}}\n"
        f'[data-theme="dark"],[data-theme="dark"][data-palette]{{{_print(dark)}}}\n'
        "@media (prefers-color-scheme:dark){"
        f'[data-theme="auto"],[data-theme="auto"][data-palette]{{{_print(dark)}}}}}\n'
    )
    return Sheet(
        name="-".join(tokens), digest=hashlib.sha256(css.encode()).hexdigest()[:16], css=css
    )


def _print(tokens: Mapping[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in tokens.items())


def _shape(type_: str, radius: str, density: str) -> dict[str, str]:
    corners = {f"r{n}": f"{px}px" for n, px in enumerate(RADII[radius], start=1)}
    tokens = dict(corners)
    if type_ in FONTS:
        tokens["font-title"] = FONTS[type_]
        if type_ == "round":
            tokens["font"] = FONTS[type_]
    if radius == "square":
        tokens["r-full"] = "0px"
    gap = {"compact": ("10px", "16px"), "normal": ("16px", "24px"), "airy": ("24px", "40px")}
    tokens["section-gap"], tokens["section-gap-wide"] = gap[density]
    return tokens


def _light(brand: Lch, accent: Lch, neutral: str) -> dict[str, str]:
    chroma, hue = _tone(brand, neutral)

    def grey(light: float) -> str:
        return print_hex(Lch(light, chroma, hue))

    bg = grey(0.995 if neutral == "pure" else 0.974)
    sunken = grey(0.962)
    solid = darken_until(brand, against=[WHITE], ratio=4.6)
    return {
        "bg": bg,
        "surface": WHITE,
        "sunken": sunken,
        "line": grey(0.928),
        "line-strong": grey(0.868),
        "text": grey(0.21),
        "text-2": grey(0.44),
        "text-3": darken_until(Lch(0.56, chroma, hue), against=[sunken, bg], ratio=4.6),
        "brand": print_hex(brand),
        "brand-2": print_hex(accent),
        "brand-solid": solid,
        "brand-solid-2": print_hex(_shift(solid, -0.06)),
        "brand-ink": darken_until(
            brand, against=[_mix(print_hex(brand), WHITE, 0.16), sunken, bg], ratio=4.6
        ),
        "on-solid": WHITE,
        **_banner(brand, accent),
    }


def _dark(brand: Lch, accent: Lch, neutral: str) -> dict[str, str]:
    chroma, hue = _tone(brand, neutral)

    def grey(light: float) -> str:
        return print_hex(Lch(light, max(chroma, 0.008) * 1.6, hue or 262.0))

    surface = grey(0.215)
    shown = print_hex(brand.with_light(max(brand.light, 0.66)))
    solid = print_hex(brand.with_light(min(max(brand.light, 0.5), 0.62)))
    on_solid = ink_on(solid)
    if contrast(on_solid, solid) < 4.5:
        solid = darken_until(parse(solid), against=[WHITE])
        on_solid = WHITE
    raised = grey(0.29)
    return {
        "bg": grey(0.17),
        "surface": surface,
        "sunken": grey(0.245),
        "raised": raised,
        "line": grey(0.3),
        "line-strong": grey(0.385),
        "text": grey(0.955),
        "text-2": grey(0.79),
        "text-3": lighten_until(
            Lch(0.66, 0.012, hue or 262.0), against=[raised, surface], ratio=4.6
        ),
        "brand": shown,
        "brand-2": print_hex(accent.with_light(max(accent.light, 0.66))),
        "brand-solid": solid,
        "brand-solid-2": print_hex(_shift(solid, -0.05 if on_solid == WHITE else 0.05)),
        "brand-ink": lighten_until(
            brand.with_light(0.7), against=[_mix(shown, surface, 0.26), raised], ratio=4.6
        ),
        "on-solid": on_solid,
        **_banner(brand, accent),
    }


def _banner(brand: Lch, accent: Lch) -> dict[str, str]:
    """Return a gradient that carries white text from end to end."""
    return {
        "banner-1": darken_until(brand, against=[WHITE], ratio=5.2),
        "banner-2": darken_until(accent, against=[WHITE], ratio=5.2),
        "banner-ink": WHITE,
    }


def _tone(brand: Lch, neutral: str) -> tuple[float, float]:
    if neutral == "tint":
        return min(brand.chroma, 0.014), brand.hue
    return NEUTRALS[neutral]


def _shift(colour: str, by: float) -> Lch:
    shade = parse(colour)
    return shade.with_light(min(1.0, max(0.0, shade.light + by)))


def _mix(one: str, other: str, share: float) -> str:
    """Return `share` of one colour in another, in sRGB: near enough to judge a contrast by."""
    parts = (
        round(int(one[i : i + 2], 16) * share + int(other[i : i + 2], 16) * (1 - share))
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)
