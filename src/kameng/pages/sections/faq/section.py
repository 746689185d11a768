"""Questions and answers that fold."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="faq",
    version=1,
    name=_("常见问题"),
    icon="help-circle",
    group="trust",
    hint=_("把买家常问的先答了，少一半咨询。"),
    fields=(
        Field(
            name="title",
            label=_("标题"),
            kind="text",
            most=20,
            is_inline=True,
            default=_("常见问题"),
        ),
        Field(
            name="items",
            label=_("问答"),
            kind="items",
            least=1,
            most=20,
            fields=(
                Field(
                    name="question",
                    label=_("问"),
                    kind="text",
                    most=60,
                    is_required=True,
                    is_inline=True,
                ),
                Field(name="answer", label=_("答"), kind="rich", most=2000, is_required=True),
            ),
            default=(
                {
                    "question": _("付款后多久到账？"),
                    "answer": _(
                        "<p>自动发货的商品付款后几秒显示卡密，直充商品一般 10 分钟内到账。</p>"
                    ),
                },
                {
                    "question": _("卡密有问题怎么办？"),
                    "answer": _("<p>在订单页点“联系客服”，核实后补发或退款。</p>"),
                },
            ),
        ),
    ),
)
