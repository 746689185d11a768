"""The form of a mark-up rule."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from kameng.catalog.models import PriceRule
from kameng.catalog.services.marking import (
    MAX_CAP_BPS,
    MAX_RATE_BPS,
    MAX_RULE_AMOUNT,
    RuleTerms,
)
from kameng.console.forms.fields import PercentField, PickField, YuanField
from kameng.pricing.markups import Ending, MarkupKind
from kameng.pricing.money import ZERO
from kameng.pricing.trace import ENDING_TEXT

KINDS = (
    (MarkupKind.RATE.value, _("按比例")),
    (MarkupKind.AMOUNT.value, _("按金额")),
    (MarkupKind.FIXED.value, _("一口价")),
)


class RuleForm(forms.Form):
    """How a price is formed from what the site pays."""

    kind = PickField(KINDS, label=_("方式"), as_segments=True, initial=MarkupKind.RATE.value)
    rate_bps = PercentField(high_bps=MAX_RATE_BPS, label=_("加价比例"), required=False)
    amount = YuanField(
        high=MAX_RULE_AMOUNT,
        label=_("金额"),
        required=False,
    )
    ending = PickField(
        [(each.value, _(ENDING_TEXT[each.value])) for each in Ending],
        label=_("尾数"),
        initial=Ending.FEN.value,
        help_text=_("只会往上凑，不会少赚。一口价不处理尾数。"),
    )

    cap_bps = PercentField(
        high_bps=MAX_CAP_BPS,
        label=_("最高不超过建议售价的"),
        required=False,
        help_text=_("留空不封顶。封顶也不会低于底价。"),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for the figure that the kind needs."""
        values: dict[str, Any] = super().clean() or {}
        needed = "rate_bps" if values.get("kind") == MarkupKind.RATE else "amount"
        if values.get(needed) is None and needed not in self.errors:
            self.add_error(needed, _("请填写这一项。"))
        return values

    def terms(self) -> RuleTerms:
        """Return what the checked form says; the figure that the kind does not use is dropped."""
        data = self.cleaned_data
        kind = MarkupKind(data["kind"])
        is_rate = kind is MarkupKind.RATE
        return RuleTerms(
            kind=kind,
            rate_bps=data["rate_bps"] if is_rate else 0,
            amount=ZERO if is_rate else data["amount"],
            ending=Ending(data["ending"]),
            cap_bps=data["cap_bps"],
        )


def rule_values(rule: PriceRule | None) -> dict[str, Any]:
    """Return a stored rule as the form shows it."""
    if rule is None:
        return {"kind": MarkupKind.RATE.value, "ending": Ending.FEN.value, "cap_bps": None}
    is_rate = rule.kind == MarkupKind.RATE
    return {
        "kind": rule.kind,
        "rate_bps": rule.rate_bps if is_rate else None,
        "amount": None if is_rate else rule.amount,
        "ending": rule.rounding,
        "cap_bps": rule.cap_bps,
    }
