"""The chart of accounts and the table of codes, written before the first transfer.

An account is a number computed from what it is: `owner_id * 100 + kind`. Accounts with a limit
(wallets) are negative numbers, so that one look tells them apart, in SQL too. A debit takes value
out of an account's claim, a credit adds to it: a wallet's balance is credits minus debits.
"""

from enum import IntEnum

from django.utils.translation import gettext_lazy as _


class AccountKind(IntEnum):
    """What an account is for. The number is part of every account id: never reuse one."""

    WALLET = 10  # owner: customer. What the site owes its customer. Limit: never below zero
    GATEWAY_CLEARING = 20  # owner: gateway. Money that lies at the gateway (debit balance)
    ORDER_SUSPENSE = 30  # owner: site. Received for orders that are not settled yet
    SALES = 40  # owner: main site. What the main site earned: its own sales and wholesale
    SITE_MARGIN = 50  # owner: sub-site. What the operator earned
    GATEWAY_FEES = 60  # owner: gateway. Fees the gateway keeps
    ADJUSTMENTS = 70  # owner: site. Corrections by hand and opening balances, each with a reason


class Code(IntEnum):
    """Why value moved. A permanent registry."""

    TOP_UP = 10  # ORDER_SUSPENSE → WALLET: a customer put money in
    TOP_UP_FEE = 11  # SALES → GATEWAY_FEES: what the gateway kept of a top-up
    PAYMENT = 20  # GATEWAY_CLEARING → ORDER_SUSPENSE: a payment arrived (order or top-up)
    SALE_OWN = 30  # WALLET or ORDER_SUSPENSE → SALES: main site's part (its sale or wholesale)
    SALE_MARGIN = 31  # WALLET or ORDER_SUSPENSE → SITE_MARGIN: the operator's part
    SALE_FEE = 32  # ORDER_SUSPENSE → GATEWAY_FEES: what the gateway keeps
    REFUND_OWN = 40  # SALES → ORDER_SUSPENSE: exact reverse of SALE_OWN
    REFUND_MARGIN = 41  # SITE_MARGIN → ORDER_SUSPENSE
    REFUND_FEE = 42  # GATEWAY_FEES → ORDER_SUSPENSE: only where the gateway gives it back
    REFUND_TO_WALLET = 50  # ORDER_SUSPENSE → WALLET
    REFUND_TO_SOURCE = 51  # ORDER_SUSPENSE → GATEWAY_CLEARING
    REFUND_BY_HAND = 53  # ORDER_SUSPENSE → ADJUSTMENTS: staff paid the buyer outside the system
    TOP_UP_RETURNED = 52  # WALLET → ORDER_SUSPENSE: a top-up goes back to its source
    ADJUST_UP = 60  # ADJUSTMENTS → WALLET: by staff, with a reason
    ADJUST_DOWN = 61  # WALLET → ADJUSTMENTS
    OPENING = 62  # ADJUSTMENTS → WALLET: a balance brought over at import


class Reference(IntEnum):
    """What a transfer's `reference_id` points at."""

    ORDER = 1
    TOP_UP = 2
    REFUND = 3
    ADJUSTMENT = 4


CODE_NAMES = {
    Code.TOP_UP: _("充值"),
    Code.TOP_UP_FEE: _("充值手续费"),
    Code.PAYMENT: _("订单收款"),
    Code.SALE_OWN: _("主站货款"),
    Code.SALE_MARGIN: _("分站利润"),
    Code.SALE_FEE: _("通道手续费"),
    Code.REFUND_OWN: _("退回主站货款"),
    Code.REFUND_MARGIN: _("退回分站利润"),
    Code.REFUND_FEE: _("退回通道手续费"),
    Code.REFUND_TO_WALLET: _("退款到余额"),
    Code.REFUND_TO_SOURCE: _("原路退款"),
    Code.TOP_UP_RETURNED: _("充值退回"),
    Code.REFUND_BY_HAND: _("线下退款"),
    Code.ADJUST_UP: _("人工增加"),
    Code.ADJUST_DOWN: _("人工扣减"),
    Code.OPENING: _("期初余额"),
}

ACCOUNT_NAMES = {
    AccountKind.WALLET: _("客户余额"),
    AccountKind.GATEWAY_CLEARING: _("通道在途"),
    AccountKind.ORDER_SUSPENSE: _("订单待结"),
    AccountKind.SALES: _("主站收入"),
    AccountKind.SITE_MARGIN: _("分站利润"),
    AccountKind.GATEWAY_FEES: _("通道手续费"),
    AccountKind.ADJUSTMENTS: _("人工调整"),
}


def account_id(kind: AccountKind, owner_id: int) -> int:
    """Return the number of an account; wallets are negative."""
    number = owner_id * 100 + kind
    return -number if kind == AccountKind.WALLET else number


def account_kind(account: int) -> AccountKind:
    """Return what an account number stands for."""
    return AccountKind(abs(account) % 100)


def account_owner(account: int) -> int:
    """Return the owner in an account number."""
    return abs(account) // 100


def wallet_of(customer_id: int) -> int:
    """Return the wallet account of a customer."""
    return account_id(AccountKind.WALLET, customer_id)
