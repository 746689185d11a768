"""The library of pictures: listed, uploaded, removed; for its own screen and for the editor."""

from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kameng.console.answers import done
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.pages.errors import PictureInvalid
from kameng.pages.models import Picture
from kameng.pages.selectors import find_picture, list_library
from kameng.pages.services.picturing import Crop, add_picture, remove_picture
from kameng.tenancy.selectors import SiteView
from kameng.web.answers import wants_json
from kameng.web.forms import find_whole

PAGE_SIZE: Final = 60
CROP: Final = ("left", "top", "width", "height")


@console_page("design.edit")
@require_safe
def pictures(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the library."""
    rows = list_library(before_id=find_whole(request, "before") or 0, limit=PAGE_SIZE + 1)
    context = {
        "pictures": [_picture_json(row) for row in rows[:PAGE_SIZE]],
        "older_id": rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else 0,
    }
    return show(request, "console/design/pictures.html", context)


@console_page("design.edit")
@require_safe
def list_pictures(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List pictures for the editor, the newest first."""
    named = find_whole(request, "id")
    if named:
        rows = [row for row in (find_picture(named),) if row is not None]
    else:
        rows = list_library(before_id=find_whole(request, "before") or 0, limit=PAGE_SIZE)
    return JsonResponse({"items": [_picture_json(row) for row in rows]})


@console_page("design.edit")
@require_POST
def upload(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take a picture in, cropped if asked. Answers the editor with the picture."""
    file = request.FILES.get("file")
    if file is None:
        raise PictureInvalid(why=_("请选择一张图片。"))
    picture = add_picture(
        file, name=file.name or "", crop=_read_crop(request), actor=actor_of(request)
    )
    if wants_json(request):
        return JsonResponse(_picture_json(picture))
    return done(request, _("图片已上传。"), to=reverse("console:pictures", args=(site.slug,)))


@console_page("design.edit")
@require_POST
def remove(request: ConsoleRequest, site: SiteView, picture_id: int) -> HttpResponse:
    """Offer a picture no longer."""
    remove_picture(picture_id, actor=actor_of(request))
    return done(
        request, _("图片已从图片库移除。"), to=reverse("console:pictures", args=(site.slug,))
    )


def _read_crop(request: ConsoleRequest) -> Crop | None:
    parts = [request.POST.get(name, "") for name in CROP]
    if not any(parts):
        return None
    if not all(part.isdecimal() and len(part) <= 6 for part in parts):
        raise PictureInvalid(why=_("裁剪的范围不正确，请重新裁剪。"))
    left, top, width, height = map(int, parts)
    return Crop(left=left, top=top, width=width, height=height)


def _picture_json(picture: Picture) -> dict[str, Any]:
    name = picture.digest[:16]

    def address(width: int) -> str:
        return reverse("storefront:picture", args=(picture.id, name, width))

    return {
        "id": picture.id,
        "name": picture.name,
        "width": picture.width,
        "height": picture.height,
        "has_code": picture.has_code,
        "url": address(picture.width),
        "thumb_url": address(min(480, picture.width)),
    }
