"""What Alipay moves besides payments: split settlement (分账), its returns, transfers (转账).

A tester makes trouble by the name of who receives: see NAMES.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from kameng_simulator.alipay_answers import Answer, Refused, print_time
from kameng_simulator.money import format_fen, parse_fen
from kameng_simulator.moves import Moves, Transfer
from kameng_simulator.store import Payment, Store

MAX_SPLIT_BPS = 3000
# Names of a payee that play what happens at the real one.
NAMES = {
    "不符": ("PAYEE_USER_INFO_ERROR", "支付宝账号和姓名不匹配，请确认姓名是否正确"),
    "不存在": ("PAYEE_NOT_EXIST", "收款账号不存在"),
    "余额不足": ("PAYER_BALANCE_NOT_ENOUGH", "余额不足，建议尽快充值"),
    "繁忙": ("SYSTEM_ERROR", "系统繁忙"),
}
SLOW_NAME, BACK_NAME, WRONG_NAME = "处理中", "退回", "不符"


class AlipayMoves:
    """Splits, returns and transfers of one account; each call is in a transaction of its peer."""

    def __init__(
        self, store: Store, moves: Moves, *, kind: str, find: Callable[[Answer], Payment]
    ) -> None:
        self._store = store
        self._moves = moves
        self._kind = kind
        self._find = find

    # --- splits --------------------------------------------------------------------------------

    def bind(self, content: Answer) -> Answer:
        """Make receivers known; a number that was heard before does nothing."""
        if self._heard(content):
            return {"result_code": "SUCCESS"}
        known = self._relations()
        for entry in _list(content, "receiver_list"):
            account, kind = str(entry.get("account", "")), str(entry.get("type", ""))
            if not account or kind not in ("userId", "loginName", "openId"):
                raise Refused("ACQ.INVALID_PARAMETER", "参数无效")
            name = str(entry.get("name", ""))
            if WRONG_NAME in name or (kind == "loginName" and not name):
                raise Refused("ACQ.INVALID_PARAMETER", "分账接收方姓名不匹配")
            known[account] = {"type": kind, "name": name}
        self._store.overwrite(self._relations_name, json.dumps(known, ensure_ascii=False))
        return {"result_code": "SUCCESS"}

    def unbind(self, content: Answer) -> Answer:
        """Forget receivers; a number that was heard before does nothing."""
        if self._heard(content):
            return {"result_code": "SUCCESS"}
        known = self._relations()
        for entry in _list(content, "receiver_list"):
            known.pop(str(entry.get("account", "")), None)
        self._store.overwrite(self._relations_name, json.dumps(known, ensure_ascii=False))
        return {"result_code": "SUCCESS"}

    def _heard(self, content: Answer) -> bool:
        number = str(content.get("out_request_no") or "")
        if not number:
            raise Refused("ACQ.INVALID_PARAMETER", "参数无效")
        name = f"{self._kind}_relation_numbers"
        heard: list[str] = json.loads(self._store.remember(name, lambda: "[]"))
        if number in heard:
            return True
        self._store.overwrite(name, json.dumps([*heard, number]))
        return False

    def list_relations(self, _content: Answer) -> Answer:
        """Tell which receivers are known."""
        rows = [{"account": account, **more} for account, more in self._relations().items()]
        return {"result_code": "SUCCESS", "receiver_list": rows, "total_record_num": len(rows)}

    @property
    def _relations_name(self) -> str:
        return f"{self._kind}_relations"

    def _relations(self) -> dict[str, dict[str, str]]:
        known: dict[str, dict[str, str]] = json.loads(
            self._store.remember(self._relations_name, lambda: "{}")
        )
        return known

    def settle(self, content: Answer) -> Answer:
        """Hand a share over, or end the splitting, or both."""
        payment = self._find({"trade_no": content.get("trade_no") or "-"})
        number = str(content.get("out_request_no") or "")
        shares = _list(content, "royalty_parameters")
        extended = content.get("extend_params")
        ends = isinstance(extended, dict) and extended.get("royalty_finish") == "true"
        if payment.state != "paid":
            raise Refused("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
        if not number or len(shares) > 1 or (not shares and not ends):
            raise Refused("ACQ.INVALID_PARAMETER", "参数无效：模拟器一次只分给一个收入方")
        known = self._moves.find_transfer(self._kind, "split", number)
        extra = json.loads(payment.extra)
        if known is None and extra.get("royalty_finished"):
            raise Refused("ACQ.TRADE_SETTLE_ERROR", "该笔交易分账已完结")
        transfer = self._open_split(
            payment, number, shares[0] if shares else {}, is_known=bool(known)
        )
        if ends:
            self._store.change_extra(payment.id, {**extra, "royalty_finished": True})
        return {"trade_no": payment.trade_no, "settle_no": f"S{transfer.id:015d}"}

    def _open_split(
        self, payment: Payment, number: str, share: Answer, *, is_known: bool
    ) -> Transfer:
        account = str(share.get("trans_in", ""))
        try:
            fen = parse_fen(str(share.get("amount"))) if share else 0
        except ValueError:
            raise Refused("ACQ.INVALID_PARAMETER", "参数无效") from None
        if share and not is_known:
            if account not in self._relations():
                raise Refused("ACQ.ROYALTY_RECEIVER_INVALID", "分账收款方不存在分账关系，请先绑定")
            allowed = payment.paid_fen * MAX_SPLIT_BPS // 10_000
            if self._handed_fen(payment) + fen > min(
                allowed, payment.paid_fen - payment.refunded_fen
            ):
                raise Refused("ACQ.ALLOC_AMOUNT_VALIDATE_ERROR", "分账金额超限")
        try:
            transfer, _ = self._moves.open_transfer(
                {
                    "gateway": self._kind,
                    "kind": "split",
                    "own_no": number,
                    "payment_id": payment.id,
                    "account": account,
                    "amount_fen": fen,
                    "state": "done" if share else "ended",
                }
            )
        except ValueError:
            raise Refused("ACQ.DISCORDANT_REPEAT_REQUEST", "不一致的请求") from None
        return transfer

    def _handed_fen(self, payment: Payment, *, account: str = "") -> int:
        rows = self._moves.list_transfers(self._kind, payment_id=payment.id)
        rows = [row for row in rows if account in ("", row.account)]
        given = sum(row.amount_fen for row in rows if row.kind == "split")
        return given - sum(row.amount_fen for row in rows if row.kind == "split_return")

    def query_settle(self, content: Answer) -> Answer:
        """Tell what became of a settle."""
        number = str(content.get("out_request_no") or "")
        transfer = self._moves.find_transfer(self._kind, "split", number)
        payment = self._find({"trade_no": content.get("trade_no") or "-"})
        if transfer is None or transfer.payment_id != payment.id:
            raise Refused("ACQ.SETTLE_NOT_EXIST", "分账请求不存在")
        details = [
            {
                "operation_type": "transfer",
                "execute_dt": print_time(transfer.created_at),
                "trans_in": find_user_id(transfer.account),
                "trans_in_type": "userId",
                "amount": format_fen(transfer.amount_fen),
                "state": "SUCCESS",
                "detail_id": f"D{transfer.id:015d}",
            }
        ]
        return {
            "out_request_no": number,
            "operation_dt": print_time(transfer.created_at),
            "royalty_detail_list": details if transfer.state == "done" else [],
        }

    def take_back(self, payment: Payment, number: str, share: Answer) -> None:
        """Take a share back, as a refund says."""
        account = str(share.get("trans_out", ""))
        try:
            fen = parse_fen(str(share.get("amount")))
        except ValueError:
            raise Refused("ACQ.INVALID_PARAMETER", "参数无效") from None
        known = self._moves.find_transfer(self._kind, "split_return", number)
        if known is None and fen > self._handed_fen(payment, account=account):
            raise Refused("ACQ.REFUND_ROYALTY_AMOUNT_ERROR", "退分账金额超过已分账金额")
        try:
            self._moves.open_transfer(
                {
                    "gateway": self._kind,
                    "kind": "split_return",
                    "own_no": number,
                    "payment_id": payment.id,
                    "account": account,
                    "amount_fen": fen,
                }
            )
        except ValueError:
            raise Refused("ACQ.DISCORDANT_REPEAT_REQUEST", "不一致的请求") from None

    def tell_return(self, payment: Payment, number: str) -> list[dict[str, str]]:
        """Return what a refund's query says of shares that came back."""
        transfer = self._moves.find_transfer(self._kind, "split_return", number)
        if transfer is None or transfer.payment_id != payment.id:
            return []
        return [
            {
                "refund_amount": format_fen(transfer.amount_fen),
                "royalty_type": "transfer",
                "result_code": "SUCCESS",
                "trans_out": find_user_id(transfer.account),
            }
        ]

    # --- transfers -----------------------------------------------------------------------------

    def transfer(self, content: Answer) -> Answer:
        """Send money to a person, once per number."""
        number, payee = str(content.get("out_biz_no") or ""), content.get("payee_info")
        try:
            fen = parse_fen(str(content.get("trans_amount")))
        except ValueError:
            raise Refused("INVALID_PARAMETER", "参数有误") from None
        if not number or not isinstance(payee, dict) or not payee.get("identity"):
            raise Refused("INVALID_PARAMETER", "参数有误")
        name = str(payee.get("name", ""))
        for mark, (code, words) in NAMES.items():
            if mark in name:
                raise Refused(code, words)
        state = "dealing" if SLOW_NAME in name else "back" if BACK_NAME in name else "done"
        try:
            sent, _ = self._moves.open_transfer(
                {
                    "gateway": self._kind,
                    "kind": "payout",
                    "own_no": number,
                    "account": str(payee["identity"]),
                    "name": name,
                    "amount_fen": fen,
                    "state": state,
                    "returned_at": time.time() if state == "back" else None,
                }
            )
        except ValueError:
            raise Refused("DUPLICATE_REQUEST_INCONSISTENT", "同一单号的请求内容不一致") from None
        status = "DEALING" if sent.state == "dealing" else "SUCCESS"
        return {**self._tell_transfer(sent), "status": status}

    def query_transfer(self, content: Answer) -> Answer:
        """Tell what became of a transfer; one that was in the making is done once asked for."""
        number = str(content.get("out_biz_no") or "")
        sent = self._moves.find_transfer(self._kind, "payout", number)
        if sent is None:
            raise Refused("ORDER_NOT_EXIST", "转账订单不存在")
        told = {**self._tell_transfer(sent), "trans_amount": format_fen(sent.amount_fen)}
        if sent.state == "back":
            return {**told, "status": "REFUND", "fail_reason": "收款方退回"}
        if sent.state == "dealing":
            self._moves.end_transfer(sent, state="done")
            return {**told, "status": "DEALING"}
        return {**told, "status": "SUCCESS", "pay_date": print_time(sent.created_at)}

    def return_payout(self, own_no: str) -> None:
        """Let a transfer that arrived come back; raise ValueError when there is none."""
        if not self._moves.return_payout(self._kind, own_no):
            raise ValueError(own_no)

    def _tell_transfer(self, sent: Transfer) -> dict[str, str]:
        return {
            "out_biz_no": sent.own_no,
            "order_id": f"2026{sent.id:028d}",
            "pay_fund_order_id": f"2026{sent.id:028d}",
            "trans_date": print_time(sent.created_at),
        }


def find_user_id(account: str) -> str:
    """Return the user number behind an account: what answers name, whatever was asked for by."""
    if account.startswith("2088"):
        return account
    return f"2088{int(hashlib.sha256(account.encode()).hexdigest(), 16) % 10**12:012d}"


def _list(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = content.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused("ACQ.INVALID_PARAMETER", "参数无效")
    return rows
