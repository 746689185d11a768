"""A foreign key is a dependency that no import linter sees: it must point down too."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from django.apps import apps

from tools.layers import read_heights


def list_upward_keys(models: Iterable[Any]) -> Iterator[str]:
    heights = read_heights()
    for model in models:
        own = model._meta.app_label
        for field in model._meta.get_fields():
            if not field.is_relation or field.auto_created or field.related_model is None:
                continue
            other = field.related_model._meta.app_label
            if other != own and heights.get(other, 0) >= heights[own]:
                yield f"{own}.{model.__name__}.{field.name} -> {other}"


def make_model(app: str, *related: Any) -> Any:
    fields = [
        SimpleNamespace(name="key", is_relation=True, auto_created=False, related_model=each)
        for each in related
    ]
    meta = SimpleNamespace(app_label=app, get_fields=lambda: fields)
    return SimpleNamespace(__name__="Thing", _meta=meta)


def test_foreign_keys_point_down() -> None:
    own = [model for model in apps.get_models() if model.__module__.startswith("kameng.")]

    assert own
    assert list(list_upward_keys(own)) == []


def test_upward_and_sideways_keys_are_caught() -> None:
    upward = make_model("inventory", make_model("orders"))
    sideways = make_model("accounts", make_model("ledger"))
    downward = make_model("orders", make_model("inventory"))

    assert list(list_upward_keys([upward, sideways, downward])) == [
        "inventory.Thing.key -> orders",
        "accounts.Thing.key -> ledger",
    ]
