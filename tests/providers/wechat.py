"""Answers of WeChat Pay, signed with the simulator's own code."""

import datetime as dt
import json
from typing import Any

from kameng.core.http import HttpReply
from kameng.payments.providers.wechat import wire
from kameng.payments.providers.wechat.signing import PlatformKey
from kameng_simulator import signing as peers
from tests.providers.cases import WECHAT_KEY_ID, gateway_key

NOW = dt.datetime(2026, 1, 1, 4, 0, tzinfo=dt.UTC)
NONCE = "593BEC0C930BF1AFEB40B4A08C8FB242"
FAR = PlatformKey(
    serial=WECHAT_KEY_ID, key=peers.load_key(gateway_key()).public_key(), valid_until=None
)
KEYS = {WECHAT_KEY_ID: FAR}


def head(body: bytes, *, at: dt.datetime = NOW, key: str = "", **changes: str) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    text = f"{timestamp}\n{NONCE}\n{body.decode()}\n"
    return {
        "wechatpay-serial": WECHAT_KEY_ID,
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": NONCE,
        "wechatpay-signature": peers.sign_rsa(text, peers.load_key(key or gateway_key())),
        **changes,
    }


def reply(data: Any, *, status: int = 200, **changes: str) -> HttpReply:
    body = b"" if data is None else json.dumps(data).encode()
    return HttpReply(status=status, headers=head(body, **changes), body=body)


def read(answer: HttpReply) -> wire.Answer:
    return wire.read_answer(answer, keys=KEYS, now=NOW)
