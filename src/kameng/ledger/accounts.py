"""The chart of accounts and the table of codes, written before the first transfer.

An account is a number computed from what it is: `owner_id * 100 + kind`. Accounts with a limit
(`LIMITED`) are negative numbers, so that one look tells them apart, in SQL too. A debit takes value
out of an account's claim, a credit adds to it: a wallet's balance is credits minus debits.
"""

from enum import IntEnum

from django.utils.translation import gettext_lazy as _


class AccountKind(IntEnum):
    """What an account is for. The number is part of every account id: never reuse one."""

    WALLET = 10  # owner: customer. What the site owes its customer. Limit: never below zero
    PREPAID = 11  # owner: sub-site. Paid in ahead for wholesale. Limit: its credit line, zero
    GATEWAY_CLEARING = 20  # owner: gateway. Money that lies at the gateway (debit balance)
    ORDER_SUSPENSE = 30  # owner: site. Received for orders that are not settled yet
    SALES = 40  # owner: main site. What the main site earned: its own sales and wholesale
    SITE_MARGIN = 50  # owner: sub-site. What the operator earned
    SITE_TAKINGS = 51  # owner: sub-site. What its own merchant account took, less that one's fee
    GATEWAY_FEES = 60  # owner: gateway. Fees the gateway keeps
    ADJUSTMENTS = 70  # owner: site. Corrections by hand and opening balances, each with a reason
    GIFTS = 71  # owner: site. What was given to customers, with top-ups for example
    WITHDRAWALS = 80  # owner: site. Asked to be paid out, not paid yet
    BANK = 81  # owner: site. The bank account of who runs it (debit balance)
    SPLIT_CLEARING = 82  # owner: gateway. Shares that it was asked to hand over, not done yet
    DISPUTES = 83  # owner: gateway. Money that it holds back because of a dispute (debit balance)
    LOSSES = 84  # owner: site. What lost disputes and differences cost (debit balance)
    DIFFERENCES = 85  # owner: gateway. Corrections after reconciling, each confirmed by a person
    TAX_WITHHELD = 86  # owner: site. Held back of payouts, owed to the tax office


class Code(IntEnum):
    """Why value moved. A permanent registry."""

    TOP_UP = 10  # ORDER_SUSPENSE → WALLET: a customer put money in
    TOP_UP_FEE = 11  # SALES → GATEWAY_FEES: what the gateway kept of a top-up
    TOP_UP_BONUS = 12  # GIFTS → WALLET: given with a top-up
    BONUS_REVOKED = 13  # WALLET → GIFTS: taken back with a top-up that was returned
    PAYMENT = 20  # GATEWAY_CLEARING → ORDER_SUSPENSE: a payment arrived (order or top-up)
    PAYMENT_WAIVED = 21  # LOSSES → ORDER_SUSPENSE: what was short of a payment, borne by the shop
    SALE_OWN = 30  # WALLET or ORDER_SUSPENSE → SALES: main site's part (its sale or wholesale)
    SALE_MARGIN = 31  # WALLET or ORDER_SUSPENSE → SITE_MARGIN: the operator's part
    SALE_FEE = 32  # ORDER_SUSPENSE → GATEWAY_FEES: what the gateway keeps
    SALE_SURCHARGE = 33  # ORDER_SUSPENSE → GATEWAY_FEES or SALES: the fee that the buyer bears
    SALE_WHOLESALE = 34  # PREPAID → SALES: wholesale of a shop with its own merchant account
    SALE_TAKINGS = 35  # WALLET or ORDER_SUSPENSE → SITE_TAKINGS: what such a shop took
    WALLET_PART = 36  # WALLET → ORDER_SUSPENSE: the wallet's part of a mixed payment
    WALLET_PART_BACK = 37  # ORDER_SUSPENSE → WALLET: it did not come to a sale
    SALE_UPLINE = 38  # WALLET or ORDER_SUSPENSE → SITE_MARGIN of the upline: what a child pays it
    SALE_PASSED_ON = 39  # SITE_MARGIN of the upline → SALES: the wholesale price of that
    REFUND_OWN = 40  # SALES → ORDER_SUSPENSE: exact reverse of SALE_OWN
    REFUND_MARGIN = 41  # SITE_MARGIN → ORDER_SUSPENSE
    REFUND_FEE = 42  # GATEWAY_FEES → ORDER_SUSPENSE: only where the gateway gives it back
    REFUND_WHOLESALE = 44  # SALES → PREPAID: exact reverse of SALE_WHOLESALE
    REFUND_TAKINGS = 45  # SITE_TAKINGS → ORDER_SUSPENSE
    REFUND_SURCHARGE = 46  # GATEWAY_FEES or SALES → ORDER_SUSPENSE
    REFUND_UPLINE = 47  # SITE_MARGIN of the upline → ORDER_SUSPENSE: exact reverse of SALE_UPLINE
    REFUND_PASSED_ON = 48  # SALES → SITE_MARGIN of the upline
    REFUND_TO_WALLET = 50  # ORDER_SUSPENSE → WALLET
    REFUND_TO_SOURCE = 51  # ORDER_SUSPENSE → GATEWAY_CLEARING
    REFUND_BY_HAND = 53  # ORDER_SUSPENSE → ADJUSTMENTS: staff paid the buyer outside the system
    TOP_UP_RETURNED = 52  # WALLET → ORDER_SUSPENSE: a top-up goes back to its source
    ADJUST_UP = 60  # ADJUSTMENTS → WALLET: by staff, with a reason
    ADJUST_DOWN = 61  # WALLET → ADJUSTMENTS
    OPENING = 62  # ADJUSTMENTS → WALLET: a balance brought over at import
    WITHDRAWAL_HELD = 70  # SITE_MARGIN, PREPAID or WALLET → WITHDRAWALS: asked for
    WITHDRAWAL_RELEASED = 71  # WITHDRAWALS → where it came from: refused, failed or taken back
    WITHDRAWAL_PAID = 72  # WITHDRAWALS → GATEWAY_CLEARING or BANK: paid out
    WITHDRAWAL_FEE = 73  # WITHDRAWALS → SALES
    WITHDRAWAL_TAX = 74  # WITHDRAWALS → TAX_WITHHELD
    WITHDRAWAL_RETURNED = 75  # GATEWAY_CLEARING or BANK, SALES, TAX_WITHHELD → where it came from
    CLAIM_SETTLED = 76  # SITE_MARGIN ↔ ADJUSTMENTS: the last of a claim, settled outside the system
    SPLIT_ASKED = 80  # SITE_MARGIN → SPLIT_CLEARING: the gateway shall hand a share over
    SPLIT_DONE = 81  # SPLIT_CLEARING → GATEWAY_CLEARING: it did
    SPLIT_REFUSED = 82  # SPLIT_CLEARING → SITE_MARGIN: it did not
    SPLIT_RETURNED = 83  # GATEWAY_CLEARING → SITE_MARGIN: the share came back, for a refund
    DISPUTE_HELD = 90  # DISPUTES → GATEWAY_CLEARING: the gateway holds the disputed money back
    DISPUTE_WON = 91  # GATEWAY_CLEARING → DISPUTES: it gave it back
    DISPUTE_LOST = 92  # LOSSES → DISPUTES: it went to the buyer for good
    DISPUTE_MARGIN = 93  # SITE_MARGIN → LOSSES: the operator's part of what a dispute took
    DISPUTE_UPLINE = 94  # SITE_MARGIN of the upline → LOSSES of the child: its part of it
    PREPAID_IN = 95  # ORDER_SUSPENSE or BANK → PREPAID: the operator paid in
    PREPAID_ADJUSTED = 96  # PREPAID ↔ ADJUSTMENTS: by staff, with a reason
    DIFFERENCE = 97  # DIFFERENCES ↔ any: after reconciling, confirmed by a person
    GATEWAY_SETTLED = 98  # GATEWAY_CLEARING → BANK: the gateway paid its owner out


class Reference(IntEnum):
    """What a transfer's `reference_id` points at."""

    ORDER = 1
    TOP_UP = 2
    REFUND = 3
    ADJUSTMENT = 4
    SPLIT = 5
    WITHDRAWAL = 6
    DISPUTE = 7
    PREPAID = 8  # a payment into the prepaid balance
    CASE = 9  # a difference found by reconciling


CODE_NAMES = {
    Code.TOP_UP: _("充值"),
    Code.TOP_UP_FEE: _("充值手续费"),
    Code.PAYMENT: _("订单收款"),
    Code.PAYMENT_WAIVED: _("免收差额"),
    Code.SALE_OWN: _("主站货款"),
    Code.SALE_MARGIN: _("分站利润"),
    Code.SALE_UPLINE: _("上下级货款"),
    Code.SALE_PASSED_ON: _("转付主站货款"),
    Code.REFUND_UPLINE: _("退回上下级货款"),
    Code.REFUND_PASSED_ON: _("主站退回货款"),
    Code.DISPUTE_UPLINE: _("争议赔付扣回上级差价"),
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
    Code.TOP_UP_BONUS: _("充值赠送"),
    Code.BONUS_REVOKED: _("赠送收回"),
    Code.SALE_SURCHARGE: _("买家承担的手续费"),
    Code.SALE_WHOLESALE: _("进货款"),
    Code.SALE_TAKINGS: _("分站自收货款"),
    Code.WALLET_PART: _("余额抵扣"),
    Code.WALLET_PART_BACK: _("余额抵扣退回"),
    Code.REFUND_WHOLESALE: _("退回进货款"),
    Code.REFUND_TAKINGS: _("退回分站自收货款"),
    Code.REFUND_SURCHARGE: _("退回买家承担的手续费"),
    Code.WITHDRAWAL_HELD: _("提现申请"),
    Code.WITHDRAWAL_RELEASED: _("提现退回"),
    Code.WITHDRAWAL_PAID: _("提现打款"),
    Code.WITHDRAWAL_FEE: _("提现手续费"),
    Code.WITHDRAWAL_TAX: _("代扣税款"),
    Code.WITHDRAWAL_RETURNED: _("提现退票"),
    Code.CLAIM_SETTLED: _("关店结清"),
    Code.SPLIT_ASKED: _("申请分账"),
    Code.SPLIT_DONE: _("分账完成"),
    Code.SPLIT_REFUSED: _("分账失败"),
    Code.SPLIT_RETURNED: _("分账回退"),
    Code.DISPUTE_HELD: _("争议冻结"),
    Code.DISPUTE_WON: _("争议解冻"),
    Code.DISPUTE_LOST: _("争议赔付"),
    Code.DISPUTE_MARGIN: _("争议赔付扣回利润"),
    Code.PREPAID_IN: _("预存货款"),
    Code.PREPAID_ADJUSTED: _("预存款调整"),
    Code.DIFFERENCE: _("对账调整"),
    Code.GATEWAY_SETTLED: _("通道结算到账"),
}

ACCOUNT_NAMES = {
    AccountKind.WALLET: _("客户余额"),
    AccountKind.GATEWAY_CLEARING: _("通道在途"),
    AccountKind.ORDER_SUSPENSE: _("订单待结"),
    AccountKind.SALES: _("主站收入"),
    AccountKind.SITE_MARGIN: _("分站利润"),
    AccountKind.GATEWAY_FEES: _("通道手续费"),
    AccountKind.ADJUSTMENTS: _("人工调整"),
    AccountKind.PREPAID: _("分站预存款"),
    AccountKind.SITE_TAKINGS: _("分站自收款"),
    AccountKind.GIFTS: _("赠送"),
    AccountKind.WITHDRAWALS: _("提现中"),
    AccountKind.BANK: _("银行账户"),
    AccountKind.SPLIT_CLEARING: _("分账中"),
    AccountKind.DISPUTES: _("争议冻结"),
    AccountKind.LOSSES: _("损失"),
    AccountKind.DIFFERENCES: _("对账差异"),
    AccountKind.TAX_WITHHELD: _("代扣税款"),
}

# Accounts whose balance is kept and checked with every transfer; their numbers are negative.
LIMITED = frozenset({AccountKind.WALLET, AccountKind.PREPAID})


def account_id(kind: AccountKind, owner_id: int) -> int:
    """Return the number of an account; one with a limit is negative."""
    number = owner_id * 100 + kind
    return -number if kind in LIMITED else number


def account_kind(account: int) -> AccountKind:
    """Return what an account number stands for."""
    return AccountKind(abs(account) % 100)


def account_owner(account: int) -> int:
    """Return the owner in an account number."""
    return abs(account) // 100


def prepaid_of(site_id: int) -> int:
    """Return the prepaid account of a sub-site."""
    return account_id(AccountKind.PREPAID, site_id)


def wallet_of(customer_id: int) -> int:
    """Return the wallet account of a customer."""
    return account_id(AccountKind.WALLET, customer_id)
