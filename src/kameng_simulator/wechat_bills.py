"""WeChat Pay's trade bill and fund bill: backticks, sums in the last row, SHA-1, gzip if wanted."""

import base64
import gzip
import hashlib
import time
from collections.abc import Sequence

from kameng_simulator.money import format_fen
from kameng_simulator.moves import BillRow, Moves
from kameng_simulator.store import Store
from kameng_simulator.web import Reply, Request
from kameng_simulator.wechat_wire import Keys, Refused

KIND = "wechat"
TRADE_NAMES = (
    *("交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号"),
    *("用户标识", "交易类型", "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额"),
    *("微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态"),
    *("商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额", "费率备注"),
)
TRADE_SUMS = (
    *("总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额"),
    *("订单总金额", "申请退款总金额"),
)
FUND_NAMES = (
    *("记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型"),
    *("收支金额（元）", "账户结余（元）", "资金变更提交申请人", "备注", "业务凭证号"),
)
FUND_SUMS = ("资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")
FUND_WORDS = {
    "payment": ("交易", "收入"),
    "refund": ("退款", "支出"),
    "split": ("分账", "支出"),
    "split_return": ("分账回退", "收入"),
    "payout": ("商家转账", "支出"),
}


class Bills:
    """The bills of one merchant."""

    def __init__(self, store: Store, moves: Moves, *, keys: Keys, fee_bps: int) -> None:
        self._store = store
        self._moves = moves
        self._keys = keys
        self._fee_bps = fee_bps

    def place(self, kind: str, request: Request) -> dict[str, str]:
        """Tell where the bill of a day lies; raise Refused for today, and for an empty day."""
        day, pack = request.query.get("bill_date", ""), request.query.get("tar_type", "")
        time.strptime(day, "%Y-%m-%d")
        if day >= time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600)):
            raise Refused(400, "PARAM_ERROR", "账单日期不合法，只能下载昨天及以前的账单")
        plain = self._write(kind, day)
        if plain is None:
            raise Refused(400, "NO_STATEMENT_EXIST", "账单文件不存在")
        token = base64.urlsafe_b64encode(f"{kind} {day} {pack}".encode()).decode().rstrip("=")
        return {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(plain, usedforsecurity=False).hexdigest(),
            "download_url": f"{request.base_url}/v3/billdownload/file?token={token}",
        }

    def download(self, request: Request) -> Reply:
        """Give the bill that a token names; the answer of a download is not signed."""
        token = request.query.get("token", "")
        kind, day, pack = (
            base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split(" ")
        )
        plain = self._write(kind, day)
        if plain is None:
            raise Refused(404, "RESOURCE_NOT_EXISTS", "账单文件不存在")
        body = gzip.compress(plain, mtime=0) if pack == "GZIP" else plain
        return Reply(body=body, content_type="application/octet-stream")

    def _write(self, kind: str, day: str) -> bytes | None:
        rows = self._moves.list_bill(KIND, day=day, fee_bps=self._fee_bps)
        if kind == "trade":
            rows = [row for row in rows if row.kind in ("payment", "refund")]
            return self._write_trades(rows) if rows else None
        return self._write_funds(rows) if rows else None

    def _write_trades(self, rows: Sequence[BillRow]) -> bytes:
        lines = [",".join(TRADE_NAMES), *(_join(self._trade(row)) for row in rows)]
        paid = sum(row.amount_fen for row in rows if row.kind == "payment")
        back = sum(row.amount_fen for row in rows if row.kind == "refund")
        fees = sum(row.fee_fen for row in rows)
        sums = (
            str(len(rows)),
            _yuan(paid),
            _yuan(back),
            "0.00",
            _fee(fees),
            _yuan(paid),
            _yuan(back),
        )
        return _finish(lines, TRADE_SUMS, sums)

    def _trade(self, row: BillRow) -> dict[str, str]:
        is_refund = row.kind == "refund"
        return dict.fromkeys(TRADE_NAMES, "") | {
            "交易时间": _time(row.happened_at),
            "公众账号ID": self._keys.appid,
            "商户号": self._keys.mchid,
            "特约商户号": "0",
            "微信订单号": row.trade_no,
            "商户订单号": row.out_trade_no,
            "交易类型": {"jsapi": "JSAPI", "h5": "MWEB"}.get(row.method, "NATIVE"),
            "交易状态": "REFUND" if is_refund else "SUCCESS",
            "付款银行": "OTHERS",
            "货币种类": "CNY",
            "应结订单金额": "0.00" if is_refund else _yuan(row.amount_fen),
            "代金券金额": "0.00",
            "微信退款单号": self._refund_id(row) if is_refund else "0",
            "商户退款单号": row.own_no if is_refund else "0",
            "退款金额": _yuan(row.amount_fen) if is_refund else "0.00",
            "充值券退款金额": "0.00",
            "退款类型": "ORIGINAL" if is_refund else "",
            "退款状态": "SUCCESS" if is_refund else "",
            "商品名称": row.subject,
            "手续费": _fee(row.fee_fen),
            "费率": f"{self._fee_bps / 100:.2f}%",
            "订单金额": "0.00" if is_refund else _yuan(row.amount_fen),
            "申请退款金额": _yuan(row.amount_fen) if is_refund else "0.00",
        }

    def _refund_id(self, row: BillRow) -> str:
        found = self._store.fetch(
            "SELECT r.id FROM refunds r JOIN payments p ON p.id=r.payment_id"
            " WHERE p.gateway=? AND r.refund_no=?",
            KIND,
            row.own_no,
        )
        return f"503{found[0]['id']:025d}" if found else row.external_no

    def _write_funds(self, rows: Sequence[BillRow]) -> bytes:
        flows: list[tuple[BillRow, str, str, int]] = []
        for row in rows:
            word, way = FUND_WORDS[row.kind]
            flows.append((row, word, way, row.amount_fen))
            if row.kind == "payment" and row.fee_fen > 0:
                flows.append((row, "扣除交易手续费", "支出", row.fee_fen))
        balance, lines, totals = 0, [",".join(FUND_NAMES)], {"收入": [0, 0], "支出": [0, 0]}
        for place, (row, word, way, fen) in enumerate(flows):
            balance += fen if way == "收入" else -fen
            totals[way][0] += 1
            totals[way][1] += fen
            values = dict.fromkeys(FUND_NAMES, "") | {
                "记账时间": _time(row.happened_at),
                "微信支付业务单号": row.external_no,
                "资金流水单号": f"{row.external_no}{place:04d}",
                "业务名称": "交易" if row.kind == "payment" else word,
                "业务类型": word,
                "收支类型": way,
                "收支金额（元）": _yuan(fen),
                "账户结余（元）": _yuan(balance),
                "资金变更提交申请人": "system",
                "备注": row.subject,
                "业务凭证号": row.own_no,
            }
            lines.append(_join(values))
        incoming, outgoing = totals["收入"], totals["支出"]
        count = str(len(flows))
        sums = (count, str(incoming[0]), _yuan(incoming[1]), str(outgoing[0]), _yuan(outgoing[1]))
        return _finish(lines, FUND_SUMS, sums)


def _finish(lines: list[str], names: Sequence[str], sums: Sequence[str]) -> bytes:
    end = [",".join(names), ",".join(f"`{value}" for value in sums)]
    return ("\ufeff" + "\r\n".join([*lines, *end]) + "\r\n").encode()


def _join(values: dict[str, str]) -> str:
    return ",".join(f"`{value}" for value in values.values())


def _yuan(fen: int) -> str:
    return f"-{format_fen(-fen)}" if fen < 0 else format_fen(fen)


def _fee(fen: int) -> str:
    return f"{_yuan(fen)}000"


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment + 8 * 3600))
