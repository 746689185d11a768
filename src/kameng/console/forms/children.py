"""Forms of child sites: opening one, what it pays, stopping it, moving it in the tree."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kameng.accounts.services.opening import Opening
from kameng.console.forms.fields import LineField, PercentField, PickField, YuanField
from kameng.console.forms.sites import PALETTE_NAMES
from kameng.pricing.markups import WholesalePlan
from kameng.pricing.money import Amount
from kameng.tenancy.child_invitations import DAYS, NOTE_CHARS
from kameng.tenancy.children import (
    MAX_LEAST_AMOUNT,
    MAX_MARKUP_BPS,
    ChildTerms,
    can_be_upline,
)
from kameng.tenancy.models import Plan
from kameng.tenancy.selectors import branch_host, find_site_named
from kameng.tenancy.settings import SiteSettings


class ChildForm(forms.Form):
    """Everything that a new child site needs to sell at once."""

    name = LineField(label=_("店铺名称"), max_length=20, help_text=_("买家看到的名字。"))
    slug = LineField(
        label=_("网址"),
        max_length=32,
        help_text=_("只用小写字母、数字和连字符，2 到 32 个字符，以后不能改。"),
        widget=forms.TextInput(attrs={"data-ascii": "", "autocapitalize": "none"}),
    )
    palette = PickField(PALETTE_NAMES, label=_("配色"), initial="teal")
    owner_login = LineField(
        label=_("站长登录名"),
        max_length=64,
        help_text=_("小写字母、数字和 . _ - @ +，2 到 64 个字符。"),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    owner_name = LineField(label=_("站长称呼"), max_length=20, required=False)

    def opening(self, *, password: str) -> Opening:
        """Return the checked form. The owner is a new member of staff of the child alone."""
        data = self.cleaned_data
        return Opening(
            slug=data["slug"],
            name=data["name"],
            host=branch_host(data["slug"]),
            plan_id=None,
            owner_login=data["owner_login"],
            owner_name=data["owner_name"],
            owner_password=password,
            settings=SiteSettings(palette=data["palette"]),
        )


class ChildTermsForm(forms.Form):
    """What children pay over their upline's wholesale price."""

    markup_bps = PercentField(
        high_bps=MAX_MARKUP_BPS,
        label=_("加价"),
        help_text=_("下级拿货价 = 您的供货价 ×（1 + 这个比例）。"),
    )
    minimum_amount = YuanField(
        label=_("每件至少赚"),
        high=MAX_LEAST_AMOUNT,
        help_text=_("小面额商品按比例不足时，按它加。"),
    )

    def terms(self) -> ChildTerms:
        """Return the checked terms."""
        data = self.cleaned_data
        return ChildTerms(
            markup_bps=int(data["markup_bps"]), minimum_amount=int(data["minimum_amount"])
        )

    def plan(self) -> WholesalePlan:
        """Return the checked terms as `pricing` knows them."""
        terms = self.terms()
        return WholesalePlan(
            markup_bps=terms.markup_bps, minimum_margin_amount=Amount(terms.minimum_amount)
        )


class ChildInvitationForm(forms.Form):
    """A link with which somebody opens a child site by himself."""

    note = LineField(
        label=_("给谁"),
        max_length=NOTE_CHARS,
        required=False,
        help_text=_("方便您认出是谁，对方看不到，可以不填。"),
    )
    days = PickField(
        [(str(days), format_lazy(_("{days} 天"), days=days)) for days in DAYS],
        label=_("链接有效"),
        initial="7",
        as_segments=True,
    )


class HaltForm(forms.Form):
    """Stopping a child, with the reason that its buyers and its owner read."""

    reason = LineField(label=_("暂停原因"), max_length=200, help_text=_("会显示给买家和站长。"))


class UplineForm(forms.Form):
    """Through whom a sub-site buys: the main site's decision."""

    upline = LineField(
        label=_("上级分站"),
        max_length=253,
        required=False,
        help_text=_("填它的网址、标识或编号，例如 star.example.com。留空就是直属主站。"),
        widget=forms.TextInput(attrs={"data-ascii": "", "autocapitalize": "none"}),
    )
    plan_id = PickField(
        (), label=_("套餐"), help_text=_("直属主站时用这个套餐；有上级时跟上级的套餐走。")
    )

    def __init__(self, *args: Any, plans: Sequence[Plan], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["plan_id"].choices = [(each.id, each.name) for each in plans]  # type: ignore[attr-defined]

    def clean_upline(self) -> int | None:
        """Return the id of the upline, None for the main site itself."""
        text = self.cleaned_data["upline"].lower()
        if not text:
            return None
        found = find_site_named(text)
        if found is None or not can_be_upline(found):
            raise forms.ValidationError(_("没有这样的分站，或它自己就是下级。"))
        return found.id

    @property
    def chosen_upline(self) -> int | None:
        """The upline that was chosen; None for the main site itself."""
        chosen: int | None = self.cleaned_data["upline"]
        return chosen


def terms_values(markup_bps: int | None, minimum_amount: int | None) -> dict[str, Any]:
    """Return terms as the form shows them."""
    return {"markup_bps": markup_bps or 0, "minimum_amount": minimum_amount or 0}
