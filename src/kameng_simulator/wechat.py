"""The WeChat Pay side: API v3 of one ordinary merchant, and its encrypted callbacks.

Answers are signed under the key that the request names (the public key, or else the certificate
that is in use); callbacks under that which the payment was opened with.
"""

import calendar
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from kameng_simulator import signing
from kameng_simulator.moves import Moves
from kameng_simulator.pages import render_problem
from kameng_simulator.peers import Outgoing, Route, Twist
from kameng_simulator.store import Notice, Payment, Store
from kameng_simulator.web import Reply, Request, redirect, reply_json
from kameng_simulator.wechat_bills import Bills
from kameng_simulator.wechat_money import Money
from kameng_simulator.wechat_wire import PROBE, STALE_SECONDS, Keys, Refused, digest, print_time

LIFETIME_SECONDS = 2 * 3600
OPENID = "oSim0payer0000000000000000001"
CODE_SECONDS = 300
TRADE_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB"}
Answer = dict[str, Any] | None


class Wechat:
    """One merchant at WeChat Pay."""

    kind = "wechat"
    label = "微信支付"
    calendar = (
        *(15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600),
        *(10_800, 10_800, 10_800, 21_600, 21_600),
    )
    fee_bps = 60
    twists = frozenset(
        {Twist.FORGED, Twist.FOREIGN, Twist.STRANGER, Twist.STALE, Twist.PROBE, Twist.REPLAYED}
    )

    def __init__(self, store: Store, moves: Moves) -> None:
        self._store = store
        self.keys = Keys(store)
        self._money = Money(store, moves, keys=self.keys, find=self._find_trade)
        self._bills = Bills(store, moves, keys=self.keys, fee_bps=self.fee_bps)
        self._lock = threading.Lock()  # of the codes
        self._codes: dict[str, float] = {}
        self._last_serial = ""  # the key that the shop's last call asks to be answered with

    def routes(self) -> Mapping[str, Route]:
        """Return the addresses of the API, of the payment page and of the app's platform."""
        return {
            "/v3/*": Route(serve=self.serve),
            "/mweb/*": Route(serve=self._open_in_app, is_api=False),
            "/wechat/bridge": Route(serve=self._take_bridge, is_api=False),
            "/wechat/receive": Route(serve=self._money.take_bridge, is_api=False),
            "/wechat/transfer/*": Route(serve=self._money.show_transfer, is_api=False),
            "/connect/oauth2/authorize": Route(serve=self._authorize, is_api=False),
            "/sns/oauth2/access_token": Route(serve=self._give_openid),
        }

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        return {
            "mchid": self.keys.mchid,
            "appid": self.keys.appid,
            "merchant_serial_no": self.keys.serial,
            "merchant_private_key": self.keys.merchant_key,
            "api_v3_key": self.keys.api_key,
            "verify_by": "public_key",
            "public_key_id": self.keys.public_id,
            "public_key": self.keys.public_key,
            "app_secret": self.keys.app_secret,
            "gateway_url": base_url,
            "oauth_url": base_url,
            "token_url": base_url,
        }

    # --- the API ---

    def serve(self, request: Request) -> Reply:
        """Check a call and answer it, signed."""
        serial = request.headers.get("wechatpay-serial", "")
        try:
            self.keys.check(request)
            self._last_serial = serial
            if request.path == "/v3/billdownload/file":
                return self._bills.download(request)
            content = json.loads(request.body.decode()) if request.body else {}
            if not isinstance(content, dict):
                raise Refused(400, "PARAM_ERROR", "请求体不是 JSON 对象")
            if request.path.startswith("/v3/bill/"):  # read only, and may be long
                answer = self._dispatch(request, content)
            else:
                # One call at a time, and whole or not at all: with what it will be told by.
                with self._store.transaction():
                    answer = self._dispatch(request, content)
        except Refused as refusal:
            if not refusal.signed:
                return reply_json(refusal.body, status=refusal.status)
            return self.keys.answer(refusal.body, status=refusal.status, serial=serial)
        except (ValueError, KeyError, TypeError):
            body = {"code": "PARAM_ERROR", "message": "参数错误"}
            return self.keys.answer(body, status=400, serial=serial)
        return self.keys.answer(answer, status=200 if answer is not None else 204, serial=serial)

    def _dispatch(self, request: Request, content: dict[str, Any]) -> Answer:
        parts = [unquote(part) for part in request.path.split("/")[2:]]
        acts: dict[tuple[str, ...], Callable[[], Answer]] = {
            ("GET", "certificates"): self._list_certificates,
            ("GET", "bill", "tradebill"): lambda: self._bills.place("trade", request),
            ("GET", "bill", "fundflowbill"): lambda: self._bills.place("fundflow", request),
            ("POST", "refund", "domestic", "refunds"): lambda: self._refund(content),
        }
        if act := acts.get((request.method, *parts)):
            return act()
        match request.method, parts:
            case "POST", ["pay", "transactions", way] if way in TRADE_TYPES:
                return self._open(way, content, request)
            case "GET", ["pay", "transactions", "id", number]:
                self._require_mchid(request.query.get("mchid"))
                return self._query(self._find_trade(number))
            case "GET", ["pay", "transactions", "out-trade-no", number]:
                self._require_mchid(request.query.get("mchid"))
                return self._query(self._find(number))
            case "POST", ["pay", "transactions", "out-trade-no", number, "close"]:
                self._require_mchid(content.get("mchid"))
                return self._close(self._find(number))
            case "GET", ["refund", "domestic", "refunds", number]:
                return self._query_refund(number)
        return self._money.serve(request, parts, content)

    def _list_certificates(self) -> Answer:
        return {
            "data": [
                {
                    "serial_no": each["serial"],
                    "effective_time": each["from"],
                    "expire_time": each["until"],
                    "encrypt_certificate": self.keys.seal(
                        each["pem"].encode(), associated="certificate"
                    ),
                }
                for each in reversed(self.keys.list_certificates())
            ]
        }

    def _require_mchid(self, given: object) -> None:
        if given != self.keys.mchid:
            raise Refused(400, "PARAM_ERROR", "商户号与签名的商户号不符")

    def _open(self, way: str, content: dict[str, Any], request: Request) -> Answer:
        self._require_mchid(content.get("mchid"))
        if content.get("appid") != self.keys.appid:
            raise Refused(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
        amount = content["amount"]
        total, number = amount["total"], content["out_trade_no"]
        is_whole = isinstance(total, int) and not isinstance(total, bool) and total > 0
        if not is_whole or amount.get("currency", "CNY") != "CNY":
            raise Refused(400, "PARAM_ERROR", "输入源“/body/amount/total”映射到数值字段失败")
        if not isinstance(number, str) or not 6 <= len(number) <= 32:
            raise Refused(400, "PARAM_ERROR", "商户订单号长度应为 6 到 32 个字符")
        if len(str(content["description"]).encode()) > 127:
            raise Refused(400, "PARAM_ERROR", "商品描述过长")
        openid = content.get("payer", {}).get("openid") if way == "jsapi" else OPENID
        if not openid:
            raise Refused(400, "PARAM_ERROR", "JSAPI支付必须传openid")
        extra = {
            "serial": request.headers.get("wechatpay-serial", ""),
            "splits": bool(content.get("settle_info", {}).get("profit_sharing")),
            "openid": openid,
        }
        payment = self._keep(way, content, total=total, extra=extra)
        address = f"{request.base_url}/pay/{payment.trade_no}"
        prepay_id = "wx" + digest("prepay", payment.trade_no)[:34]
        if way == "native":
            return {"code_url": address}
        if way == "jsapi":
            self._store.overwrite(f"wechat_prepay_{prepay_id}", payment.trade_no)
            return {"prepay_id": prepay_id}
        self._store.overwrite(f"wechat_prepay_{prepay_id}", payment.trade_no)
        return {"h5_url": f"{request.base_url}/mweb/checkmweb?prepay_id={prepay_id}&package=1"}

    def _keep(
        self, way: str, content: dict[str, Any], *, total: int, extra: dict[str, object]
    ) -> Payment:
        expires_at = time.time() + LIFETIME_SECONDS
        if content.get("time_expire"):
            expires_at = _read_time(content["time_expire"])
        payment = self._store.open_payment(
            {
                "gateway": self.kind,
                "trade_no": "42000" + time.strftime("%Y%m%d") + signing.make_digits(15),
                "out_trade_no": content["out_trade_no"],
                "method": way,
                "subject": str(content["description"]),
                "amount_fen": total,
                "notify_url": str(content["notify_url"])[:256],
                "created_at": time.time(),
                "expires_at": expires_at,
                "extra": json.dumps(extra),
            }
        )
        if payment.state == "paid":
            raise Refused(400, "ORDERPAID", "该订单已支付")
        if payment.state == "closed" or payment.is_expired:
            raise Refused(400, "ORDER_CLOSED", "该订单已关闭")
        if payment.amount_fen != total:
            raise Refused(403, "OUT_TRADE_NO_USED", "商户订单号重复")
        return payment

    def _find(self, out_trade_no: str) -> Payment:
        return self._fresh(self._store.find_payment(self.kind, out_trade_no))

    def _find_trade(self, trade_no: str) -> Payment:
        payment = self._store.find_trade(trade_no)
        # The platform's number is born with the payment.
        if payment is not None and payment.state != "paid":
            payment = None
        return self._fresh(payment)

    def _fresh(self, payment: Payment | None) -> Payment:
        if payment is None or payment.gateway != self.kind:
            raise Refused(404, "ORDER_NOT_EXIST", "查询的订单不存在")
        if payment.is_expired and self._store.close_payment(payment.id):
            return self._store.find_trade(payment.trade_no) or payment
        return payment

    def _query(self, payment: Payment) -> Answer:
        answer = self._tell(payment)
        if payment.state != "paid":
            for name in ("transaction_id", "success_time", "bank_type", "payer"):
                answer.pop(name)
        answer["trade_state"] = _print_state(payment)
        return answer

    def _tell(self, payment: Payment) -> dict[str, Any]:
        extra = json.loads(payment.extra)
        return {
            "mchid": self.keys.mchid,
            "appid": self.keys.appid,
            "out_trade_no": payment.out_trade_no,
            "transaction_id": payment.trade_no,
            "trade_type": TRADE_TYPES.get(payment.method, "NATIVE"),
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "OTHERS",
            "attach": "",
            "success_time": print_time(payment.paid_at or time.time()),
            "payer": {"openid": extra.get("openid", OPENID)},
            "amount": {
                "total": payment.shown_fen,
                "payer_total": payment.shown_fen,
                "currency": "CNY",
                "payer_currency": "CNY",
            },
        }

    def _close(self, payment: Payment) -> Answer:
        if payment.state == "paid":
            raise Refused(400, "ORDERPAID", "该订单已支付")
        self._store.close_payment(payment.id)
        return None

    # --- refunds ---

    def _refund(self, content: dict[str, Any]) -> Answer:
        amount = content["amount"]
        refund_fen, number = amount["refund"], str(content["out_refund_no"])
        if not isinstance(refund_fen, int) or refund_fen <= 0 or amount.get("currency") != "CNY":
            raise Refused(400, "PARAM_ERROR", "退款金额不合法")
        payment = (
            self._find_trade(str(content["transaction_id"]))
            if content.get("transaction_id")
            else self._find(str(content["out_trade_no"]))
        )
        if payment.state != "paid":
            raise Refused(400, "INVALID_REQUEST", "订单未支付，不能退款")
        if amount["total"] != payment.paid_fen:
            raise Refused(
                400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试"
            )
        known = self._find_refund(number)
        if known is not None and known["trade_no"] != payment.trade_no:
            raise Refused(400, "INVALID_REQUEST", "商户退款单号已用于其他订单")
        if known is None and refund_fen > self._money.left_of(payment):
            raise Refused(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")
        try:
            is_new = self._store.refund(payment.id, refund_no=number, amount_fen=refund_fen)
        except ValueError as problem:
            if str(problem) == "other amount":
                raise Refused(400, "INVALID_REQUEST", "退款金额与之前请求不一致") from None
            raise Refused(400, "INVALID_REQUEST", "订单已全额退款") from None
        answer = self._query_refund(number) or {}
        if is_new and content.get("notify_url"):
            self._store.add_notice(
                payment.id,
                kind="退款",
                fields=self._tell_refund(payment, answer),
                subject="refund",
                address=str(content["notify_url"])[:256],
            )
        return {**answer, "status": "PROCESSING"} if is_new else answer

    def _find_refund(self, number: str) -> dict[str, Any] | None:
        rows = self._store.fetch(
            "SELECT r.id AS refund_id, r.amount_fen AS refund_fen, r.refunded_at, p.trade_no"
            " FROM refunds r JOIN payments p ON p.id=r.payment_id"
            " WHERE p.gateway=? AND r.refund_no=?",
            self.kind,
            number,
        )
        return dict(rows[0]) if rows else None

    def _query_refund(self, number: str) -> Answer:
        found = self._find_refund(number)
        if found is None:
            raise Refused(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        payment = self._find_trade(found["trade_no"])
        return {
            "refund_id": f"503{found['refund_id']:025d}",
            "out_refund_no": number,
            "transaction_id": payment.trade_no,
            "out_trade_no": payment.out_trade_no,
            "channel": "ORIGINAL",
            "user_received_account": "支付用户零钱",
            "success_time": print_time(found["refunded_at"]),
            "create_time": print_time(found["refunded_at"]),
            "status": "SUCCESS",
            "amount": {
                "total": payment.paid_fen,
                "refund": found["refund_fen"],
                "payer_total": payment.paid_fen,
                "payer_refund": found["refund_fen"],
                "currency": "CNY",
            },
        }

    def _tell_refund(self, payment: Payment, answer: dict[str, Any]) -> dict[str, str]:
        names = ("refund_id", "out_refund_no", "transaction_id", "out_trade_no", "success_time")
        resource = {
            "mchid": self.keys.mchid,
            **{name: answer[name] for name in names},
            "refund_status": "SUCCESS",
            "user_received_account": answer["user_received_account"],
            "amount": {k: v for k, v in answer["amount"].items() if k != "currency"},
        }
        return self._facts(payment, resource, event="REFUND.SUCCESS", original="refund")

    # --- callbacks ---

    def tell_paid(self, payment: Payment) -> dict[str, str]:
        """Return what a callback about a payment says."""
        resource = self._tell(payment)
        return self._facts(payment, resource, event="TRANSACTION.SUCCESS", original="transaction")

    def _facts(
        self, payment: Payment, resource: dict[str, Any], *, event: str, original: str
    ) -> dict[str, str]:
        return {
            "id": digest(event, payment.id, resource.get("refund_id", ""))[:36],
            "event_type": event,
            "original_type": original,
            "serial": json.loads(payment.extra).get("serial") or self._last_serial,
            "resource": json.dumps(resource, ensure_ascii=False),
        }

    def pack(self, notice: Notice) -> Outgoing:
        """Seal and sign a callback as of now."""
        facts, resource = notice.fields, json.loads(notice.fields["resource"])
        if notice.twist == Twist.STRANGER:
            resource["mchid"] = str(int(self.keys.mchid) + 1)
        if notice.twist == Twist.FOREIGN:
            resource["amount"] |= {"currency": "USD", "payer_currency": "USD"}
        plain = json.dumps(resource, ensure_ascii=False).encode()
        sealed = self.keys.seal(plain, associated=facts["original_type"])
        body = json.dumps(
            {
                "id": facts["id"],
                "create_time": print_time(time.time()),
                "resource_type": "encrypt-resource",
                "event_type": facts["event_type"],
                "summary": "退款成功" if facts["original_type"] == "refund" else "支付成功",
                "resource": {"original_type": facts["original_type"], **sealed},
            },
            ensure_ascii=False,
        ).encode()
        age = STALE_SECONDS if notice.twist == Twist.STALE else 0
        headers = self.keys.sign_headers(body, serial=facts["serial"], age_seconds=age)
        if notice.twist == Twist.FORGED:
            _, headers["Wechatpay-Signature"] = self.keys.sign("forged", serial=facts["serial"])
        if notice.twist == Twist.PROBE:
            headers["Wechatpay-Signature"] = PROBE + secrets.token_urlsafe(192)
        return Outgoing(body=body, headers={"Content-Type": "application/json", **headers})

    def is_heard(self, status: int, _body: str) -> bool:
        """Tell whether the shop took it: the status alone says so."""
        return status in (200, 204)

    def rotate_keys(self) -> str:
        """Sign with a new certificate; the one before it stays valid and listed."""
        return f"平台证书已更换，新序列号 {self.keys.rotate()}，旧证书仍有效"

    # --- the buyer's side ---

    def build_return(self, payment: Payment) -> str:
        """Return where the browser goes after paying: the bare address, nothing is proved by it."""
        return payment.return_url

    def _open_in_app(self, request: Request) -> Reply:
        """A phone's browser comes with an H5 address: remember where it wants to return to."""
        payment = self._find_prepaid(request.query.get("prepay_id", ""))
        if payment is None:
            return render_problem("微信支付：商家存在未配置的参数，请联系商家解决。")
        back = request.query.get("redirect_url", "")[:256]
        if urlsplit(back).scheme in {"http", "https"}:
            sql = "UPDATE payments SET return_url=? WHERE id=?"
            self._store.run(sql, back, payment.id)
        return redirect(f"{request.base_url}/pay/{payment.trade_no}")

    def _take_bridge(self, request: Request) -> Reply:
        """Take what a page inside WeChat hands to the payment bridge, and show the cashier."""
        fields = {str(k): str(v) for k, v in json.loads(request.body.decode()).items()}
        prepay_id = fields.get("package", "").removeprefix("prepay_id=")
        payment = self._find_prepaid(prepay_id)
        is_good = fields.get("signType") == "RSA" and fields.get("appId") == self.keys.appid
        if payment is None or not is_good or not self.keys.verify_bridge(fields):
            return reply_json({"err_msg": "get_brand_wcpay_request:fail"}, status=400)
        address = f"{request.base_url}/pay/{payment.trade_no}"
        return reply_json({"err_msg": "get_brand_wcpay_request:ok", "cashier": address})

    def _find_prepaid(self, prepay_id: str) -> Payment | None:
        rows = self._store.fetch(
            "SELECT value FROM credentials WHERE name=?", f"wechat_prepay_{prepay_id}"
        )
        return self._store.find_trade(str(rows[0]["value"])) if rows else None

    def _authorize(self, request: Request) -> Reply:
        """Send the browser back with a code at once: `snsapi_base` asks nobody."""
        query, back = request.query, request.query.get("redirect_uri", "")
        fits = query.get("response_type") == "code" and query.get("scope") == "snsapi_base"
        if query.get("appid") != self.keys.appid or not fits:
            return render_problem("微信：Scope 参数错误或没有 Scope 权限，或 AppID 不对。")
        if urlsplit(back).scheme not in {"http", "https"}:
            return render_problem("微信：redirect_uri 域名与后台配置不一致，错误码：10003")
        code = secrets.token_hex(16)
        with self._lock:
            self._codes = {k: v for k, v in self._codes.items() if v > time.time()}
            self._codes[code] = time.time() + CODE_SECONDS
        joint = "&" if "?" in back else "?"
        more = urlencode({"code": code, "state": query.get("state", "")})
        return redirect(f"{back}{joint}{more}")

    def _give_openid(self, request: Request) -> Reply:
        """Answer a code with the openid, once."""
        query = dict(parse_qsl(urlsplit(request.target).query))
        if query.get("appid") != self.keys.appid:
            return reply_json({"errcode": 40013, "errmsg": "invalid appid"})
        if query.get("secret") != self.keys.app_secret:
            return reply_json({"errcode": 40125, "errmsg": "invalid appsecret"})
        with self._lock:
            lasts_until = self._codes.pop(query.get("code", ""), 0)
        if lasts_until < time.time():
            return reply_json({"errcode": 40163, "errmsg": "code been used"})
        return reply_json(
            {
                "access_token": secrets.token_urlsafe(48),
                "expires_in": 7200,
                "refresh_token": secrets.token_urlsafe(48),
                "openid": OPENID,
                "scope": "snsapi_base",
            }
        )


def _print_state(payment: Payment) -> str:
    if payment.state == "paid":
        return "REFUND" if payment.refunded_fen else "SUCCESS"
    return "CLOSED" if payment.state == "closed" else "NOTPAY"


def _read_time(text: object) -> float:
    moment = str(text)
    if not moment.endswith("+08:00"):
        raise ValueError("time_expire")
    return calendar.timegm(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S")) - 8 * 3600
