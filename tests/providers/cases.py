"""One case per gateway: an account, and callbacks signed by the simulator's own code.

The signatures come from `kameng_simulator`, which shares nothing with the code under test.
"""

import base64
import dataclasses
import datetime as dt
import functools
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kameng.core.http import HttpClient, HttpLimits
from kameng.payments.providers.abilities import at_moment
from kameng.payments.providers.port import (
    CallbackRequest,
    PaidStatus,
    PayRequest,
    Provider,
    RefundRequest,
)
from kameng.payments.providers.registry import PROVIDERS, load_provider
from kameng.pricing.money import Amount, format_yuan
from kameng_simulator import alipay_certs, certificates, signing
from kameng_simulator.unionpay import digest
from tests.providers.world import World

KINDS = tuple(PROVIDERS)
# One account a kind, and one more for each other way in which an account of a kind signs.
ACCOUNTS = (*KINDS, "alipay_cert")
# Those whose callbacks are forms: a field may come twice, and a value be cut in two.
FORM_KINDS = tuple(kind for kind in ACCOUNTS if kind not in ("wechat", "stripe"))
# The simulator answers when a busy machine lets it; only who is kept waiting on purpose gives up.
PATIENT = HttpLimits(connect_seconds=60, read_seconds=60, total_seconds=60, reply_bytes=65_536)
SHORT = dataclasses.replace(PATIENT, read_seconds=0.5, total_seconds=0.8)
OPENED_AT = dt.datetime.now(dt.UTC)
EPAY_KEY = "Zx8Kq3Vn7Rt5Wp2Yb6Hd9Fj4Lm1Gs0Tc"


@functools.cache
def app_key() -> str:
    return signing.make_private_key()


@functools.cache
def gateway_key() -> str:
    return signing.make_private_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A gateway under test: what differs between the kinds, and nothing else."""

    kind: str
    account: str  # the word under which the simulator plays it
    form: dict[str, str]
    good: dict[str, str]
    amount_field: str
    secrets: tuple[str, ...]
    other_merchants: tuple[dict[str, str], ...]
    unpaid: dict[str, str]
    method: str
    calls_before_refund: int = 0
    closes_to: PaidStatus = PaidStatus.PENDING
    heard: bytes = b"success"  # what a callback is answered with
    path: str = ""
    cheap: str = "0.01"
    number_field: str = "out_trade_no"
    subject_field: str = "subject"
    asked_closed: PaidStatus | None = None  # what a query says after a close, if not the same
    opens_by_form: bool = False  # opening calls nobody

    @property
    def guard_module(self) -> ModuleType:
        """Where `has_valid_signature` stands."""
        return import_module(f"kameng.payments.providers.{self.kind}.wire")

    @property
    def trade_no(self) -> str:
        return self.good["trade_no"]

    def priced(self, amount: int) -> dict[str, str]:
        return {self.amount_field: format_yuan(Amount(amount))}

    def point_at(self, port: int) -> Any:
        more = {"opening": "api"} if self.kind == "epay" else {}
        return self.config(gateway_url=f"http://127.0.0.1:{port}/{self.path}", **more)

    def listen(self, world: World, address: str) -> None:
        """Tell the gateway where callbacks go, where no payment says it."""

    def sign_as_strangers(self) -> list[str]:
        """Return signatures of the good callback that somebody else could make."""
        if self.kind == "epay":
            return [signing.sign_epay(self.good, key) for key in ("", "123456", "key", "1001")]
        text = signing.join_sorted(self.good, without=())
        return [signing.sign_rsa(text, signing.load_key(app_key()))]

    def provider(self, *, allow_plain: bool = True, limits: HttpLimits = PATIENT) -> Provider[Any]:
        client = HttpClient(limits=limits, allow_plain=allow_plain)
        return at_moment(load_provider(self.kind, client=client), OPENED_AT)

    def config(self, **changes: str) -> Any:
        return self.provider().config_from_form({**self.form, **changes})

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        plain = {k: v for k, v in fields.items() if k not in ("sign", "sign_type")}
        if self.kind == "epay":
            return {**plain, "sign": signing.sign_epay(plain, EPAY_KEY), "sign_type": "MD5"}
        text = signing.join_sorted(plain, without=())
        sign = signing.sign_rsa(text, signing.load_key(gateway_key()))
        return {**plain, "sign": sign, "sign_type": "RSA" if self.kind == "epay2" else "RSA2"}

    def signed(self, **changes: str) -> dict[str, str]:
        return self.sign({**self.good, **changes})

    def send(self, fields: Mapping[str, str], *, rest: str = "") -> CallbackRequest:
        data = (urlencode(fields) + rest).encode()
        if self.kind in ("epay", "epay2"):
            return CallbackRequest(method="GET", query=data)
        return CallbackRequest(method="POST", body=data)


def make_case(kind: str) -> Case:
    makers = {
        "wechat": make_wechat_case,
        "stripe": make_stripe_case,
        "epay2": make_epay2_case,
        "unionpay": make_unionpay_case,
    }
    if kind in makers:
        return makers[kind]()
    if kind == "epay":
        return Case(
            kind=kind,
            account=kind,
            form={"gateway_url": "http://127.0.0.1:9/", "pid": "1001", "key": EPAY_KEY},
            good={
                "pid": "1001",
                "trade_no": "2026010112000001",
                "out_trade_no": "P20260101A",
                "type": "alipay",
                "name": "测试商品 月卡",
                "money": "12.34",
                "trade_status": "TRADE_SUCCESS",
            },
            amount_field="money",
            secrets=(EPAY_KEY,),
            other_merchants=({"pid": "1002"}, {"pid": "01001"}, {"pid": ""}),
            unpaid={"trade_status": "TRADE_CLOSED"},
            method="alipay",
            subject_field="name",
            calls_before_refund=1,
        )
    keys = make_alipay_certificates() if kind == "alipay_cert" else make_alipay_keys()
    return Case(
        kind="alipay",
        account=kind,
        form={
            "app_id": "2021000000000001",
            "seller_id": "2088000000000011",
            "app_private_key": app_key(),
            "gateway_url": "http://127.0.0.1:9/gateway.do",
            **keys,
        },
        good={
            "app_id": "2021000000000001",
            "seller_id": "2088000000000011",
            "charset": "utf-8",
            "notify_id": "2026010100222",
            "notify_type": "trade_status_sync",
            "subject": "测试商品 月卡",
            "trade_no": "2026010122001",
            "out_trade_no": "P20260101A",
            "total_amount": "12.34",
            "trade_status": "TRADE_SUCCESS",
            "gmt_payment": "2026-01-01 20:00:00",
            "buyer_logon_id": "mei***@example.com",
            "fund_bill_list": '[{"amount":"12.34","fundChannel":"ALIPAYACCOUNT"}]',
        },
        amount_field="total_amount",
        secrets=(app_key(), app_key()[100:160]),
        other_merchants=(
            {"app_id": "2021000000000002"},
            {"seller_id": "2088000000000012"},
            {"seller_id": ""},
            {"app_id": ""},
        ),
        unpaid={"trade_status": "WAIT_BUYER_PAY"},
        method="qr",
        closes_to=PaidStatus.CLOSED,
        path="gateway.do",
    )


def make_alipay_keys() -> dict[str, str]:
    return {"alipay_public_key": signing.publish_key(signing.load_key(gateway_key()))}


@functools.cache
def alipay_authority() -> dict[str, str]:
    """Certificates made by the simulator's own code: a root, two authorities, both sides."""
    root_key, apps_key, own_key = (signing.load_key(signing.make_private_key()) for _ in range(3))
    root, apps, own = (alipay_certs.make_name(f"Test {part}") for part in ("R1", "C1", "C2"))
    seller = alipay_certs.make_name("支付宝-2088000000000011", owner="支付宝网络技术有限公司")
    shop = alipay_certs.make_name("卡盟-2088000000000011", owner="卡盟商户")
    issue = alipay_certs.issue
    gateway, app = signing.load_key(gateway_key()), signing.load_key(app_key())
    return {
        "root": issue(root, root_key, root, root_key),
        "curve": alipay_certs.make_curve_root(),
        "class1": issue(apps, apps_key, root, root_key),
        "class2": issue(own, own_key, root, root_key),
        "app": issue(shop, app, apps, apps_key, is_authority=False),
        "alipay": issue(seller, gateway, own, own_key, is_authority=False),
    }


def make_alipay_certificates() -> dict[str, str]:
    made = alipay_authority()
    return {
        "mode": "certificate",
        "app_cert": made["app"] + made["class1"],
        "alipay_cert": made["alipay"] + made["class2"],
        "alipay_root_cert": made["curve"] + made["root"],
    }


def make_request(number: str, *, method: str, shop_url: str = "http://a.localhost:9") -> PayRequest:
    return PayRequest(
        payment_no=number,
        amount=Amount(123_400),
        subject="腾讯视频 & 月卡=12/个月",
        notify_url=f"{shop_url}/notify",
        return_url=f"{shop_url}/return?order=1",
        client_ip="192.0.2.7",
        device="pc",
        expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=15),
        method=method,
        opened_at=OPENED_AT,
    )


def make_refund(number: str, *, refund_no: str, amount: int = 123_400) -> RefundRequest:
    return RefundRequest(
        refund_no=refund_no,
        payment_no=number,
        external_no="",
        amount=Amount(amount),
        total_amount=Amount(123_400),
        reason="缺货退款",
        opened_at=OPENED_AT,
        asked_at=OPENED_AT,
    )


def make_epay2_case() -> Case:
    return Case(
        kind="epay2",
        account="epay2",
        form={
            "gateway_url": "http://127.0.0.1:9/",
            "pid": "1001",
            "merchant_private_key": app_key(),
            "platform_public_key": signing.publish_key(signing.load_key(gateway_key())),
        },
        good={
            "pid": "1001",
            "trade_no": "2026010112000001",
            "out_trade_no": "P20260101A",
            "type": "alipay",
            "name": "测试商品 月卡",
            "money": "12.34",
            "trade_status": "TRADE_SUCCESS",
            "endtime": "2026-01-01 20:00:00",
            "timestamp": str(int(time.time())),
        },
        amount_field="money",
        secrets=(app_key(), app_key()[100:160]),
        other_merchants=({"pid": "1002"}, {"pid": "01001"}, {"pid": ""}),
        unpaid={"trade_status": "TRADE_CLOSED"},
        method="alipay",
        closes_to=PaidStatus.CLOSED,
        asked_closed=PaidStatus.PENDING,
        subject_field="name",
    )


# --- UnionPay: a form signed over its digest, with the signer's certificate in it ----------------


@functools.cache
def papers() -> certificates.Papers:
    return certificates.make_papers("777290012345678")


UNIONPAY_NAMES = {
    "out_trade_no": "orderId",
    "trade_no": "queryId",
    "sign": "signature",
    "sign_type": "signMethod",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionPayCase(Case):
    """Its fields go by the usual names too; `sign` and `sign_type` are renamed when sent."""

    @property
    def trade_no(self) -> str:
        return self.good["queryId"]

    def priced(self, amount: int) -> dict[str, str]:
        return {self.amount_field: str(amount // 100)}

    def signed(self, **changes: str) -> dict[str, str]:
        usual = {UNIONPAY_NAMES.get(name, name): value for name, value in changes.items()}
        return self.sign({**self.good, **usual})

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        plain = {k: v for k, v in fields.items() if k not in ("sign", "sign_type")}
        plain["signPubKeyCert"] = papers().signer
        text = digest({**plain, "signMethod": "01"})
        sign = signing.sign_rsa(text, signing.load_key(papers().signer_key))
        return {**plain, "sign": sign, "sign_type": "01"}

    def sign_as_strangers(self) -> list[str]:
        plain = {k: v for k, v in self.signed().items() if k not in ("sign", "sign_type")}
        text = digest({**plain, "signMethod": "01"})
        return [signing.sign_rsa(text, signing.load_key(app_key()))]

    def send(self, fields: Mapping[str, str], *, rest: str = "") -> CallbackRequest:
        said = {UNIONPAY_NAMES.get(name, name): value for name, value in fields.items()}
        for usual, own in UNIONPAY_NAMES.items():
            rest = rest.replace(f"&{usual}=", f"&{own}=")
        return CallbackRequest(method="POST", body=(urlencode(said) + rest).encode())


def make_unionpay_case() -> Case:
    return UnionPayCase(
        kind="unionpay",
        account="unionpay",
        form={
            "mer_id": "777290012345678",
            "merchant_cert": papers().merchant_pfx,
            "cert_password": papers().password,
            "root_cert": papers().root,
            "middle_cert": papers().middle,
            "gateway_url": "http://127.0.0.1:9/",
            "file_url": "http://127.0.0.1:9/files/",
        },
        good={
            "version": "5.1.0",
            "encoding": "UTF-8",
            "bizType": "000201",
            "accessType": "0",
            "merId": "777290012345678",
            "txnType": "01",
            "txnSubType": "01",
            "orderId": "P20260101A",
            "txnTime": "20260101195959",
            "txnAmt": "1234",
            "currencyCode": "156",
            "queryId": "442601012000000000001",
            "traceTime": "0101200000",
            "respCode": "00",
            "respMsg": "成功[0000000]",
            "reqReserved": "测试商品 月卡",
        },
        amount_field="txnAmt",
        secrets=(papers().merchant_pfx, papers().merchant_pfx[100:160], papers().password),
        other_merchants=({"merId": "777290012345679"}, {"merId": ""}, {"merId": "77729001234567"}),
        unpaid={"respCode": "05"},
        method="gateway",
        cheap="1",
        number_field="orderId",
        subject_field="reqReserved",
        calls_before_refund=1,
        opens_by_form=True,
    )


# --- WeChat Pay: a sealed body under signed headers ---------------------------------------------


WECHAT_API_KEY = "Hs8Kq3Vn7Rt5Wp2Yb6Hd9Fj4Lm1Gs0Tz"
WECHAT_KEY_ID = "PUB_KEY_ID_0116000000002026010100000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatCase(Case):
    """Its `good` holds the resource, flat; `total` is the text of a JSON value."""

    @property
    def guard_module(self) -> ModuleType:
        return import_module("kameng.payments.providers.wechat.signing")

    @property
    def trade_no(self) -> str:
        return self.good["transaction_id"]

    def priced(self, amount: int) -> dict[str, str]:
        return {self.amount_field: str(amount // 100)}

    def signed(self, **changes: str) -> dict[str, str]:
        if "trade_no" in changes:
            changes["transaction_id"] = changes.pop("trade_no")
        return self.sign({**self.good, **changes})

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        heads = ("sign", "sign_type", "timestamp", "nonce")
        plain = {k: v for k, v in fields.items() if k not in heads}
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        text = f"{timestamp}\n{nonce}\n{wechat_body(plain).decode()}\n"
        sign = signing.sign_rsa(text, signing.load_key(gateway_key()))
        head = {"timestamp": timestamp, "nonce": nonce, "sign": sign, "sign_type": "RSA"}
        return {**plain, **head}

    def sign_as_strangers(self) -> list[str]:
        good = self.signed()
        text = f"{good['timestamp']}\n{good['nonce']}\n{wechat_body(self.good).decode()}\n"
        probe = "WECHATPAY/SIGNTEST/" + "A" * 300
        return [signing.sign_rsa(text, signing.load_key(app_key())), probe]

    def send(self, fields: Mapping[str, str], *, rest: str = "") -> CallbackRequest:
        del rest
        values = dict(fields)
        kind = values.pop("sign_type", "RSA")
        headers = {
            "Wechatpay-Serial": WECHAT_KEY_ID,
            "Wechatpay-Timestamp": values.pop("timestamp", ""),
            "Wechatpay-Nonce": values.pop("nonce", ""),
            "Wechatpay-Signature": values.pop("sign", ""),
        }
        if kind != "RSA":
            headers["Wechatpay-Signature-Type"] = kind
        return CallbackRequest(method="POST", body=wechat_body(values), headers=headers)


def wechat_body(
    fields: Mapping[str, str], *, event: str = "TRANSACTION.SUCCESS", original: str = "transaction"
) -> bytes:
    """Return the sealed body of a callback about these fields; the same fields, the same body."""
    plain = {k: v for k, v in fields.items() if k not in ("total", "currency", "openid")}
    text = fields.get("total", "")
    total = text if re.fullmatch("0|[1-9][0-9]*", text, re.ASCII) else json.dumps(text)
    amount = f'{{"total":{total},"currency":"{fields.get("currency", "CNY")}"}}'
    members = [f"{json.dumps(k)}:{json.dumps(v, ensure_ascii=False)}" for k, v in plain.items()]
    members.append(f'"payer":{{"openid":"{fields.get("openid", "")}"}}')
    members.append(f'"amount":{amount}')
    resource = ("{" + ",".join(members) + "}").encode()
    nonce = hashlib.sha256(resource).hexdigest()[:12]
    sealed = AESGCM(WECHAT_API_KEY.encode()).encrypt(nonce.encode(), resource, original.encode())
    return json.dumps(
        {
            "id": "EV-2018022511223320873",
            "create_time": "2026-01-01T20:00:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "支付成功",
            "resource": {
                "original_type": original,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": original,
                "nonce": nonce,
            },
        }
    ).encode()


def make_wechat_case() -> Case:
    return WechatCase(
        kind="wechat",
        account="wechat",
        form={
            "mchid": "1900000001",
            "appid": "wx0123456789abcdef",
            "merchant_serial_no": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
            "merchant_private_key": app_key(),
            "api_v3_key": WECHAT_API_KEY,
            "verify_by": "public_key",
            "public_key_id": WECHAT_KEY_ID,
            "public_key": signing.publish_key(signing.load_key(gateway_key())),
            "app_secret": "8e1f0c7b2a9d4e6f1b3c5d7e9f0a2b4c",
            "gateway_url": "http://127.0.0.1:9",
            "oauth_url": "http://127.0.0.1:9",
            "token_url": "http://127.0.0.1:9",
        },
        good={
            "mchid": "1900000001",
            "appid": "wx0123456789abcdef",
            "out_trade_no": "P20260101A",
            "transaction_id": "4200001234202601011234567890",
            "trade_type": "NATIVE",
            "trade_state": "SUCCESS",
            "success_time": "2026-01-01T20:00:00+08:00",
            "total": "1234",
            "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        },
        amount_field="total",
        secrets=(
            app_key(),
            app_key()[100:160],
            WECHAT_API_KEY,
            "8e1f0c7b2a9d4e6f1b3c5d7e9f0a2b4c",
        ),
        other_merchants=(
            {"mchid": "1900000002"},
            {"appid": "wx0123456789abcdee"},
            {"mchid": ""},
            {"appid": ""},
        ),
        unpaid={"trade_state": "NOTPAY"},
        method="native",
        closes_to=PaidStatus.CLOSED,
        heard=b"SUCCESS",
        cheap="1",
    )


# --- Stripe: a JSON event under a signed header --------------------------------------------------


STRIPE_KEY = "sk_test_51Hs8Kq3Vn7Rt5Wp2Yb6Hd9Fj4Lm1Gs0TzQw"
STRIPE_WEBHOOK = "whsec_Jf7Qm2Xc9Vb4Nz8Lk1Pw6Rt3Yh5Ug0Sd"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeCase(Case):
    """Its `good` holds a session, flat; `amount_total` is the text of a JSON value."""

    @property
    def guard_module(self) -> ModuleType:
        return import_module("kameng.payments.providers.stripe.webhook")

    def priced(self, amount: int) -> dict[str, str]:
        return {self.amount_field: str(amount // 100)}

    def listen(self, world: World, address: str) -> None:
        world.listen(self.account, address)

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        plain = {k: v for k, v in fields.items() if k not in ("sign", "sign_type", "t")}
        moment = str(int(time.time()))
        sign = sign_stripe(stripe_body(plain), STRIPE_WEBHOOK, moment=moment)
        return {**plain, "t": moment, "sign": sign, "sign_type": "v1"}

    def sign_as_strangers(self) -> list[str]:
        body, moment = stripe_body(self.good), str(int(time.time()))
        keys = ("", "whsec_", STRIPE_WEBHOOK.removeprefix("whsec_"), STRIPE_KEY)
        return [sign_stripe(body, key, moment=moment) for key in keys]

    def send(self, fields: Mapping[str, str], *, rest: str = "") -> CallbackRequest:
        del rest
        values = dict(fields)
        moment, sign = values.pop("t", ""), values.pop("sign", "")
        header = f"t={moment},{values.pop('sign_type', 'v1')}={sign}"
        headers = {"Stripe-Signature": header}
        return CallbackRequest(method="POST", body=stripe_body(values), headers=headers)


def sign_stripe(body: bytes, secret: str, *, moment: str) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def stripe_body(fields: Mapping[str, str]) -> bytes:
    """Return the event about these fields; the same fields, the same body."""
    total = fields.get("amount_total", "")
    plain = re.fullmatch("0|[1-9][0-9]*", total, re.ASCII)
    # A number too long to be money stays what it is; everything else is a string.
    price = {"amount": "123400", "minor": "1234", "currency": "cny", "rate": "10000"}
    live = {"true": True, "false": False}.get(fields.get("livemode", ""), fields.get("livemode"))
    known = ("amount_total", "out_trade_no", "trade_no", "trade_status", "livemode", "account")
    session = {
        "id": "cs_test_a1",
        "object": "checkout.session",
        "amount_total": int(total) if plain else total,
        "client_reference_id": fields.get("out_trade_no"),
        "currency": "cny",
        "customer_details": {"email": "meimei@example.com"},
        "livemode": live,
        "metadata": {**price, "payment_no": fields.get("out_trade_no")},
        "payment_intent": fields.get("trade_no"),
        "payment_status": fields.get("trade_status"),
        "status": "complete",
        **{name: value for name, value in fields.items() if name not in known},
    }
    event = {
        "id": "evt_1",
        "object": "event",
        "created": 1_767_268_800,
        "livemode": live,
        "type": "checkout.session.completed",
        "data": {"object": session},
    }
    if "account" in fields:
        event["account"] = fields["account"]
    return json.dumps(event, ensure_ascii=False, indent=2).encode()


def make_stripe_case() -> Case:
    return StripeCase(
        kind="stripe",
        account="stripe",
        form={
            "account_id": "acct_1032D82eZvKYlo2C",
            "mode": "test",
            "secret_key": STRIPE_KEY,
            "webhook_secret": STRIPE_WEBHOOK,
            "currency": "cny",
            "rate": "",
            "gateway_url": "http://127.0.0.1:9/",
        },
        good={
            "out_trade_no": "P20260101A",
            "trade_no": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
            "trade_status": "paid",
            "amount_total": "1234",
            "livemode": "false",
            "account": "acct_1032D82eZvKYlo2C",
        },
        amount_field="amount_total",
        secrets=(STRIPE_KEY, STRIPE_WEBHOOK, STRIPE_KEY[8:40]),
        other_merchants=({"livemode": "true"}, {"account": "acct_1032D82eZvKYlo2D"}),
        unpaid={"trade_status": "unpaid"},
        method="card",
        calls_before_refund=3,
        closes_to=PaidStatus.CLOSED,
        cheap="1",
    )
