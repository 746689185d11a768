"""The epay v1 side: submit.php, mapi.php, api.php, and what its callbacks say.

Checks every signature and answers with the platform's own codes and words.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from kameng_simulator import signing
from kameng_simulator.money import format_fen, parse_fen
from kameng_simulator.pages import render_problem
from kameng_simulator.peers import Outgoing, Route, Twist
from kameng_simulator.store import Notice, Payment, Store
from kameng_simulator.web import Reply, Request, redirect, reply_json

# What relatives of the program do otherwise; switched by POST /epay/forks with a JSON list.
FORKS = {
    "post": "通知用 POST 发",
    "encoded_twice": "JSON 编码两次",
    "text_codes": "code 是字符串",
    "wrapped": "内容放在 data 里",
    "zero_refund": "退款成功的 code 是 0",
    "cut_name": "商品名按 127 字节截断，可能截断半个字",
    "no_mapi": "没有 mapi.php",
    "both_ways": "同时返回 payurl 和 qrcode",
}
METHODS = ("alipay", "wxpay", "qqpay", "bank")
LIFETIME_SECONDS = 15 * 60
NAME_BYTES = 127


class Refused(Exception):
    """The platform turns the call away with a code and a sentence."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Epay:
    """One merchant's account at an epay platform."""

    kind = "epay"
    label = "易支付 v1"
    calendar = (5, 15, 30, 60, 180, 600, 1800)
    fee_bps = 60
    twists = frozenset({Twist.FORGED, Twist.STRANGER, Twist.REPLAYED})

    def __init__(self, store: Store) -> None:
        self.store = store
        self.pid = store.remember("epay_pid", lambda: "10" + signing.make_digits(4))
        self.key = store.remember("epay_key", signing.make_secret)
        self.forks = frozenset(json.loads(store.remember("epay_forks", lambda: "[]")))

    def routes(self) -> Mapping[str, Route]:
        """Return the three addresses of the platform."""
        return {
            "/submit.php": Route(serve=self.submit, is_api=False),
            "/mapi.php": Route(serve=self.open_by_api),
            "/api.php": Route(serve=self.serve_api),
            "/epay/forks": Route(serve=self.switch_forks, is_api=False),
        }

    def switch_forks(self, request: Request) -> Reply:
        """Behave as a relative of the program from now on; GET tells the choices."""
        if request.method == "POST":
            wanted = json.loads(request.body.decode())
            if not isinstance(wanted, list) or not set(wanted) <= set(FORKS):
                return reply_json({"error": "forks", "forks": FORKS}, status=400)
            self.forks = frozenset(wanted)
            self.store.overwrite("epay_forks", json.dumps(sorted(self.forks)))
        return reply_json({"on": sorted(self.forks), "forks": FORKS})

    def _reply(self, said: dict[str, object]) -> Reply:
        """Answer as the chosen relatives do."""
        if "wrapped" in self.forks:
            said = {"code": said["code"], "msg": said.get("msg", ""), "data": said}
        if "text_codes" in self.forks:
            said = {**said, "code": str(said["code"])}
        if "encoded_twice" in self.forks:
            return reply_json(json.dumps(said, ensure_ascii=False))
        return reply_json(said)

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        return {"gateway_url": base_url + "/", "pid": self.pid, "key": self.key}

    def submit(self, request: Request) -> Reply:
        """`submit.php`: the browser arrives with signed fields and goes to the cashier."""
        fields = request.read_form() if request.method == "POST" else request.query
        try:
            payment = self._open(fields)
        except Refused as refusal:
            return render_problem(refusal.message)
        return redirect(f"{request.base_url}/pay/{payment.trade_no}")

    def open_by_api(self, request: Request) -> Reply:
        """`mapi.php`: the shop opens a payment itself."""
        if "no_mapi" in self.forks:
            return Reply(status=404, body=b"<html>404 Not Found</html>")
        fields = request.read_form() if request.method == "POST" else request.query
        try:
            payment = self._open(fields)
        except Refused as refusal:
            return self._reply({"code": refusal.code, "msg": refusal.message})
        address = f"{request.base_url}/pay/{payment.trade_no}"
        place = {"qrcode": address} if fields.get("device", "pc") == "pc" else {"payurl": address}
        if "both_ways" in self.forks:
            place = {"payurl": address, "qrcode": f"{address}?qr=1"}
        return self._reply({"code": 1, "msg": "success", "trade_no": payment.trade_no, **place})

    def _open(self, fields: Mapping[str, str]) -> Payment:
        if fields.get("pid") != self.pid:
            raise Refused(-1, "商户不存在！")
        if not secrets.compare_digest(
            signing.sign_epay(fields, self.key).encode(), fields.get("sign", "").encode()
        ):
            raise Refused(-1, "签名校验失败，请返回重试！")
        for name, text in (
            ("out_trade_no", "订单号"),
            ("notify_url", "通知地址"),
            ("name", "商品名称"),
        ):
            if not fields.get(name):
                raise Refused(-1, f"{text}({name})不能为空")
        if not fields["out_trade_no"].replace("-", "").replace("_", "").isalnum():
            raise Refused(-1, "订单号(out_trade_no)格式不正确")
        try:
            amount_fen = parse_fen(fields.get("money", ""))
        except ValueError:
            raise Refused(-1, "金额不合法") from None
        method = fields.get("type") or "alipay"
        if method not in METHODS:
            raise Refused(-1, "支付方式不存在")
        payment = self.store.open_payment(self._describe_payment(fields, method, amount_fen))
        if payment.amount_fen != amount_fen:
            raise Refused(-1, "该订单号已存在，且金额不一致")
        if payment.state == "paid":
            raise Refused(-1, "该订单已支付，请勿重复支付")
        return payment

    @staticmethod
    def _describe_payment(
        fields: Mapping[str, str], method: str, amount_fen: int
    ) -> dict[str, object]:
        now = time.time()
        return {
            "gateway": "epay",
            "trade_no": time.strftime("%Y%m%d%H%M%S") + signing.make_digits(10),
            "out_trade_no": fields["out_trade_no"][:64],
            "method": method,
            "subject": fields["name"].encode()[:NAME_BYTES].decode(errors="ignore"),
            "amount_fen": amount_fen,
            "notify_url": fields["notify_url"][:500],
            "return_url": fields.get("return_url", "")[:500],
            "param": fields.get("param", "")[:500],
            "created_at": now,
            "expires_at": now + LIFETIME_SECONDS,
        }

    def serve_api(self, request: Request) -> Reply:
        """`api.php`: queries and refunds, the key in clear."""
        fields = dict(request.query)
        if request.method == "POST":
            fields |= request.read_form()
        acts: dict[str, Callable[[Mapping[str, str]], dict[str, object]]] = {
            "query": self._describe_merchant,
            "order": self._describe_order,
            "orders": self._list_orders,
            "refund": self._refund,
        }
        act = acts.get(fields.get("act", ""))
        if act is None:
            return reply_json({"code": -5, "msg": "No Act!"})
        if fields.get("pid") != self.pid:
            return reply_json({"code": -3, "msg": "商户ID不存在"})
        if not secrets.compare_digest(fields.get("key", "").encode(), self.key.encode()):
            return reply_json({"code": -3, "msg": "商户密钥错误"})
        try:
            return self._reply(act(fields))
        except Refused as refusal:
            return self._reply({"code": refusal.code, "msg": refusal.message})

    def _describe_merchant(self, _fields: Mapping[str, str]) -> dict[str, object]:
        payments = self.store.list_payments(limit=1000, gateway="epay")
        return {
            "code": 1,
            "pid": int(self.pid),
            "key": self.key,
            "active": 1,
            "money": format_fen(sum(p.paid_fen - p.refunded_fen for p in payments)),
            "account": "demo@example.com",
            "username": "演示商户",
            "orders": len(payments),
        }

    def _find(self, fields: Mapping[str, str]) -> Payment:
        payment = (
            self.store.find_trade(fields["trade_no"])
            if fields.get("trade_no")
            else self.store.find_payment("epay", fields.get("out_trade_no", ""))
        )
        if payment is None or payment.gateway != "epay":
            raise Refused(-1, "订单号不存在")
        return payment

    def _describe_order(self, fields: Mapping[str, str]) -> dict[str, object]:
        return {"code": 1, "msg": "查询订单号成功！", **self._order(self._find(fields))}

    def _list_orders(self, fields: Mapping[str, str]) -> dict[str, object]:
        text = fields.get("limit", "20")
        limit = min(int(text), 50) if text.isascii() and text.isdigit() else 20
        orders = [self._order(p) for p in self.store.list_payments(limit=limit, gateway="epay")]
        return {"code": 1, "msg": "查询订单记录成功！", "count": len(orders), "data": orders}

    def _order(self, payment: Payment) -> dict[str, object]:
        status = 0
        if payment.state == "paid":
            status = 2 if payment.refunded_fen == payment.paid_fen else 1
        return {
            "trade_no": payment.trade_no,
            "out_trade_no": payment.out_trade_no,
            "api_trade_no": f"SIM{payment.id:012d}" if payment.paid_at else "",
            "type": payment.method,
            "pid": int(self.pid),
            "addtime": print_time(payment.created_at),
            "endtime": print_time(payment.paid_at) if payment.paid_at else None,
            "name": payment.subject,
            "money": format_fen(payment.shown_fen),
            "param": payment.param,
            "buyer": "sim***@example.com" if payment.paid_at else "",
            "status": status,
        }

    def _refund(self, fields: Mapping[str, str]) -> dict[str, object]:
        payment = self._find(fields)
        if payment.state != "paid" or payment.refunded_fen == payment.paid_fen:
            raise Refused(-1, "只有已支付的订单可以退款")
        try:
            amount_fen = parse_fen(fields.get("money", ""))
            # The protocol has no refund number: every accepted call is a refund of its own.
            number = "epay-" + signing.make_digits(12)
            self.store.refund(payment.id, refund_no=number, amount_fen=amount_fen)
        except ValueError:
            raise Refused(-1, "退款金额不合法或超过可退金额") from None
        code = 0 if "zero_refund" in self.forks else 1
        return {"code": code, "msg": f"退款成功！退款金额￥{format_fen(amount_fen)}"}

    def tell_paid(self, payment: Payment) -> dict[str, str]:
        """Return the fields of a callback."""
        fields = {
            "pid": self.pid,
            "trade_no": payment.trade_no,
            "out_trade_no": payment.out_trade_no,
            "type": payment.method,
            "name": payment.subject,
            "money": format_fen(payment.shown_fen),
            "trade_status": "TRADE_SUCCESS",
        }
        return {**fields, "param": payment.param} if payment.param else fields

    def pack(self, notice: Notice) -> Outgoing:
        """Sign a callback; a forged one is signed with a guessed key."""
        if "cut_name" in self.forks:
            data = self._cut_name(notice)
        else:
            data = urlencode(self._sign(notice.fields, notice.twist))
        if "post" in self.forks:
            kind = "application/x-www-form-urlencoded"
            return Outgoing(body=data.encode(), headers={"Content-Type": kind})
        return Outgoing(method="GET", query=data)

    def _cut_name(self, notice: Notice) -> str:
        """Cut the name inside a character and sign the bytes that are left, as some do."""
        said = {k: v.encode() for k, v in notice.fields.items()}
        said["name"] = said["name"][: min(NAME_BYTES, len(said["name"]) - 1)]
        text = b"&".join(k.encode() + b"=" + said[k] for k in sorted(said) if said[k])
        sign = hashlib.md5(text + self.key.encode(), usedforsecurity=False).hexdigest()
        return urlencode({**said, "sign": sign, "sign_type": "MD5"})

    def _sign(self, fields: Mapping[str, str], twist: str = "") -> dict[str, str]:
        said = dict(fields)
        if twist == Twist.STRANGER:
            said["pid"] = str(int(self.pid) + 1)
        sign = signing.sign_epay(said, "123456" if twist == Twist.FORGED else self.key)
        return {**said, "sign": sign, "sign_type": "MD5"}

    def is_heard(self, status: int, body: str) -> bool:
        """Tell whether the shop said the word."""
        return status == 200 and body.strip() == "success"

    def build_return(self, payment: Payment) -> str:
        """Return where the browser goes after paying: the same fields as the callback."""
        joint = "&" if "?" in payment.return_url else "?"
        return payment.return_url + joint + urlencode(self._sign(self.tell_paid(payment)))

    def rotate_keys(self) -> str:
        """Reset the merchant's key: the old one is worth nothing from now on."""
        self.key = signing.make_secret()
        self.store.overwrite("epay_key", self.key)
        return "商户密钥已重置，旧密钥立即失效"


def print_time(moment: float) -> str:
    """Return a moment as the platform writes it, in Beijing time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment + 8 * 3600))
