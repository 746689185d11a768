"""Forms of imports: pasted keys, an uploaded list, the columns of a table of goods."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from kameng.catalog.models import Variant
from kameng.catalog.parsing import DeliveryWord, Field
from kameng.catalog.services.importing import ProductChoices
from kameng.console.forms.fields import LineField, PickField, PlainField, YuanField
from kameng.inventory.parsing import KeyFormat
from kameng.inventory.services.importing import KeyImport
from kameng.pricing.money import ZERO

FORMATS: Final = (
    (KeyFormat.AUTO.value, _("自动识别（每行单独判断）")),
    (KeyFormat.PLAIN.value, _("整行就是一张卡")),
    (KeyFormat.DASHES.value, _("卡号----密码")),
    (KeyFormat.BAR.value, _("卡号|密码")),
    (KeyFormat.TAB.value, _("卡号（Tab）密码")),
    (KeyFormat.COMMA.value, _("卡号,密码")),
    (KeyFormat.SPACE.value, _("卡号（空格）密码")),
    (KeyFormat.LABELLED.value, _("卡号：… 密码：…")),
)
MAX_PASTED_CHARS: Final = 2_000_000


class UploadForm(forms.Form):
    """A file or pasted text: one of the two."""

    file = forms.FileField(required=False, allow_empty_file=True, max_length=200)
    pasted = PlainField(
        label=_("也可以直接粘贴"),
        required=False,
        strip=False,
        max_length=MAX_PASTED_CHARS,
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for exactly one source."""
        values: dict[str, Any] = super().clean() or {}
        has_file, has_text = values.get("file") is not None, bool(values.get("pasted", "").strip())
        if has_file and has_text:
            self.add_error(None, _("文件和粘贴的内容只能选一种，请清空其中一个。"))
        elif not has_file and not has_text and "pasted" not in self.errors:
            self.add_error(None, _("请选择文件，或粘贴内容。"))
        return values

    @property
    def upload(self) -> "UploadedFile[bytes] | None":
        """Return the file that was sent, if it was one."""
        found: UploadedFile[bytes] | None = self.cleaned_data["file"]
        return found


class KeyUploadForm(UploadForm):
    """Card keys for one face value."""

    variant_id = PickField((), label=_("商品规格"))
    label = LineField(
        label=_("批次名称"),
        max_length=80,
        required=False,
        help_text=_("例如进货渠道和日期，方便以后查和撤回。留空自动取名。"),
    )
    cost_amount = YuanField(
        label=_("单张进货价"), required=False, help_text=_("留空按 0 记，只用于核对成本。")
    )
    fmt = PickField(FORMATS, label=_("格式"), initial=KeyFormat.AUTO.value)

    def __init__(self, *args: Any, variants: list[Variant], **options: Any) -> None:
        super().__init__(*args, **options)
        # None is chosen beforehand: keys of one face value would be sold as another.
        choices = [(each.id, f"{each.product.title} · {each.name}") for each in variants]
        self.fields["variant_id"].choices = [("", _("请选择规格")), *choices]  # type: ignore[attr-defined]

    def wanted(self) -> KeyImport:
        """Return what the checked form asks for."""
        data = self.cleaned_data
        upload = self.upload
        return KeyImport(
            variant_id=int(data["variant_id"]),
            label=data["label"],
            cost_amount=data["cost_amount"] or ZERO,
            fmt=KeyFormat(data["fmt"]),
            filename=(upload.name or "") if upload is not None else "",
        )


FIELD_NAMES: Final = {
    Field.NAME: _("商品名称"),
    Field.CODE: _("商品编码"),
    Field.CATEGORY: _("分类"),
    Field.BRAND: _("品牌"),
    Field.FACE_VALUE: _("面值或规格"),
    Field.COST: _("进货价"),
    Field.LIST_PRICE: _("售价"),
    Field.STOCK: _("库存"),
    Field.DELIVERY: _("发货方式"),
    Field.NOTE: _("说明"),
}
DELIVERY_WORDS: Final = (
    (DeliveryWord.AUTOMATIC.value, _("自动发货")),
    (DeliveryWord.TOP_UP.value, _("直充")),
    (DeliveryWord.MANUAL.value, _("人工服务")),
)


class MappingForm(forms.Form):
    """Which column of a list of goods holds what, and what its gaps mean."""

    category = LineField(
        label=_("没有分类的放进"), max_length=30, required=False, help_text=_("留空放进“未分类”。")
    )
    delivery = PickField(DELIVERY_WORDS, label=_("没写发货方式的算"))
    updates_existing = forms.BooleanField(
        label=_("更新已有商品"),
        required=False,
        help_text=_("编码或名称相同的商品，用表里的价格和分类更新；关掉则跳过。"),
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, options: Mapping[str, Any]
    ) -> None:
        super().__init__(data, initial=mapping_values(options))
        choices = [("", _("不导入")), *_column_choices(options.get("report", {}))]
        for field, label in FIELD_NAMES.items():
            is_name = field is Field.NAME
            self.fields[f"column_{field.value}"] = PickField(
                choices,
                label=label,
                required=is_name,
                error_messages={"required": _("请选择商品名称在哪一列。")},
            )

    @property
    def columns(self) -> list[forms.BoundField]:
        """Return the choosers of columns in the order of the fields."""
        return [self[f"column_{field.value}"] for field in FIELD_NAMES]

    def clean(self) -> dict[str, Any]:
        """Refuse one column for two things."""
        values: dict[str, Any] = super().clean() or {}
        taken: dict[str, str] = {}
        for field in FIELD_NAMES:
            name = f"column_{field.value}"
            column = values.get(name, "")
            if column and column in taken:
                self.add_error(name, _("这一列已经用在别处了。"))
            taken[column] = name
        return values

    def choices(self) -> ProductChoices:
        """Return what the checked form says."""
        data = self.cleaned_data
        columns = {each.value: data[f"column_{each.value}"] for each in FIELD_NAMES}
        return ProductChoices(
            columns={name: int(text) if text else None for name, text in columns.items()},
            category=data["category"],
            delivery=DeliveryWord(data["delivery"]),
            updates_existing=data["updates_existing"],
        )


def mapping_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices of an import as the form shows them."""
    columns = options.get("mapping", {}).get("columns", {})
    return {
        "category": options.get("category", ""),
        "delivery": options.get("delivery", DeliveryWord.AUTOMATIC.value),
        "updates_existing": options.get("updates_existing", True),
    } | {f"column_{name}": str(column) for name, column in columns.items()}


def _column_choices(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    header, rows = report.get("header", []), report.get("rows", [])
    width = max([len(header), *map(len, rows)], default=0)
    found = []
    for column in range(width):
        heading = header[column] if column < len(header) else ""
        example = next((row[column] for row in rows if column < len(row) and row[column]), "")
        text = " · ".join(part for part in (heading, example[:20]) if part)
        found.append((str(column), f"{column + 1}. {text}"))
    return found


class FindKeyForm(forms.Form):
    """A key as a buyer tells it. Posted, because what it holds must not stand in an address."""

    text = PlainField(
        label=_("卡密内容"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
        help_text=_("完整粘贴买家发来的卡号或密码，一次一张。"),
    )


class ReasonForm(forms.Form):
    """Why a sensitive act is done; it goes into the audit log."""

    reason = LineField(label=_("原因"), max_length=200)
