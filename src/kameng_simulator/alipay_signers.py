"""How the simulated Alipay signs: with one key that stands, or with certificates that change."""

from collections.abc import Callable, Mapping
from typing import Protocol

from kameng_simulator import signing
from kameng_simulator.alipay_answers import Answer, Refused
from kameng_simulator.alipay_certs import Authority, encode_file, number
from kameng_simulator.alipay_moves import AlipayMoves
from kameng_simulator.store import Store


class Signer(Protocol):
    """What differs between an app with a public key and one with certificates."""

    def describe(self) -> dict[str, str]:
        """Return what a shop enters of it."""
        ...

    def check(self, fields: Mapping[str, str]) -> None:
        """Look at what a call says of certificates; raise Refused."""
        ...

    def sign(self, text: str) -> str:
        """Return a signature in base64."""
        ...

    def seal(self, text: str) -> tuple[str, str]:
        """Return what a reply says of its certificate, as JSON text, and the signature by it."""
        ...

    def methods(self) -> Mapping[str, Callable[[Answer], Answer]]:
        """Return the methods that only this kind of app may call."""
        ...

    def rotate(self) -> str:
        """Sign with something new; raise ValueError where there is no such thing."""
        ...


class PlainSigner:
    """Public-key mode."""

    def __init__(self, store: Store) -> None:
        self._key = signing.load_key(store.remember("alipay_own_key", signing.make_private_key))

    def describe(self) -> dict[str, str]:
        """Return the mode and the key."""
        return {"mode": "key", "alipay_public_key": signing.publish_key(self._key)}

    def check(self, fields: Mapping[str, str]) -> None:
        """Refuse nothing: such a call says nothing of certificates."""

    def sign(self, text: str) -> str:
        """Return a signature in base64."""
        return signing.sign_rsa(text, self._key)

    def seal(self, text: str) -> tuple[str, str]:
        """Return nothing, and the signature."""
        return "", self.sign(text)

    def methods(self) -> Mapping[str, Callable[[Answer], Answer]]:
        """Return none."""
        return {}

    def rotate(self) -> str:
        """Refuse."""
        raise ValueError("支付宝公钥模式没有平台密钥轮换")


class CertificateSigner:
    """Certificate mode; only such an app may send money to people."""

    def __init__(self, authority: Authority, moves: AlipayMoves) -> None:
        self._authority = authority
        self._moves = moves

    def describe(self) -> dict[str, str]:
        """Return the mode and the three files."""
        return {
            "mode": "certificate",
            "app_cert": self._authority.app_file,
            "alipay_cert": self._authority.find_file(self._authority.current_sn) or "",
            "alipay_root_cert": self._authority.root_file,
        }

    def check(self, fields: Mapping[str, str]) -> None:
        """Compare the two numbers that a call must name."""
        if fields.get("app_cert_sn") != number(self._authority.app):
            raise Refused("isv.invalid-app-cert-sn", "应用公钥证书序列号无效", code="40002")
        if fields.get("alipay_root_cert_sn") != number(self._authority.root):
            raise Refused("isv.invalid-alipay-root-cert-sn", "支付宝根证书序列号无效", code="40002")

    def sign(self, text: str) -> str:
        """Return a signature in base64, by the newest certificate."""
        return self.seal(text)[1]

    def seal(self, text: str) -> tuple[str, str]:
        """Return the number of the newest certificate and the signature by its key."""
        sn = self._authority.current_sn
        signature = signing.sign_rsa(text, self._authority.find_key(sn))
        return f',"alipay_cert_sn":"{sn}"', signature

    def methods(self) -> Mapping[str, Callable[[Answer], Answer]]:
        """Return the download of certificates, and the transfers."""
        return {
            "alipay.open.app.alipaycert.download": self._download,
            "alipay.fund.trans.uni.transfer": self._moves.transfer,
            "alipay.fund.trans.common.query": self._moves.query_transfer,
        }

    def _download(self, content: Answer) -> Answer:
        found = self._authority.find_file(str(content.get("alipay_cert_sn")))
        if found is None:
            raise Refused("CERT_NOT_EXIST", "证书不存在")
        return {"alipay_cert_content": encode_file(found)}

    def rotate(self) -> str:
        """Sign with a new certificate from now on."""
        return f"支付宝已换用新的公钥证书 {self._authority.renew()}，旧证书不再使用"
