"""The epay v2 side: /api/pay/* and /api/merchant/info with RSA, and what its callbacks say.

A good answer is signed and carries the time; a refusal is neither, as the public programs do it.
"""

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from kameng_simulator import signing
from kameng_simulator.epay import METHODS, NAME_BYTES, Refused, print_time
from kameng_simulator.money import format_fen, parse_fen
from kameng_simulator.pages import render_problem
from kameng_simulator.peers import Outgoing, Route, Twist
from kameng_simulator.store import Notice, Payment, Store
from kameng_simulator.web import Reply, Request, redirect, reply_json

LIFETIME_SECONDS = 15 * 60
CLOCK_SKEW_SECONDS = 300
STALE_SECONDS = 3600


class Epay2:
    """One merchant's account at an epay platform, by its newer protocol."""

    kind = "epay2"
    label = "易支付 v2"
    calendar = (5, 15, 30, 60, 180, 600, 1800)
    fee_bps = 60
    twists = frozenset({Twist.FORGED, Twist.STRANGER, Twist.STALE, Twist.REPLAYED})

    def __init__(self, store: Store) -> None:
        self.store = store
        self.pid = store.remember("epay2_pid", lambda: "20" + signing.make_digits(4))
        self._merchant_key = store.remember("epay2_merchant_key", signing.make_private_key)
        self._merchant_public = signing.load_key(self._merchant_key).public_key()
        key = store.remember("epay2_platform_key", signing.make_private_key)
        self._platform_key = signing.load_key(key)

    def routes(self) -> Mapping[str, Route]:
        """Return the platform's addresses."""
        return {
            "/api/pay/submit": Route(serve=self.submit, is_api=False),
            "/api/pay/create": Route(serve=lambda request: self._answer(request, self._create)),
            "/api/pay/query": Route(serve=lambda request: self._answer(request, self._query)),
            "/api/pay/refund": Route(serve=lambda request: self._answer(request, self._refund)),
            "/api/pay/refundquery": Route(
                serve=lambda request: self._answer(request, self._query_refund)
            ),
            "/api/pay/close": Route(serve=lambda request: self._answer(request, self._close)),
            "/api/merchant/info": Route(
                serve=lambda request: self._answer(request, self._describe_merchant)
            ),
        }

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        return {
            "gateway_url": base_url + "/",
            "pid": self.pid,
            "merchant_private_key": self._merchant_key,
            "platform_public_key": signing.publish_key(self._platform_key),
        }

    def submit(self, request: Request) -> Reply:
        """`submit`: the browser arrives with signed fields and goes to the cashier."""
        fields = request.read_form() if request.method == "POST" else request.query
        try:
            self._check(fields)
            payment = self._open(fields)
        except Refused as refusal:
            return render_problem(refusal.message)
        return redirect(f"{request.base_url}/pay/{payment.trade_no}")

    def _answer(
        self, request: Request, act: Callable[[Mapping[str, str], str], dict[str, object]]
    ) -> Reply:
        try:
            fields = request.read_form() if request.method == "POST" else {}
            if not fields.get("pid"):
                raise Refused(-4, "未传入任何参数")
            self._check(fields)
            said = {"code": 0, **act(fields, request.base_url)}
        except Refused as refusal:
            return reply_json({"code": refusal.code, "msg": refusal.message})
        texts = {name: str(value) for name, value in said.items() if value is not None}
        return reply_json({**said, **self._seal(texts)})

    def _seal(self, fields: Mapping[str, str], *, twist: str = "") -> dict[str, str]:
        """Return time and signature of what is said."""
        late = STALE_SECONDS if twist == Twist.STALE else 0
        timed = {**fields, "timestamp": str(int(time.time()) - late)}
        key = self._platform_key
        if twist == Twist.FORGED:
            key = signing.load_key(signing.make_private_key())
        text = signing.join_sorted(timed, without=("sign", "sign_type"))
        sign = signing.sign_rsa(text, key)
        return {"timestamp": timed["timestamp"], "sign": sign, "sign_type": "RSA"}

    def _check(self, fields: Mapping[str, str]) -> None:
        if fields.get("pid") != self.pid:
            raise Refused(-1, "商户不存在！")
        if fields.get("sign_type") != "RSA":
            raise Refused(-3, "该商户只能使用RSA签名类型")
        stamp = fields.get("timestamp", "")
        if not (stamp.isascii() and stamp.isdigit()):
            raise Refused(-3, "时间戳(timestamp)字段不能为空")
        if abs(int(stamp) - time.time()) > CLOCK_SKEW_SECONDS:
            raise Refused(-3, "时间戳字段不正确，请检查服务器时间")
        text = signing.join_sorted(fields, without=("sign", "sign_type"))
        signature = fields.get("sign", "")
        if not signing.verify_rsa(text, signature=signature, key=self._merchant_public):
            raise Refused(-3, "RSA签名校验失败")

    def _open(self, fields: Mapping[str, str]) -> Payment:
        for name, text in (
            ("out_trade_no", "订单号"),
            ("notify_url", "通知地址"),
            ("return_url", "回调地址"),
            ("name", "商品名称"),
        ):
            if not fields.get(name):
                raise Refused(-1, f"{text}({name})不能为空")
        try:
            amount_fen = parse_fen(fields.get("money", ""))
        except ValueError:
            raise Refused(-1, "金额不合法") from None
        method = fields.get("type", "")
        if method not in METHODS:
            raise Refused(-1, "支付方式(type)不能为空")
        now = time.time()
        payment = self.store.open_payment(
            {
                "gateway": self.kind,
                "trade_no": time.strftime("%Y%m%d%H%M%S") + signing.make_digits(10),
                "out_trade_no": fields["out_trade_no"][:64],
                "method": method,
                "subject": fields["name"].encode()[:NAME_BYTES].decode(errors="ignore"),
                "amount_fen": amount_fen,
                "notify_url": fields["notify_url"][:500],
                "return_url": fields["return_url"][:500],
                "param": fields.get("param", "")[:500],
                "created_at": now,
                "expires_at": now + LIFETIME_SECONDS,
            }
        )
        if payment.state == "paid":
            raise Refused(-1, "该订单已完成支付，请勿重复发起支付")
        if payment.amount_fen != amount_fen:
            raise Refused(-1, "支付参数有变化，请更换订单号重新发起支付")
        return payment

    def _create(self, fields: Mapping[str, str], base_url: str) -> dict[str, object]:
        if not fields.get("clientip"):
            raise Refused(-1, "用户IP地址(clientip)不能为空")
        payment = self._open(fields)
        address = f"{base_url}/pay/{payment.trade_no}"
        shows_qr = fields.get("method") == "web" and fields.get("device", "pc") == "pc"
        pay_type = "qrcode" if shows_qr else "jump"
        return {"trade_no": payment.trade_no, "pay_type": pay_type, "pay_info": address}

    def _find(self, fields: Mapping[str, str]) -> Payment:
        payment = (
            self.store.find_trade(fields["trade_no"])
            if fields.get("trade_no")
            else self.store.find_payment(self.kind, fields.get("out_trade_no", ""))
        )
        if payment is None or payment.gateway != self.kind:
            raise Refused(-1, "订单号不存在")
        return payment

    def _query(self, fields: Mapping[str, str], _base_url: str) -> dict[str, object]:
        payment = self._find(fields)
        status = 0
        if payment.state == "paid":
            status = 2 if payment.refunded_fen == payment.paid_fen else 1
        said = self._describe(payment)
        if 0 < payment.refunded_fen < payment.paid_fen:
            said["refundmoney"] = format_fen(payment.refunded_fen)
        return {**said, "status": status, "clientip": "127.0.0.1"}

    def _describe(self, payment: Payment) -> dict[str, object]:
        said: dict[str, object] = {
            "pid": int(self.pid),
            "trade_no": payment.trade_no,
            "out_trade_no": payment.out_trade_no,
            "type": payment.method,
            "addtime": print_time(payment.created_at),
            "name": payment.subject,
            "money": format_fen(payment.shown_fen),
        }
        if payment.param:
            said["param"] = payment.param
        if payment.paid_at:
            said["api_trade_no"] = f"SIM{payment.id:012d}"
            said["endtime"] = print_time(payment.paid_at)
            said["buyer"] = "sim***@example.com"
        return said

    def _refund(self, fields: Mapping[str, str], _base_url: str) -> dict[str, object]:
        payment = self._find(fields)
        number = fields.get("out_refund_no") or "auto" + signing.make_digits(12)
        try:
            amount_fen = parse_fen(fields.get("money", ""))
        except ValueError:
            raise Refused(-1, "金额输入错误") from None
        known = self.store.find_refund(payment.id, number)
        said: dict[str, object] = {
            "refund_no": f"R{payment.id}{number}"[:32],
            "out_refund_no": number,
            "trade_no": payment.trade_no,
        }
        if known is not None:
            money = format_fen(known)
            return {**said, "money": money, "msg": f"已存在相同退款单号！退款金额¥{money}"}
        if payment.state != "paid":
            raise Refused(-1, "只支持退款已支付状态的订单")
        try:
            is_new = self.store.refund(payment.id, refund_no=number, amount_fen=amount_fen)
        except ValueError:
            raise Refused(-1, "退款金额不能大于订单金额") from None
        word = "退款成功" if is_new else "已存在相同退款单号"
        money = format_fen(amount_fen)
        return {**said, "money": money, "reducemoney": money, "msg": f"{word}！退款金额¥{money}"}

    def _query_refund(self, fields: Mapping[str, str], _base_url: str) -> dict[str, object]:
        number = fields.get("out_refund_no", "")
        sql = (
            "SELECT p.trade_no, r.amount_fen, r.refunded_at FROM refunds r"
            " JOIN payments p ON p.id = r.payment_id WHERE p.gateway=? AND r.refund_no=?"
        )
        rows = self.store.fetch(sql, self.kind, number)
        payment = self.store.find_trade(rows[0]["trade_no"]) if rows else None
        if payment is None:
            raise Refused(-1, "退款记录不存在")
        return {
            "refund_no": f"R{payment.id}{number}"[:32],
            "out_refund_no": number,
            "trade_no": payment.trade_no,
            "out_trade_no": payment.out_trade_no,
            "money": format_fen(rows[0]["amount_fen"]),
            "status": 1,
            "addtime": print_time(rows[0]["refunded_at"]),
        }

    def _close(self, fields: Mapping[str, str], _base_url: str) -> dict[str, object]:
        payment = self._find(fields)
        if payment.state == "paid":
            raise Refused(-1, "订单已支付，不能关闭")
        self.store.close_payment(payment.id)
        return {"msg": "关闭订单成功"}

    def _describe_merchant(self, _fields: Mapping[str, str], _base_url: str) -> dict[str, object]:
        payments = self.store.list_payments(limit=1000, gateway=self.kind)
        return {
            "pid": int(self.pid),
            "status": 1,
            "pay_status": 1,
            "settle_status": 1,
            "money": format_fen(sum(p.paid_fen - p.refunded_fen for p in payments)),
            "settle_name": "演示商户",
            "order_num": len(payments),
        }

    def tell_paid(self, payment: Payment) -> dict[str, str]:
        """Return the facts of a callback."""
        said = {name: str(value) for name, value in self._describe(payment).items()}
        return {**said, "trade_status": "TRADE_SUCCESS"}

    def pack(self, notice: Notice) -> Outgoing:
        """Sign a callback with the time of its sending."""
        said = dict(notice.fields)
        if notice.twist == Twist.STRANGER:
            said["pid"] = str(int(self.pid) + 1)
        return Outgoing(
            method="GET", query=urlencode({**said, **self._seal(said, twist=notice.twist)})
        )

    def is_heard(self, status: int, body: str) -> bool:
        """Tell whether the shop said the word."""
        return status == 200 and body.strip() == "success"

    def build_return(self, payment: Payment) -> str:
        """Return where the browser goes after paying: the same fields as the callback."""
        joint = "&" if "?" in payment.return_url else "?"
        said = self.tell_paid(payment)
        return payment.return_url + joint + urlencode({**said, **self._seal(said)})

    def rotate_keys(self) -> str:
        """Sign with a new platform key: shops must enter it."""
        key = signing.make_private_key()
        self._platform_key = signing.load_key(key)
        self.store.overwrite("epay2_platform_key", key)
        return "平台公钥已更换，请在商户后台重新复制平台公钥"
