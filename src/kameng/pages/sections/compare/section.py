"""A table that compares offers: memberships, plans, versions."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="compare",
    version=1,
    name=_("对比表"),
    icon="table-export",
    group="content",
    hint=_("会员档位、软件版本放在一起比。"),
    fields=(
        Field(name="title", label=_("标题"), kind="text", most=20, is_inline=True),
        Field(
            name="head",
            label=_("表头，用竖线隔开"),
            kind="text",
            most=80,
            is_required=True,
            default=_("权益|月卡|季卡|年卡"),
        ),
        Field(
            name="rows",
            label=_("行"),
            kind="items",
            least=1,
            most=20,
            fields=(
                Field(
                    name="cells",
                    label=_("一行，用竖线隔开"),
                    kind="text",
                    most=160,
                    is_required=True,
                ),
            ),
            default=(
                {"cells": _("去广告|✓|✓|✓")},
                {"cells": _("4K 画质|—|✓|✓")},
                {"cells": _("同时登录|1 台|2 台|4 台")},
            ),
        ),
        Field(name="best", label=_("突出第几列（0 为不突出）"), kind="number", least=0, most=6),
    ),
    context=lambda props, _world: {
        "heads": props["head"].split("|"),
        "lines": [row["cells"].split("|") for row in props["rows"]],
    },
)
