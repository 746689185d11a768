"""Pictures: whatever is uploaded is decoded, bounded, stripped and encoded anew as WebP.

What a file says of itself is not believed: it is read as a picture or refused. Decoding is bounded
in pixels before it begins, and in how many are decoded at once. The same picture twice is one row.
A code that asks for money is refused (`pages/codes.py`).
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final, Protocol

from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.pages.codes import is_payment_code, read_codes
from kameng.pages.errors import (
    LibraryFull,
    LibraryWorn,
    PictureInvalid,
    PictureNotFound,
    PicturesBusy,
)
from kameng.pages.models import Picture, PictureFile
from kameng.tenancy.services import lock_site

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
BYTES_MOST: Final = 15_000_000
PIXELS_MOST: Final = 60_000_000  # of a JPEG, which is decoded at the size that is needed
PIXELS_MOST_WHOLE: Final = 12_500_000  # of the others, which are decoded whole
SIDE_MOST: Final = 16_000
RATIO_MOST: Final = 20  # of the longer side to the shorter
WIDTHS: Final = (480, 960, 1600)
QUALITY: Final = 82
PICTURES_MOST: Final = 500  # of one site
PICTURES_KEPT_MOST: Final = 3000  # with those that were removed: pages go on showing them
NAME_CHARS: Final = 80
DECODED_AT_ONCE: Final = 2  # in one process
PATIENCE_SECONDS: Final = 20
UPRIGHT: Final = {  # EXIF orientation: how the stored picture is turned to be upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION: Final = 0x0112
_turns = BoundedSemaphore(DECODED_AT_ONCE)


class Readable(Protocol):
    """An uploaded file."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A part of the picture in pixels of the upright original; None takes all of it."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One size of a picture."""

    width: int
    height: int
    data: bytes


def add_picture(file: Readable, *, name: str, crop: Crop | None, actor: Actor) -> Picture:
    """Take a picture into the site's library.

    Raises `PictureInvalid`, `LibraryFull`, `LibraryWorn`, `PicturesBusy`. A picture with a code
    that asks for money is refused, one with another code is marked (`Picture.has_code`). Locks the
    site.
    """
    picture_read = read_picture(file, crop=crop)
    codes = read_codes(picture_read)
    if any(map(is_payment_code, codes)):
        why = _("图片里有收款码。付款只能在本站的支付页进行，请去掉收款码再上传。")
        raise PictureInvalid(why=why)
    sizes = _encode_sizes(picture_read)
    widest = sizes[-1]
    digest = hashlib.sha256(widest.data).hexdigest()
    site_id = require_site_id()
    with transaction.atomic():
        lock_site(site_id)  # or uploads at one moment would pass the limit together
        _require_place(digest)
        picture: Picture
        picture, is_new = Picture.objects.get_or_create(
            site_id=site_id,
            digest=digest,
            defaults={
                "name": name[:NAME_CHARS],
                "width": widest.width,
                "height": widest.height,
                "has_code": bool(codes),
                "created_by": actor.name[:100],
            },
        )
        if is_new:
            for size in sizes:
                PictureFile.objects.create(
                    site_id=site_id, picture=picture, width=size.width, data=size.data
                )
            record("picture.added", actor=actor, site_id=site_id, subject=("picture", picture.id))
        elif picture.removed_at is not None:
            picture.removed_at = None
            picture.save(update_fields=["removed_at"])
    return picture


def _require_place(digest: str) -> None:
    """Refuse one picture more than a library shows, or keeps for the pages that show it."""
    others = Picture.in_site().exclude(digest=digest)
    if others.filter(removed_at__isnull=True).count() >= PICTURES_MOST:
        raise LibraryFull(most=PICTURES_MOST)
    if others.count() >= PICTURES_KEPT_MOST:
        raise LibraryWorn(most=PICTURES_KEPT_MOST)


def remove_picture(picture_id: int, *, actor: Actor) -> None:
    """Offer a picture no longer. Pages that show it go on showing it."""
    with transaction.atomic():
        gone = (
            Picture.in_site()
            .filter(id=picture_id, removed_at__isnull=True)
            .update(removed_at=clock.now())
        )
        if not gone:
            raise PictureNotFound
        record(
            "picture.removed",
            actor=actor,
            site_id=require_site_id(),
            subject=("picture", picture_id),
        )


def encode(file: Readable, *, crop: Crop | None) -> list[Encoded]:
    """Return a picture in its sizes, the narrowest first. Raises `PictureInvalid`."""
    return _encode_sizes(read_picture(file, crop=crop))


def read_picture(file: Readable, *, crop: Crop | None) -> Image.Image:
    """Return a picture or a part of it, upright, no wider than the widest size, RGB or RGBA.

    Memory: a JPEG is decoded at the size that is needed, others whole, at most `DECODED_AT_ONCE` at
    a time. Raises `PictureInvalid`, `PicturesBusy`.
    """
    data = file.read(BYTES_MOST + 1)
    if len(data) > BYTES_MOST:
        raise PictureInvalid(why=_("图片太大，请选 15 MB 以内的。"))
    try:
        with _one_turn(), Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_size(opened)
            return _read(opened, crop)
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        ArithmeticError,
        Image.DecompressionBombError,
    ):
        why = _("认不出这个文件，请上传 JPG、PNG、WebP 或 GIF 图片。")
        raise PictureInvalid(why=why) from None


@contextmanager
def _one_turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE_SECONDS):
        raise PicturesBusy
    try:
        yield
    finally:
        _turns.release()


def _check_size(opened: Image.Image) -> None:
    most = PIXELS_MOST if opened.format in {"JPEG", "MPO"} else PIXELS_MOST_WHOLE
    if opened.width * opened.height > most or max(opened.size) > SIDE_MOST:
        raise PictureInvalid(why=_("图片尺寸太大，请先缩小再上传。"))
    if max(opened.size) > min(opened.size) * RATIO_MOST:
        raise PictureInvalid(why=_("图片太细长，长边最多是短边的 20 倍。"))


def _read(opened: Image.Image, crop: Crop | None) -> Image.Image:
    """Decode, cut out and shrink in one go: no second copy of the whole picture is made."""
    turn = UPRIGHT.get(opened.getexif().get(ORIENTATION, 1))
    wide, high = opened.size
    box = _stored_box(crop, turn, wide, high)
    is_lying = turn is not None and _swaps(turn)
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(1.0, WIDTHS[-1] / (height if is_lying else width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1:
        opened.draft("RGB", (int(wide * scale) + 1, int(high * scale) + 1))
    across, down = opened.width / wide, opened.height / high  # shrunk by the decoder itself, JPEG
    part = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    has_alpha = opened.mode in {"RGBA", "LA", "PA"} or "transparency" in opened.info
    mode = "RGBA" if has_alpha else "RGB"
    whole = opened if opened.mode == mode else opened.convert(mode)
    picture = whole.resize(size, Image.Resampling.LANCZOS, box=part, reducing_gap=2.0)
    return picture.transpose(turn) if turn is not None else picture


def _swaps(turn: Image.Transpose) -> bool:
    return turn in {
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    }


def _stored_box(
    crop: Crop | None, turn: Image.Transpose | None, wide: int, high: int
) -> tuple[int, int, int, int]:
    """Return the part of the stored picture that is the part `crop` of the upright one."""
    if crop is None:
        return 0, 0, wide, high
    is_lying = turn is not None and _swaps(turn)
    right, bottom = crop.left + crop.width, crop.top + crop.height
    upright_wide, upright_high = (high, wide) if is_lying else (wide, high)
    is_inside = 0 <= crop.left < right <= upright_wide and 0 <= crop.top < bottom <= upright_high
    if not is_inside:
        raise PictureInvalid(why=_("裁剪的范围超出了图片，请重新裁剪。"))
    across, down = (crop.left, right), (crop.top, bottom)
    if is_lying:
        across, down = down, across
    kinds = Image.Transpose
    if turn in {kinds.FLIP_LEFT_RIGHT, kinds.ROTATE_180, kinds.TRANSVERSE, kinds.ROTATE_90}:
        across = wide - across[1], wide - across[0]
    if turn in {kinds.FLIP_TOP_BOTTOM, kinds.ROTATE_180, kinds.TRANSVERSE, kinds.ROTATE_270}:
        down = high - down[1], high - down[0]
    return across[0], down[0], across[1], down[1]


def _encode_sizes(picture: Image.Image) -> list[Encoded]:
    widths = sorted({min(width, picture.width) for width in WIDTHS})
    return [_encode(picture, width) for width in widths]


def _encode(picture: Image.Image, width: int) -> Encoded:
    height = max(1, round(picture.height * width / picture.width))
    sized = picture if width == picture.width else picture.resize((width, height))
    out = io.BytesIO()
    sized.save(out, "WEBP", quality=QUALITY, method=4)
    return Encoded(width=width, height=height, data=out.getvalue())
