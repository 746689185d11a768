"""Forms of goods: product, what its buyers fill in, face values, shelves, and the list's filters.

Each form is the allow-list of what a person may set: anything else in a request is not read.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from django import forms
from django.forms import formset_factory
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from kameng.catalog.adopting import made_code
from kameng.catalog.drafts import CategoryDraft, ProductDraft, VariantDraft
from kameng.catalog.inputs import MAX_FIELDS, InputField, InputKind
from kameng.catalog.models import Category, DeliveryKind, Product, Variant
from kameng.catalog.selectors import GOODS_ORDERS, CategoryRow, GoodsFilter
from kameng.console.forms.fields import (
    LineField,
    PickField,
    TextField,
    WholeField,
    YuanField,
    read_id,
)
from kameng.pricing.money import ZERO
from kameng.tenancy.models import Plan

GOODS_STATES: Final = {
    "all": _("全部"),
    "listed": _("在售"),
    "unlisted": _("已下架"),
    "pinned": _("置顶"),
}
GOODS_OWNERS: Final = {"own": _("自营"), "main": _("主站")}
ICONS: Final = (
    *("device-gamepad-2", "phone", "wifi", "player-play", "music", "key", "gift", "school"),
    *("message-circle", "device-desktop", "cloud", "coffee", "package", "credit-card", "tool"),
    *("book", "device-mobile", "bolt", "star", "ticket", "headset", "world", "shopping-bag"),
    *("wallet", "category"),
)
INPUT_KINDS: Final = (
    (InputKind.TEXT.value, _("文字")),
    (InputKind.NUMBER.value, _("数字")),
    (InputKind.PHONE.value, _("手机号")),
    (InputKind.EMAIL.value, _("邮箱")),
    (InputKind.CHOICE.value, _("从选项中选")),
)
MAX_NEW_VARIANTS: Final = 20


def read_goods_filter(query: QueryDict) -> GoodsFilter:
    """Return what the address asks for; values that make no sense count as not given."""
    state = query.get("state", "all")
    kind, order = read_id(query.get("kind")), query.get("sort", "")
    return GoodsFilter(
        text=query.get("q", "")[:60].replace("\x00", ""),
        category_id=read_id(query.get("category")),
        delivery_kind=kind if kind in DeliveryKind.values else None,
        state=state if state in GOODS_STATES else "all",
        owner=query.get("owner", "") if query.get("owner") in GOODS_OWNERS else "",
        order=order if order in GOODS_ORDERS else "",
    )


class ProductForm(forms.Form):
    """Texts and terms of a product of one's own."""

    title = LineField(label=_("商品名称"), max_length=80)
    category_id = PickField((), label=_("分类"))
    brand = LineField(label=_("品牌"), max_length=40, required=False)
    code = LineField(
        label=_("商品编码"),
        max_length=40,
        required=False,
        help_text=_("在本店唯一，只用字母、数字和 . _ / -。留空自动生成。"),
    )
    summary = LineField(
        label=_("一句话简介"), max_length=120, required=False, help_text=_("显示在商品名称下面。")
    )
    delivery_kind = PickField(DeliveryKind.choices, label=_("发货方式"), as_segments=True)
    min_quantity = WholeField(low=1, high=1000, label=_("最少购买"))
    max_quantity = WholeField(low=1, high=1000, label=_("最多购买"))
    description = TextField(label=_("商品说明"), max_length=8000, required=False, rows=6)
    tutorial = TextField(label=_("使用教程"), max_length=8000, required=False, rows=5)
    after_sale = TextField(label=_("售后说明"), max_length=4000, required=False, rows=4)
    tags = LineField(
        label=_("标签"), max_length=120, required=False, help_text=_("用逗号隔开，最多 6 个。")
    )
    keywords = LineField(
        label=_("搜索词"),
        max_length=200,
        required=False,
        help_text=_("只用于搜索，买家看不到，例如俗称和简称。"),
    )
    weight = WholeField(
        low=-10_000, high=10_000, label=_("排序权重"), help_text=_("越大越靠前，0 为不调整。")
    )

    def __init__(self, *args: Any, categories: Sequence[CategoryRow], **options: Any) -> None:
        super().__init__(*args, **options)
        names = [(row.category.id, row.category.name) for row in categories]
        self.fields["category_id"].choices = names  # type: ignore[attr-defined]
        # Plans are put on sale on their own page; what is one stays one.
        is_plan = self.initial.get("delivery_kind") == DeliveryKind.SITE_PLAN
        kinds = [each for each in DeliveryKind.choices if (each[0] == 4) == is_plan]
        self.fields["delivery_kind"].choices = kinds  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Check what concerns two fields."""
        values: dict[str, Any] = super().clean() or {}
        low, high = values.get("min_quantity"), values.get("max_quantity")
        if low is not None and high is not None and low > high:
            self.add_error("max_quantity", _("不能小于最少购买。"))
        return values

    def draft(self, input_fields: tuple[InputField, ...]) -> ProductDraft:
        """Return what the checked form proposes."""
        data = self.cleaned_data
        tags = data["tags"].replace("，", ",").replace("、", ",").split(",")
        return ProductDraft(
            category_id=int(data["category_id"]),
            code=data["code"] or made_code(data["title"]),
            title=data["title"],
            delivery_kind=int(data["delivery_kind"]),
            brand=data["brand"],
            summary=data["summary"],
            description=data["description"],
            tutorial=data["tutorial"],
            after_sale=data["after_sale"],
            input_fields=input_fields,
            min_quantity=data["min_quantity"],
            max_quantity=data["max_quantity"],
            tags=tuple(tag.strip() for tag in tags if tag.strip()),
            keywords=data["keywords"],
            weight=data["weight"],
        )


def product_values(product: Product) -> dict[str, Any]:
    """Return a stored product as the form shows it."""
    names = (
        *("title", "category_id", "brand", "code", "summary", "delivery_kind", "min_quantity"),
        *("max_quantity", "description", "tutorial", "after_sale", "keywords", "weight"),
    )
    return {name: getattr(product, name) for name in names} | {"tags": "，".join(product.tags)}


class InputFieldForm(forms.Form):
    """One thing that a buyer fills in. `name` is made by the program and stays."""

    name = LineField(max_length=30, required=False, widget=forms.HiddenInput)
    label = LineField(label=_("名称"), max_length=30, required=False)
    kind = PickField(INPUT_KINDS, label=_("类型"), initial="text")
    is_required = forms.BooleanField(label=_("必填"), required=False, initial=True)
    choices = LineField(
        label=_("选项"), max_length=600, required=False, help_text=_("用逗号隔开。")
    )
    pattern = LineField(
        label=_("校验规则"),
        max_length=80,
        required=False,
        help_text=_("例如 [0-9]{5,12} 表示 5 到 12 位数字。"),
    )
    help_text = LineField(label=_("填写提示"), max_length=120, required=False)


def read_inputs(inputs: "forms.BaseFormSet[Any]") -> tuple[InputField, ...]:
    """Return the checked rows that have a label; the emptied ones are gone."""
    rows = [form.cleaned_data for form in inputs.forms if form.cleaned_data.get("label")]
    taken = {row["name"] for row in rows if row["name"]}
    fresh = (name for name in (f"field_{n}" for n in range(1, 100)) if name not in taken)
    return tuple(
        InputField(
            name=row["name"] or next(fresh),
            label=row["label"],
            kind=InputKind(row["kind"]),
            is_required=row["is_required"],
            pattern=row["pattern"] if row["kind"] == InputKind.TEXT else "",
            choices=_choices_of(row),
            help_text=row["help_text"],
        )
        for row in rows
    )


def _choices_of(row: dict[str, Any]) -> tuple[str, ...]:
    if row["kind"] != InputKind.CHOICE:
        return ()
    parts = row["choices"].replace("，", ",").replace("、", ",").split(",")
    return tuple(part.strip() for part in parts if part.strip())


InputFieldSet = formset_factory(
    InputFieldForm,
    extra=1,
    max_num=MAX_FIELDS,
    absolute_max=MAX_FIELDS,
    validate_max=True,
)


def input_values(fields: Sequence[InputField]) -> list[dict[str, Any]]:
    """Return stored input fields as rows of the form set."""
    return [
        {
            "name": field.name,
            "label": field.label,
            "kind": field.kind.value,
            "is_required": field.is_required,
            "choices": "，".join(field.choices),
            "pattern": field.pattern,
            "help_text": field.help_text,
        }
        for field in fields
    ]


class VariantForm(forms.Form):
    """A face value with its prices."""

    name = LineField(label=_("规格名称"), max_length=40, help_text=_("例如 100元、月卡。"))
    face_amount = YuanField(label=_("面值"), low=1, required=False)
    cost_amount = YuanField(label=_("成本价"), help_text=_("任何价格都不会低于它。"))
    list_amount = YuanField(label=_("建议售价"), low=1, help_text=_("没有加价规则时就按它卖。"))
    position = WholeField(low=-10_000, high=10_000, label=_("排序"), initial="0")
    is_listed = forms.BooleanField(label=_("在售"), required=False, initial=True)

    def __init__(self, *args: Any, is_main: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)
        if not is_main:
            self.fields["cost_amount"].help_text = _("只有您看得到，用来算利润。没有成本填 0。")
            self.fields["list_amount"].label = _("售价")
            self.fields["list_amount"].help_text = _("买家付的价，平台按它收分成。")

    def clean(self) -> dict[str, Any]:
        """Check that the list price covers the cost."""
        values: dict[str, Any] = super().clean() or {}
        cost, price = values.get("cost_amount"), values.get("list_amount")
        if cost is not None and price is not None and price < cost:
            self.add_error("list_amount", _("不能低于成本价。"))
        return values

    def draft(self) -> VariantDraft:
        """Return what the checked form proposes."""
        data = self.cleaned_data
        return VariantDraft(
            name=data["name"],
            cost_amount=data["cost_amount"] or ZERO,
            list_amount=data["list_amount"],
            face_amount=data["face_amount"],
            position=data["position"],
            is_listed=data["is_listed"],
        )


class PlanVariantForm(VariantForm):
    """A plan for a time, as it is sold: instead of a face value it says which plan, how long."""

    plan_id = PickField((), label=_("开通哪个套餐"))
    term_days = WholeField(
        low=1,
        high=3660,
        label=_("天数"),
        required=False,
        help_text=_("30 为一个月，365 为一年，留空为永久。"),
    )

    def __init__(self, *args: Any, plans: Sequence[Plan], **options: Any) -> None:
        super().__init__(*args, **options)
        del self.fields["face_amount"]
        self.fields["plan_id"].choices = [(each.id, each.name) for each in plans]  # type: ignore[attr-defined]

    def draft(self) -> VariantDraft:
        """Return what the checked form proposes."""
        data = {"face_amount": None} | self.cleaned_data
        self.cleaned_data = data
        plan_id, days = int(data["plan_id"]), data["term_days"]
        return replace(super().draft(), plan_id=plan_id, term_days=days)


def variant_values(variant: Variant) -> dict[str, Any]:
    """Return a stored variant as the form shows it."""
    names = ("name", "face_amount", "cost_amount", "list_amount", "position", "is_listed")
    values = {name: getattr(variant, name) for name in names}
    return values | {"plan_id": variant.plan_id, "term_days": variant.term_days}


class StockForm(forms.Form):
    """How many pieces of a service may be sold; empty lifts the limit."""

    available_count = WholeField(
        low=0,
        high=1_000_000,
        label=_("可卖数量"),
        required=False,
        help_text=_("留空表示不限。卖一件少一件，卖完显示缺货。"),
    )


class NewVariantForm(VariantForm):
    """A row of face values of a product that is being made; an empty row counts for nothing."""

    position = None  # type: ignore[assignment]
    is_listed = None  # type: ignore[assignment]

    def draft(self) -> VariantDraft:
        """Return what the checked row proposes."""
        data = self.cleaned_data
        return VariantDraft(
            name=data["name"],
            cost_amount=data["cost_amount"] or ZERO,
            list_amount=data["list_amount"],
            face_amount=data["face_amount"],
        )


NewVariantSet = formset_factory(
    NewVariantForm,
    extra=2,
    min_num=1,
    max_num=MAX_NEW_VARIANTS,
    absolute_max=MAX_NEW_VARIANTS,
    validate_min=True,
    validate_max=True,
)


class ListingForm(forms.Form):
    """What a sub-site may say of the main site's product, besides listing and pinning it."""

    weight = WholeField(
        low=-10_000,
        high=10_000,
        label=_("排序权重"),
        help_text=_("加在主站的权重上，越大越靠前，0 为不调整。"),
    )


class TakeDownForm(forms.Form):
    """Why the platform takes a sub-site's product off sale; its operator reads it."""

    reason = TextField(
        label=_("原因"),
        max_length=200,
        rows=3,
        help_text=_("店主会看到，例如：侵犯他人商标，请改名后联系我们。"),
    )


class CategoryForm(forms.Form):
    """A shelf."""

    name = LineField(label=_("分类名称"), max_length=30)
    icon = PickField([(icon, icon) for icon in ICONS], label=_("图标"), initial="category")
    position = WholeField(
        low=-10_000, high=10_000, label=_("排序"), initial="0", help_text=_("越小越靠前。")
    )
    is_listed = forms.BooleanField(label=_("在店里显示"), required=False, initial=True)

    def draft(self) -> CategoryDraft:
        """Return what the checked form proposes."""
        return CategoryDraft(**self.cleaned_data)


def category_values(category: Category) -> dict[str, Any]:
    """Return a stored shelf as the form shows it."""
    return {name: getattr(category, name) for name in ("name", "icon", "position", "is_listed")}
