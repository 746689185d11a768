"""The ways to pay as a buyer chooses: the wallet first where it covers, then gateways."""

from dataclasses import dataclass, replace
from typing import Final

from django.http import QueryDict
from django.utils.translation import gettext as _

from kameng.accounts.people import CustomerPerson
from kameng.ledger.selectors import wallet_amount
from kameng.payments.selectors import PayChoice, get_pay_choice, list_pay_choices
from kameng.payments.selectors import find_way as find_known_way
from kameng.pricing.margins import is_wallet_part, most_wallet_part
from kameng.pricing.money import Amount, MoneyInvalid, format_yuan, parse_fen_yuan
from kameng.storefront.errors import FormInvalid, PayMissing, WalletOff
from kameng.storefront.forms import MAX_ID, read_text
from kameng.web.devices import device_of
from kameng.web.forms import parse_whole
from kameng.web.requests import KamengRequest

WALLET: Final = "wallet"
Row = tuple[str, str, str, PayChoice | None, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayOption:
    """One large choice, with what is paid by it: without and with the wallet's part.

    Zero where no sum is known yet.
    """

    value: str
    name: str
    note: str
    icon: str
    css_class: str
    is_chosen: bool
    is_disabled: bool = False
    due_amount: int = 0
    part_due_amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOffer:
    """What the wallet can pay of an order beside a gateway, and what is then left to pay."""

    part_amount: int
    rest_amount: int
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What a buyer's wallet holds, and what of an amount that it does not cover it can pay."""

    held_amount: int
    offer: PartOffer | None


def open_purse(
    request: KamengRequest, amount: int, *, is_ticked: bool, reserved: int = 0
) -> Purse | None:
    """Return the buyer's wallet as it stands to an amount; None where nobody may pay from one.

    `reserved` is what it holds for this very order already.
    """
    person = request.person
    if not isinstance(person, CustomerPerson) or not request.site.settings.wallet_enabled:
        return None
    held = wallet_amount(person.customer_id) + reserved
    part, offer = most_wallet_part(held, total_amount=amount), None
    if is_wallet_part(part, total_amount=amount):
        offer = PartOffer(part_amount=part, rest_amount=amount - part, is_chosen=is_ticked)
    return Purse(held_amount=held, offer=offer)


def read_part(request: KamengRequest, data: QueryDict) -> int:
    """Return what a form wants the wallet to pay beside a gateway; zero unless it is ticked.

    Raises `WalletOff`, `FormInvalid`.
    """
    if data.get("use_wallet") != "1":
        return 0
    check_wallet(request)
    try:
        return int(parse_fen_yuan(read_text(data, "wallet_part", limit=20)))
    except MoneyInvalid:
        raise FormInvalid(label=_("余额抵扣")) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How ways are offered: which is chosen, `without` which way, and beside which purse.

    The same `seed`, the same accounts; without a purse there is no wallet. Without a fee the shop
    bears what ways cost.
    """

    chosen: str = ""
    without: int = 0
    seed: str = ""
    purse: Purse | None = None
    has_fee: bool = True


def list_pay_options(request: KamengRequest, amount: int, offer: Offer) -> list[PayOption]:
    """Return what may be chosen for an amount; the first usable one is chosen when none is."""
    purse = offer.purse
    part = purse.offer if purse is not None else None
    wallet = [_wallet_row(purse.held_amount, amount)] if purse is not None else []
    if offer.has_fee:
        ways = _way_rows(request, amount, seed=offer.seed, offer=part)
    else:
        ways = _plain_rows(request, amount, seed=offer.seed)
    kept = (row for row in ways if row[0] != str(offer.without))
    rows = [*wallet, *kept]
    choices = {row[0]: row[3] for row in rows}
    rest = part.rest_amount if part is not None else amount
    return [
        replace(
            option,
            due_amount=_due(choices[option.value], amount),
            part_due_amount=_due(choices[option.value], rest),
        )
        for option in _mark(rows, offer.chosen)
    ]


def _due(choice: PayChoice | None, amount: int) -> int:
    """Return what is paid by a choice, a surcharge included; the wallet alone takes none."""
    return amount if choice is None else choice.terms_for(amount).amount


def due_of(options: list[PayOption], part: PartOffer | None, *, total_amount: int) -> int:
    """Return what the button of a page says: what is paid by what is chosen on it."""
    chosen = next((option for option in options if option.is_chosen), None)
    if chosen is None:
        return total_amount
    is_part = part is not None and part.is_chosen
    return chosen.part_due_amount if is_part else chosen.due_amount


def list_top_up_options(request: KamengRequest, amount: int, *, chosen: str) -> list[PayOption]:
    """Return by what the wallet may be filled: everything but itself; no fee is on the buyer."""
    return _mark(_plain_rows(request, amount, seed=""), chosen)


def _plain_rows(request: KamengRequest, amount: int, *, seed: str) -> list[Row]:
    choices = list_pay_choices(request.site, amount=amount, device=device_of(request), seed=seed)
    return [(str(each.way_key), each.name, _device_note(each), each, False) for each in choices]


def _way_rows(
    request: KamengRequest, amount: int, *, seed: str, offer: PartOffer | None
) -> list[Row]:
    choices = list_pay_choices(request.site, amount=amount, device=device_of(request), seed=seed)
    return [
        (str(each.way_key), each.name, _note(each, amount, offer), each, False) for each in choices
    ]


def _note(choice: PayChoice, amount: int, offer: PartOffer | None) -> str:
    notes = (_device_note(choice), _fee_note(choice, amount, offer))
    return "；".join(note for note in notes if note)


def _device_note(choice: PayChoice) -> str:
    return _("需要复制链接到浏览器打开") if choice.is_elsewhere else ""


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


def _fee_note(choice: PayChoice, amount: int, offer: PartOffer | None) -> str:
    """Say what the buyer who bears the gateway's fee pays in all, before he chooses."""
    terms = choice.terms_for(amount)
    if not terms.surcharge_amount:
        return ""
    text = _("含手续费 ¥%(fee)s，共付 ¥%(sum)s") % {
        "fee": format_yuan(terms.surcharge_amount),
        "sum": format_yuan(terms.amount),
    }
    if offer is None:
        return text
    part = choice.terms_for(offer.rest_amount)
    return text + _("；用余额抵扣后含手续费 ¥%(fee)s，共付 ¥%(sum)s") % {
        "fee": format_yuan(part.surcharge_amount),
        "sum": format_yuan(part.amount),
    }


def _wallet_row(held: int, amount: int) -> Row:
    yuan = format_yuan(Amount(held))
    if held >= amount:
        return (WALLET, _("余额"), _("余额 ¥%(yuan)s") % {"yuan": yuan}, None, False)
    missing = format_yuan(Amount(amount - held))
    note = _("余额 ¥%(yuan)s，还差 ¥%(missing)s") % {"yuan": yuan, "missing": missing}
    return (WALLET, _("余额"), note, None, True)


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
