"""The certificate authority of the simulated Alipay, made at first start and kept.

A root file of two (one RSA, one on a curve, as the real file mixes them), one authority for apps
and one for Alipay itself, and the certificates of both sides. Alipay's can be changed; a shop then
fetches the new one by its number.
"""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kameng_simulator import signing
from kameng_simulator.store import Store

YEARS = 20
SERIALS = "alipay_cert_serials"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Authority:
    """Everything that certifies: roots, authorities, the app's certificate and Alipay's."""

    def __init__(self, store: Store, *, app_key: rsa.RSAPrivateKey, seller_id: str) -> None:
        self._store = store
        self._seller_id = seller_id
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._root_key = self._keep_key("root")
        self._apps_key, self._own_key = self._keep_key("class1"), self._keep_key("class2")
        root, class1, class2 = (
            make_name("Kameng Simulated Certification Authority R1"),
            make_name("Kameng Simulated Certification Authority Class 1 R1"),
            make_name("Kameng Simulated Certification Authority Class 2 R1"),
        )
        self._class2_name = class2
        self.root = self._keep("root", lambda: issue(root, self._root_key, root, self._root_key))
        self._curve = self._keep("curve", make_curve_root)
        self._class1 = self._keep(
            "class1", lambda: issue(class1, self._apps_key, root, self._root_key)
        )
        self._class2 = self._keep(
            "class2", lambda: issue(class2, self._own_key, root, self._root_key)
        )
        self.app = self._keep(
            "app",
            lambda: issue(
                make_name(f"卡盟演示-{seller_id}", owner="卡盟演示商户"),
                app_key,
                class1,
                self._apps_key,
                is_authority=False,
            ),
        )
        self._serials: list[str] = json.loads(store.remember(SERIALS, lambda: "[]"))
        if not self._serials:
            self.renew()

    @property
    def root_file(self) -> str:
        """The root file as a shop gets it: the order is nobody's promise."""
        return self._curve + self.root

    @property
    def app_file(self) -> str:
        """The app's certificate with who issued it."""
        return self.app + self._class1

    @property
    def current_sn(self) -> str:
        """The number of the certificate that Alipay signs with now."""
        return self._serials[-1]

    def find_file(self, sn: str) -> str | None:
        """Return a certificate of Alipay's by its number, with who issued it."""
        if sn not in self._serials:
            return None
        return self._store.remember(f"alipay_cert_{sn}", lambda: "") + self._class2

    def find_key(self, sn: str) -> rsa.RSAPrivateKey:
        """Return the key of one of Alipay's certificates; loading it takes milliseconds."""
        if sn not in self._keys:
            text = self._store.remember(f"alipay_key_{sn}", lambda: "")
            self._keys[sn] = signing.load_key(text)
        return self._keys[sn]

    def renew(self) -> str:
        """Make a new key and certificate for Alipay; return its number."""
        text = signing.make_private_key()
        subject = make_name(
            f"支付宝（模拟）-{self._seller_id}", owner="支付宝（模拟）网络技术有限公司"
        )
        pem = issue(
            subject, signing.load_key(text), self._class2_name, self._own_key, is_authority=False
        )
        sn = number(pem)
        self._store.remember(f"alipay_key_{sn}", lambda: text)
        self._store.remember(f"alipay_cert_{sn}", lambda: pem)
        with self._store.transaction():
            kept: list[str] = json.loads(self._store.remember(SERIALS, lambda: "[]"))
            self._serials = [*kept, sn]
            self._store.overwrite(SERIALS, json.dumps(self._serials))
        return sn

    def _keep(self, name: str, make: Callable[[], str]) -> str:
        return self._store.remember(f"alipay_ca_{name}", make)

    def _keep_key(self, name: str) -> rsa.RSAPrivateKey:
        return signing.load_key(
            self._store.remember(f"alipay_ca_{name}_key", signing.make_private_key)
        )


def issue(
    subject: x509.Name, key: Key, issuer: x509.Name, issuer_key: Key, *, is_authority: bool = True
) -> str:
    """Return a certificate as PEM."""
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def number(pem: str) -> str:
    """Return Alipay's number of the first certificate: MD5 of issuer, last part first, and serial.

    Written apart from the shop's: the parts of the name are joined by hand.
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    short = {
        NameOID.COMMON_NAME: "CN",
        NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
        NameOID.ORGANIZATION_NAME: "O",
        NameOID.COUNTRY_NAME: "C",
    }
    parts = [f"{short[part.oid]}={part.value!s}" for part in certificate.issuer]
    text = ",".join(reversed(parts)) + str(certificate.serial_number)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def encode_file(pem: str) -> str:
    """Return a file as the download gives it."""
    return base64.b64encode(pem.encode()).decode()


def make_name(common: str, *, owner: str = "Kameng Simulator") -> x509.Name:
    """Return a name of four parts."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, owner),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def make_curve_root() -> str:
    """Return a root whose key is on a curve."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        make_name("Kameng Simulated Certification Authority E1"),
    )
    return issue(name, key, name, key)
