"""The certificates of the UnionPay that is played: its own authority, its signer, the merchant's.

Made once at the first start and kept. Nothing outside this machine trusts them.
"""

import base64
import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)

from kameng_simulator import signing

OWNER: Final = "中国银联股份有限公司"
YEARS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """Certificates in PEM, keys as `signing.make_private_key` writes them."""

    root: str
    middle: str
    middle_key: str
    signer: str
    signer_key: str
    merchant: str
    merchant_pfx: str
    password: str

    def to_text(self) -> str:
        """Return it as it is kept."""
        return json.dumps(asdict(self))


def read_papers(text: str) -> Papers:
    """Read what `Papers.to_text` gave."""
    return Papers(**json.loads(text))


def make_papers(mer_id: str) -> Papers:
    """Make an authority, UnionPay's signer and a merchant's certificate."""
    root_key, middle_key, merchant_key = (signing.make_private_key() for _ in range(3))
    root = issue("CFCA SIMULATED CS CA", root_key, issuer="", issuer_key=root_key, is_ca=True)
    middle = issue("CFCA SIMULATED OCA31", middle_key, issuer=root, issuer_key=root_key, is_ca=True)
    signer, signer_key = make_signer(middle, middle_key)
    name = f"041@N{mer_id}@{mer_id}@00000001"
    merchant = issue(name, merchant_key, issuer=middle, issuer_key=middle_key)
    password = signing.make_secret(12)
    packed = pkcs12.serialize_key_and_certificates(
        mer_id.encode(),
        signing.load_key(merchant_key),
        load(merchant),
        None,
        BestAvailableEncryption(password.encode()),
    )
    return Papers(
        root=root,
        middle=middle,
        middle_key=middle_key,
        signer=signer,
        signer_key=signer_key,
        merchant=merchant,
        merchant_pfx=base64.b64encode(packed).decode(),
        password=password,
    )


def make_signer(middle: str, middle_key: str, *, owner: str = OWNER) -> tuple[str, str]:
    """Return a certificate that signs as UnionPay, and its key."""
    key = signing.make_private_key()
    name = f"041@8310000000083040@{owner}@00016495"
    return issue(name, key, issuer=middle, issuer_key=middle_key), key


def issue(
    name: str,
    key: str,
    *,
    issuer: str,
    issuer_key: str,
    is_ca: bool = False,
    starts_at: dt.datetime | None = None,
    ends_at: dt.datetime | None = None,
) -> str:
    """Return a certificate in PEM; without an issuer it vouches for itself."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = starts_at or dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(load(issuer).subject if issuer else subject)
        .public_key(signing.load_key(key).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(ends_at or start + dt.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(signing.load_key(issuer_key), SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def load(text: str) -> x509.Certificate:
    """Load a certificate in PEM."""
    return x509.load_pem_x509_certificate(text.encode())


def public_key_of(text: str) -> rsa.RSAPublicKey:
    """Return the key that a certificate vouches for."""
    key = load(text).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("not an RSA key")
    return key
