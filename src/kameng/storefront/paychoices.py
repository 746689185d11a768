"""The ways to pay as a buyer chooses: the wallet first where it covers, then gateways."""

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from kameng.accounts.people import CustomerPerson
from kameng.ledger.selectors import wallet_amount
from kameng.payments.selectors import PayChoice, get_pay_choice, list_pay_choices
from kameng.payments.selectors import find_way as find_known_way
from kameng.pricing.money import Amount, format_yuan
from kameng.storefront.errors import PayMissing, WalletOff
from kameng.storefront.forms import MAX_ID, device_of
from kameng.web.forms import parse_whole
from kameng.web.requests import KamengRequest

WALLET: Final = "wallet"
Row = tuple[str, str, str, PayChoice | None, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayOption:
    """One large choice."""

    value: str
    name: str
    note: str
    icon: str
    css_class: str
    is_chosen: bool
    is_disabled: bool = False


def list_pay_options(
    request: KamengRequest,
    amount: int,
    *,
    chosen: str = "",
    without: int = 0,
    seed: str = "",
) -> list[PayOption]:
    """Return what may be chosen for an amount; the first usable one is chosen when none is.

    `without` is the way that the buyer is about to leave; the same `seed`, the same accounts.
    """
    wallet = _wallet_row(request, amount) if request.site.settings.wallet_enabled else []
    ways = [row for row in _way_rows(request, amount, seed=seed) if row[0] != str(without)]
    return _mark([*wallet, *ways], chosen)


def list_top_up_options(request: KamengRequest, amount: int, *, chosen: str) -> list[PayOption]:
    """Return by what the wallet may be filled: everything but itself."""
    return _mark(_way_rows(request, amount, seed=""), chosen)


def _way_rows(request: KamengRequest, amount: int, *, seed: str) -> list[Row]:
    choices = list_pay_choices(request.site, amount=amount, device=device_of(request), seed=seed)
    return [(str(each.way_key), each.name, _note(each), each, False) for each in choices]


def _mark(values: list[Row], chosen: str) -> list[PayOption]:
    usable = [value for value, _name, _note, _choice, is_disabled in values if not is_disabled]
    marked = chosen if chosen in usable else next(iter(usable), "")
    return [
        PayOption(
            value=value,
            name=name,
            note=note,
            icon=_icon(choice),
            css_class=_css_class(choice),
            is_chosen=value == marked,
            is_disabled=is_disabled,
        )
        for value, name, note, choice, is_disabled in values
    ]


def _note(choice: PayChoice) -> str:
    return _("需要复制链接到浏览器打开") if choice.is_elsewhere else ""


def read_pay_choice(
    request: KamengRequest, value: str, *, amount: int, seed: str = ""
) -> PayChoice | None:
    """Return the gateway that a form names, None for the wallet. Raises as the two below."""
    if value == WALLET:
        check_wallet(request)
        return None
    return read_gateway(request, value, amount=amount, seed=seed)


def read_gateway(request: KamengRequest, value: str, *, amount: int, seed: str = "") -> PayChoice:
    """Return the way that a form names, with the account that takes this payment.

    Raises `PayMissing`, or `GatewayNotUsable` for one that is not offered here for the amount.
    """
    gateway_id = parse_whole(value, low=1, high=MAX_ID)
    if gateway_id is None:
        raise PayMissing
    return get_pay_choice(
        request.site, gateway_id=gateway_id, amount=amount, device=device_of(request), seed=seed
    )


def check_wallet(request: KamengRequest) -> None:
    """Raise `WalletOff` where the site takes no money from wallets."""
    if not request.site.settings.wallet_enabled:
        raise WalletOff


def find_way(request: KamengRequest, gateway_id: int) -> PayChoice | None:
    """Return the way of an account that this site still offers, or None."""
    return find_known_way(request.site, gateway_id=gateway_id)


def _wallet_row(request: KamengRequest, amount: int) -> list[Row]:
    person = request.person
    if not isinstance(person, CustomerPerson):
        return []
    held = wallet_amount(person.customer_id)
    yuan = format_yuan(Amount(held))
    if held >= amount:
        return [(WALLET, _("余额"), _("余额 ¥%(yuan)s") % {"yuan": yuan}, None, False)]
    missing = format_yuan(Amount(amount - held))
    note = _("余额 ¥%(yuan)s，还差 ¥%(missing)s") % {"yuan": yuan, "missing": missing}
    return [(WALLET, _("余额"), note, None, True)]


def _icon(choice: PayChoice | None) -> str:
    if choice is None:
        return "wallet"
    if _is_wechat(choice):
        return "brand-wechat"
    return "brand-alipay" if _is_alipay(choice) else "credit-card"


def _css_class(choice: PayChoice | None) -> str:
    if choice is None:
        return "pay-wallet"
    if _is_wechat(choice):
        return "pay-wechat"
    return "pay-alipay" if _is_alipay(choice) else "pay-union"


def _is_wechat(choice: PayChoice) -> bool:
    return choice.kind == "wechat" or choice.method in {"wxpay", "wechat"}


def _is_alipay(choice: PayChoice) -> bool:
    return choice.kind == "alipay" or choice.method == "alipay"
