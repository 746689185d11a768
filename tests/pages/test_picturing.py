"""Pictures: whatever comes in is a picture made anew, or refused."""

import io

import pytest
from PIL import Image

from kameng.pages import errors
from kameng.pages.models import Picture, PictureFile
from kameng.pages.selectors import find_picture_data, list_library, list_pictures
from kameng.pages.services import picturing
from kameng.pages.services.picturing import Crop, add_picture, encode, remove_picture
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, site_scope
from tests.pages.conftest import LIN


def picture_file(
    width: int = 2000, height: int = 1000, *, kind: str = "JPEG", mode: str = "RGB"
) -> io.BytesIO:
    image = Image.linear_gradient("L").resize((width, height)).convert(mode)
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "31.2304 N, 121.4737 E"  # ImageDescription
    image.save(out, kind, **({"exif": exif} if kind == "JPEG" else {}))
    return io.BytesIO(out.getvalue())


def test_a_picture_comes_in_three_sizes_without_what_it_said_of_itself(view: SiteView) -> None:
    with site_scope(view.site_id):
        picture = add_picture(picture_file(), name="banner.jpg", crop=None, actor=LIN)

        found = list_pictures([picture.id])[picture.id]
        assert (found.widths, found.width, found.height) == ((480, 960, 1600), 1600, 800)
        for width in found.widths:
            data = find_picture_data(picture.id, digest=found.digest[:16], width=width)
            assert data is not None
            assert b"121.4737" not in data
            with Image.open(io.BytesIO(data)) as stored:
                assert (stored.format, stored.width) == ("WEBP", width)


def test_a_small_picture_is_not_blown_up(view: SiteView) -> None:
    with site_scope(view.site_id):
        picture = add_picture(picture_file(300, 200), name="s", crop=None, actor=LIN)

        assert list_pictures([picture.id])[picture.id].widths == (300,)


def test_a_part_is_cut_out_and_a_part_outside_is_refused() -> None:
    (cut,) = encode(picture_file(400, 200), crop=Crop(left=100, top=50, width=200, height=100))

    assert (cut.width, cut.height) == (200, 100)
    for crop in (
        Crop(left=300, top=0, width=200, height=100),
        Crop(left=-1, top=0, width=10, height=10),
        Crop(left=0, top=0, width=0, height=10),
    ):
        with pytest.raises(errors.PictureInvalid):
            encode(picture_file(400, 200), crop=crop)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"%PDF-1.4",
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 40,
        picture_file(100, 100).getvalue()[:300],
        b"GIF89a" + b"\xff" * 20,
    ],
)
def test_what_is_no_picture_is_refused(view: SiteView, data: bytes) -> None:
    with site_scope(view.site_id):
        with pytest.raises(errors.PictureInvalid):
            add_picture(io.BytesIO(data), name="x", crop=None, actor=LIN)

        assert Picture.in_site().count() == 0


def test_too_many_bytes_or_pixels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picturing, "BYTES_MOST", 1000)
    with pytest.raises(errors.PictureInvalid):
        encode(picture_file(), crop=None)
    monkeypatch.undo()
    monkeypatch.setattr(picturing, "PIXELS_MOST", 2000 * 1000 - 1)
    with pytest.raises(errors.PictureInvalid):
        encode(picture_file(), crop=None)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("GIF", "P"), ("WEBP", "RGB"), ("PNG", "LA")]
)
def test_every_usual_kind_is_taken(kind: str, mode: str) -> None:
    sizes = encode(picture_file(600, 300, kind=kind, mode=mode), crop=None)

    assert [size.width for size in sizes] == [480, 600]


def test_the_same_picture_twice_is_one_and_comes_back_after_removal(view: SiteView) -> None:
    with site_scope(view.site_id):
        first = add_picture(picture_file(), name="a", crop=None, actor=LIN)
        remove_picture(first.id, actor=LIN)
        assert list_library() == []
        with pytest.raises(errors.PictureNotFound):
            remove_picture(first.id, actor=LIN)

        again = add_picture(picture_file(), name="b", crop=None, actor=LIN)

        assert again.id == first.id
        assert [row.id for row in list_library()] == [first.id]
        assert PictureFile.in_site().count() == 3


def test_a_full_library_takes_no_more(view: SiteView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picturing, "PICTURES_MOST", 1)
    with site_scope(view.site_id):
        add_picture(picture_file(300, 200), name="a", crop=None, actor=LIN)
        with pytest.raises(errors.LibraryFull):
            add_picture(picture_file(200, 300), name="b", crop=None, actor=LIN)
        add_picture(picture_file(300, 200), name="the first again", crop=None, actor=LIN)


def test_another_site_has_none_of_it(view: SiteView, site_b: Site) -> None:
    with site_scope(view.site_id):
        picture = add_picture(picture_file(300, 200), name="a", crop=None, actor=LIN)
    with site_scope(site_b.id):
        assert list_pictures([picture.id]) == {}
        assert find_picture_data(picture.id, digest=picture.digest[:16], width=300) is None
        with pytest.raises(errors.PictureNotFound):
            remove_picture(picture.id, actor=LIN)


def test_a_wrong_digest_gets_nothing(view: SiteView) -> None:
    with site_scope(view.site_id):
        picture = add_picture(picture_file(300, 200), name="a", crop=None, actor=LIN)

        assert find_picture_data(picture.id, digest="0" * 16, width=300) is None
        assert find_picture_data(picture.id, digest=picture.digest[:16], width=301) is None
