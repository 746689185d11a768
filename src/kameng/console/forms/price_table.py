"""Cost and list price of many face values on one page, as one form."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from kameng.catalog.models import Variant
from kameng.catalog.services.editing import PriceChange
from kameng.console.forms.fields import YuanField


class PriceTableForm(forms.Form):
    """Two amounts for each face value shown; only what differs is changed."""

    def __init__(self, *args: Any, variants: Sequence[Variant], **options: Any) -> None:
        super().__init__(*args, **options)
        self.variants = variants
        for variant in variants:
            name = {"name": f"{variant.product.title} {variant.name}"}
            self.fields[f"cost-{variant.id}"] = YuanField(
                label=_("%(name)s 的成本价") % name, initial=variant.cost_amount
            )
            self.fields[f"list-{variant.id}"] = YuanField(
                label=_("%(name)s 的建议售价") % name, low=1, initial=variant.list_amount
            )

    def clean(self) -> dict[str, Any]:
        """Check that each list price covers its cost."""
        values: dict[str, Any] = super().clean() or {}
        for variant in self.variants:
            cost, price = values.get(f"cost-{variant.id}"), values.get(f"list-{variant.id}")
            if cost is not None and price is not None and price < cost:
                self.add_error(f"list-{variant.id}", _("不能低于成本价。"))
        return values

    def rows(self) -> list[tuple[Variant, forms.BoundField, forms.BoundField]]:
        """Return each face value with its two fields."""
        return [
            (variant, self[f"cost-{variant.id}"], self[f"list-{variant.id}"])
            for variant in self.variants
        ]

    def price_changes(self) -> list[PriceChange]:
        """Return what differs from what is stored."""
        data = self.cleaned_data
        wanted = [
            PriceChange(
                variant_id=variant.id,
                cost_amount=data[f"cost-{variant.id}"],
                list_amount=data[f"list-{variant.id}"],
            )
            for variant in self.variants
        ]
        stored = {each.id: (each.cost_amount, each.list_amount) for each in self.variants}
        return [
            each
            for each in wanted
            if (each.cost_amount, each.list_amount) != stored[each.variant_id]
        ]
