"""One picture across the page, with words below it if wanted."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="picture",
    version=1,
    name=_("单张图片"),
    icon="photo",
    group="content",
    hint=_("一张海报或说明图。"),
    fields=(
        Field(name="picture", label=_("图片"), kind="image", is_required=True),
        Field(name="caption", label=_("图片下的文字"), kind="text", most=80, is_inline=True),
        Field(name="link", label=_("链接"), kind="link"),
        Field(
            name="width",
            label=_("宽度"),
            kind="choice",
            options=(("full", _("整行")), ("narrow", _("居中较窄"))),
        ),
    ),
)
