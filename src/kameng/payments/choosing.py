"""What a buyer may choose to pay with, and the merchant account that takes it.

A choice is a way to pay; behind it stand one or more accounts (`Gateway` rows), of which one is
picked by device, amount, health and weight. All of it from what the process keeps: no query while
the version of the catalogue that a request has read is the one that is kept.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

from kameng.core import clock
from kameng.core.scope import open_scope
from kameng.payments import errors
from kameng.payments.models import FeeBearer, Gateway
from kameng.payments.providers.port import Device, PayMethod
from kameng.payments.rules import fits, in_order, is_resting, narrow, pick_account, works_on
from kameng.payments.services.gateways import provider_of
from kameng.pricing.margins import ChargeTerms, charge_terms, fee_of
from kameng.pricing.money import Amount
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView, scope_of_site

# Inside these a page can be told to open in the phone's own browser.
SHELLS: dict[Device, Device] = {"wechat": "mobile", "alipay": "mobile"}
GATEWAY_CACHE_SIZE = 20_000
FULL_NANOSECONDS = 60 * 10**9
FULL_SIZE = 1000
_gateways: dict[tuple[int, int], tuple[Gateway, ...]] = {}
_full: dict[int, tuple[int, int]] = {}  # gateway: least amount its cap refused, until when


@dataclass(frozen=True, slots=True, kw_only=True)
class PayChoice:
    """One way to pay that a buyer may choose, with the account that would take this payment.

    `way_id` is what the buyer chose (0: the gateway itself), `gateway_id` the account behind it.
    One that works `elsewhere` only must be opened in another browser than the one that asks.
    """

    gateway_id: int
    kind: str
    method: str
    name: str
    fee_bps: int
    way_id: int = 0
    fee_bearer: int = 0  # models.FeeBearer
    is_elsewhere: bool = False

    @property
    def way_key(self) -> int:
        """Return what stands for the way in forms, settings and repeats."""
        return self.way_id or self.gateway_id

    def fee_for(self, amount: int) -> int:
        """Return what the gateway keeps of this amount."""
        return fee_of(Amount(amount), rate_bps=self.fee_bps)

    def terms_for(self, rest: int) -> ChargeTerms:
        """Return what the buyer pays here so that `rest` is paid, a surcharge included."""
        by_buyer = self.fee_bearer == FeeBearer.BUYER
        return charge_terms(Amount(rest), rate_bps=self.fee_bps, by_buyer=by_buyer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """For what a way is chosen: None and empty are "any". The same `seed`, the same account."""

    amount: int | None = None
    device: Device | None = None
    seed: str = ""
    without: Collection[int] = ()  # accounts that were tried already


def owner_of_ways(view: SiteView) -> int:
    """Return the site whose merchant accounts take this site's money."""
    return view.site_id if view.settlement_way == SettlementWay.PREPAID else view.main_id


def takes_own_money(view: SiteView) -> bool:
    """Tell whether buyers pay to merchant accounts that this site owns itself."""
    return owner_of_ways(view) == view.site_id


def list_known_gateways(view: SiteView) -> tuple[Gateway, ...]:
    """Return the gateways that take a site's money as of the versions that a request has read.

    They are the main site's or, where the operator takes the money himself, his own; never a
    mixture. Every change of a gateway grows its site's version, so this process keeps them.
    """
    return _load(view, owner_of_ways(view))


def are_gateways_at_hand(view: SiteView) -> bool:
    """Tell whether those gateways are known without a query, as the event loop needs it."""
    return _key(view, owner_of_ways(view)) in _gateways


def find_known_gateway(view: SiteView, *, gateway_id: int) -> Gateway | None:
    """Return a gateway that may call at a site's address, or None: the main site's or its own.

    Both, whoever takes the money now: what was opened before the site changed over is paid yet.
    """
    for owner_id in dict.fromkeys((owner_of_ways(view), view.main_id, view.site_id)):
        for row in _load(view, owner_id):
            if row.id == gateway_id:
                return row
    return None


def peek_known_gateway(view: SiteView, *, gateway_id: int) -> Gateway | None:
    """Return such a gateway from what this process keeps; asks nobody."""
    for owner_id in dict.fromkeys((owner_of_ways(view), view.main_id, view.site_id)):
        for row in _gateways.get(_key(view, owner_id), ()):
            if row.id == gateway_id:
                return row
    return None


def _key(view: SiteView, owner_id: int) -> tuple[int, int]:
    version = view.main_version if owner_id == view.main_id else view.catalogue_version
    return owner_id, version


def _load(view: SiteView, owner_id: int) -> tuple[Gateway, ...]:
    if owner_id not in {view.site_id, view.main_id}:
        raise PermissionError("a site sees its own gateways and the main site's")
    key = _key(view, owner_id)
    rows = _gateways.get(key)
    if rows is None:
        with open_scope(scope_of_site(owner_id, main_id=owner_id)):
            rows = tuple(Gateway.objects.order_by("position", "id"))
        if len(_gateways) >= GATEWAY_CACHE_SIZE:
            _gateways.clear()
        _gateways[key] = rows
    return rows


def list_pay_choices(
    view: SiteView, *, amount: int | None = None, device: Device | None = None, seed: str = ""
) -> list[PayChoice]:
    """Return the ways this site offers (for an amount, on a device), in its order.

    A way whose accounts all rest, are full, or do not fit is left out. Inside another program's
    browser a way that needs the phone's own is shown, marked as one for elsewhere.
    """
    return _list_choices(view, Asked(amount=amount, device=device, seed=seed))


def _list_choices(view: SiteView, asked: Asked, *, only: int | None = None) -> list[PayChoice]:
    """Return the choices of all ways, or of one alone."""
    ways: dict[int, list[Gateway]] = {}
    for row in list_known_gateways(view):
        ways.setdefault(row.way_key, []).append(row)
    leaders = {row.id: row for row in list_known_gateways(view) if row.way_id is None}
    hidden = set(view.settings.hidden_gateway_ids)
    keys = sorted(
        (key for key in ways if key not in hidden and key in leaders and only in {None, key}),
        key=lambda key: (leaders[key].position, key),
    )
    found = (
        _choose(view, leaders[key], ways[key], asked)
        for key in in_order(keys, wanted=view.settings.pay_order)
    )
    return [choice for choice in found if choice is not None]


def get_pay_choice(
    view: SiteView,
    *,
    gateway_id: int,
    amount: int,
    device: Device | None = None,
    seed: str = "",
) -> PayChoice:
    """Return the choice of the way that this is, or that this account stands behind.

    Raises `GatewayNotUsable` when the site does not offer it for that.
    """
    way = next((row.way_key for row in list_known_gateways(view) if row.id == gateway_id), None)
    asked = Asked(amount=amount, device=device, seed=seed)
    for choice in _list_choices(view, asked, only=way) if way is not None else ():
        return choice
    raise errors.GatewayNotUsable


def find_other_account(view: SiteView, *, gateway_id: int, asked: Asked) -> PayChoice | None:
    """Return another account of the way behind which one stands, or None when none can take it."""
    rows = list_known_gateways(view)
    way = next((row.way_key for row in rows if row.id == gateway_id), None)
    leader = next((row for row in rows if row.id == way), None)
    if leader is None or leader.id in view.settings.hidden_gateway_ids:
        return None
    choice = _choose(view, leader, [row for row in rows if row.way_key == way], asked)
    return None if choice is None or choice.is_elsewhere else choice


def find_way(view: SiteView, *, gateway_id: int) -> PayChoice | None:
    """Return the way behind which an account stands, whatever its health; None for a stranger."""
    rows = {row.id: row for row in list_known_gateways(view)}
    row = rows.get(gateway_id)
    if row is None or row.way_key in view.settings.hidden_gateway_ids or not is_offered(row):
        return None
    return _choice(rows.get(row.way_key, row), row, is_elsewhere=False)


def is_offered(gateway: Gateway) -> bool:
    """Tell whether the owner offers an account and nothing has frozen it."""
    return gateway.is_enabled and not gateway.is_frozen


def method_of(gateway: Gateway) -> PayMethod | None:
    """Return the method of its provider that a gateway is, or None for one that is no more."""
    methods = provider_of(gateway).methods
    return next((each for each in methods if each.code == gateway.method), None)


def suits(gateway: Gateway, *, device: Device) -> bool:
    """Tell whether a gateway works on a device, by its provider and its owner."""
    method = method_of(gateway)
    return method is not None and works_on(device, offered=method.devices, kept=gateway.devices)


def remember_full(gateway_id: int, *, amount: int) -> None:
    """Offer a gateway no more for such an amount for a minute: its cap has just refused it."""
    if len(_full) >= FULL_SIZE:
        _full.clear()
    least, until = _full.get(gateway_id, (amount, 0))
    if until <= time.monotonic_ns():
        least = amount
    _full[gateway_id] = (min(least, amount), time.monotonic_ns() + FULL_NANOSECONDS)


def forget_gateways() -> None:
    """Forget what this process keeps of gateways."""
    _gateways.clear()
    _full.clear()


def limits_of(view: SiteView, leader: Gateway, account: Gateway) -> tuple[int, int]:
    """Return between which amounts an account takes a site's payments by a way."""
    owner = (account.min_amount, account.max_amount)
    if takes_own_money(view):
        return owner
    for way, low, high in view.settings.pay_limits:
        if way == leader.id:
            return narrow((low, high), within=owner)
    return owner


def _choose(
    view: SiteView, leader: Gateway, accounts: list[Gateway], asked: Asked
) -> PayChoice | None:
    able = [row for row in accounts if _can_take(view, leader, row, asked)]
    if asked.device is None:
        here, elsewhere = able, []
    else:
        here = [row for row in able if suits(row, device=asked.device)]
        outside = SHELLS.get(asked.device)
        elsewhere = [row for row in able if outside and suits(row, device=outside)]
    fitting = here or elsewhere
    picked = pick_account([(row.id, row.weight) for row in fitting], seed=asked.seed)
    account = next((row for row in fitting if row.id == picked), None)
    return None if account is None else _choice(leader, account, is_elsewhere=not here)


def _can_take(view: SiteView, leader: Gateway, row: Gateway, asked: Asked) -> bool:
    if not is_offered(row) or row.id in asked.without:
        return False
    if row.rests_until is not None and is_resting(row.rests_until, now=clock.now()):
        return False
    if asked.amount is None:
        return True
    low, high = limits_of(view, leader, row)
    if not fits(asked.amount, min_amount=low, max_amount=high):
        return False
    if row.daily_cap_amount is not None and asked.amount > row.daily_cap_amount:
        return False
    least, until = _full.get(row.id, (0, 0))
    return asked.amount < least or until <= time.monotonic_ns()


def _choice(leader: Gateway, account: Gateway, *, is_elsewhere: bool) -> PayChoice:
    return PayChoice(
        gateway_id=account.id,
        kind=account.kind,
        method=account.method,
        name=leader.name,
        fee_bps=account.fee_bps,
        way_id=leader.id,
        fee_bearer=account.fee_bearer,
        is_elsewhere=is_elsewhere,
    )
