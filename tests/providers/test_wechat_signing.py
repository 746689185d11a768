"""What a signature of WeChat Pay covers, whose key counts and when, what opens."""

import base64
import datetime as dt

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kameng.payments.providers.wechat import signing
from kameng.payments.providers.wechat.signing import PlatformKey, SignatureFault, SignedHeaders
from kameng_simulator import signing as peers
from tests.providers.cases import WECHAT_KEY_ID, app_key, gateway_key
from tests.providers.wechat import FAR, KEYS, NONCE, NOW, head

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)
PUBLIC = FAR.key


def fault(headers: dict[str, str]) -> str:
    with pytest.raises(SignatureFault) as caught:
        signing.read_headers(headers)
    assert str(caught.value) == caught.value.code
    return caught.value.code


def fault_of_signed(signed: SignedHeaders, body: bytes = b"{}", *, now: dt.datetime = NOW) -> str:
    """Return why signed headers prove nothing, or `ok`."""
    try:
        signing.verify_signed(signed, body, keys=KEYS, now=now)
    except SignatureFault as problem:
        return problem.code
    return "ok"


# --- keys --------------------------------------------------------------------------------------


def test_a_key_counts_from_five_minutes_before_its_time_to_its_end() -> None:
    key = PlatformKey(serial="1", key=PUBLIC, valid_from=NOW, valid_until=NOW + DAY)

    for moment, counts in (
        (NOW - signing.MAX_SKEW - SECOND, False),
        (NOW - signing.MAX_SKEW, True),
        (NOW + DAY - SECOND, True),
        (NOW + DAY, False),
    ):
        assert key.is_valid(moment) is counts


def test_a_public_key_has_no_beginning_and_no_end() -> None:
    assert FAR.is_valid(NOW - 9999 * DAY)
    assert FAR.is_valid(NOW + 9999 * DAY)
    begun = PlatformKey(serial="1", key=PUBLIC, valid_from=NOW)
    assert begun.is_valid(NOW + 9999 * DAY)
    assert not begun.is_valid(NOW - DAY)


def private_text(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return base64.b64encode(
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    ).decode()


def public_text(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def test_keys_that_are_short_or_on_a_curve_are_refused() -> None:
    short = rsa.generate_private_key(65_537, 1024)
    curve = ec.generate_private_key(ec.SECP256R1())

    for key in (short, curve):
        with pytest.raises(ValueError, match="^no RSA key of 2048 bits$"):
            signing.load_private_key(private_text(key))
        with pytest.raises(ValueError, match="^no RSA key of 2048 bits$"):
            signing.load_public_key(public_text(key.public_key()))
    assert signing.load_private_key(app_key()).key_size == 2048


@pytest.mark.parametrize("text", ["!", "AAA", "A A=", "é"])
def test_base64_is_read_strictly(text: str) -> None:
    with pytest.raises(ValueError, match="^no base64$"):
        signing.decode_base64(text)
    assert signing.decode_base64("QUI=") == b"AB"


# --- what is signed ----------------------------------------------------------------------------


def test_a_text_signed_verifies_under_its_own_key_only() -> None:
    sign = signing.sign_text("名\n", app_key())
    own = signing.load_private_key(app_key()).public_key()

    assert signing.has_valid_signature("名\n".encode(), signature=sign, key=own)
    assert not signing.has_valid_signature("名".encode(), signature=sign, key=own)
    assert not signing.has_valid_signature("名\n".encode(), signature=sign, key=PUBLIC)
    for bad in ("", "!", sign[:-4], "é"):
        assert not signing.has_valid_signature("名\n".encode(), signature=bad, key=own)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://api.mch.weixin.qq.com", "/"),
        ("https://api.mch.weixin.qq.com?a=1", "/?a=1"),
        ("https://api.mch.weixin.qq.com/v3/x", "/v3/x"),
        ("https://api.mch.weixin.qq.com/v3/x?a=1&b=%E5%8D%A1", "/v3/x?a=1&b=%E5%8D%A1"),
        ("https://api.mch.weixin.qq.com/v3/x#there", "/v3/x"),
    ],
)
def test_of_an_address_path_and_query_are_signed(url: str, target: str) -> None:
    text = signing.join_request(
        method="POST", url=url, timestamp="1", nonce="n", body="值".encode()
    )

    assert text == f"POST\n{target}\n1\nn\n值\n"


# --- headers -----------------------------------------------------------------------------------


def test_headers_are_read_by_whatever_case() -> None:
    given = head(b"{}")
    loud = {name.upper(): value for name, value in given.items()}

    assert signing.read_headers(loud) == SignedHeaders(
        serial=WECHAT_KEY_ID,
        timestamp=str(int(NOW.timestamp())),
        nonce=NONCE,
        signature=given["wechatpay-signature"],
    )
    named = {**given, "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048"}
    assert signing.read_headers(named).nonce == NONCE


@pytest.mark.parametrize("name", ["serial", "timestamp", "nonce", "signature"])
def test_each_header_must_be_there(name: str) -> None:
    given = head(b"{}")

    assert fault({**given, f"wechatpay-{name}": ""}) == f"missing_{name}"
    del given[f"wechatpay-{name}"]
    assert fault(given) == f"missing_{name}"


@pytest.mark.parametrize(("name", "longest"), [("nonce", 64), ("serial", 96), ("signature", 2048)])
def test_headers_are_bounded(name: str, longest: int) -> None:
    given = head(b"{}")

    assert signing.read_headers({**given, f"wechatpay-{name}": "A" * longest})
    assert fault({**given, f"wechatpay-{name}": "A" * (longest + 1)}) == "malformed"


@pytest.mark.parametrize("value", ["é", "a\nb", "a\x00", "１"])
@pytest.mark.parametrize("name", ["serial", "timestamp", "nonce", "signature"])
def test_headers_are_printable_ascii(name: str, value: str) -> None:
    assert fault({**head(b"{}"), f"wechatpay-{name}": value}) == "malformed"


def test_a_probe_and_another_kind_of_signature_are_told_apart() -> None:
    given = head(b"{}")

    probe = {**given, "wechatpay-signature": "WECHATPAY/SIGNTEST/abc"}
    assert fault(probe) == "signature_probe"
    other = {**given, "wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}
    assert fault(other) == "bad_signature_type"


def signed(*, at: dt.datetime = NOW, **changes: str) -> SignedHeaders:
    given = signing.read_headers(head(b"{}", at=at))
    return SignedHeaders(
        **{
            "serial": given.serial,
            "timestamp": given.timestamp,
            "nonce": given.nonce,
            "signature": given.signature,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        (0, "ok"),
        (300, "ok"),
        (-300, "ok"),
        (301, "stale_timestamp"),
        (-301, "stale_timestamp"),
    ],
)
def test_signed_headers_count_for_five_minutes_each_way(seconds: int, outcome: str) -> None:
    assert fault_of_signed(signed(at=NOW + seconds * SECOND)) == outcome


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"timestamp": "x"}, "bad_timestamp"),
        ({"timestamp": "-1"}, "bad_timestamp"),
        ({"timestamp": "1" * 13}, "bad_timestamp"),
        ({"timestamp": "1" * 12}, "stale_timestamp"),
        ({"serial": "OTHER"}, "unknown_serial"),
        ({"nonce": "n"}, "bad_signature"),
        ({"signature": "AAAA"}, "bad_signature"),
    ],
)
def test_signed_headers_that_prove_nothing_say_why(changes: dict[str, str], code: str) -> None:
    assert fault_of_signed(signed(**changes)) == code


def test_the_body_is_signed_as_it_came() -> None:
    assert fault_of_signed(signed(), b"{} ") == "bad_signature"


def test_a_key_out_of_its_time_is_as_unknown() -> None:
    ended = {WECHAT_KEY_ID: PlatformKey(serial=WECHAT_KEY_ID, key=PUBLIC, valid_until=NOW)}

    with pytest.raises(SignatureFault) as caught:
        signing.verify_signed(signed(), b"{}", keys=ended, now=NOW)
    assert caught.value.code == "unknown_serial"


# --- what is sealed ----------------------------------------------------------------------------

KEY, SEAL_NONCE = "k" * 32, "n" * 12


def test_a_resource_opens_under_its_key_its_nonce_and_what_belongs_to_it() -> None:
    sealed = AESGCM(KEY.encode()).encrypt(SEAL_NONCE.encode(), b"{}", b"transaction")
    right = {
        "nonce": SEAL_NONCE,
        "associated": "transaction",
        "ciphertext": base64.b64encode(sealed).decode(),
    }

    assert signing.open_sealed(KEY, **right) == b"{}"
    for change in ({"nonce": "m" * 12}, {"nonce": "n"}, {"associated": "refund"}):
        with pytest.raises(ValueError, match="^sealed under another key$"):
            signing.open_sealed(KEY, **{**right, **change})
    for key in ("x" * 32, "short"):
        with pytest.raises(ValueError, match="^sealed under another key$"):
            signing.open_sealed(key, **right)
    with pytest.raises(ValueError, match="^no base64$"):
        signing.open_sealed(KEY, **{**right, "ciphertext": "!"})


def test_a_field_is_encrypted_for_the_platform_alone() -> None:
    sealed = base64.b64decode(signing.encrypt_for(PUBLIC, "张三"), validate=True)
    oaep = padding.OAEP(mgf=padding.MGF1(SHA1()), algorithm=SHA1(), label=None)

    platform, ours = (peers.load_key(key) for key in (gateway_key(), app_key()))
    assert platform.decrypt(sealed, oaep).decode() == "张三"
    with pytest.raises(ValueError, match=r".+"):
        ours.decrypt(sealed, oaep)
