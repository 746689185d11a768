"""Forms of imports: pasted keys, an uploaded list, the columns of a table of goods."""

from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from kameng.catalog.models import Variant
from kameng.console.forms.fields import LineField, PickField, YuanField
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
    pasted = forms.CharField(
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
    def upload(self) -> UploadedFile | None:
        """Return the file that was sent, if it was one."""
        found: UploadedFile | None = self.cleaned_data["file"]
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
        choices = [(each.id, f"{each.product.title} · {each.name}") for each in variants]
        self.fields["variant_id"].choices = choices  # type: ignore[attr-defined]

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


class FindKeyForm(forms.Form):
    """A key as a buyer tells it. Posted, because what it holds must not stand in an address."""

    text = forms.CharField(
        label=_("卡密内容"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
        help_text=_("完整粘贴买家发来的卡号或密码，一次一张。"),
    )


class ReasonForm(forms.Form):
    """Why a sensitive act is done; it goes into the audit log."""

    reason = LineField(label=_("原因"), max_length=200)
