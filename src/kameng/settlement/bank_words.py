"""How banks write the results of a file of payouts: names of columns, words of success and failure.

All in lower case. What is neither success nor failure is not settled.
"""

from typing import Final

GOOD: Final = frozenset(
    {"成功", "success", "succeeded", "paid", "已打款", "交易成功", "付款成功", "ok"}
)
BAD: Final = frozenset(
    {
        "失败",
        "fail",
        "failed",
        "refused",
        "退回",
        "退票",
        "退汇",
        "已退回",
        "returned",
        "交易失败",
        "付款失败",
        "rejected",
    }
)
RETURNED: Final = frozenset({"退票", "退汇", "已退回", "returned"})  # paid, and it came back
COLUMNS: Final = {
    "number": ("打款编号", "payout_no", "商户流水号", "备注", "附言", "用途"),
    "amount": ("金额", "打款金额", "实付金额", "amount", "转账金额", "交易金额"),
    "result": ("结果", "状态", "result", "status", "处理结果", "交易状态"),
    "reason": ("失败原因", "原因", "reason", "说明", "错误信息"),
    "bank_no": ("银行流水号", "流水号", "external_no", "交易流水号"),
}
