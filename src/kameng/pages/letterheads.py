"""What the mails of a site wear: its published look, in colours and shapes that mails can carry.

Buyers get the look of the shop, staff that of the main site: the platform writes to them. Kept in
the process until the look, a name or the address changes, so a batch of mails costs one query.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import override
from PIL import Image

from kameng.catalog.caching import SnapshotCache
from kameng.messaging.dressing import Dress, Logo, Shades
from kameng.messaging.models import Audience
from kameng.pages.content import Content
from kameng.pages.looks import FONTS, RADII, complete_look, shades_of
from kameng.pages.selectors import find_picture_data, get_design, list_pictures
from kameng.tenancy.addresses import host_url, site_url
from kameng.tenancy.selectors import SiteView, get_site_view, list_domains, site_scope

FRESH_SECONDS: Final = 300
KEPT_MOST: Final = 2_000  # of all sites together, at most 40 kB each
LOGO_HEIGHT: Final = 44  # CSS pixels; the file has twice as many for sharp screens
LOGO_WIDTH: Final = 200
SHARPNESS: Final = 2
LOGO_COLOURS: Final = 128
DARK_HEAD: Final = "#12151d"  # as the dark header of pages
WHITE: Final = "#ffffff"
SANS: Final = (
    "'PingFang SC','HarmonyOS Sans SC','MiSans','Microsoft YaHei','Noto Sans SC',"
    "'Helvetica Neue',Arial,sans-serif"
)
MONO: Final = "ui-monospace,'SF Mono',Menlo,Consolas,'Noto Sans Mono CJK SC',monospace"
EDGES: Final = {"line": 1, "shadow": 1, "flat": 0, "bold": 2}  # of the sheet, by `cards`
FACTS: Final = ("name", "credit_code", "address", "icp_no", "telecom_no")

_dresses: SnapshotCache[tuple[object, ...], Dress] = SnapshotCache(
    weight_limit=KEPT_MOST, fresh_seconds=FRESH_SECONDS, weigh=lambda _dress: 1
)


def dress_mail(site_id: int, *, audience: int, language: str) -> Dress:
    """Return the dress for mails of a site (`messaging.dressing.Dresser`), kept.

    One query, for the address; at most eight more when it is made.
    """
    site = get_site_view(site_id)
    worn = get_site_view(site.main_id) if audience == Audience.STAFF else site
    version = (worn.catalogue_version, site.name, worn.name, site_url(site_id))
    key = (site_id, audience, language, *version)
    return _dresses.get(key, lambda: _load(site, worn, audience=audience, language=language))


def forget_dresses() -> None:
    """Empty this process's dresses (tests, and after a fork)."""
    _dresses.clear()


def _load(site: SiteView, worn: SiteView, *, audience: int, language: str) -> Dress:
    with site_scope(worn.site_id), override(language):
        look = get_design(worn).look
        return make_dress(worn, look, language=language, audience=audience, sender=site)


def make_dress(
    worn: SiteView,
    look: Content,
    *,
    language: str,
    audience: int = Audience.BUYER,
    sender: SiteView | None = None,
) -> Dress:
    """Return a look as mails wear it, in the scope of the site whose look it is.

    A look that is always dark is so in mails; another is as the reader's mailbox is.
    `sender` is the site that the mail is about, where that is another.
    """
    root = complete_look(look["root"])
    light, dark = shades_of(root)
    title_font = MONO if root["type"] == "mono" else FONTS.get(root["type"], SANS)
    corners = RADII[root["radius"]]
    has_head = root["header"] in {"brand", "dark"}
    about = sender or worn
    with override(language):
        reason, facts = _reason(about, audience), tuple(_facts(worn))
    return Dress(
        name=worn.name,
        url=site_url(worn.site_id),
        language=language,
        light=_shades(dark if root["mode"] == "dark" else light, root),
        dark=_shades(dark, root),
        font=_quote(FONTS["round"]) if root["type"] == "round" else SANS,
        title_font=_quote(title_font),
        button_radius=corners[1],
        card_radius=corners[2],
        edge=EDGES[root["cards"]],
        has_shadow=root["cards"] == "shadow",
        is_centered=root["header"] == "center",
        has_head=has_head,
        has_bar=not has_head and root["header"] != "minimal",
        shows_name=root["shows_name"] or not root["logo"],
        origins=tuple(dict.fromkeys(_origins(worn, about))),
        reason=reason,
        facts=facts,
        logo=_logo(root["logo"]),
    )


def _shades(tokens: Mapping[str, str], root: Mapping[str, Any]) -> Shades:
    head = {
        "brand": (tokens["banner-1"], tokens["banner-ink"]),
        "dark": (DARK_HEAD, WHITE),
    }.get(root["header"], (tokens["surface"], tokens["text"]))
    return Shades(
        ground=tokens["bg"],
        surface=tokens["surface"],
        line=tokens["text"] if root["cards"] == "bold" else tokens["line"],
        text=tokens["text"],
        soft=tokens["text-2"],
        quiet=tokens["text-3"],
        ink=tokens["brand-ink"],
        solid=tokens["brand-solid"],
        on_solid=tokens["on-solid"],
        head=head[0],
        head_ink=head[1],
    )


def _reason(about: SiteView, audience: int) -> str:
    if audience == Audience.STAFF:
        return _("您收到这封邮件，是因为这个邮箱与“%(name)s”的后台有关。") % {"name": about.name}
    return _("您收到这封邮件，是因为您在“%(name)s”留下了这个邮箱。") % {"name": about.name}


def _facts(site: SiteView) -> Iterator[str]:
    """Yield who runs the shop: what was verified, else the numbers that the shop states."""
    legal = site.settings.legal_facts
    if not legal:
        yield from filter(None, (site.settings.icp_no,))
        if site.settings.licence_no:
            yield _("营业执照 %(number)s") % {"number": site.settings.licence_no}
        return
    for name in FACTS:
        if value := legal.get(name, ""):
            yield f"{_('统一社会信用代码')} {value}" if name == "credit_code" else value


def _origins(*sites: SiteView) -> Iterator[str]:
    for site in sites:
        yield site_url(site.site_id)
        for domain in list_domains(site.site_id):
            yield host_url(domain.host)


def _logo(value: Mapping[str, Any] | None) -> Logo | None:
    """Return the logo of the look as a small PNG: mail programs do not all read WebP."""
    picture = list_pictures([value["id"]]).get(value["id"]) if value else None
    if picture is None:
        return None
    data = find_picture_data(picture.id, digest=picture.digest, width=picture.widths[0])
    if data is None:
        return None
    out = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=("WEBP",)) as opened:
        image = opened.convert("RGBA")
        image.thumbnail((LOGO_WIDTH * SHARPNESS, LOGO_HEIGHT * SHARPNESS))
        small = image.quantize(LOGO_COLOURS, method=Image.Quantize.FASTOCTREE)
        small.save(out, "PNG", optimize=True)
        width, height = image.size
    return Logo(
        data=out.getvalue(),
        width=max(1, width // SHARPNESS),
        height=max(1, height // SHARPNESS),
    )


def _quote(families: str) -> str:
    """Return a list of families as an attribute in " can hold it."""
    return families.replace('"', "'")
