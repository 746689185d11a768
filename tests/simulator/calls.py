"""Calls as a merchant's software makes them, written without any of Kameng's code."""

import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from kameng_simulator import signing
from tests.providers.world import World


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def call(address: str, *, data: bytes | None = None) -> tuple[int, str, str]:
    """Return status, body and where a redirect points."""
    try:
        with _OPENER.open(address, data=data, timeout=60) as reply:
            return reply.status, reply.read().decode(), ""
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read().decode(), problem.headers.get("Location", "")


def epay_fields(world: World, number: str, **changes: str) -> dict[str, str]:
    """Return signed fields of a payment; a changed `sign` stays as given."""
    account = world.credentials("epay")
    fields = {
        "pid": account["pid"],
        "type": "alipay",
        "out_trade_no": number,
        "notify_url": "http://lin.localhost:9/n",
        "return_url": "http://lin.localhost:9/r?x=1",
        "name": "月卡",
        "money": "1.00",
        **changes,
    }
    return {"sign": signing.sign_epay(fields, account["key"]), "sign_type": "MD5", **fields}


def open_epay(world: World, number: str, **changes: str) -> str:
    """Open a payment and return the cashier's address."""
    fields = epay_fields(world, number, **changes)
    status, body, target = call(f"{world.url}/submit.php?{urlencode(fields)}")
    assert status == 302, body
    return target


def alipay_fields(
    world: World, method: str, content: dict[str, str], /, **changes: str
) -> dict[str, str]:
    """Return signed fields of a gateway call; a changed `sign` stays as given."""
    account = world.credentials("alipay")
    fields = {
        "app_id": account["app_id"],
        "method": method,
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600)),
        "version": "1.0",
        "biz_content": json.dumps(content),
        "notify_url": "http://lin.localhost:9/n",
        **changes,
    }
    text = signing.join_sorted(fields, without=("sign",))
    key = signing.load_key(account["app_private_key"])
    return {"sign": signing.sign_rsa(text, key), **fields}


def call_alipay(
    world: World, method: str, content: dict[str, str], /, **changes: str
) -> dict[str, Any]:
    """Make a signed gateway call and return the reply's first member."""
    fields = alipay_fields(world, method, content, **changes)
    address = world.credentials("alipay")["gateway_url"]
    _, body, _ = call(address, data=urlencode(fields).encode())
    return dict(next(iter(json.loads(body).values())))
