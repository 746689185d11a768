"""One case per gateway: an account, and callbacks signed by the simulator's own code.

The signatures come from `kameng_simulator`, which shares nothing with the code under test.
"""

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kameng.core.http import HttpClient, HttpLimits
from kameng.payments.providers.port import CallbackRequest, PayRequest, Provider, RefundRequest
from kameng.payments.providers.registry import PROVIDERS, load_provider
from kameng.pricing.money import Amount
from kameng_simulator import signing

KINDS = tuple(PROVIDERS)
SHORT = HttpLimits(connect_seconds=0.5, read_seconds=0.5, total_seconds=0.8, reply_bytes=65_536)
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
    form: dict[str, str]
    good: dict[str, str]
    amount_field: str
    secrets: tuple[str, ...]
    other_merchants: tuple[dict[str, str], ...]
    unpaid: dict[str, str]
    method: str

    def provider(self, *, allow_plain: bool = True) -> Provider[Any]:
        return load_provider(self.kind, client=HttpClient(limits=SHORT, allow_plain=allow_plain))

    def config(self, **changes: str) -> Any:
        return self.provider().config_from_form({**self.form, **changes})

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        plain = {k: v for k, v in fields.items() if k not in ("sign", "sign_type")}
        if self.kind == "epay":
            return {**plain, "sign": signing.sign_epay(plain, EPAY_KEY), "sign_type": "MD5"}
        text = signing.join_sorted(plain, without=())
        sign = signing.sign_rsa(text, signing.load_key(gateway_key()))
        return {**plain, "sign": sign, "sign_type": "RSA2"}

    def signed(self, **changes: str) -> dict[str, str]:
        return self.sign({**self.good, **changes})

    def send(self, fields: Mapping[str, str], *, rest: str = "") -> CallbackRequest:
        data = (urlencode(fields) + rest).encode()
        if self.kind == "epay":
            return CallbackRequest(method="GET", query=data)
        return CallbackRequest(method="POST", body=data)


def make_case(kind: str) -> Case:
    if kind == "epay":
        return Case(
            kind=kind,
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
        )
    return Case(
        kind=kind,
        form={
            "app_id": "2021000000000001",
            "seller_id": "2088000000000011",
            "app_private_key": app_key(),
            "alipay_public_key": signing.publish_key(signing.load_key(gateway_key())),
            "gateway_url": "http://127.0.0.1:9/gateway.do",
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
    )


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
    )


def make_refund(number: str, *, refund_no: str, amount: int = 123_400) -> RefundRequest:
    return RefundRequest(
        refund_no=refund_no,
        payment_no=number,
        external_no="",
        amount=Amount(amount),
        total_amount=Amount(123_400),
        reason="缺货退款",
    )
