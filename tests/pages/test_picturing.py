"""Pictures: whatever comes in is a picture made anew, or refused."""

import io

import pytest
import segno
from PIL import Image

from kameng.pages import errors
from kameng.pages.models import Picture, PictureFile
from kameng.pages.selectors import find_picture_data, list_library, list_pictures
from kameng.pages.services import picturing
from kameng.pages.services.picturing import (
    Crop,
    add_picture,
    encode,
    read_picture,
    remove_picture,
)
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


def test_a_camera_that_was_turned_gives_an_upright_picture_and_the_part_that_was_seen() -> None:
    stored = Image.new("RGB", (400, 200), "white")
    stored.paste("red", (0, 0, 100, 100))  # a corner by which every turn can be told
    seen = {  # where the red corner is in the upright picture: left or right, top or bottom
        1: ("left", "top"),
        2: ("right", "top"),
        3: ("right", "bottom"),
        4: ("left", "bottom"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }
    for orientation, (side, height) in seen.items():
        exif = Image.Exif()
        exif[picturing.ORIENTATION] = orientation
        out = io.BytesIO()
        stored.save(out, "PNG", exif=exif)
        size = (400, 200) if orientation < 5 else (200, 400)
        left = 0 if side == "left" else size[0] - 100
        top = 0 if height == "top" else size[1] - 100

        whole = read_picture(io.BytesIO(out.getvalue()), crop=None)
        crop = Crop(left=left, top=top, width=100, height=100)
        part = read_picture(io.BytesIO(out.getvalue()), crop=crop)

        assert whole.size == size
        assert whole.getpixel((left + 50, top + 50)) == (255, 0, 0)
        assert part.size == (100, 100)
        assert part.getpixel((50, 50)) == (255, 0, 0), orientation


def test_a_photo_of_a_camera_is_decoded_no_larger_than_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []
    own = Image.Image.resize

    def watch(image: Image.Image, *args: object, **kwargs: object) -> Image.Image:
        asked.append(image.size)
        return own(image, *args, **kwargs)  # type: ignore[arg-type]

    photo = picture_file(8000, 6000)
    monkeypatch.setattr(Image.Image, "resize", watch)
    picture = read_picture(photo, crop=None)

    assert picture.size == (1600, 1200)
    assert asked[0] == (2000, 1500), "a quarter of each side, by the decoder itself"


@pytest.mark.parametrize(
    ("size", "kind"), [((4000, 4000), "PNG"), ((16001, 1000), "JPEG"), ((2100, 100), "PNG")]
)
def test_too_many_pixels_and_ribbons_are_refused_before_they_are_decoded(
    size: tuple[int, int], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = picture_file(*size, kind=kind)
    monkeypatch.setattr(Image.Image, "convert", None)
    with pytest.raises(errors.PictureInvalid):
        read_picture(file, crop=None)


def test_only_so_many_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picturing, "PATIENCE_SECONDS", 0)
    with picturing._one_turn(), picturing._one_turn(), pytest.raises(errors.PicturesBusy):
        read_picture(picture_file(100, 100), crop=None)

    assert read_picture(picture_file(100, 100), crop=None).size == (100, 100)


def coded(text: str, *, scale: int = 6, turn: int = 0) -> io.BytesIO:
    """Return a picture with a square code in it."""
    code = io.BytesIO()
    segno.make(text, micro=False).save(code, kind="png", scale=scale, border=4)
    poster = Image.linear_gradient("L").resize((1200, 800)).convert("RGB")
    poster.paste(Image.open(code).convert("RGB").rotate(turn, fillcolor="white"), (500, 200))
    out = io.BytesIO()
    poster.save(out, "JPEG", quality=70)
    return io.BytesIO(out.getvalue())


@pytest.mark.parametrize(
    "text",
    [
        "wxp://f2f0Nn8Zb4",
        "weixin://wxpay/bizpayurl?pr=abc",
        "HTTPS://QR.ALIPAY.COM/FKX01234",
        "https://qr.alipay.com/fkx01234?t=1",
        "alipays://platformapi/startapp?appId=1",
        "https://qr.95516.com/00010000/1",
        "00020101021226",
    ],
)
def test_a_picture_with_a_payment_code_is_refused(view: SiteView, text: str) -> None:
    with site_scope(view.site_id):
        for turn in (0, 180):
            with pytest.raises(errors.PictureInvalid) as refused:
                add_picture(coded(text, turn=turn), name="x", crop=None, actor=LIN)
            assert "收款码" in refused.value.text()
        assert Picture.in_site().count() == 0


@pytest.mark.parametrize("text", ["https://u.wechat.com/group", "客服 12345", "https://qq.com/g"])
def test_a_picture_with_another_code_is_taken_and_marked(view: SiteView, text: str) -> None:
    with site_scope(view.site_id):
        marked = add_picture(coded(text), name="x", crop=None, actor=LIN)
        plain = add_picture(picture_file(), name="y", crop=None, actor=LIN)

    assert (marked.has_code, plain.has_code) == (True, False)


def test_of_a_moving_picture_the_first_frame_is_taken(view: SiteView) -> None:
    frames = [Image.new("RGB", (300, 200), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100)

    (size,) = encode(io.BytesIO(out.getvalue()), crop=None)

    with Image.open(io.BytesIO(size.data)) as stored:
        assert getattr(stored, "n_frames", 1) == 1
        assert stored.convert("RGB").getpixel((150, 100))[0] > 200  # type: ignore[index]


def test_a_library_keeps_no_more_than_it_may_removed_ones_too(
    view: SiteView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picturing, "PICTURES_KEPT_MOST", 2)
    with site_scope(view.site_id):
        first = add_picture(picture_file(300, 200), name="a", crop=None, actor=LIN)
        remove_picture(first.id, actor=LIN)
        add_picture(picture_file(200, 300), name="b", crop=None, actor=LIN)
        with pytest.raises(errors.LibraryWorn):
            add_picture(picture_file(250, 250), name="c", crop=None, actor=LIN)
        again = add_picture(picture_file(300, 200), name="a", crop=None, actor=LIN)
        assert again.id == first.id
