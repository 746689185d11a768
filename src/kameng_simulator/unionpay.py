"""The UnionPay side: the gateway product of ACP 5.1.0, its notifications and its files.

Checks every signature and answers with the platform's own codes and words. An answer to a call
that was turned away carries no signature, as at the real one.
"""

import calendar
import hashlib
import html
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from kameng_simulator import signing
from kameng_simulator.certificates import (
    load,
    make_papers,
    make_signer,
    public_key_of,
    read_papers,
)
from kameng_simulator.moves import DAY_SECONDS, Correction, Moves
from kameng_simulator.pages import render_page, render_problem
from kameng_simulator.peers import Outgoing, Route, Twist
from kameng_simulator.store import Notice, Payment, Store
from kameng_simulator.unionpay_files import print_moment, render_files
from kameng_simulator.web import Reply, Request, redirect

LIFETIME_SECONDS = 15 * 60
NO_NOTICE_URL = "http://www.specialUrl.com"
UNSIGNED = ("10", "11", "13", "31")
MESSAGES = {
    "00": "成功[0000000]",
    "05": "交易已受理，请稍后查询交易结果[6154037]",
    "10": "报文格式错误[5100030]",
    "11": "验证签名失败[9100004]",
    "12": "重复交易[2040008]",
    "13": "报文交易要素缺失[5100010]",
    "31": "商户状态不正确[5100040]",
    "33": "交易金额超限[2010002]",
    "34": "查无此交易[2600000]",
    "35": "原交易不存在或状态不正确[2011000]",
    "36": "与原交易信息不符[2011002]",
    "98": "文件不存在[9600000]",
}
NEEDED = ("version", "encoding", "signMethod", "txnType", "merId", "txnTime", "signature")


class Refused(Exception):
    """The platform's no, by its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class UnionPay:
    """One merchant at UnionPay."""

    kind = "unionpay"
    label = "银联在线支付"
    calendar = (60, 120, 240, 300)
    fee_bps = 60
    twists = frozenset({Twist.FORGED, Twist.FOREIGN, Twist.STRANGER, Twist.REPLAYED})

    def __init__(self, store: Store, moves: Moves) -> None:
        self.store = store
        self._moves = moves
        self.mer_id = store.remember("unionpay_mer", lambda: "7772900" + signing.make_digits(8))
        text = store.remember("unionpay_papers", lambda: make_papers(self.mer_id).to_text())
        self._papers = read_papers(text)
        self._merchant_key = public_key_of(self._papers.merchant)
        self._merchant_serial = str(load(self._papers.merchant).serial_number)
        signer = [self._papers.signer, self._papers.signer_key]
        kept = json.loads(store.remember("unionpay_signer", lambda: json.dumps(signer)))
        # One value, so that nobody signs with a key and shows the certificate of another.
        self._signer = kept[0], signing.load_key(kept[1])

    def routes(self) -> Mapping[str, Route]:
        """Return the addresses of the gateway and of the files."""
        return {
            "/gateway/api/frontTransReq.do": Route(serve=self.open_front, is_api=False),
            "/gateway/api/backTransReq.do": Route(serve=self.serve_back),
            "/gateway/api/queryTrans.do": Route(serve=self.serve_query),
            "/unionpay/files/": Route(serve=self.serve_files),
            "/unionpay/return": Route(serve=self.show_return, is_api=False),
        }

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        return {
            "mer_id": self.mer_id,
            "merchant_cert": self._papers.merchant_pfx,
            "cert_password": self._papers.password,
            "root_cert": self._papers.root,
            "middle_cert": self._papers.middle,
            "same_day": "refund",
            "gateway_url": base_url + "/",
            "file_url": base_url + "/unionpay/files/",
        }

    def _check(self, fields: Mapping[str, str], *, kinds: tuple[str, ...]) -> None:
        if any(not fields.get(name) for name in NEEDED):
            raise Refused("13")
        if fields["version"] != "5.1.0" or fields["signMethod"] != "01":
            raise Refused("10")
        if fields["merId"] != self.mer_id:
            raise Refused("31")
        is_known = fields.get("certId") == self._merchant_serial
        signature = fields["signature"]
        is_signed = signing.verify_rsa(digest(fields), signature=signature, key=self._merchant_key)
        if not is_known or not is_signed:
            raise Refused("11")
        time_fits = len(fields["txnTime"]) == 14 and fields["txnTime"].isdigit()
        if fields["txnType"] not in kinds or not time_fits:
            raise Refused("10")

    def _answer(
        self,
        request: Request,
        kinds: tuple[str, ...],
        act: Callable[[dict[str, str]], dict[str, str]],
    ) -> Reply:
        fields = request.read_form()
        echo: dict[str, str] = {
            name: fields[name]
            for name in ("version", "encoding", "signMethod", "bizType", "accessType", "merId")
            if name in fields
        }
        try:
            self._check(fields, kinds=kinds)
            if "76" in kinds:  # files are read only, and may be long
                said = act(fields)
            else:
                # One call at a time, and whole or not at all: with what it will be told by.
                with self.store.transaction():
                    said = act(fields)
        except Refused as refusal:
            said = {"respCode": refusal.code, "respMsg": MESSAGES[refusal.code]}
            for name in ("orderId", "txnTime", "txnType", "txnSubType"):
                said[name] = fields.get(name, "")
        said = {name: value for name, value in (echo | said).items() if value}
        if said["respCode"] not in UNSIGNED:
            said = self._sign(said)
        body = "&".join(f"{name}={value}" for name, value in sorted(said.items()))
        return Reply(body=body.encode(), content_type="text/html;charset=UTF-8")

    def _sign(self, fields: Mapping[str, str], twist: str = "") -> dict[str, str]:
        certificate, key = self._signer
        said = {**fields, "signPubKeyCert": certificate}
        if twist == Twist.FORGED:
            key = signing.load_key(signing.make_private_key())
        return {**said, "signature": signing.sign_rsa(digest(said), key)}

    def open_front(self, request: Request) -> Reply:
        """`frontTransReq.do`: the browser arrives with the signed form and goes to the cashier."""
        if request.method != "POST":
            return render_problem("银联：请求方式不正确[5100030]")
        fields = request.read_form()
        try:
            self._check(fields, kinds=("01",))
            payment = self._open(fields, request.base_url)
        except Refused as refusal:
            return render_problem(f"银联：{MESSAGES[refusal.code]}（{refusal.code}）")
        return redirect(f"{request.base_url}/pay/{payment.trade_no}", status=303)

    def _open(self, fields: Mapping[str, str], base_url: str) -> Payment:
        number, amount = fields.get("orderId", ""), fields.get("txnAmt", "")
        number_fits = number.isascii() and number.isalnum() and 8 <= len(number) <= 32
        amount_fits = amount.isascii() and amount.isdigit() and 0 < int(amount) < 10**12
        if not number_fits or not amount_fits or fields.get("currencyCode") != "156":
            raise Refused("10")
        if not fields.get("backUrl") or not fields.get("frontUrl"):
            raise Refused("13")
        now = time.time()
        expires_at = now + LIFETIME_SECONDS
        if fields.get("payTimeout"):
            expires_at = read_moment(fields["payTimeout"])
        risk = fields.get("riskRateInfo", "").strip("{}")
        subject = risk.removeprefix("commodityName=") or "银联在线支付订单"
        extra = {"txnTime": fields["txnTime"], "base_url": base_url, "refunds": {}}
        payment = self.store.open_payment(
            {
                "gateway": self.kind,
                "trade_no": time.strftime("44%m%d%H%M%S") + signing.make_digits(9),
                "out_trade_no": number,
                "method": "unionpay",
                "subject": subject[:100],
                "amount_fen": int(amount),
                "notify_url": fields["backUrl"][:500],
                "return_url": fields["frontUrl"][:500],
                "created_at": now,
                "expires_at": expires_at,
                "extra": json.dumps(extra, ensure_ascii=False),
            }
        )
        is_same = _extra(payment).get("txnTime") == fields["txnTime"]
        if not is_same or payment.amount_fen != int(amount) or payment.state == "paid":
            raise Refused("12")
        return payment

    def serve_query(self, request: Request) -> Reply:
        """`queryTrans.do`: one message by its number and second, or by UnionPay's own number."""
        return self._answer(request, ("00",), self._query)

    def _query(self, fields: dict[str, str]) -> dict[str, str]:
        found = self._find_refund(fields.get("orderId", ""), fields["txnTime"])
        if found:
            payment, refund = found
            return {
                **self._describe_refund(payment, fields["orderId"], refund),
                "origRespCode": "00",
                "origRespMsg": MESSAGES["00"],
            }
        payment_found = (
            self.store.find_trade(fields["queryId"])
            if fields.get("queryId")
            else self.store.find_payment(self.kind, fields.get("orderId", ""))
        )
        if payment_found is None or payment_found.gateway != self.kind:
            raise Refused("34")
        sent = _extra(payment_found).get("txnTime", "")
        if not fields.get("queryId") and sent not in ("", fields["txnTime"]):
            raise Refused("34")
        code = "00" if payment_found.state == "paid" else "05"
        return {
            **self._describe(payment_found, sent or fields["txnTime"]),
            "origRespCode": code,
            "origRespMsg": MESSAGES[code],
        }

    def _describe(self, payment: Payment, sent: str) -> dict[str, str]:
        """Return what is said of a payment, in answers and notifications."""
        said = {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": "01",
            "bizType": "000201",
            "accessType": "0",
            "merId": self.mer_id,
            "txnType": "01",
            "txnSubType": "01",
            "orderId": payment.out_trade_no,
            "txnTime": sent,
            "txnAmt": str(payment.shown_fen),
            "respCode": "00",
            "respMsg": MESSAGES["00"],
        }
        if payment.paid_at is None:
            return said
        moved = print_moment(payment.paid_at)[4:]
        return {
            **said,
            "currencyCode": "156",
            "queryId": payment.trade_no,
            "traceNo": f"{payment.id % 1_000_000:06d}",
            "traceTime": moved,
            "settleAmt": str(payment.shown_fen),
            "settleCurrencyCode": "156",
            "settleDate": print_moment(payment.paid_at + 3600)[4:8],
            "payCardType": "01",
            "accNo": "6221********0000",
        }

    def serve_back(self, request: Request) -> Reply:
        """`backTransReq.do`: refunds (04) and same-day cancels (31)."""
        return self._answer(request, ("04", "31"), self._refund)

    def _refund(self, fields: dict[str, str]) -> dict[str, str]:
        number, amount = fields.get("orderId", ""), fields.get("txnAmt", "")
        if not number or not fields.get("origQryId") or not fields.get("backUrl"):
            raise Refused("13")
        if not (amount.isascii() and amount.isdigit() and int(amount) > 0):
            raise Refused("10")
        if self._find_refund(number, "") or self.store.find_payment(self.kind, number):
            raise Refused("12")
        payment = self.store.find_trade(fields["origQryId"])
        if payment is None or payment.gateway != self.kind or payment.paid_at is None:
            raise Refused("35")
        if fields["txnType"] == "31":
            self._check_cancel(payment, int(amount))
        try:
            self.store.refund(payment.id, refund_no=number, amount_fen=int(amount))
        except ValueError:
            raise Refused("33") from None
        refund = {
            "txnTime": fields["txnTime"],
            "txnType": fields["txnType"],
            "txnAmt": amount,
            "queryId": time.strftime("45%m%d%H%M%S") + signing.make_digits(9),
            "at": time.time(),
        }
        extra = _extra(payment)
        extra["refunds"] = {**extra.get("refunds", {}), number: refund}
        self.store.change_extra(payment.id, extra)
        said = self._describe_refund(payment, number, refund)
        if fields["backUrl"] != NO_NOTICE_URL:
            self.store.add_notice(
                payment.id, kind="退款", fields=said, subject="refund", address=fields["backUrl"]
            )
        return {**said, "respMsg": MESSAGES["00"]}

    @staticmethod
    def _check_cancel(payment: Payment, amount_fen: int) -> None:
        """A cancel takes the whole payment back on its settlement day, which ends at 23:00."""
        if amount_fen != payment.paid_fen or payment.refunded_fen:
            raise Refused("36")
        paid_on = print_moment((payment.paid_at or 0) + 3600)[:8]
        if paid_on != print_moment(time.time() + 3600)[:8]:
            raise Refused("35")

    def _find_refund(self, number: str, sent: str) -> tuple[Payment, dict[str, Any]] | None:
        """Return a refund by the merchant's number, with its payment; `sent` is its second."""
        sql = (
            "SELECT p.trade_no FROM refunds r JOIN payments p ON p.id = r.payment_id"
            " WHERE p.gateway=? AND r.refund_no=?"
        )
        for row in self.store.fetch(sql, self.kind, number):
            payment = self.store.find_trade(row["trade_no"])
            if payment is not None:
                refund = _extra(payment).get("refunds", {}).get(number)
                if refund and sent in ("", refund["txnTime"]):
                    return payment, refund
        return None

    def _describe_refund(
        self, payment: Payment, number: str, refund: Mapping[str, object]
    ) -> dict[str, str]:
        return {
            **self._describe(payment, str(refund["txnTime"])),
            "txnType": str(refund["txnType"]),
            "txnSubType": "00",
            "orderId": number,
            "txnAmt": str(refund["txnAmt"]),
            "settleAmt": str(refund["txnAmt"]),
            "queryId": str(refund["queryId"]),
            "origQryId": payment.trade_no,
            "traceTime": print_moment(float(str(refund["at"])))[4:],
        }

    def serve_files(self, request: Request) -> Reply:
        """Return the files of a settlement day, from 23:00 of the day before."""
        return self._answer(request, ("76",), self._give_files)

    def _give_files(self, fields: dict[str, str]) -> dict[str, str]:
        settle, today = fields.get("settleDate", ""), print_moment(time.time())
        year = int(today[:4]) - (settle > today[4:8])
        try:
            start = read_moment(f"{year}{settle}000000")
        except ValueError:
            raise Refused("10") from None
        first, second = (
            time.strftime("%Y-%m-%d", time.gmtime(start + 8 * 3600 - d))
            for d in (
                DAY_SECONDS,
                0,
            )
        )
        rows = [
            row
            for day in (first, second)
            for row in self._moves.list_bill(self.kind, day=day, fee_bps=self.fee_bps)
            if start - 3600 <= row.happened_at < start + DAY_SECONDS - 3600
        ]
        corrections = self._list_corrections(second)
        if not (rows or corrections) or start + DAY_SECONDS > time.time():
            raise Refused("98")
        name, content = render_files(
            rows, corrections, mer_id=self.mer_id, settle_date=settle, year=year
        )
        return {
            "txnType": "76",
            "txnSubType": "01",
            "txnTime": fields["txnTime"],
            "fileType": "00",
            "settleDate": settle,
            "fileName": name,
            "fileContent": content,
            "respCode": "00",
            "respMsg": MESSAGES["00"],
        }

    def _list_corrections(self, day: str) -> list[tuple[Correction, str, str]]:
        """Return what was put right on a day, with the payment's trace number and moment."""
        found = []
        for each in self._moves.list_corrections(self.kind, day=day):
            payment = self.store.find_payment(self.kind, each.own_no)
            if payment is not None:
                said = self._describe(payment, "")
                found.append((each, said["traceNo"], said["traceTime"]))
        return found

    def correct(self, payment: Payment, *, day: str, is_in: bool, amount_fen: int) -> None:
        """Put a paid payment right in the file of corrections of a settlement day."""
        self._moves.add_correction(
            gateway=self.kind,
            day=day,
            is_in=is_in,
            own_no=payment.out_trade_no,
            amount_fen=amount_fen,
        )

    def tell_paid(self, payment: Payment) -> dict[str, str]:
        """Return the facts of a back notification."""
        said = self._describe(payment, _extra(payment).get("txnTime") or print_moment(time.time()))
        # What is only pretended names what a real one would.
        pretended = {"currencyCode": "156", "queryId": payment.trade_no}
        return {**pretended, **said}

    def pack(self, notice: Notice) -> Outgoing:
        """Sign a notification; a forged one carries the right certificate and a wrong signature."""
        said = dict(notice.fields)
        if notice.twist == Twist.STRANGER:
            said["merId"] = str(int(self.mer_id) + 1)
        if notice.twist == Twist.FOREIGN:
            said["currencyCode"] = "840"
        return Outgoing(
            body=urlencode(self._sign(said, notice.twist)).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"},
        )

    def is_heard(self, status: int, body: str) -> bool:
        """Tell whether the shop answered 200: UnionPay does not read the body."""
        return status == 200

    def build_return(self, payment: Payment) -> str:
        """Return the page that posts the buyer's browser back to the shop."""
        base_url = _extra(payment).get("base_url")
        return f"{base_url}/unionpay/return?queryId={payment.trade_no}" if base_url else ""

    def show_return(self, request: Request) -> Reply:
        """Post the browser to the shop with the signed result, as UnionPay's page does."""
        payment = self.store.find_trade(request.query.get("queryId", ""))
        if payment is None or payment.gateway != self.kind or payment.state != "paid":
            return render_problem("没有这笔支付。", status=404)
        inputs = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in self._sign(self.tell_paid(payment)).items()
        )
        body = (
            '<main class="sheet"><div class="mark good">✓</div><h1>付款成功</h1>'
            f'<form id="back" method="post" action="{html.escape(payment.return_url)}">{inputs}'
            '<button class="act">返回商户</button></form>'
            '<script>document.getElementById("back").submit()</script></main>'
        )
        return render_page("返回商户", body)

    def rotate_keys(self) -> str:
        """Sign with a new certificate of the same authority: shops need to do nothing."""
        certificate, key = make_signer(self._papers.middle, self._papers.middle_key)
        self.store.overwrite("unionpay_signer", json.dumps([certificate, key]))
        self._signer = certificate, signing.load_key(key)
        return "签名证书已更换，由同一中级证书签发，商户不用改动"


def digest(fields: Mapping[str, str]) -> str:
    """Return the text that a signature covers: the SHA-256 of the sorted fields, in hex."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "signature")
    return hashlib.sha256(text.encode()).hexdigest()


def read_moment(text: str) -> float:
    """Read YYYYMMDDhhmmss of Beijing; raise ValueError."""
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%S")) - 8 * 3600


def _extra(payment: Payment) -> dict[str, Any]:
    extra: dict[str, Any] = json.loads(payment.extra)
    return extra
