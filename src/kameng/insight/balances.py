"""The accounts of one site in one view: what it earned, what it owes, what lies where."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kameng.core import clock
from kameng.ledger.accounts import ACCOUNT_NAMES, AccountKind
from kameng.ledger.models import Transfer
from kameng.ledger.selectors import (
    list_transfers_of_orders,
    prepaid_balance,
    site_account_amount,
    wallets_total,
)
from kameng.orders.models import Order
from kameng.payments.models import Gateway
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView

PAGE_SIZE = 30

MEANINGS: Final[Mapping[AccountKind, str | Promise]] = {
    AccountKind.SITE_TAKINGS: _("您自己的商户号收到的货款，减去它的手续费和退款，还没有减进货价。"),
    AccountKind.PREPAID: _("预存给主站、还没有用来进货的钱，信用额度不算在内。"),
    AccountKind.SALES: _("主站自己卖货的收入，加上供给分站的货款，减去退款。"),
    AccountKind.SITE_MARGIN: _("卖价减去供货价和手续费，再减去退款里属于您的部分。"),
    AccountKind.WALLET: _("客户存在店里的钱，随时可能被花掉或退回，不是利润。"),
    AccountKind.ORDER_SUSPENSE: _("收到了、还没有算到谁头上的钱：充值中、退款中、金额不符。"),
    AccountKind.ADJUSTMENTS: _("人工增加的余额，减去人工扣减和已经线下付出的退款。"),
    AccountKind.GATEWAY_CLEARING: _("买家付进这个通道、还没有退回去的钱。"),
    AccountKind.GATEWAY_FEES: _("这个通道累计收的手续费。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTotal:
    """One account in words."""

    kind: AccountKind
    name: Any
    meaning: str | Promise
    amount: int
    owner: str = ""


def list_site_totals(site: SiteView) -> list[AccountTotal]:
    """Return what the site's own accounts hold, its income first."""
    income = AccountKind.SALES if site.is_main else AccountKind.SITE_MARGIN
    prepaid = []
    if site.settlement_way == SettlementWay.PREPAID:
        takings = site_account_amount(AccountKind.SITE_TAKINGS, owner_id=site.site_id)
        prepaid = [
            (AccountKind.SITE_TAKINGS, takings),
            (AccountKind.PREPAID, prepaid_balance(site.site_id).posted_amount),
        ]
    own = [
        *prepaid,
        (income, site_account_amount(income, owner_id=site.site_id)),
        (AccountKind.WALLET, wallets_total()),
        (
            AccountKind.ORDER_SUSPENSE,
            site_account_amount(AccountKind.ORDER_SUSPENSE, owner_id=site.site_id),
        ),
        (
            AccountKind.ADJUSTMENTS,
            -site_account_amount(AccountKind.ADJUSTMENTS, owner_id=site.site_id),
        ),
    ]
    return [_total(kind, amount) for kind, amount in own]


def list_gateway_totals(site: SiteView) -> list[AccountTotal]:
    """Return what lies at each gateway of the main site and what its fees were."""
    totals = []
    for gateway in Gateway.objects.filter(site_id=site.site_id).order_by("position", "id"):
        lying = -site_account_amount(AccountKind.GATEWAY_CLEARING, owner_id=gateway.id)
        fees = site_account_amount(AccountKind.GATEWAY_FEES, owner_id=gateway.id)
        totals.append(_total(AccountKind.GATEWAY_CLEARING, lying, owner=gateway.name))
        totals.append(_total(AccountKind.GATEWAY_FEES, fees, owner=gateway.name))
    return totals


def _total(kind: AccountKind, amount: int, *, owner: str = "") -> AccountTotal:
    return AccountTotal(
        kind=kind, name=ACCOUNT_NAMES[kind], meaning=MEANINGS[kind], amount=amount, owner=owner
    )


def list_posted_orders(
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    before_id: int | None = None,
    limit: int = PAGE_SIZE,
) -> list[tuple[Order, list[Transfer]]]:
    """Return orders of the site in force paid in a time, newest first, each with its transfers."""
    rows = Order.objects.filter(paid_at__isnull=False).order_by("-id")
    if since is not None:
        rows = rows.filter(paid_at__gte=since)
    if until is not None:
        rows = rows.filter(paid_at__lt=until)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    orders = list(rows[:limit])
    first = min((order.placed_at for order in orders), default=clock.now())
    transfers = list_transfers_of_orders([order.id for order in orders], since=first)
    return [(order, transfers[order.id]) for order in orders]
