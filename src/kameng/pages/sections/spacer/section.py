"""Room between sections."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="spacer",
    version=1,
    name=_("留白"),
    icon="minus",
    group="layout",
    hint=_("在两个区块之间多留一些空。"),
    fields=(
        Field(
            name="size",
            label=_("高度"),
            kind="choice",
            options=(("normal", _("适中")), ("small", _("小")), ("large", _("大"))),
        ),
    ),
)
