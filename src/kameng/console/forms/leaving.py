"""Forms of a shop's end and its handing over, and of who runs it before the law."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from kameng.console.forms.fields import LineField, PickField
from kameng.tenancy.licensing import FACTS, LegalDetails
from kameng.tenancy.models import Licence, LicenceKind

ASCII: Final = {"autocapitalize": "none", "autocomplete": "off"}


class ArchiveForm(forms.Form):
    """Whether contacts stand in an archive in clear."""

    with_contacts = forms.BooleanField(
        label=_("包含客户和订单的联系方式、充值账号（明文）"), required=False
    )


class OfferForm(forms.Form):
    """To whom a shop is offered."""

    receiver = LineField(
        label=_("接手人的登录名"),
        max_length=64,
        help_text=_("邮箱最好：链接会直接发过去。还没有账号也可以，打开链接时注册。"),
        widget=forms.TextInput(attrs=ASCII),
    )
    reason = LineField(
        label=_("说明"), max_length=200, required=False, help_text=_("接手人会看到。")
    )


class ClosingForm(forms.Form):
    """Why a shop closes; whoever does it types the shop's name."""

    reason = LineField(label=_("关店原因"), max_length=200, help_text=_("会显示并邮件告知买家。"))
    typed_name = LineField(label=_("请输入店铺名称确认"), max_length=40)

    def __init__(self, *args: Any, name: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._name = name

    def clean_typed_name(self) -> str:
        """Return the name; raise unless it is the shop's."""
        typed = str(self.cleaned_data["typed_name"])
        if typed != self._name:
            raise forms.ValidationError(_("和店铺名称不一样，请核对是不是这家店。"))
        return typed


class SettleClaimForm(forms.Form):
    """The last of a claim, settled outside the system."""

    shown_amount = forms.IntegerField(widget=forms.HiddenInput)
    reason = LineField(
        label=_("怎么结清的"),
        max_length=200,
        help_text=_("例如转账日期和流水号，会记入审计日志。"),
    )


class RefusalForm(forms.Form):
    """Why details of a licence are refused."""

    note = LineField(label=_("原因"), max_length=200, help_text=_("站长会看到，请写清楚要改什么。"))


class PolicyForm(forms.Form):
    """What the platform's owner decides about shops without verified details, and closed ones."""

    licence_required = forms.BooleanField(
        label=_("没有核实主体信息的分站，只有站长自己看得到"), required=False
    )
    closed_keep_days = forms.IntegerField(
        label=_("关店后保留网址的天数"), min_value=30, max_value=3650
    )


class LicenceForm(forms.Form):
    """Who runs a shop, as it is handed in."""

    kind = PickField(LicenceKind.choices, label=_("主体类型"))
    name = LineField(label=_("名称"), max_length=80, help_text=_("和营业执照上的一致。"))
    credit_code = LineField(
        label=_("统一社会信用代码"),
        max_length=24,
        required=False,
        help_text=_("18 位，在营业执照上。无需登记的个人留空。"),
        widget=forms.TextInput(attrs={**ASCII, "data-ascii": ""}),
    )
    person = LineField(label=_("法定代表人或经营者"), max_length=40, required=False)
    address = LineField(label=_("经营地址"), max_length=160)
    phone = LineField(label=_("联系电话"), max_length=30)
    complaints = LineField(
        label=_("投诉方式"), max_length=120, help_text=_("投诉电话或邮箱，买家会看到。")
    )
    email = LineField(label=_("电子邮箱"), max_length=120, required=False)
    icp_no = LineField(
        label=_("ICP 备案号"),
        max_length=60,
        required=False,
        help_text=_("例如 沪ICP备12345678号-1。"),
    )
    police_no = LineField(label=_("公安联网备案号"), max_length=60, required=False)
    telecom_no = LineField(label=_("增值电信业务经营许可证号"), max_length=60, required=False)
    other_no = LineField(label=_("其他许可"), max_length=160, required=False)

    def details(self) -> LegalDetails:
        """Return what was typed."""
        data = self.cleaned_data
        return LegalDetails(kind=int(data["kind"]), **{name: data[name] for name in FACTS})


def licence_values(licence: Licence | None) -> dict[str, Any]:
    """Return stored details as the form shows them."""
    if licence is None:
        return {"kind": LicenceKind.COMPANY.value}
    return {"kind": licence.kind, **{name: getattr(licence, name) for name in FACTS}}
