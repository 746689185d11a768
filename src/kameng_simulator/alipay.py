"""The Alipay side: `gateway.do` with RSA2, and what its callbacks say.

A trade exists only once the buyer has opened it, as at the real one: before that a query or a
close answers ACQ.TRADE_NOT_EXIST. One class plays an app with a public key, and one with
certificates.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlencode

from kameng_simulator import signing
from kameng_simulator.alipay_answers import Answer, Refused, print_time, read_time
from kameng_simulator.alipay_bills import make_account_bill, make_trade_bill
from kameng_simulator.alipay_certs import Authority
from kameng_simulator.alipay_moves import AlipayMoves
from kameng_simulator.alipay_signers import CertificateSigner, PlainSigner, Signer
from kameng_simulator.money import format_fen, parse_fen
from kameng_simulator.moves import Moves
from kameng_simulator.pages import render_problem
from kameng_simulator.peers import Outgoing, Route, Twist
from kameng_simulator.store import Notice, Payment, Store
from kameng_simulator.web import Reply, Request, redirect

LIFETIME_SECONDS = 15 * 60
CLOCK_SKEW_SECONDS = 15 * 60
BILL_SECONDS = 30
BILL = "alipay.data.dataservice.bill.downloadurl.query"
PAGES = ("alipay.trade.page.pay", "alipay.trade.wap.pay")


class Alipay:
    """One app of one merchant at Alipay."""

    calendar = (240, 600, 600, 3600, 7200, 21_600, 54_000)  # 8 sends in 25 hours
    fee_bps = 60
    twists = frozenset({Twist.FORGED, Twist.STRANGER, Twist.REPLAYED})

    def __init__(self, store: Store, moves: Moves, *, by_certificate: bool = False) -> None:
        self.kind = "alipay_cert" if by_certificate else "alipay"
        self.label = "支付宝开放平台（公钥证书）" if by_certificate else "支付宝开放平台"
        self._root = "/alipay-cert" if by_certificate else ""  # before its paths
        self.store = store
        self.app_id = store.remember(
            f"{self.kind}_app_id", lambda: "2021" + signing.make_digits(12)
        )
        self.seller_id = store.remember(
            f"{self.kind}_seller", lambda: "2088" + signing.make_digits(12)
        )
        self._app_key = store.remember(f"{self.kind}_app_key", signing.make_private_key)
        app_key = signing.load_key(self._app_key)
        self._app_public = app_key.public_key()
        self._moves = moves
        self._extra = AlipayMoves(store, moves, kind=self.kind, find=self._find)
        self._signer: Signer = PlainSigner(store)
        if by_certificate:
            authority = Authority(store, app_key=app_key, seller_id=self.seller_id)
            self._signer = CertificateSigner(authority, self._extra)
        self._lock = threading.Lock()
        self._bills: dict[str, tuple[float, str, str]] = {}

    def routes(self) -> Mapping[str, Route]:
        """Return the address of the platform, and those of its files."""
        return {
            f"{self._root}/gateway.do": Route(serve=self.serve),
            f"{self._root}/alipay-bills/*": Route(serve=self._serve_bill),
        }

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        return {
            "app_id": self.app_id,
            "seller_id": self.seller_id,
            "app_private_key": self._app_key,
            "gateway_url": f"{base_url}{self._root}/gateway.do",
            **self._signer.describe(),
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
        self._signer.check(fields)
        text = signing.join_sorted(fields, without=("sign",))
        if not signing.verify_rsa(text, signature=fields["sign"], key=self._app_public):
            raise Refused("isv.invalid-signature", "无效签名", code="40002")
        try:
            sent_at = read_time(fields["timestamp"])
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
            BILL: lambda: self._offer_bill(content, base_url),
            "alipay.trade.royalty.relation.bind": lambda: self._extra.bind(content),
            "alipay.trade.royalty.relation.unbind": lambda: self._extra.unbind(content),
            "alipay.trade.royalty.relation.batchquery": lambda: self._extra.list_relations(content),
            "alipay.trade.order.settle": lambda: self._extra.settle(content),
            "alipay.trade.order.settle.query": lambda: self._extra.query_settle(content),
        }
        for name, serve in self._signer.methods().items():
            methods[name] = partial(serve, content)
        act = methods.get(method)
        if act is None:
            answer = Refused("isv.invalid-method", "不存在的方法名", code="40002").answer
            return self._reply("error_response", answer)
        try:
            if method == BILL:  # read only, and may be long
                answer = {"code": "10000", "msg": "Success", **act()}
            else:
                # One call at a time, and whole or not at all: with what it will be told by.
                with self.store.transaction():
                    answer = {"code": "10000", "msg": "Success", **act()}
        except Refused as refusal:
            answer = refusal.answer
        return self._reply(method.replace(".", "_") + "_response", answer)

    def _reply(self, name: str, answer: Answer, *, signed: bool = True) -> Reply:
        # The real gateway escapes slashes; a verifier that re-serialises fails on them.
        source = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        end = ""
        if signed:
            member, sign = self._signer.seal(source)
            end = f'{member},"sign":"{sign}"'
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
                expires_at = read_time(str(content["time_expire"]))
        except ValueError:
            raise Refused("ACQ.INVALID_PARAMETER", "参数无效") from None
        if content.get("seller_id", self.seller_id) != self.seller_id:
            raise Refused("ACQ.INVALID_PARAMETER", "卖家不匹配")
        payment = self.store.open_payment(
            {
                "gateway": self.kind,
                "trade_no": time.strftime("%Y%m%d") + "22001" + signing.make_digits(15),
                "out_trade_no": out_trade_no[:64],
                "method": "alipay",
                "subject": subject[:128],
                "amount_fen": amount_fen,
                "notify_url": fields.get("notify_url", "")[:256],
                "return_url": fields.get("return_url", "")[:256],
                "created_at": time.time(),
                "expires_at": expires_at,
                "extra": json.dumps({"royalty_freeze": _is_frozen(content)}),
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
            else self.store.find_payment(self.kind, str(content.get("out_trade_no")))
        )
        if payment is None or payment.gateway != self.kind or not payment.is_opened:
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
            answer["send_pay_date"] = print_time(payment.paid_at)
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
        shares = content.get("refund_royalty_parameters")
        if isinstance(shares, list) and len(shares) == 1 and isinstance(shares[0], dict):
            self._extra.take_back(payment, number, shares[0])
            if content.get("refund_amount") == "0.00":
                return {**self._tell_refund(payment), "fund_change": "N"}
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
        return {**self._tell_refund(after), "fund_change": "Y" if is_new else "N"}

    def _tell_refund(self, payment: Payment) -> Answer:
        return {
            "out_trade_no": payment.out_trade_no,
            "trade_no": payment.trade_no,
            "refund_fee": format_fen(payment.refunded_fen),
        }

    def _query_refund(self, content: Answer) -> Answer:
        payment = self._find(content)
        number = str(content.get("out_request_no") or payment.out_trade_no)
        amount_fen = self.store.find_refund(payment.id, number)
        returned = self._extra.tell_return(payment, number)
        more: Answer = {"refund_royaltys": returned} if returned else {}
        if amount_fen is None:
            return {"out_request_no": number, **more} if returned else {}
        return {
            **more,
            "out_trade_no": payment.out_trade_no,
            "trade_no": payment.trade_no,
            "out_request_no": number,
            "total_amount": format_fen(payment.paid_fen),
            "refund_amount": format_fen(amount_fen),
            "refund_status": "REFUND_SUCCESS",
        }

    def _offer_bill(self, content: Answer, base_url: str) -> Answer:
        """Offer an address for half a minute; there is no bill of today."""
        kind, day = str(content.get("bill_type")), str(content.get("bill_date"))
        if kind not in ("trade", "signcustomer"):
            raise Refused("isv.invalid-parameter", "bill_type", code="40002")
        try:
            rows = self._moves.list_bill(self.kind, day=day, fee_bps=self.fee_bps)
        except ValueError:
            raise Refused("isv.invalid-parameter", "bill_date", code="40002") from None
        if day >= print_time(time.time())[:10]:
            raise Refused("isp.bill_not_exist", "账单不存在")
        token = signing.make_secret()
        with self._lock:
            now = time.time()
            self._bills = {k: v for k, v in self._bills.items() if v[0] > now}
            self._bills[token] = (now + BILL_SECONDS, kind, day)
        code = {} if rows else {"bill_file_code": "EMPTY_DATA_WITH_BILL_FILE"}
        address = f"{base_url}{self._root}/alipay-bills/{token}"
        return {"bill_download_url": address, **code}

    def _serve_bill(self, request: Request) -> Reply:
        with self._lock:
            offered = self._bills.get(request.path.rpartition("/")[2])
        if offered is None or offered[0] < time.time():
            return Reply(status=403, body=b"expired")
        _, kind, day = offered
        rows = self._moves.list_bill(self.kind, day=day, fee_bps=self.fee_bps)
        make = make_trade_bill if kind == "trade" else make_account_bill
        body = make(rows, seller_id=self.seller_id, day=day)
        return Reply(body=body, content_type="application/zip")

    def return_payout(self, own_no: str) -> None:
        """Let a transfer that arrived come back (退票); raise ValueError when there is none."""
        self._extra.return_payout(own_no)

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
            "gmt_create": print_time(payment.created_at),
            "gmt_payment": print_time(payment.paid_at or now),
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
            fields["gmt_refund"] = print_time(now)
        return fields

    def pack(self, notice: Notice) -> Outgoing:
        """Sign a callback as of now; a forged one carries another text's signature."""
        fields = {**notice.fields, "notify_time": print_time(time.time())}
        if notice.twist == Twist.STRANGER:
            fields["seller_id"] = f"{int(self.seller_id) + 1}"
        text = signing.join_sorted(fields, without=())
        sign = self._signer.sign("forged" if notice.twist == Twist.FORGED else text)
        return Outgoing(
            body=urlencode({**fields, "sign": sign, "sign_type": "RSA2"}).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )

    def is_heard(self, status: int, body: str) -> bool:
        """Tell whether the shop said the word."""
        return status == 200 and body.strip() == "success"

    def rotate_keys(self) -> str:
        """Sign with a new certificate; a plain public key stands, the shop changes its own."""
        return self._signer.rotate()

    def build_return(self, payment: Payment) -> str:
        """Return where the browser goes after paying, signed."""
        fields = {
            "app_id": self.app_id,
            "charset": "utf-8",
            "method": "alipay.trade.page.pay.return",
            "out_trade_no": payment.out_trade_no,
            "seller_id": self.seller_id,
            "timestamp": print_time(time.time()),
            "total_amount": format_fen(payment.shown_fen),
            "trade_no": payment.trade_no,
            "version": "1.0",
        }
        sign = self._signer.sign(signing.join_sorted(fields, without=()))
        joint = "&" if "?" in payment.return_url else "?"
        return payment.return_url + joint + urlencode({**fields, "sign": sign, "sign_type": "RSA2"})


def _print_status(payment: Payment) -> str:
    if payment.state == "paid":
        is_whole = payment.refunded_fen == payment.paid_fen
        return "TRADE_CLOSED" if is_whole else "TRADE_SUCCESS"
    return "TRADE_CLOSED" if payment.state == "closed" else "WAIT_BUYER_PAY"


def _is_frozen(content: Answer) -> bool:
    extended = content.get("extend_params")
    return isinstance(extended, dict) and extended.get("royalty_freeze") == "true"
