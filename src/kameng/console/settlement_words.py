"""Settlement in words: states as marks, reasons, warnings, lines of a bank's result."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from kameng.console.gateway_words import explain_said
from kameng.payments.providers.abilities import NOT_CONFIRMED, WAITS_FOR_RECEIVER
from kameng.settlement.models import Split, SplitState, Withdrawal, WithdrawalState
from kameng.settlement.services.batching import LineOutcome

RISKS: Final[Mapping[str, Any]] = {
    "first_payout": _("第一次打款到这个账户"),
    "new_account": _("收款账户添加不到 7 天"),
    "unusually_large": _("金额比平时大很多"),
    "recent_refunds": _("近 30 天退款超过成交的两成"),
    "shared_account": _("别的收款人也用这个账户"),
    "came_back": _("以前打到这个账户的钱被退回过"),
    "open_dispute": _("有买家向银行或支付平台要求退款，还没有结果，涉及的利润已冻结"),
    "claim_short": _("扣除争议和未结算的利润后，这个分站的余额已经不够，打款后可能收不回来"),
}
SPLIT_REASONS: Final[Mapping[str, Any]] = {
    "wallet_paid": _("用余额付的款，没有可分的支付"),
    "no_ability": _("这个支付通道不能分账"),
    "not_flagged": _("付款时没有按分账下单"),
    "no_receiver": _("还没有核实过的分账接收方"),
    "receiver_cooling": _("接收方刚换过，还在冷静期"),
    "above_maximum": _("超过通道的分账上限，多出的部分留作应付"),
    "nothing_left": _("没有可分的利润"),
    "refund_open": _("有退款在办，办完再分"),
    "dispute_open": _("买家的争议还没有结果，有结果再分"),
    "claim_short": _("应付余额不够，等有新的利润"),
    "too_late": _("过了通道的分账期限"),
    "refused": _("支付通道拒绝了"),
}
OUTCOMES: Final[Mapping[str, tuple[str, Any]]] = {
    LineOutcome.PAID: ("ok", _("已打款")),
    LineOutcome.FAILED: ("warn", _("打款失败，钱已退回可提现金额")),
    LineOutcome.PENDING: ("", _("结果不是成功也不是失败，没有改动")),
    LineOutcome.UNKNOWN_NUMBER: ("bad", _("没有这个打款编号")),
    LineOutcome.OTHER_BATCH: ("bad", _("这个编号不在本批次里")),
    LineOutcome.OTHER_AMOUNT: ("bad", _("金额和批次里的不一样，没有改动")),
    LineOutcome.DONE_ALREADY: ("", _("以前已经记过了")),
    LineOutcome.RETURNED: ("warn", _("打款后被银行退回，钱已退回可提现金额")),
    LineOutcome.CONTRADICTS: ("bad", _("和已经记下的结果相反，请查银行流水")),
    LineOutcome.TWICE: ("bad", _("同一个编号在文件里出现了两次，都没有改动")),
    LineOutcome.UNREADABLE: ("bad", _("看不出打款编号或金额")),
}
TONES: Final[Mapping[int, str]] = {
    WithdrawalState.REQUESTED: "warn",
    WithdrawalState.APPROVED: "info",
    WithdrawalState.SENDING: "info",
    WithdrawalState.IN_BATCH: "info",
    WithdrawalState.PAID: "ok",
    WithdrawalState.REFUSED: "bad",
    WithdrawalState.FAILED: "bad",
    WithdrawalState.RETURNED: "bad",
}
SPLIT_TONES: Final[Mapping[int, str]] = {
    SplitState.WAITING: "warn",
    SplitState.ASKED: "info",
    SplitState.DONE: "ok",
    SplitState.REFUSED: "bad",
    SplitState.FINISHING: "info",
}
WITHDRAWAL_VIEWS: Final[Mapping[str, tuple[Any, tuple[int, ...] | None]]] = {
    "all": (_("全部"), None),
    "review": (_("待审核"), (WithdrawalState.REQUESTED,)),
    "pay": (_("待打款"), (WithdrawalState.APPROVED,)),
    "sending": (_("打款中"), (WithdrawalState.SENDING, WithdrawalState.IN_BATCH)),
    "paid": (_("已打款"), (WithdrawalState.PAID,)),
    "back": (
        _("没有打款"),
        (
            WithdrawalState.REFUSED,
            WithdrawalState.FAILED,
            WithdrawalState.TAKEN_BACK,
            WithdrawalState.RETURNED,
        ),
    ),
}
SPLIT_VIEWS: Final[Mapping[str, tuple[Any, tuple[int, ...] | None]]] = {
    "all": (_("全部"), None),
    "waiting": (_("待分账"), (SplitState.WAITING, SplitState.ASKED)),
    "done": (_("已分账"), (SplitState.DONE,)),
    "refused": (_("分账失败"), (SplitState.REFUSED,)),
    "stays": (_("没有分账"), (SplitState.STAYS, SplitState.FINISHING, SplitState.FINISHED)),
}


def say_reason(withdrawal: Withdrawal) -> Any:
    """Return the reason of a withdrawal as a person reads it."""
    if withdrawal.reason == WAITS_FOR_RECEIVER:
        return _("等收款人在微信里确认收款，24 小时内不确认会自动退回")
    if withdrawal.reason == NOT_CONFIRMED:
        return _("收款人没有在 24 小时内确认收款，微信已关闭这笔转账")
    return explain_said(withdrawal.reason)


def list_risks(withdrawal: Withdrawal) -> list[Any]:
    """Return the warnings of a withdrawal in words."""
    return [RISKS.get(code, code) for code in withdrawal.risk_codes]


def split_reason(split: Split) -> Any:
    """Return why a split is where it is; empty when there is nothing to say."""
    return SPLIT_REASONS.get(split.reason, "")
