"""Which certificates of UnionPay and of a merchant are read, and why others are not."""

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from kameng.payments.providers.unionpay import certificates
from kameng.payments.providers.unionpay.certificates import OWNER, NoKey, load_merchant
from kameng_simulator.certificates import Papers, make_papers

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)
PASSWORD = "Correct-Word-7"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@pytest.fixture(scope="module")
def own() -> Papers:
    return make_papers("777290012345678")


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def certify(
    key: Key,
    *names: str,
    issuer: tuple[x509.Certificate, Key] | None = None,
    is_ca: bool | None = False,
) -> x509.Certificate:
    """Return a certificate of ten days around NOW, signed by itself or by an issuer."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each) for each in names])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(NOW - 5 * DAY)
        .not_valid_after(NOW + 5 * DAY)
    )
    if is_ca is not None:
        constraint = x509.BasicConstraints(ca=is_ca, path_length=None)
        builder = builder.add_extension(constraint, critical=True)
    return builder.sign(issuer[1] if issuer else key, SHA256())


def pem(*certs: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certs)


def lock(password: str) -> KeySerializationEncryption:
    return BestAvailableEncryption(password.encode()) if password else NoEncryption()


def pem_key(key: Key, *, password: str = "") -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock(password)).decode()


def pack(
    key: Key | None, cert: x509.Certificate | None, *, password: str, rest: bool = False
) -> str:
    others = [certify(rsa.generate_private_key(65_537, 2048), "x")] if rest else None
    raw = pkcs12.serialize_key_and_certificates(b"m", key, cert, others, lock(password))
    return base64.b64encode(raw).decode()


def refused(text: str, password: str) -> bool:
    """Tell whether a refusal blames the password."""
    with pytest.raises(NoKey) as caught:
        load_merchant(text, password)
    assert str(caught.value) == "no merchant key"
    return caught.value.wrong_password


# --- the merchant's own ------------------------------------------------------------------------


def test_a_pfx_gives_key_number_and_end(key: rsa.RSAPrivateKey) -> None:
    packed = pack(key, certify(key, "m"), password=PASSWORD)

    merchant = load_merchant(packed, PASSWORD)

    assert merchant.key.private_numbers() == key.private_numbers()
    assert (merchant.cert_id, merchant.expires_at) == ("4711", NOW + 5 * DAY)
    folded = "\r\n".join(packed[i : i + 64] for i in range(0, len(packed), 64))
    assert load_merchant(f" {folded}\n", PASSWORD).cert_id == "4711"


def test_a_pfx_without_a_password_is_read_without_one(key: rsa.RSAPrivateKey) -> None:
    assert load_merchant(pack(key, certify(key, "m"), password=""), "").cert_id == "4711"


def test_a_wrong_password_is_told_from_a_wrong_file(key: rsa.RSAPrivateKey) -> None:
    packed = pack(key, certify(key, "m"), password=PASSWORD)

    assert refused(packed, "Wrong-Word-7") is True
    assert refused(packed, "") is True
    for text in ("", "!", packed[:40] + "!" + packed[40:], "AAAA", "名"):
        assert refused(text, PASSWORD) is False
    no_pfx = base64.b64encode(certify(key, "m").public_bytes(Encoding.DER)).decode()
    assert refused(no_pfx, PASSWORD) is False


def test_a_pfx_of_half_a_pair_is_refused(key: rsa.RSAPrivateKey) -> None:
    assert refused(pack(key, None, password=PASSWORD), PASSWORD) is False
    assert refused(pack(None, None, password=PASSWORD, rest=True), PASSWORD) is False


def test_a_pem_of_certificate_and_key_is_read_locked_or_not(key: rsa.RSAPrivateKey) -> None:
    certificate = pem(certify(key, "m"))
    plain, locked = pem_key(key), pem_key(key, password=PASSWORD)

    for text, password in (
        (certificate + plain, ""),
        (plain + certificate, "unused"),
        (certificate + locked, PASSWORD),
    ):
        assert load_merchant(text, password).key.private_numbers() == key.private_numbers()
    assert refused(certificate + locked, "Wrong-Word-7") is True
    assert refused(certificate + locked, "") is True
    assert refused(certificate, "") is False
    assert refused(plain, "") is False
    broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    assert refused(certificate + broken, "") is False


def test_a_key_that_is_short_on_a_curve_or_another_ones_is_refused(key: rsa.RSAPrivateKey) -> None:
    short = rsa.generate_private_key(65_537, 1024)
    curve = ec.generate_private_key(ec.SECP256R1())

    assert refused(pem(certify(short, "m")) + pem_key(short), "") is False
    assert refused(pem(certify(curve, "m")) + pem_key(curve), "") is False
    assert refused(pem(certify(curve, "m")) + pem_key(key), "") is False
    other = rsa.generate_private_key(65_537, 2048)
    assert refused(pem(certify(other, "m")) + pem_key(key), "") is False


def test_a_refusal_blames_the_password_only_when_told() -> None:
    assert NoKey().wrong_password is False


# --- authorities -------------------------------------------------------------------------------


def test_a_bundle_holds_one_to_six_authorities(key: rsa.RSAPrivateKey) -> None:
    authority = certify(key, "root", is_ca=True)

    assert certificates.load_bundle(pem(authority)) == (authority,)
    assert len(certificates.load_bundle(pem(*[authority] * 6))) == 6
    for text, why in (
        ("", "no certificates"),
        (pem(*[authority] * 7), "no certificates"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "no certificate"),
        (pem(certify(key, "x")), "no authority"),
        (pem(certify(key, "x", is_ca=None)), "no authority"),
        (pem(authority, certify(key, "x")), "no authority"),
    ):
        with pytest.raises(ValueError, match=f"^{why}$"):
            certificates.load_bundle(text)


def test_a_root_vouches_for_itself_and_for_what_it_signed(key: rsa.RSAPrivateKey) -> None:
    root = certify(key, "root", is_ca=True)
    other_key = rsa.generate_private_key(65_537, 2048)
    same_name = certify(other_key, "root", is_ca=True)
    middle = certify(other_key, "middle", issuer=(root, key), is_ca=True)

    assert certificates.is_root(root)
    assert not certificates.is_root(middle)
    assert certificates.is_vouched_for(middle, (same_name, root))
    assert not certificates.is_vouched_for(middle, (same_name,))
    assert not certificates.is_vouched_for(middle, ())


def test_a_certificate_lasts_to_its_last_second(key: rsa.RSAPrivateKey) -> None:
    certificate = certify(key, "x")

    assert not certificates.has_expired(certificate, NOW + 5 * DAY)
    assert certificates.has_expired(certificate, NOW + 5 * DAY + SECOND)


# --- who signed --------------------------------------------------------------------------------


def read(text: str, chain: tuple[str, str], *, now: dt.datetime = NOW) -> rsa.RSAPublicKey | None:
    return certificates.read_signer(
        text, roots=chain[0], middles=chain[1], owners=(OWNER,), now=now
    )


NAME = f"041@8310000000083040@{OWNER}@00016495"


def test_a_signer_counts_in_its_time_to_the_second(key: rsa.RSAPrivateKey) -> None:
    root = certify(key, "root", is_ca=True)
    middle_key, signer_key = (rsa.generate_private_key(65_537, 2048) for _ in range(2))
    middle = certify(middle_key, "middle", issuer=(root, key), is_ca=True)
    signer = certify(signer_key, NAME, issuer=(middle, middle_key))
    chain = (pem(root), pem(middle))

    for moment in (NOW - 5 * DAY, NOW, NOW + 5 * DAY):
        found = read(pem(signer), chain, now=moment)
        assert found is not None
        assert found.public_numbers() == signer_key.public_key().public_numbers()
    for moment in (NOW - 5 * DAY - SECOND, NOW + 5 * DAY + SECOND):
        assert read(pem(signer), chain, now=moment) is None
    assert read(pem(signer, signer), chain) is None
    assert read(pem(signer) + "x" * 16_384, chain) is None
    assert read("", chain) is None


def test_a_signer_needs_one_name_with_unionpay_in_its_third_part(key: rsa.RSAPrivateKey) -> None:
    root = certify(key, "root", is_ca=True)
    middle_key, signer_key = (rsa.generate_private_key(65_537, 2048) for _ in range(2))
    middle = certify(middle_key, "middle", issuer=(root, key), is_ca=True)
    chain = (pem(root), pem(middle))
    issuer = (middle, middle_key)

    for names in ((), (OWNER,), (f"041@{OWNER}",), (f"041@x@y@{OWNER}",), (NAME, NAME)):
        assert read(pem(certify(signer_key, *names, issuer=issuer)), chain) is None
    assert read(pem(certify(signer_key, f"a@b@{OWNER}", issuer=issuer)), chain) is not None
    no_word = certify(signer_key, NAME, issuer=issuer, is_ca=None)
    assert read(pem(no_word), chain) is not None
    assert read(pem(certify(signer_key, NAME, issuer=issuer, is_ca=True)), chain) is None


def test_a_signer_with_a_short_key_or_one_on_a_curve_proves_nothing(key: rsa.RSAPrivateKey) -> None:
    root = certify(key, "root", is_ca=True)
    middle_key = rsa.generate_private_key(65_537, 2048)
    middle = certify(middle_key, "middle", issuer=(root, key), is_ca=True)

    for weak in (rsa.generate_private_key(65_537, 1024), ec.generate_private_key(ec.SECP256R1())):
        signer = certify(weak, NAME, issuer=(middle, middle_key))
        assert read(pem(signer), (pem(root), pem(middle))) is None


def test_the_played_unionpay_is_read_by_its_own_chain(own: Papers) -> None:
    assert read(own.signer, (own.root, own.middle), now=dt.datetime.now(dt.UTC)) is not None
