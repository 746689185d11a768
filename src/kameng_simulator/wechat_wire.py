"""Keys, signatures and ciphers of the WeChat Pay side, written apart from Kameng's own.

Owns the platform's keys (one public key, and certificates that rotate), the check of a merchant's
Authorization header, and the sealing of callbacks.
"""

import base64
import binascii
import datetime as dt
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kameng_simulator import signing
from kameng_simulator.store import Store
from kameng_simulator.web import Reply, Request

SCHEME = "WECHATPAY2-SHA256-RSA2048"
PROBE = "WECHATPAY/SIGNTEST/"
SKEW_SECONDS = 300
LISTED = 2  # certificates that are told of: the one that signs, and the one before it
STALE_SECONDS = 3600
_PART = re.compile(r'([a-z_]+)="([^"]*)"')


class Refused(Exception):
    """A refusal with its status, its code and what it says."""

    def __init__(self, status: int, code: str, message: str, *, signed: bool = True) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"code": code, "message": message}
        self.signed = signed


def refuse_signature(message: str) -> Refused:
    """Return what the real one says to a request that it cannot verify: unsigned itself."""
    return Refused(401, "SIGN_ERROR", message, signed=False)


class Keys:
    """The merchant's and the platform's keys of one account."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.mchid = store.remember("wechat_mchid", lambda: "16" + signing.make_digits(8))
        self.appid = store.remember("wechat_appid", lambda: "wx" + secrets.token_hex(8))
        self.app_secret = store.remember("wechat_secret", lambda: secrets.token_hex(16))
        self.api_key = store.remember("wechat_api_key", lambda: signing.make_secret(32))
        self.serial = store.remember("wechat_serial", lambda: secrets.token_hex(20).upper())
        self.merchant_key = store.remember("wechat_merchant_key", signing.make_private_key)
        self._merchant = signing.load_key(self.merchant_key).public_key()
        self.public_id = store.remember(
            "wechat_public_id", lambda: "PUB_KEY_ID_0" + signing.make_digits(31)
        )
        self._platform = signing.load_key(
            store.remember("wechat_platform_key", signing.make_private_key)
        )
        store.remember("wechat_certificates", lambda: json.dumps([make_certificate()]))

    @property
    def public_key(self) -> str:
        """The platform's public key, base64 of its DER form."""
        return signing.publish_key(self._platform)

    def list_certificates(self) -> list[dict[str, str]]:
        """Return the certificates that are told of, the one that signs last."""
        stored = self._store.remember("wechat_certificates", lambda: "[]")
        found: list[dict[str, str]] = json.loads(stored)[-LISTED:]
        return found

    def rotate(self) -> str:
        """Sign with a new certificate from now on; return its serial."""
        new = make_certificate()
        with self._store.transaction():
            listed = [*self.list_certificates(), new][-LISTED:]
            self._store.overwrite("wechat_certificates", json.dumps(listed))
        return new["serial"]

    def sign(self, text: str, *, serial: str = "") -> tuple[str, str]:
        """Return the serial under which a text was signed, and the signature."""
        if serial == self.public_id:
            return serial, signing.sign_rsa(text, self._platform)
        current = self.list_certificates()[-1]
        return current["serial"], signing.sign_rsa(text, signing.load_key(current["key"]))

    def decrypt(self, text: str, *, serial: str) -> str:
        """Open a sensitive field that was encrypted for the named key; raise Refused."""
        keys = {each["serial"]: signing.load_key(each["key"]) for each in self.list_certificates()}
        key = {**keys, self.public_id: self._platform}.get(serial)
        if key is None:
            raise Refused(400, "PARAM_ERROR", "Wechatpay-Serial 与平台密钥不符")
        oaep = padding.OAEP(mgf=padding.MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
        try:
            return key.decrypt(base64.b64decode(text), oaep).decode()
        except (ValueError, binascii.Error):
            raise Refused(400, "PARAM_ERROR", "敏感信息解密失败") from None

    def check(self, request: Request) -> None:
        """Check a request's Authorization as the real one does; raise Refused."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        parts = dict(_PART.findall(rest))
        names = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}
        if scheme != SCHEME or set(parts) != names:
            raise refuse_signature(
                "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"
            )
        if parts["mchid"] != self.mchid:
            raise refuse_signature("商户号不存在")
        if parts["serial_no"] != self.serial:
            raise refuse_signature("商户证书序列号有误")
        digits = parts["timestamp"]
        if not digits.isdigit() or abs(int(digits) - time.time()) > SKEW_SECONDS:
            raise refuse_signature("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        text = (
            f"{request.method}\n{request.target}\n{digits}\n{parts['nonce_str']}\n"
            f"{request.body.decode()}\n"
        )
        if not signing.verify_rsa(text, signature=parts["signature"], key=self._merchant):
            raise refuse_signature("错误的签名，验签失败")

    def verify_bridge(self, fields: Mapping[str, str]) -> bool:
        """Verify what a page hands to the payment bridge."""
        text = "".join(
            f"{fields.get(n, '')}\n" for n in ("appId", "timeStamp", "nonceStr", "package")
        )
        return signing.verify_rsa(text, signature=fields.get("paySign", ""), key=self._merchant)

    def seal(self, plain: bytes, *, associated: str) -> dict[str, str]:
        """Encrypt under the API v3 key."""
        nonce = secrets.token_hex(6)
        sealed = AESGCM(self.api_key.encode()).encrypt(nonce.encode(), plain, associated.encode())
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": associated,
            "ciphertext": base64.b64encode(sealed).decode(),
        }

    def sign_headers(self, body: bytes, *, serial: str, age_seconds: float = 0) -> dict[str, str]:
        """Return the four signed headers, and the kind of signature, for a body."""
        timestamp, nonce = str(int(time.time() - age_seconds)), secrets.token_hex(16)
        named, signature = self.sign(f"{timestamp}\n{nonce}\n{body.decode()}\n", serial=serial)
        return {
            "Wechatpay-Serial": named,
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": signature,
            "Wechatpay-Signature-Type": SCHEME,
        }

    def answer(self, data: Mapping[str, Any] | None, *, status: int, serial: str) -> Reply:
        """Return a signed answer."""
        body = b"" if data is None else json.dumps(data, ensure_ascii=False).encode()
        headers = self.sign_headers(body, serial=serial)
        return Reply(status=status, body=body, content_type="application/json", headers=headers)


def make_certificate() -> dict[str, str]:
    """Return a new certificate of the platform with its key: valid from an hour ago, five years."""
    text = signing.make_private_key()
    key = signing.load_key(text)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign (simulated)")])
    serial = x509.random_serial_number() | (1 << 158)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    start, end = now - dt.timedelta(hours=1), now + dt.timedelta(days=5 * 365)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .sign(key, SHA256())
    )
    return {
        "serial": f"{serial:X}",
        "key": text,
        "pem": certificate.public_bytes(Encoding.PEM).decode(),
        "from": start.isoformat(),
        "until": end.isoformat(),
    }


def print_time(moment: float) -> str:
    """Return a moment as the platform prints it: Beijing time with its offset."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(moment + 8 * 3600))


def digest(*parts: object) -> str:
    """Return a stable hexadecimal mark of some values."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
