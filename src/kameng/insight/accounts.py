"""The accounts of the ledger that one site may look into: its own, and those of its gateways."""

from dataclasses import dataclass

from kameng.ledger.accounts import ACCOUNT_NAMES, AccountKind, account_id
from kameng.ledger.selectors import site_account_amount
from kameng.payments.selectors import list_own_gateways
from kameng.tenancy.selectors import SiteView

OWN = (
    AccountKind.SALES,
    AccountKind.SITE_MARGIN,
    AccountKind.SITE_TAKINGS,
    AccountKind.PREPAID,
    AccountKind.ORDER_SUSPENSE,
    AccountKind.WITHDRAWALS,
    AccountKind.GIFTS,
    AccountKind.ADJUSTMENTS,
    AccountKind.BANK,
    AccountKind.LOSSES,
    AccountKind.TAX_WITHHELD,
)
OF_GATEWAYS = (
    AccountKind.GATEWAY_CLEARING,
    AccountKind.GATEWAY_FEES,
    AccountKind.SPLIT_CLEARING,
    AccountKind.DISPUTES,
    AccountKind.DIFFERENCES,
)
ALWAYS = frozenset({AccountKind.ORDER_SUSPENSE, AccountKind.ADJUSTMENTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAccount:
    """An account in words; `amount` is credits less debits."""

    number: int
    kind: AccountKind
    owner_id: int
    name: object
    owner: str
    amount: int


def list_accounts(site: SiteView) -> list[LedgerAccount]:
    """Return the accounts of a site that hold or held something worth a line."""
    income = AccountKind.SALES if site.is_main else AccountKind.SITE_MARGIN
    accounts = [_account(kind, site.site_id, "") for kind in OWN]
    for gateway in list_own_gateways():
        accounts += [_account(kind, gateway.id, gateway.name) for kind in OF_GATEWAYS]
    return [each for each in accounts if each.amount or each.kind in ALWAYS | {income}]


def find_account(site: SiteView, *, kind: int, owner_id: int) -> LedgerAccount | None:
    """Return one account if the site in force may look into it."""
    if kind in OWN and owner_id == site.site_id:
        return _account(AccountKind(kind), owner_id, "")
    names = {each.id: each.name for each in list_own_gateways()} if kind in OF_GATEWAYS else {}
    if owner_id in names:
        return _account(AccountKind(kind), owner_id, names[owner_id])
    return None


def _account(kind: AccountKind, owner_id: int, owner: str) -> LedgerAccount:
    return LedgerAccount(
        number=account_id(kind, owner_id),
        kind=kind,
        owner_id=owner_id,
        name=ACCOUNT_NAMES[kind],
        owner=owner,
        amount=site_account_amount(kind, owner_id=owner_id),
    )
