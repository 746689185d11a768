"""What a person or an import proposes for a category, a product or a variant, checked.

Owns the bounds of every field. Promises that a draft which passes can be stored, and that one which
does not is refused with the name of the field and what to do.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Final

from django.utils.translation import gettext_lazy as _

from kameng.catalog.errors import FieldInvalid, PriceBelowCost
from kameng.catalog.inputs import MAX_FIELDS, InputField, InputKind, is_field_name, is_safe_pattern
from kameng.catalog.models import DeliveryKind
from kameng.pricing.money import Amount, format_yuan

MAX_LIST_AMOUNT: Final = 10_000_000_000  # a million yuan
MAX_QUANTITY: Final = 1000
MAX_TERM_DAYS: Final = 3660
MAX_WEIGHT: Final = 10_000
MAX_TAGS: Final = 6
MAX_CHOICES: Final = 50
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")
_ICON: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryDraft:
    """A shelf as proposed."""

    name: str
    icon: str = "category"
    position: int = 0
    is_listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantDraft:
    """A face value as proposed."""

    name: str
    cost_amount: Amount
    list_amount: Amount
    face_amount: Amount | None = None
    position: int = 0
    is_listed: bool = True
    plan_id: int | None = None  # of goods of the kind SITE_PLAN
    term_days: int | None = None  # None: for good


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDraft:
    """A product as proposed; listing and pinning are acts of their own."""

    category_id: int
    code: str
    title: str
    delivery_kind: int
    brand: str = ""
    summary: str = ""
    description: str = ""
    tutorial: str = ""
    after_sale: str = ""
    input_fields: tuple[InputField, ...] = ()
    min_quantity: int = 1
    max_quantity: int = 100
    tags: tuple[str, ...] = ()
    keywords: str = ""
    weight: int = 0


def check_category(draft: CategoryDraft) -> CategoryDraft:
    """Return the draft with tidy texts; raise `FieldInvalid`."""
    if not _ICON.fullmatch(draft.icon):
        raise FieldInvalid(label=_("图标"), reason=_("请从列表中选择。"))
    _check_number(draft.position, label=_("排序"), low=-MAX_WEIGHT, high=MAX_WEIGHT)
    return replace(draft, name=_line(draft.name, label=_("分类名称"), limit=30, required=True))


def check_variant(draft: VariantDraft) -> VariantDraft:
    """Return the draft with tidy texts; raise `FieldInvalid` or `PriceBelowCost`."""
    name = _line(draft.name, label=_("规格名称"), limit=40, required=True)
    _check_number(draft.position, label=_("排序"), low=-MAX_WEIGHT, high=MAX_WEIGHT)
    low = 1 if draft.plan_id is None else 0  # a plan may be free, or tried for nothing
    _check_number(draft.list_amount, label=_("建议售价"), low=low, high=MAX_LIST_AMOUNT, money=True)
    _check_number(draft.cost_amount, label=_("成本价"), low=0, high=MAX_LIST_AMOUNT, money=True)
    if draft.face_amount is not None:
        _check_number(draft.face_amount, label=_("面值"), low=1, high=MAX_LIST_AMOUNT, money=True)
    if draft.term_days is not None:
        _check_number(draft.term_days, label=_("天数"), low=1, high=MAX_TERM_DAYS)
    if draft.list_amount < draft.cost_amount:
        raise PriceBelowCost(
            price=format_yuan(draft.list_amount), cost=format_yuan(draft.cost_amount)
        )
    return replace(draft, name=name)


def check_product(draft: ProductDraft) -> ProductDraft:
    """Return the draft with tidy texts; raise `FieldInvalid`."""
    if not _CODE.fullmatch(draft.code):
        reason = _("只能用字母、数字和 . _ / -，最多 40 个字符。")
        raise FieldInvalid(label=_("商品编码"), reason=reason)
    if draft.delivery_kind not in DeliveryKind.values:
        raise FieldInvalid(label=_("发货方式"), reason=_("请从列表中选择。"))
    if draft.delivery_kind == DeliveryKind.SITE_PLAN:
        draft = replace(draft, min_quantity=1, max_quantity=1, input_fields=())
    _check_number(draft.max_quantity, label=_("最多购买"), low=1, high=MAX_QUANTITY)
    _check_number(draft.min_quantity, label=_("最少购买"), low=1, high=draft.max_quantity)
    _check_number(draft.weight, label=_("排序权重"), low=-MAX_WEIGHT, high=MAX_WEIGHT)
    if len(draft.tags) > MAX_TAGS:
        raise FieldInvalid(label=_("标签"), reason=_("最多 6 个。"))
    return replace(
        draft,
        title=_line(draft.title, label=_("商品名称"), limit=80, required=True),
        brand=_line(draft.brand, label=_("品牌"), limit=40),
        summary=_line(draft.summary, label=_("一句话简介"), limit=120),
        keywords=_line(draft.keywords, label=_("搜索词"), limit=200),
        description=_text(draft.description, label=_("商品说明"), limit=8000),
        tutorial=_text(draft.tutorial, label=_("使用教程"), limit=8000),
        after_sale=_text(draft.after_sale, label=_("售后说明"), limit=4000),
        tags=tuple(
            dict.fromkeys(
                _line(tag, label=_("标签"), limit=16, required=True) for tag in draft.tags
            )
        ),
        input_fields=_check_inputs(draft.input_fields),
    )


def _check_inputs(fields: tuple[InputField, ...]) -> tuple[InputField, ...]:
    label = _("买家填写项")
    names = [field.name for field in fields]
    if len(fields) > MAX_FIELDS or len(set(names)) != len(names):
        raise FieldInvalid(label=label, reason=_("最多 10 项，名称不能重复。"))
    if not all(map(is_field_name, names)):
        raise FieldInvalid(label=label, reason=_("字段名只能用小写字母、数字和下划线。"))
    return tuple(_check_input(field) for field in fields)


def _check_input(field: InputField) -> InputField:
    label = _("买家填写项")
    if not is_safe_pattern(field.pattern):
        reason = _("校验规则不支持分组和多选，最多 3 处重复，例如 [0-9]{5,12}。")
        raise FieldInvalid(label=label, reason=reason)
    is_choice = field.kind is InputKind.CHOICE
    if is_choice != bool(field.choices) or len(field.choices) > MAX_CHOICES:
        raise FieldInvalid(label=label, reason=_("选择项需要 1 到 50 个选项。"))
    return replace(
        field,
        label=_line(field.label, label=label, limit=30, required=True),
        help_text=_line(field.help_text, label=label, limit=120),
        choices=tuple(
            dict.fromkeys(
                _line(choice, label=label, limit=60, required=True) for choice in field.choices
            )
        ),
    )


def _line(raw: str, *, label: object, limit: int, required: bool = False) -> str:
    """Return a text of one line, blanks tidied; raise `FieldInvalid`."""
    text = _text(raw, label=label, limit=limit * 4)
    text = " ".join(text.split())
    if len(text) > limit:
        raise FieldInvalid(label=label, reason=_("太长，最多 %(limit)s 个字。") % {"limit": limit})
    if required and not text:
        raise FieldInvalid(label=label, reason=_("不能为空。"))
    return text


def _text(raw: str, *, label: object, limit: int) -> str:
    if not isinstance(raw, str):
        raise FieldInvalid(label=label, reason=_("应为文字。"))
    text = unicodedata.normalize("NFC", raw).replace("\r\n", "\n").replace("\r", "\n").strip()
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in text):
        raise FieldInvalid(label=label, reason=_("含有无法显示的字符，请删除后重试。"))
    if len(text) > limit:
        raise FieldInvalid(label=label, reason=_("太长，最多 %(limit)s 个字。") % {"limit": limit})
    return text


def _check_number(value: int, *, label: object, low: int, high: int, money: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        shown = (format_yuan(Amount(low)), format_yuan(Amount(high))) if money else (low, high)
        reason = _("应在 %(low)s 到 %(high)s 之间。") % {"low": shown[0], "high": shown[1]}
        raise FieldInvalid(label=label, reason=reason)
