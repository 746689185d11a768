"""Every listed gateway loads, and the list is the only way to one."""

import pytest

from kameng.payments.providers.registry import PROVIDERS, get_provider


def test_every_kind_loads_under_its_own_name() -> None:
    for kind in PROVIDERS:
        assert get_provider(kind).kind == kind
        assert get_provider(kind) is get_provider(kind)
        assert get_provider(kind, allow_plain=True) is not get_provider(kind)


def test_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        get_provider("paypal")
