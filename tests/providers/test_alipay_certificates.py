"""Certificates of Alipay: numbers, chains, swapped files, and one that changed meanwhile."""

import base64
import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from kameng.payments.providers.alipay import certificates, trusting, wire
from kameng.payments.providers.alipay.config import Config
from kameng.payments.providers.port import (
    CallbackRejected,
    ConfigInvalid,
    PaidStatus,
    ProviderUncertain,
)
from kameng_simulator import alipay_certs, signing
from tests.providers.cases import (
    alipay_authority,
    app_key,
    gateway_key,
    make_alipay_keys,
    make_case,
    make_request,
)
from tests.providers.world import Shop, World

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def form() -> dict[str, str]:
    return make_case("alipay_cert").form


def problems_of(form: dict[str, str], **changes: str) -> dict[str, str]:
    with pytest.raises(ConfigInvalid) as caught:
        Config.from_form({**form, **changes})
    return caught.value.problems


def test_the_number_is_the_md5_of_issuer_from_its_end_and_decimal_serial() -> None:
    """The text and its MD5 were computed apart (`printf … | md5sum`)."""
    issuer = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ant Financial"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
            x509.NameAttribute(
                NameOID.COMMON_NAME, "Ant Financial Certification Authority Class 2 R1"
            ),
        ]
    )

    assert certificates.make_sn(issuer, 53_287_619_433_226_712_094) == (
        "f4a15d29028075c1a2322916f1e04fbd"
    )


def test_only_rsa_roots_have_a_number(form: dict[str, str]) -> None:
    made = alipay_authority()

    numbers = certificates.number_roots(form["alipay_root_cert"])

    assert numbers == alipay_certs.number(made["root"])
    both = made["root"] + made["class1"] + made["curve"]
    two = f"{numbers}_{alipay_certs.number(made['class1'])}"
    assert certificates.number_roots(both) == two


def test_calls_name_both_numbers_and_sign_them(form: dict[str, str]) -> None:
    config, made = Config.from_form(form), alipay_authority()

    fields = wire.build_fields(config, method="alipay.trade.query", content={}, now=NOW)

    assert fields["app_cert_sn"] == alipay_certs.number(made["app"])
    assert fields["alipay_root_cert_sn"] == alipay_certs.number(made["root"])
    text = signing.join_sorted(fields, without=("sign",))
    assert "app_cert_sn=" in text
    public = signing.load_key(app_key()).public_key()
    assert signing.verify_rsa(text, signature=fields["sign"], key=public)


def test_key_mode_names_no_certificates() -> None:
    config = Config.from_form(make_case("alipay").form)

    fields = wire.build_fields(config, method="alipay.trade.query", content={}, now=NOW)

    assert not {"app_cert_sn", "alipay_root_cert_sn"} & set(fields)


def test_what_the_other_mode_needs_is_not_kept(form: dict[str, str]) -> None:
    both = {**form, **make_alipay_keys()}

    by_certificate = Config.from_form(both)
    by_key = Config.from_form({**both, "mode": "key", "app_cert": "rubbish"})

    assert by_certificate.alipay_public_key == ""
    assert (by_key.app_cert, by_key.alipay_cert, by_key.alipay_root_cert) == ("", "", "")
    assert by_key.alipay_key == by_certificate.alipay_key


@pytest.mark.parametrize("name", ["app_cert", "alipay_cert", "alipay_root_cert"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "MIIB",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_empty_and_broken_certificates_are_refused(
    form: dict[str, str], name: str, value: str
) -> None:
    assert len(problems_of(form, **{name: value})[name]) > 5


def test_swapped_certificates_are_named(form: dict[str, str]) -> None:
    swapped = problems_of(form, app_cert=form["alipay_cert"], alipay_cert=form["app_cert"])
    rooted = problems_of(
        form, alipay_cert=form["alipay_root_cert"], alipay_root_cert=form["alipay_cert"]
    )

    assert "不是一对" in swapped["app_cert"]
    assert "应用公钥证书" in swapped["alipay_cert"]
    assert "根证书" in rooted["alipay_root_cert"]
    assert "alipay_cert" in rooted


def test_certificate_of_another_root_or_a_curve_alone_is_refused(form: dict[str, str]) -> None:
    key = signing.load_key(signing.make_private_key())
    name = alipay_certs.make_name("Test R1")  # the same name, another key
    stranger = alipay_certs.issue(name, key, name, key)

    assert "alipay_cert" in problems_of(form, alipay_root_cert=stranger)
    alone = problems_of(form, alipay_root_cert=alipay_authority()["curve"])
    assert set(alone) == {"alipay_root_cert"}


def test_certificate_whose_issuer_may_not_issue_is_no_chain(form: dict[str, str]) -> None:
    """An app's certificate leads to the same root: it must not stand between."""
    made = alipay_authority()
    app, gateway = signing.load_key(app_key()), signing.load_key(gateway_key())
    shop = alipay_certs.make_name("卡盟-2088000000000011", owner="卡盟商户")
    owner = alipay_certs.make_name("支付宝-2088000000000011", owner="支付宝网络技术有限公司")
    forged = alipay_certs.issue(owner, gateway, shop, app, is_authority=False)

    chain = forged + made["app"] + made["class1"]

    assert set(problems_of(form, alipay_cert=chain)) == {"alipay_cert"}


def test_expired_certificates_are_refused_in_the_form_but_still_read(
    form: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Config.from_form(form).to_json()
    later = NOW + dt.timedelta(days=366 * alipay_certs.YEARS)
    monkeypatch.setattr("kameng.payments.providers.alipay.config.now", lambda: later)

    assert set(problems_of(form)) == {"app_cert", "alipay_cert"}
    assert Config.from_json(stored).to_json() == stored


def test_certificates_survive_lost_line_ends(form: dict[str, str]) -> None:
    flat = {name: " ".join(form[name].split("\n")) for name in ("app_cert", "alipay_cert")}
    windows = {"alipay_root_cert": "\ufeff" + form["alipay_root_cert"].replace("\n", "\r\n")}

    assert Config.from_form({**form, **flat, **windows}) == Config.from_form(form)


def test_unknown_mode_is_refused(form: dict[str, str]) -> None:
    assert "mode" in problems_of(form, mode="md5")


# --- a certificate that changed ----------------------------------------------------------------


def renewed(
    *, owner: str = "支付宝网络技术有限公司", new_key_text: str = ""
) -> tuple[str, str, dict[str, str]]:
    """Return number, file and form of an account whose Alipay changed its certificate."""
    root_key, class_key = (signing.load_key(signing.make_private_key()) for _ in range(2))
    root, class2 = alipay_certs.make_name("Test R1"), alipay_certs.make_name("Test C2")
    root_pem = alipay_certs.issue(root, root_key, root, root_key)
    class_pem = alipay_certs.issue(class2, class_key, root, root_key)
    first = alipay_certs.make_name("支付宝-1", owner="支付宝网络技术有限公司")
    gateway = signing.load_key(gateway_key())
    new_key = signing.load_key(new_key_text or signing.make_private_key())
    old_pem = alipay_certs.issue(first, gateway, class2, class_key, is_authority=False)
    name = alipay_certs.make_name("支付宝-2", owner=owner)
    new_pem = alipay_certs.issue(name, new_key, class2, class_key, is_authority=False)
    form = {
        **make_case("alipay_cert").form,
        "alipay_cert": old_pem + class_pem,
        "alipay_root_cert": root_pem,
    }
    return alipay_certs.number(new_pem), new_pem + class_pem, form


def test_fetched_certificate_proves_itself_by_chain_number_time_and_owner() -> None:
    sn, file, form = renewed()
    config = Config.from_form(form)
    content = base64.b64encode(file.encode()).decode()

    assert trusting.read_certificate(config, sn, content, moment=NOW)
    alone = base64.b64encode(file[: file.index("-----END")].encode() + b"-----END CERTIFICATE-----")
    assert trusting.read_certificate(config, sn, alone.decode(), moment=NOW)
    other_sn, other_file, _ = renewed()
    for wrong_sn, wrong, moment in (
        ("0" * 32, content, NOW),
        (sn, content, NOW + dt.timedelta(days=366 * alipay_certs.YEARS)),
        (other_sn, base64.b64encode(other_file.encode()).decode(), NOW),
        (sn, "!", NOW),
        (sn, "A" * (trusting.MAX_CONTENT + 4), NOW),
        (sn, base64.b64encode(b"nothing").decode(), NOW),
    ):
        with pytest.raises(ValueError, match=r".+"):
            trusting.read_certificate(config, wrong_sn, wrong, moment=moment)


def test_certificate_of_another_owner_is_not_alipays_though_the_chain_is_good() -> None:
    sn, file, form = renewed(owner="别家商户")
    config = Config.from_form(form)

    with pytest.raises(ValueError, match="owner"):
        trusting.read_certificate(config, sn, base64.b64encode(file.encode()).decode(), moment=NOW)
    made = alipay_authority()
    own = Config.from_form(make_case("alipay_cert").form)
    content = base64.b64encode((made["app"] + made["class1"]).encode()).decode()
    with pytest.raises(ValueError, match="owner"):
        trusting.read_certificate(own, alipay_certs.number(made["app"]), content, moment=NOW)


def tell(file: str, *, key: str, named: str, code: str = "10000") -> bytes:
    """Return the reply of a download, signed by a key and naming a certificate."""
    content = base64.b64encode(file.encode()).decode()
    source = json.dumps({"code": code, "alipay_cert_content": content})
    sign = signing.sign_rsa(source, signing.load_key(key))
    name = "alipay_open_app_alipaycert_download_response"
    return f'{{"{name}":{source},"alipay_cert_sn":"{named}","sign":"{sign}"}}'.encode()


@pytest.mark.parametrize("signed_by", ["old", "new", "old without its name"])
def test_a_download_is_learned_when_the_old_key_or_the_new_one_signed_it(signed_by: str) -> None:
    new_key = signing.make_private_key()
    sn, file, form = renewed(new_key_text=new_key)
    config = Config.from_form(form)
    key = new_key if signed_by == "new" else gateway_key()
    named = {"old": config.alipay_cert_sn, "new": sn}.get(signed_by, "")

    assert trusting.list_keys(config, sn) == []
    wire.learn_certificate(config, sn, tell(file, key=key, named=named), moment=NOW)

    assert trusting.list_keys(config, sn) == [signing.publish_key(signing.load_key(new_key))]
    source = '{"code":"10000"}'
    sign = signing.sign_rsa(source, signing.load_key(new_key))
    body = f'{{"x_response":{source},"sign":"{sign}","alipay_cert_sn":"{sn}"}}'.encode()
    assert wire.read_reply(config, method="x", body=body) == {"code": "10000"}


def test_a_download_that_proves_nothing_is_not_learned() -> None:
    new_key = signing.make_private_key()
    sn, file, form = renewed(new_key_text=new_key)
    config = Config.from_form(form)
    old = config.alipay_cert_sn
    stranger = signing.make_private_key()

    for body in (
        tell(file, key=stranger, named=old),
        tell(file, key=stranger, named=sn),
        tell(file, key=new_key, named=old),
        tell(file, key=gateway_key(), named=sn),
        tell(file, key=gateway_key(), named="0" * 32),
        tell(file, key=gateway_key(), named=old, code="40004"),
        tell("nothing", key=gateway_key(), named=old),
        tell(renewed()[1], key=gateway_key(), named=old),
    ):
        with pytest.raises(wire.UnknownCertificate) as caught:
            wire.learn_certificate(config, sn, body, moment=NOW)
        assert (caught.value.sn, caught.value.code) == (sn, "unknown_certificate")
        assert trusting.list_keys(config, sn) == []
    later = NOW + dt.timedelta(days=366 * alipay_certs.YEARS)
    with pytest.raises(wire.UnknownCertificate):
        wire.learn_certificate(config, sn, tell(file, key=new_key, named=sn), moment=later)


def test_a_reply_under_a_certificate_that_is_not_at_hand_names_it(form: dict[str, str]) -> None:
    config = Config.from_form(form)
    source = '{"code":"10000"}'
    sign = signing.sign_rsa(source, signing.load_key(gateway_key()))
    body = f'{{"x_response":{source},"sign":"{sign}","alipay_cert_sn":"{"a" * 32}"}}'.encode()

    with pytest.raises(wire.UnknownCertificate) as caught:
        wire.read_reply(config, method="x", body=body)

    assert caught.value.sn == "a" * 32


def test_a_pasted_text_becomes_clean_blocks_one_a_line_of_64() -> None:
    block = "A" * 70
    pasted = (
        f"x -----BEGIN CERTIFICATE----- {block[:30]}\r\n{block[30:]} -----END CERTIFICATE----- y"
    )
    clean = f"-----BEGIN CERTIFICATE-----\n{'A' * 64}\n{'A' * 6}\n-----END CERTIFICATE-----"

    assert certificates.clean_pem(pasted) == clean
    assert certificates.clean_pem(pasted + pasted) == f"{clean}\n{clean}"
    assert certificates.clean_pem("nothing") == ""


def make_bare() -> x509.Certificate:
    """Return a certificate of itself with a short key, which says nothing of what it may do."""
    key = rsa.generate_private_key(65_537, 1024)
    name = alipay_certs.make_name("bare")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + dt.timedelta(days=1))
        .sign(key, SHA256())
    )


def test_a_key_on_a_curve_or_a_short_one_is_no_key_of_alipays() -> None:
    [curve] = certificates.read_certificates(alipay_authority()["curve"])

    for certificate in (curve, make_bare()):
        with pytest.raises(ValueError, match="^no RSA key of 2048 bits$"):
            certificates.read_rsa_key(certificate)


def test_a_certificate_counts_from_its_first_second_to_its_last() -> None:
    bare = make_bare()
    first, last = bare.not_valid_before_utc, bare.not_valid_after_utc
    second = dt.timedelta(seconds=1)

    for moment, counts in (
        (first - second, False),
        (first, True),
        (last, True),
        (last + second, False),
    ):
        assert certificates.is_valid_at(bare, moment) is counts


def test_a_root_may_issue_or_issued_itself() -> None:
    made = alipay_authority()
    bare = make_bare()
    [root], [class2], [app] = (
        certificates.read_certificates(made[name]) for name in ("root", "class2", "app")
    )

    assert not certificates.is_authority(bare)
    assert certificates.is_authority(class2)
    assert not certificates.is_authority(app)
    assert certificates.is_root(bare)
    assert certificates.is_root(root)
    assert certificates.is_root(class2)
    assert not certificates.is_root(app)


def test_a_certificate_that_failed_rests_for_a_minute(form: dict[str, str]) -> None:
    config = dataclasses.replace(Config.from_form(form), app_id="2021000000000099")
    sn = signing.make_secret().lower().encode().hex()[:32]

    assert trusting.may_fetch(config, sn, moment=NOW)
    assert not trusting.may_fetch(config, sn, moment=NOW + dt.timedelta(seconds=59))
    assert trusting.may_fetch(config, sn, moment=NOW + dt.timedelta(seconds=61))
    assert not trusting.may_fetch(config, "../../x", moment=NOW)
    plain = Config.from_form(make_case("alipay").form)
    assert not trusting.may_fetch(plain, sn, moment=NOW)


def test_callback_under_an_unknown_certificate_calls_nobody() -> None:
    case = make_case("alipay_cert")

    with pytest.raises(CallbackRejected) as caught:
        case.provider().parse_callback(
            case.config(), case.send(case.signed(alipay_cert_sn="a" * 32))
        )

    assert caught.value.code == "bad_signature"


@pytest.fixture
def account(world: World) -> tuple[Any, Any]:
    provider = make_case("alipay_cert").provider()
    return provider, provider.config_from_form(world.credentials("alipay_cert"))


def test_a_changed_certificate_is_fetched_once_and_callbacks_are_read_again(
    world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = "P" + signing.make_digits(18)
    instruction = provider.create(config, make_request(number, method="qr", shop_url=shop.url))
    world.browse(instruction.qr_text)

    told = world.rotate("alipay_cert")

    world.pay(number, "success")
    callback = shop.wait_for(1)[0]
    with pytest.raises(CallbackRejected):
        provider.parse_callback(config, callback)
    assert provider.query(config, number).status is PaidStatus.PAID
    assert provider.parse_callback(config, callback).status is PaidStatus.PAID
    assert trusting.list_keys(config, told.split()[1].partition("，")[0])


def test_a_changed_certificate_that_cannot_be_fetched_leaves_the_answer_open(
    world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    world.rotate("alipay_cert")
    world.break_call("alipay_cert", "error", after=1)

    with pytest.raises(ProviderUncertain):
        provider.query(config, "P1")
    with pytest.raises(ProviderUncertain) as caught:
        provider.query(config, "P1")
    assert caught.value.code == "unknown_certificate"


def test_account_that_names_other_certificates_is_turned_away(world: World) -> None:
    """Well signed by the app's key, but with the numbers of another authority."""
    given = world.credentials("alipay_cert")
    _, _, form = renewed()
    provider = make_case("alipay_cert").provider()
    config = provider.config_from_form(
        {**given, "alipay_cert": form["alipay_cert"], "alipay_root_cert": form["alipay_root_cert"]}
    )

    with pytest.raises(Exception, match="alipay-root-cert-sn"):
        provider.check(config)
