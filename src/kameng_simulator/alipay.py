"""The Alipay side: `gateway.do` with RSA2, and what its callbacks say.

A trade exists only once the buyer has opened it, as at the real one: before that a query or a
close answers ACQ.TRADE_NOT_EXIST.
"""

import calendar
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from kameng_simulator import signing
from kameng_simulator.money import format_fen, parse_fen
from kameng_simulator.pages import render_problem
from kameng_simulator.peers import Outgoing, Route, Twist
from kameng_simulator.store import Notice, Payment, Store
from kameng_simulator.web import Reply, Request, redirect

LIFETIME_SECONDS = 15 * 60
CLOCK_SKEW_SECONDS = 15 * 60
PAGES = ("alipay.trade.page.pay", "alipay.trade.wap.pay")
Answer = dict[str, Any]


class Refused(Exception):
    """A business or gateway refusal with its codes."""

    def __init__(self, sub_code: str, sub_msg: str, *, code: str = "40004") -> None:
        super().__init__(sub_code)
        msg = {"40002": "Invalid Arguments", "40001": "Missing Required Arguments"}
        self.answer: Answer = {
            "code": code,
            "msg": msg.get(code, "Business Failed"),
            "sub_code": sub_code,
            "sub_msg": sub_msg,
        }


class Alipay:
    """One app of one merchant at Alipay."""

    kind = "alipay"
    label = "支付宝开放平台"
    calendar = (240, 600, 600, 3600, 7200, 21_600, 54_000)  # 8 sends in 25 hours
    fee_bps = 60
    twists = frozenset({Twist.FORGED, Twist.STRANGER, Twist.REPLAYED})

    def __init__(self, store: Store) -> None:
        self.store = store
        self.app_id = store.remember("alipay_app_id", lambda: "2021" + signing.make_digits(12))
        self.seller_id = store.remember("alipay_seller", lambda: "2088" + signing.make_digits(12))
        self._app_key = store.remember("alipay_app_key", signing.make_private_key)
        self._app_public = signing.load_key(self._app_key).public_key()
        self._own_key = signing.load_key(store.remember("alipay_own_key", signing.make_private_key))

    def routes(self) -> Mapping[str, Route]:
        """Return the one address of the platform."""
        return {"/gateway.do": Route(serve=self.serve)}

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        return {
            "app_id": self.app_id,
            "seller_id": self.seller_id,
            "app_private_key": self._app_key,
            "alipay_public_key": signing.publish_key(self._own_key),
            "gateway_url": base_url + "/gateway.do",
        }

    def serve(self, request: Request) -> Reply:
        """`gateway.do`: a browser for the page methods, a server for the others."""
        fields = dict(request.query)
        if request.method == "POST":
            fields |= request.read_form()
        method = fields.get("method", "")
        try:
            self._check(fields)
            content = json.loads(fields.get("biz_content") or "{}")
            if not isinstance(content, dict):
                raise Refused("isv.invalid-parameter", "biz_content", code="40002")
        except Refused as refusal:
            if method in PAGES:
                return render_problem(f"支付宝：{refusal.answer['sub_msg']}")
            return self._reply("error_response", refusal.answer, signed=False)
        if method in PAGES:
            return self._open_page(fields, content, request)
        return self._serve_method(method, fields, content, request.base_url)

    def _check(self, fields: Mapping[str, str]) -> None:
        for name in ("app_id", "method", "sign", "timestamp", "charset"):
            if not fields.get(name):
                raise Refused(f"isv.missing-{name}", f"缺少参数 {name}", code="40001")
        if fields["app_id"] != self.app_id:
            raise Refused("isv.invalid-app-id", "无效的AppID参数", code="40002")
        if fields.get("sign_type") != "RSA2" or fields["charset"].lower() != "utf-8":
            raise Refused("isv.invalid-signature-type", "无效签名类型", code="40002")
        text = signing.join_sorted(fields, without=("sign",))
        if not signing.verify_rsa(text, signature=fields["sign"], key=self._app_public):
            raise Refused("isv.invalid-signature", "无效签名", code="40002")
        try:
            sent_at = _read_time(fields["timestamp"])
        except ValueError:
            raise Refused("isv.invalid-timestamp", "非法的时间戳参数", code="40002") from None
        if abs(sent_at - time.time()) > CLOCK_SKEW_SECONDS:
            raise Refused("isv.invalid-timestamp", "非法的时间戳参数", code="40002")

    def _serve_method(
        self, method: str, fields: Mapping[str, str], content: Answer, base_url: str
    ) -> Reply:
        methods: dict[str, Callable[[], Answer]] = {
            "alipay.trade.precreate": lambda: self._precreate(fields, content, base_url),
            "alipay.trade.query": lambda: self._query(content),
            "alipay.trade.close": lambda: self._close(content),
            "alipay.trade.refund": lambda: self._refund(content),
            "alipay.trade.fastpay.refund.query": lambda: self._query_refund(content),
        }
        act = methods.get(method)
        if act is None:
            answer = Refused("isv.invalid-method", "不存在的方法名", code="40002").answer
            return self._reply("error_response", answer)
        try:
            answer = {"code": "10000", "msg": "Success", **act()}
        except Refused as refusal:
            answer = refusal.answer
        return self._reply(method.replace(".", "_") + "_response", answer)

    def _reply(self, name: str, answer: Answer, *, signed: bool = True) -> Reply:
        # The real gateway escapes slashes; a verifier that re-serialises fails on them.
        source = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        end = f',"sign":"{signing.sign_rsa(source, self._own_key)}"' if signed else ""
        body = f'{{"{name}":{source}{end}}}'.encode()
        return Reply(body=body, content_type="text/html;charset=utf-8")

    def _open_page(self, fields: Mapping[str, str], content: Answer, request: Request) -> Reply:
        try:
            payment = self._open(fields, content)
        except Refused as refusal:
            return render_problem(f"支付宝：{refusal.answer['sub_msg']}")
        return redirect(f"{request.base_url}/pay/{payment.trade_no}")

    def _precreate(self, fields: Mapping[str, str], content: Answer, base_url: str) -> Answer:
        payment = self._open(fields, content)
        return {
            "out_trade_no": payment.out_trade_no,
            "qr_code": f"{base_url}/pay/{payment.trade_no}",
        }

    def _open(self, fields: Mapping[str, str], content: Answer) -> Payment:
        out_trade_no, subject = content.get("out_trade_no"), content.get("subject")
        if not isinstance(out_trade_no, str) or not isinstance(subject, str) or not out_trade_no:
            raise Refused("isv.missing-out-trade-no", "缺少必选参数", code="40001")
        try:
            amount_fen = parse_fen(str(content.get("total_amount")))
            expires_at = time.time() + LIFETIME_SECONDS
            if content.get("time_expire"):
                expires_at = _read_time(str(content["time_expire"]))
        except ValueError:
            raise Refused("ACQ.INVALID_PARAMETER", "参数无效") from None
        if content.get("seller_id", self.seller_id) != self.seller_id:
            raise Refused("ACQ.INVALID_PARAMETER", "卖家不匹配")
        payment = self.store.open_payment(
            {
                "gateway": "alipay",
                "trade_no": time.strftime("%Y%m%d") + "22001" + signing.make_digits(15),
                "out_trade_no": out_trade_no[:64],
                "method": "alipay",
                "subject": subject[:128],
                "amount_fen": amount_fen,
                "notify_url": fields.get("notify_url", "")[:256],
                "return_url": fields.get("return_url", "")[:256],
                "created_at": time.time(),
                "expires_at": expires_at,
            }
        )
        if payment.amount_fen != amount_fen:
            raise Refused("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
        if payment.state == "paid":
            raise Refused("ACQ.TRADE_HAS_SUCCESS", "交易已被支付")
        if payment.state == "closed" or payment.is_expired:
            raise Refused("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
        return payment

    def _find(self, content: Answer) -> Payment:
        payment = (
            self.store.find_trade(str(content["trade_no"]))
            if content.get("trade_no")
            else self.store.find_payment("alipay", str(content.get("out_trade_no")))
        )
        if payment is None or payment.gateway != "alipay" or not payment.is_opened:
            raise Refused("ACQ.TRADE_NOT_EXIST", "交易不存在")
        if payment.is_expired and self.store.close_payment(payment.id):
            return self.store.find_trade(payment.trade_no) or payment
        return payment

    def _query(self, content: Answer) -> Answer:
        payment = self._find(content)
        answer = {
            "buyer_logon_id": "sim***@example.com",
            "buyer_user_id": "2088000000000001",
            "out_trade_no": payment.out_trade_no,
            "total_amount": format_fen(payment.shown_fen),
            "trade_no": payment.trade_no,
            "trade_status": _print_status(payment),
            "point_amount": "0.00",
            "invoice_amount": "0.00",
            "receipt_amount": "0.00",
            "buyer_pay_amount": "0.00",
        }
        if payment.paid_at:
            answer["send_pay_date"] = _print_time(payment.paid_at)
        return answer

    def _close(self, content: Answer) -> Answer:
        payment = self._find(content)
        if not self.store.close_payment(payment.id):
            raise Refused("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
        return {"out_trade_no": payment.out_trade_no, "trade_no": payment.trade_no}

    def _refund(self, content: Answer) -> Answer:
        payment = self._find(content)
        if payment.state != "paid":
            raise Refused("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
        number = str(content.get("out_request_no") or payment.out_trade_no)[:64]
        try:
            amount_fen = parse_fen(str(content.get("refund_amount")))
        except ValueError:
            raise Refused("ACQ.INVALID_PARAMETER", "参数无效") from None
        try:
            is_new = self.store.refund(payment.id, refund_no=number, amount_fen=amount_fen)
        except ValueError as problem:
            if str(problem) == "other amount":
                raise Refused("ACQ.DISCORDANT_REPEAT_REQUEST", "不一致的请求") from None
            raise Refused("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限") from None
        after = self.store.find_trade(payment.trade_no) or payment
        if is_new:
            told = self._tell(after, refund_fen=amount_fen)
            self.store.add_notice(after.id, kind="退款", fields=told, subject="refund")
        return {
            "out_trade_no": payment.out_trade_no,
            "trade_no": payment.trade_no,
            "refund_fee": format_fen(after.refunded_fen),
            "fund_change": "Y" if is_new else "N",
        }

    def _query_refund(self, content: Answer) -> Answer:
        payment = self._find(content)
        number = str(content.get("out_request_no") or payment.out_trade_no)
        amount_fen = self.store.find_refund(payment.id, number)
        if amount_fen is None:
            return {}
        return {
            "out_trade_no": payment.out_trade_no,
            "trade_no": payment.trade_no,
            "out_request_no": number,
            "total_amount": format_fen(payment.paid_fen),
            "refund_amount": format_fen(amount_fen),
            "refund_status": "REFUND_SUCCESS",
        }

    def tell_paid(self, payment: Payment) -> dict[str, str]:
        """Return the fields of a callback."""
        return self._tell(payment)

    def _tell(self, payment: Payment, *, refund_fen: int = 0) -> dict[str, str]:
        now = time.time()
        fields = {
            "app_id": self.app_id,
            "auth_app_id": self.app_id,
            "buyer_id": "2088000000000001",
            "buyer_logon_id": "sim***@example.com",
            "charset": "utf-8",
            "gmt_create": _print_time(payment.created_at),
            "gmt_payment": _print_time(payment.paid_at or now),
            "notify_id": f"{time.strftime('%Y%m%d')}{payment.id:018d}{payment.refunded_fen:08d}",
            "notify_type": "trade_status_sync",
            "out_trade_no": payment.out_trade_no,
            "seller_id": self.seller_id,
            "subject": payment.subject,
            "total_amount": format_fen(payment.shown_fen),
            "trade_no": payment.trade_no,
            "trade_status": _print_status(payment) if payment.paid_at else "TRADE_SUCCESS",
            "version": "1.0",
        }
        if refund_fen:
            fields["refund_fee"] = format_fen(payment.refunded_fen)
            fields["gmt_refund"] = _print_time(now)
        return fields

    def pack(self, notice: Notice) -> Outgoing:
        """Sign a callback as of now; a forged one carries another text's signature."""
        fields = {**notice.fields, "notify_time": _print_time(time.time())}
        if notice.twist == Twist.STRANGER:
            fields["seller_id"] = f"{int(self.seller_id) + 1}"
        text = signing.join_sorted(fields, without=())
        sign = signing.sign_rsa("forged" if notice.twist == Twist.FORGED else text, self._own_key)
        return Outgoing(
            body=urlencode({**fields, "sign": sign, "sign_type": "RSA2"}).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )

    def is_heard(self, status: int, body: str) -> bool:
        """Tell whether the shop said the word."""
        return status == 200 and body.strip() == "success"

    def rotate_keys(self) -> str:
        """Refuse: Alipay's public key stands; the shop changes its own."""
        raise ValueError("支付宝公钥模式没有平台密钥轮换")

    def build_return(self, payment: Payment) -> str:
        """Return where the browser goes after paying, signed."""
        fields = {
            "app_id": self.app_id,
            "charset": "utf-8",
            "method": "alipay.trade.page.pay.return",
            "out_trade_no": payment.out_trade_no,
            "seller_id": self.seller_id,
            "timestamp": _print_time(time.time()),
            "total_amount": format_fen(payment.shown_fen),
            "trade_no": payment.trade_no,
            "version": "1.0",
        }
        sign = signing.sign_rsa(signing.join_sorted(fields, without=()), self._own_key)
        joint = "&" if "?" in payment.return_url else "?"
        return payment.return_url + joint + urlencode({**fields, "sign": sign, "sign_type": "RSA2"})


def _print_status(payment: Payment) -> str:
    if payment.state == "paid":
        is_whole = payment.refunded_fen == payment.paid_fen
        return "TRADE_CLOSED" if is_whole else "TRADE_SUCCESS"
    return "TRADE_CLOSED" if payment.state == "closed" else "WAIT_BUYER_PAY"


def _print_time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment + 8 * 3600))


def _read_time(text: str) -> float:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) - 8 * 3600
