"""Alipay's bills as files: a zip with GBK tables, tabs behind long numbers, totals in remarks."""

import io
import time
import zipfile
from collections.abc import Sequence

from kameng_simulator.money import format_fen
from kameng_simulator.moves import BillRow

TRADE_COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
ACCOUNT_COLUMNS = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
    "账户余额（元）,交易渠道,业务类型,备注,业务描述,业务订单号,业务基础订单号,业务账单来源"
)
RULE = "-" * 40
# kind of row: what the account's bill calls it, and whether money came in
ENTRIES = {
    "payment": ("在线支付", True),
    "refund": ("交易退款", False),
    "split": ("交易分账", False),
    "split_return": ("退分账", True),
    "payout": ("转账", False),
    "payout_return": ("转账退回", True),
}


def make_trade_bill(rows: Sequence[BillRow], *, seller_id: str, day: str) -> bytes:
    """Return the bill of trades: payments and refunds with their fees."""
    told = [row for row in rows if row.kind in ("payment", "refund")]
    lines = [",".join(_print_trade(row)) for row in told]
    paid = [row for row in told if row.kind == "payment"]
    back = [row for row in told if row.kind == "refund"]
    totals = [
        f"#交易合计：{len(paid)}笔，商家实收共{_sum(paid)}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共{_sum(back, sign='-')}元，商家优惠退款共0.00元",
    ]
    return _pack("业务明细", TRADE_COLUMNS, lines, totals, seller_id=seller_id, day=day)


def make_account_bill(rows: Sequence[BillRow], *, seller_id: str, day: str) -> bytes:
    """Return the bill of the account: every sum that came or went, fees apart."""
    entries = [entry for row in rows for entry in _list_entries(row)]
    income = [fen for _, fen, _ in entries if fen > 0]
    outgo = [fen for _, fen, _ in entries if fen < 0]
    lines = [
        _print_entry(row, fen, words, number=position)
        for position, (row, fen, words) in enumerate(entries, start=1)
    ]
    totals = [
        f"#支出合计：{len(outgo)}笔，共-{format_fen(-sum(outgo))}元",
        f"#收入合计：{len(income)}笔，共{format_fen(sum(income))}元",
    ]
    return _pack("账务明细", ACCOUNT_COLUMNS, lines, totals, seller_id=seller_id, day=day)


def _print_trade(row: BillRow) -> list[str]:
    sign, is_refund = ("-", True) if row.kind == "refund" else ("", False)
    fee = format_fen(abs(row.fee_fen))
    amount = sign + format_fen(row.amount_fen)
    moment = _print_time(row.happened_at)
    return [
        row.trade_no + "\t",
        row.out_trade_no + "\t",
        "退款" if is_refund else "交易",
        _plain(row.subject),
        moment,
        moment,
        *[""] * 4,
        "**店(sim***@example.com)",
        amount,
        amount,
        *["0.00"] * 5,
        "",
        "0.00",
        "0.00",
        (row.own_no if is_refund else "") + "\t",
        fee if is_refund or not row.fee_fen else f"-{fee}",
        "0.00",
        "",
    ]


def _list_entries(row: BillRow) -> list[tuple[BillRow, int, str]]:
    words, is_income = ENTRIES[row.kind]
    entries = [(row, row.amount_fen if is_income else -row.amount_fen, words)]
    if row.fee_fen:
        entries.append((row, -row.fee_fen, "收费" if row.fee_fen > 0 else "退费"))
    return entries


def _print_entry(row: BillRow, fen: int, words: str, *, number: int) -> str:
    is_trade = row.kind in ("payment", "refund")
    cells = [
        f"{int(row.happened_at)}{number:06d}\t",
        (row.trade_no if is_trade else row.external_no) + "\t",
        (row.out_trade_no if is_trade else row.own_no) + "\t",
        _plain(row.subject),
        _print_time(row.happened_at),
        "",
        format_fen(fen) if fen > 0 else "0.00",
        f"-{format_fen(-fen)}" if fen < 0 else "0.00",
        "100000.00",
        "支付宝",
        words,
        "",
        words,
        row.own_no + "\t",
        row.out_trade_no + "\t",
        "",
    ]
    return ",".join(cells)


def _pack(
    title: str,
    columns: str,
    lines: Sequence[str],
    totals: Sequence[str],
    *,
    seller_id: str,
    day: str,
) -> bytes:
    head = [
        f"#支付宝{title}查询",
        f"#账号：[{seller_id}]",
        f"#起始日期：[{day} 00:00:00]   终止日期：[{day} 23:59:59]",
        f"#{RULE}{title}列表{RULE}",
        columns,
    ]
    tail = [
        f"#{RULE}{title}列表结束{RULE}",
        *totals,
        f"#导出时间：[{_print_time(time.time())}]",
    ]
    table = "\r\n".join([*head, *lines, *tail]) + "\r\n"
    summary = "\r\n".join([f"#支付宝{title}汇总查询", *totals]) + "\r\n"
    name = f"{seller_id}_{day.replace('-', '')}_{title}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for entry, text in ((f"{name}.csv", table), (f"{name}(汇总).csv", summary)):
            bundle.writestr(_gbk_entry(entry), text.encode("gb18030"))
    return buffer.getvalue()


class _GbkEntry(zipfile.ZipInfo):
    """An entry whose name is written in GBK without saying so, as Alipay's archives do."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def _gbk_entry(name: str) -> zipfile.ZipInfo:
    entry = _GbkEntry(name, date_time=time.localtime()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _sum(rows: Sequence[BillRow], *, sign: str = "") -> str:
    total = sum(row.amount_fen for row in rows)
    return (sign if total else "") + format_fen(total)


def _plain(text: str) -> str:
    swapped = text.replace(",", "，").replace('"', "").replace("#", "＃")
    return swapped.encode("gb18030", errors="replace").decode("gb18030")


def _print_time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment + 8 * 3600))
