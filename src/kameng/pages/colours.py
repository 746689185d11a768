"""Arithmetic of colours: OKLCH and the contrast of WCAG 2. Pure.

OKLab after Björn Ottosson, "A perceptual color space for image processing" (2020); contrast after
WCAG 2.2, 1.4.3. Colours travel as "#rrggbb".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TEXT_CONTRAST: Final = 4.5


@dataclass(frozen=True, slots=True)
class Lch:
    """A colour by lightness (0–1), chroma (0–0.4) and hue (degrees)."""

    light: float
    chroma: float
    hue: float

    def with_light(self, light: float) -> "Lch":
        """Return the same hue and chroma at another lightness."""
        return Lch(light, self.chroma, self.hue)

    def with_chroma(self, most: float) -> "Lch":
        """Return it with at most this chroma."""
        return Lch(self.light, min(self.chroma, most), self.hue)


def parse(colour: str) -> Lch:
    """Return the OKLCH of "#rrggbb"."""
    r, g, b = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    long = _cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = _cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = _cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    light = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b_axis = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Lch(light, math.hypot(a, b_axis), math.degrees(math.atan2(b_axis, a)) % 360)


def print_hex(colour: Lch) -> str:
    """Return "#rrggbb", with less chroma where the screen cannot show as much."""
    low, high = 0.0, colour.chroma
    if _fits(_rgb(colour)):
        low = high
    else:
        for _step in range(16):
            middle = (low + high) / 2
            if _fits(_rgb(Lch(colour.light, middle, colour.hue))):
                low = middle
            else:
                high = middle
    parts = (_gamma(min(1.0, max(0.0, x))) for x in _rgb(Lch(colour.light, low, colour.hue)))
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def contrast(one: str, other: str) -> float:
    """Return the ratio of luminances of two colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def darken_until(colour: Lch, *, against: Sequence[str], ratio: float = TEXT_CONTRAST) -> str:
    """Return the lightest shade of a colour that reaches a contrast on every ground, or black."""
    return _walk(colour, against, ratio, step=-0.01)


def lighten_until(colour: Lch, *, against: Sequence[str], ratio: float = TEXT_CONTRAST) -> str:
    """Return the darkest tint of a colour that reaches a contrast on every ground, or white."""
    return _walk(colour, against, ratio, step=0.01)


def ink_on(ground: str) -> str:
    """Return the better of white and near-black as a text colour on a ground."""
    return max(("#ffffff", "#10131a"), key=lambda ink: contrast(ink, ground))


def _walk(colour: Lch, against: Sequence[str], ratio: float, *, step: float) -> str:
    light = colour.light
    while 0.0 <= light <= 1.0:
        shown = print_hex(colour.with_light(light))
        if all(contrast(shown, ground) >= ratio for ground in against):
            return shown
        light += step
    return "#000000" if step < 0 else "#ffffff"


def _cbrt(value: float) -> float:
    return math.copysign(abs(value) ** (1 / 3), value)


def _rgb(colour: Lch) -> tuple[float, float, float]:
    angle = math.radians(colour.hue)
    a, b = colour.chroma * math.cos(angle), colour.chroma * math.sin(angle)
    long = (colour.light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (colour.light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (colour.light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _fits(rgb: tuple[float, float, float]) -> bool:
    return all(-1e-4 <= part <= 1 + 1e-4 for part in rgb)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _luminance(colour: str) -> float:
    r, g, b = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
