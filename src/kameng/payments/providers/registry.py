"""The list of payment gateways: kind to class, loaded when first asked for."""

from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from kameng.core.http import HttpClient
from kameng.payments.providers.port import Provider

PROVIDERS: Final[dict[str, str]] = {
    "epay": "kameng.payments.providers.epay.provider.EpayProvider",
    "epay2": "kameng.payments.providers.epay2.provider.Epay2Provider",
    "alipay": "kameng.payments.providers.alipay.provider.AlipayProvider",
    "wechat": "kameng.payments.providers.wechat.provider.WechatProvider",
    "stripe": "kameng.payments.providers.stripe.provider.StripeProvider",
    "unionpay": "kameng.payments.providers.unionpay.provider.UnionPayProvider",
}


def load_provider(kind: str, *, client: HttpClient) -> Provider[Any]:
    """Make a provider over the given client; raise KeyError for an unknown kind."""
    module_name, _, class_name = PROVIDERS[kind].rpartition(".")
    provider: Provider[Any] = getattr(import_module(module_name), class_name)(client)
    return provider


@lru_cache(maxsize=2 * len(PROVIDERS))
def get_provider(kind: str, *, allow_plain: bool = False) -> Provider[Any]:
    """Return the process's provider of a kind; raise KeyError for an unknown kind.

    `allow_plain` lets it speak plain HTTP to this machine: for the gateway simulator only.
    """
    return load_provider(kind, client=HttpClient(allow_plain=allow_plain))
