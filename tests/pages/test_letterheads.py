"""Letterheads: a look as mails wear it, readable in any colour, small, in the scope of its site."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kameng.messaging.channels.email.markup import draw_mail
from kameng.messaging.dressing import Shades
from kameng.messaging.models import Audience
from kameng.messaging.previewing import PREVIEWS, preview_mail
from kameng.pages import letterheads
from kameng.pages.colours import TEXT_CONTRAST, contrast
from kameng.pages.letterheads import dress_mail, make_dress
from kameng.pages.looks import complete_look, shades_of
from kameng.pages.models import PageKind
from kameng.pages.ready_made import all_designs
from kameng.pages.services.picturing import add_picture
from kameng.tenancy.addresses import host_url
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, site_scope
from tests.pages.conftest import LIN, content

HEX = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
LOGO_BYTES = 40_000
PAIRS = (  # (ink, ground): what the markup puts on one another
    ("text", "surface"),
    ("soft", "surface"),
    ("ink", "surface"),
    ("quiet", "ground"),
    ("on_solid", "solid"),
    ("head_ink", "head"),
)


def assert_readable(shades: Shades) -> None:
    for ink, ground in PAIRS:
        ratio = contrast(getattr(shades, ink), getattr(shades, ground))
        assert ratio >= TEXT_CONTRAST, (ink, ground, shades)


@given(
    brand=HEX,
    accent=HEX,
    neutral=st.sampled_from(["cool", "warm", "pure", "tint"]),
    header=st.sampled_from(["bar", "center", "brand", "dark", "minimal"]),
)
def test_every_word_of_a_mail_can_be_read(
    brand: str, accent: str, neutral: str, header: str
) -> None:
    root = complete_look({"brand": brand, "accent": accent, "neutral": neutral, "header": header})

    for tokens in shades_of(root):
        assert_readable(letterheads._shades(tokens, root))


@pytest.mark.parametrize("key", sorted(all_designs()))
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_design_dresses_every_mail(view: SiteView, key: str, language: str) -> None:
    look = all_designs()[key].contents()[PageKind.LOOK]
    with site_scope(view.site_id):
        dress = make_dress(view, look, language=language)

    assert_readable(dress.light)
    assert_readable(dress.dark)
    for name in PREVIEWS:
        page = preview_mail(name, dress, title="点卡", theme="auto")
        assert 0 < len(page.encode()) < 12_000
        assert "cid:" not in page


def picture(width: int, height: int) -> io.BytesIO:
    """Return a picture that does not compress: noise with holes."""
    image = Image.effect_noise((width, height), 100).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((width, height)))
    out = io.BytesIO()
    image.save(out, "PNG")
    return io.BytesIO(out.getvalue())


def test_the_logo_comes_small_and_as_png(view: SiteView) -> None:
    with site_scope(view.site_id):
        logo = add_picture(picture(900, 300), name="logo.png", crop=None, actor=LIN)
        root = {"logo": {"id": logo.id, "x": 50, "y": 50, "alt": ""}, "shows_name": False}
        dress = make_dress(view, {**content(), "root": complete_look(root)}, language="en")

    assert dress.logo is not None
    assert (dress.logo.width, dress.logo.height) == (132, 44)
    assert len(dress.logo.data) < LOGO_BYTES
    with Image.open(io.BytesIO(dress.logo.data)) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (264, 88))
    page = draw_mail("x", "y", dress)
    assert f'alt="{view.name}"' in page  # the name is not written beside it
    assert "data:image/png;base64," in preview_mail("one_time_code", dress, title="", theme="dark")


def test_a_picture_of_another_site_is_no_logo(view: SiteView, site_b: Site) -> None:
    with site_scope(site_b.id):
        other = add_picture(picture(60, 60), name="x.png", crop=None, actor=LIN)
    with site_scope(view.site_id):
        root = {"logo": {"id": other.id, "x": 50, "y": 50, "alt": ""}, "shows_name": False}
        dress = make_dress(view, {**content(), "root": complete_look(root)}, language="en")

    assert dress.logo is None
    assert view.name in draw_mail("x", "y", dress)


def test_staff_are_written_to_by_the_main_site(view: SiteView, main_site: Site) -> None:
    buyer = dress_mail(view.site_id, audience=Audience.BUYER, language="zh-hans")
    staff = dress_mail(view.site_id, audience=Audience.STAFF, language="zh-hans")

    assert (buyer.name, staff.name) == (view.name, main_site.name)
    assert host_url("a.localhost") in buyer.origins
    assert not [each for each in buyer.origins if "main.localhost" in each]
    assert {host_url("a.localhost"), host_url("main.localhost")} <= set(staff.origins)
    assert view.name in staff.reason


def test_a_look_that_is_always_dark_is_dark_in_mails(view: SiteView) -> None:
    with site_scope(view.site_id):
        looks = [
            make_dress(view, {**content(), "root": complete_look({"mode": mode})}, language="en")
            for mode in ("light", "dark", "auto")
        ]

    assert [dress.light == dress.dark for dress in looks] == [False, True, False]


def test_a_dress_is_kept_until_the_look_changes(view: SiteView) -> None:
    first = dress_mail(view.site_id, audience=Audience.BUYER, language="en")

    assert dress_mail(view.site_id, audience=Audience.BUYER, language="en") is first
    assert dress_mail(view.site_id, audience=Audience.BUYER, language="zh-hans") is not first
    Site.objects.filter(id=view.site_id).update(name="甲站二")
    renamed = dress_mail(view.site_id, audience=Audience.BUYER, language="en")
    assert renamed.name == "甲站二"
    letterheads.forget_dresses()
    assert dress_mail(view.site_id, audience=Audience.BUYER, language="en") is not renamed
