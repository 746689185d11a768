"""Pictures: whatever is uploaded is decoded, bounded, stripped and encoded anew as WebP.

What a file says of itself is not believed: it is read as a picture or refused. Decoding is bounded
in pixels before it begins. The same picture twice is one row.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import Final, Protocol

from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.pages.errors import LibraryFull, PictureInvalid, PictureNotFound
from kameng.pages.models import Picture, PictureFile

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
BYTES_MOST: Final = 15_000_000
PIXELS_MOST: Final = 40_000_000
WIDTHS: Final = (480, 960, 1600)
QUALITY: Final = 82
PICTURES_MOST: Final = 500  # of one site
NAME_CHARS: Final = 80


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
    """Take a picture into the site's library. Raises `PictureInvalid`, `LibraryFull`."""
    sizes = encode(file, crop=crop)
    widest = sizes[-1]
    digest = hashlib.sha256(widest.data).hexdigest()
    site_id = require_site_id()
    shown = Picture.in_site().filter(removed_at__isnull=True).exclude(digest=digest)
    if shown.count() >= PICTURES_MOST:
        raise LibraryFull(most=PICTURES_MOST)
    with transaction.atomic():
        picture: Picture
        picture, is_new = Picture.objects.get_or_create(
            site_id=site_id,
            digest=digest,
            defaults={
                "name": name[:NAME_CHARS],
                "width": widest.width,
                "height": widest.height,
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
    data = file.read(BYTES_MOST + 1)
    if len(data) > BYTES_MOST:
        raise PictureInvalid(why=_("图片太大，请选 15 MB 以内的。"))
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > PIXELS_MOST:
                raise PictureInvalid(why=_("图片尺寸太大，请先缩小再上传。"))
            upright = ImageOps.exif_transpose(opened)
            has_alpha = upright.mode in {"RGBA", "LA", "P", "PA"}
            picture = upright.convert("RGBA" if has_alpha else "RGB")
    except PictureInvalid:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        why = _("认不出这个文件，请上传 JPG、PNG、WebP 或 GIF 图片。")
        raise PictureInvalid(why=why) from None
    if crop is not None:
        picture = _cut(picture, crop)
    widths = sorted({min(width, picture.width) for width in WIDTHS})
    return [_encode(picture, width) for width in widths]


def _cut(picture: Image.Image, crop: Crop) -> Image.Image:
    right, bottom = crop.left + crop.width, crop.top + crop.height
    is_inside = 0 <= crop.left < right <= picture.width and 0 <= crop.top < bottom <= picture.height
    if not is_inside:
        raise PictureInvalid(why=_("裁剪的范围超出了图片，请重新裁剪。"))
    return picture.crop((crop.left, crop.top, right, bottom))


def _encode(picture: Image.Image, width: int) -> Encoded:
    height = max(1, round(picture.height * width / picture.width))
    sized = picture if width == picture.width else picture.resize((width, height))
    out = io.BytesIO()
    sized.save(out, "WEBP", quality=QUALITY, method=4)
    return Encoded(width=width, height=height, data=out.getvalue())
