"""What passes over with a site: shown to who gives it away and to who takes it."""

from dataclasses import dataclass

from kameng.accounts.models import Customer
from kameng.accounts.selectors import list_staff
from kameng.insight.hindrances import OPEN_ORDERS
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import count_wallets, prepaid_balance, site_account_amount
from kameng.orders.models import Order
from kameng.tenancy.selectors import SiteView


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What a site has and owes; amounts in 1/10000 yuan. A claim below zero is a debt."""

    customer_count: int
    open_order_count: int
    wallet_amount: int
    wallet_count: int
    claim_amount: int
    prepaid_amount: int
    staff_count: int


def read_estate(site: SiteView) -> Estate:
    """Return what passes over with the site in force."""
    wallets = count_wallets()
    return Estate(
        customer_count=Customer.objects.count(),
        open_order_count=Order.objects.filter(state__in=OPEN_ORDERS).count(),
        wallet_amount=wallets.amount,
        wallet_count=wallets.count,
        claim_amount=site_account_amount(AccountKind.SITE_MARGIN, owner_id=site.site_id),
        prepaid_amount=prepaid_balance(site.site_id).posted_amount,
        staff_count=len(list_staff()),
    )
