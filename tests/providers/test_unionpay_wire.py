"""UnionPay's bytes: what is signed, whose certificate is believed, what a code means, the files."""

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import pytest

from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    ConfigInvalid,
    Confirmation,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundOutcome,
    RefundStatus,
)
from kameng.payments.providers.unionpay import wire
from kameng.payments.providers.unionpay.certificates import OWNER, TEST_OWNER, load_merchant
from kameng.payments.providers.unionpay.config import Config
from kameng.pricing.money import Amount
from kameng_simulator import certificates, signing
from kameng_simulator.unionpay import digest
from tests.providers.cases import OPENED_AT, make_case, make_refund, make_request, papers

NOW = OPENED_AT
NUMBER = "260101000000000001"


def config(**changes: str) -> Config:
    return Config.from_form({**make_case("unionpay").form, **changes})


def seal(fields: Mapping[str, str], *, certificate: str = "", key: str = "") -> dict[str, str]:
    """Sign as the simulator does, by any certificate."""
    plain = {"version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", **fields}
    plain |= {"signPubKeyCert": certificate or papers().signer}
    sign = signing.sign_rsa(digest(plain), signing.load_key(key or papers().signer_key))
    return {**plain, "signature": sign}


def write(fields: Mapping[str, str]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in fields.items()).encode()


def answer(**fields: str) -> bytes:
    return write(seal({"merId": config().mer_id, "respCode": "00", **fields}))


def paid(**changes: str) -> bytes:
    said = {
        "orderId": NUMBER,
        "txnType": "01",
        "txnTime": "20260101195959",
        "traceTime": "0101200000",
        "txnAmt": "1234",
        "currencyCode": "156",
        "queryId": "442601012000000000001",
        "origRespCode": "00",
    }
    return answer(**{**said, **changes})


def ask(body: bytes, **more: str) -> Confirmation:
    return wire.parse_query(config(), body, payment_no=NUMBER, now=NOW, **more)  # type: ignore[arg-type]


# --- requests ----------------------------------------------------------------------------------


def test_the_front_form_is_signed_over_its_digest_and_names_everything() -> None:
    request = make_request(NUMBER, method="gateway")

    fields = wire.build_payment(config(), request)

    text = "&".join(f"{k}={fields[k]}" for k in sorted(fields) if k != "signature")
    hexed = hashlib.sha256(text.encode()).hexdigest()
    key = certificates.public_key_of(papers().merchant)
    assert signing.verify_rsa(hexed, signature=fields["signature"], key=key)
    beijing = OPENED_AT.astimezone(wire.BEIJING).strftime("%Y%m%d%H%M%S")
    expected = {
        "version": "5.1.0",
        "txnType": "01",
        "txnSubType": "01",
        "bizType": "000201",
        "channelType": "07",
        "orderId": NUMBER,
        "txnTime": beijing,
        "txnAmt": "1234",
        "currencyCode": "156",
        "certId": str(certificates.load(papers().merchant).serial_number),
        "riskRateInfo": "{commodityName=腾讯视频 ＆ 月卡＝12／个月}",
    }
    assert {name: fields[name] for name in expected} == expected
    assert "" not in fields.values()


def test_a_phone_is_another_channel() -> None:
    request = dataclasses.replace(make_request(NUMBER, method="gateway"), device="mobile")

    assert wire.build_payment(config(), request)["channelType"] == "08"


@pytest.mark.parametrize("number", ["P1", "P2026-0101", "P2026_0101", "9" * 33, "单号单号单号单号"])
def test_a_number_that_unionpay_refuses_is_not_sent(number: str) -> None:
    with pytest.raises(ProviderRefused):
        wire.build_payment(config(), make_request(number, method="gateway"))


def test_a_payment_of_an_unknown_moment_is_not_opened() -> None:
    request = dataclasses.replace(make_request(NUMBER, method="gateway"), opened_at=None)

    with pytest.raises(ProviderRefused):
        wire.build_payment(config(), request)


# --- the chain ---------------------------------------------------------------------------------


def believe(fields: Mapping[str, str], *, now: dt.datetime = NOW, **form: str) -> str:
    """Return why a callback is refused, or `ok`."""
    case = make_case("unionpay")
    try:
        wire.parse_callback(config(**form), case.send(fields), now=now)
    except CallbackRejected as fault:
        return fault.code
    return "ok"


def good() -> dict[str, str]:
    return dict(make_case("unionpay").good)


def authority(name: str, *, is_ca: bool = True) -> tuple[str, str]:
    key = signing.make_private_key()
    return certificates.issue(name, key, issuer="", issuer_key=key, is_ca=is_ca), key


def test_the_shops_own_chain_is_believed() -> None:
    assert believe(seal(good())) == "ok"


def test_a_certificate_that_merely_came_along_is_not_believed() -> None:
    """A stranger's authority, complete and well signed, with UnionPay's name in it."""
    root, root_key = authority("CFCA SIMULATED CS CA")
    middle_key = signing.make_private_key()
    middle = certificates.issue(
        "CFCA SIMULATED OCA31", middle_key, issuer=root, issuer_key=root_key, is_ca=True
    )
    certificate, key = certificates.make_signer(middle, middle_key)

    assert believe(seal(good(), certificate=certificate, key=key)) == "bad_certificate"
    bundle = certificate + middle + root
    assert believe(seal(good(), certificate=bundle, key=key)) == "bad_certificate"


def test_a_certificate_that_vouches_for_itself_is_not_believed() -> None:
    name = f"041@8310000000083040@{OWNER}@00016495"
    certificate, key = authority(name, is_ca=False)

    assert believe(seal(good(), certificate=certificate, key=key)) == "bad_certificate"


@pytest.mark.parametrize("owner", ["777290012345678", TEST_OWNER, "", "中国银联", OWNER + "x"])
def test_another_holder_of_the_same_authority_cannot_sign(owner: str) -> None:
    """Every merchant holds a certificate of that authority."""
    own = papers()
    certificate, key = certificates.make_signer(own.middle, own.middle_key, owner=owner)

    assert believe(seal(good(), certificate=certificate, key=key)) == "bad_certificate"


def test_the_merchants_own_certificate_cannot_sign() -> None:
    own = papers()
    merchant = load_merchant(own.merchant_pfx, own.password)
    fields = seal(good(), certificate=own.merchant)
    fields["signature"] = wire.sign_fields(fields, merchant.key)["signature"]

    assert believe(fields) == "bad_certificate"


def test_the_test_systems_signer_is_believed_at_the_test_address_only() -> None:
    own = papers()
    certificate, key = certificates.make_signer(own.middle, own.middle_key, owner=TEST_OWNER)
    fields = seal(good(), certificate=certificate, key=key)

    assert believe(fields, gateway_url="https://gateway.test.95516.com/") == "ok"
    assert believe(fields, gateway_url="https://gateway.95516.com/") == "bad_certificate"
    assert believe(fields, gateway_url="https://xtest.95516.com/") == "bad_certificate"


@pytest.mark.parametrize(("starts", "ends"), [(1, 9), (-9, -1)])
def test_a_certificate_out_of_its_time_is_not_believed(starts: int, ends: int) -> None:
    own, key = papers(), signing.make_private_key()
    certificate = certificates.issue(
        f"041@8310000000083040@{OWNER}@00016495",
        key,
        issuer=own.middle,
        issuer_key=own.middle_key,
        starts_at=NOW + dt.timedelta(days=starts),
        ends_at=NOW + dt.timedelta(days=ends),
    )

    assert believe(seal(good(), certificate=certificate, key=key)) == "bad_certificate"


def test_a_chain_ends_with_its_middle_certificate() -> None:
    after = certificates.load(papers().middle).not_valid_after_utc + dt.timedelta(days=1)

    assert believe(seal(good()), now=after) == "bad_certificate"


def test_a_renewed_signer_of_the_same_authority_is_believed_at_once() -> None:
    own = papers()
    certificate, key = certificates.make_signer(own.middle, own.middle_key)

    assert believe(seal(good(), certificate=certificate, key=key)) == "ok"
    assert believe(seal(good())) == "ok"  # the old one too, while they overlap


def test_an_old_and_a_new_authority_are_believed_side_by_side() -> None:
    other = certificates.make_papers("777290012345678")
    fields = seal(good(), certificate=other.signer, key=other.signer_key)
    both = {
        "root_cert": papers().root + other.root,
        "middle_cert": papers().middle + other.middle,
    }

    assert believe(fields) == "bad_certificate"
    assert believe(fields, **both) == "ok"
    assert believe(seal(good()), **both) == "ok"


def test_an_old_sign_method_is_refused() -> None:
    for name, value in (("version", "5.0.0"), ("signMethod", "11"), ("signMethod", "")):
        assert believe(seal({**good(), name: value})) == "bad_sign_type"
    assert believe(seal({**good(), "encoding": "GBK"})) == "bad_charset"


def test_control_without_the_chain_a_strangers_certificate_pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = certificates.make_papers("777290012345678")
    fields = seal(good(), certificate=other.signer, key=other.signer_key)
    assert believe(fields) == "bad_certificate"

    monkeypatch.setattr(
        wire, "read_signer", lambda text, **_: certificates.public_key_of(text.strip())
    )

    assert believe(fields) == "ok"


# --- callbacks ---------------------------------------------------------------------------------


def test_a_callback_says_this_and_nothing_else() -> None:
    case = make_case("unionpay")
    callback = case.send(case.signed(accNo="6222 **** 1234"))

    assert wire.parse_callback(config(), callback, now=NOW) == Confirmation(
        payment_no=case.good["orderId"],
        external_no=case.trade_no,
        amount=Amount(123_400),
        status=PaidStatus.PAID,
        paid_at=dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC),
        payer="6222 **** 1234",
        raw_digest=hashlib.sha256(callback.query + b"\n" + callback.body).hexdigest(),
    )


def test_a_refunds_callback_says_this_and_nothing_else() -> None:
    case = make_case("unionpay")
    callback = case.send(case.signed(txnType="04", orderId="R2026010100001"))

    assert wire.parse_callback(config(), callback, now=NOW) == RefundNotice(
        refund_no="R2026010100001",
        external_no=case.trade_no,
        status=RefundStatus.DONE,
        amount=Amount(123_400),
        raw_digest=hashlib.sha256(callback.query + b"\n" + callback.body).hexdigest(),
    )


def test_a_payment_that_is_not_done_has_no_time_and_its_payer_is_bounded() -> None:
    case = make_case("unionpay")

    said = wire.parse_callback(
        config(), case.send(case.signed(respCode="05", accNo="9" * 65)), now=NOW
    )

    assert isinstance(said, Confirmation)
    assert (said.status, said.paid_at, said.payer) == (PaidStatus.PENDING, None, "9" * 64)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"merId": "777290012345679"}, "wrong_merchant"),
        ({"merId": ""}, "missing_merId"),
        ({"currencyCode": "840"}, "wrong_currency"),
        ({"txnType": ""}, "missing_txnType"),
        ({"respCode": ""}, "missing_respCode"),
        ({"orderId": ""}, "missing_orderId"),
        ({"orderId": "1 2"}, "bad_orderId"),
        ({"queryId": ""}, "missing_queryId"),
        ({"queryId": "<b>"}, "bad_queryId"),
        ({"txnAmt": ""}, "missing_txnAmt"),
        ({"txnAmt": "0"}, "bad_amount"),
        ({"txnAmt": "0123"}, "bad_amount"),
        ({"txnAmt": "12.34"}, "bad_amount"),
        ({"txnAmt": "-1"}, "bad_amount"),
        ({"txnAmt": "1" * 13}, "bad_amount"),
    ],
)
def test_a_signed_callback_that_does_not_fit_is_rejected_by_name(
    changes: dict[str, str], code: str
) -> None:
    assert believe(seal({**good(), **changes})) == code


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("signature", "", "bad_signature"),
        ("signature", "!", "bad_signature"),
        ("signature", "AAAA", "bad_signature"),
        ("txnAmt", "1", "bad_signature"),
        ("signPubKeyCert", "", "bad_certificate"),
        ("signPubKeyCert", "x", "bad_certificate"),
        ("encoding", "", "bad_charset"),
        ("version", "", "bad_sign_type"),
    ],
)
def test_a_callback_changed_after_signing_is_rejected_by_name(
    name: str, value: str, code: str
) -> None:
    fields = {**seal(good()), name: value}

    assert believe(fields) == code
    assert believe({key: each for key, each in fields.items() if each}) == code


@pytest.mark.parametrize(
    ("name", "code"), [("signature", "bad_signature"), ("signPubKeyCert", "bad_certificate")]
)
def test_bytes_that_are_no_text_prove_nothing(name: str, code: str) -> None:
    fields = {key: value for key, value in seal(good()).items() if key != name}
    body = urlencode(fields).encode() + f"&{name}=%ff".encode()

    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(config(), CallbackRequest(method="POST", body=body), now=NOW)

    assert caught.value.code == code


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "UTF8", "utf8"])
def test_both_names_of_the_character_set_are_taken(encoding: str) -> None:
    assert believe(seal({**good(), "encoding": encoding})) == "ok"


def test_what_is_signed_is_sorted_and_keeps_empty_values_of_the_sender() -> None:
    assert wire.join_fields({"b": b"2", "a": b"", "signature": b"x"}) == b"a=&b=2"


def test_done_with_a_defect_is_done() -> None:
    case = make_case("unionpay")

    said = wire.parse_callback(config(), case.send(case.signed(respCode="A6")), now=NOW)

    assert isinstance(said, Confirmation)
    assert said.status is PaidStatus.PAID
    assert said.paid_at == dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)


def test_another_currency_is_refused_though_signed() -> None:
    for code in ("840", "", "CNY"):
        assert believe(seal({**good(), "currencyCode": code})) in (
            "wrong_currency",
            "missing_currencyCode",
        )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("00", RefundStatus.DONE),
        ("A6", RefundStatus.DONE),
        ("03", RefundStatus.PROCESSING),
        ("05", RefundStatus.PROCESSING),
        ("36", RefundStatus.REFUSED),
    ],
)
def test_a_refunds_word_is_no_payments(code: str, status: RefundStatus) -> None:
    case = make_case("unionpay")
    for kind in ("04", "31"):
        fields = case.signed(txnType=kind, orderId="R2026010100001", respCode=code)

        said = wire.parse_callback(config(), case.send(fields), now=NOW)

        assert isinstance(said, RefundNotice)
        assert (said.refund_no, said.status) == ("R2026010100001", status)
        assert said.amount == Amount(123_400)


def test_a_message_of_an_unknown_kind_is_refused() -> None:
    assert believe(seal({**good(), "txnType": "12"})) == "unknown_type"


# --- answers -----------------------------------------------------------------------------------


def test_a_paid_query_is_read_whole() -> None:
    said = ask(paid())

    assert (said.status, said.amount) == (PaidStatus.PAID, Amount(123_400))
    assert said.external_no == "442601012000000000001"
    assert said.paid_at == dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)


def test_a_payment_over_the_years_end_has_its_year() -> None:
    said = ask(paid(txnTime="20261231235950", traceTime="0101000010"))

    assert said.paid_at == dt.datetime(2026, 12, 31, 16, 0, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize("code", ["01", "03", "04", "05", "30", "64", ""])
def test_a_card_turned_down_is_no_end_the_buyer_may_try_again(code: str) -> None:
    assert ask(paid(origRespCode=code)).status is PaidStatus.PENDING


def test_an_unknown_number_is_not_found() -> None:
    said = ask(answer(respCode="34", respMsg="查无此交易[2600000]"))

    assert (said.status, said.amount) == (PaidStatus.NOT_FOUND, 0)


@pytest.mark.parametrize("code", ["02", "03", "04", "05", "06", "37", "99"])
def test_what_unionpay_leaves_open_is_asked_again(code: str) -> None:
    with pytest.raises(ProviderUncertain):
        ask(answer(respCode=code))
    with pytest.raises(ProviderUncertain):
        wire.parse_refund_query(
            config(), answer(respCode=code), request=make_refund(NUMBER, refund_no="R"), now=NOW
        )


@pytest.mark.parametrize(
    "change",
    [
        {"orderId": "260101000000000002"},
        {"txnType": "04"},
        {"merId": "777290012345679"},
        {"currencyCode": "840"},
        {"txnAmt": "12.34"},
        {"queryId": "4426&x"},
    ],
)
def test_an_answer_about_something_else_is_not_believed(change: dict[str, str]) -> None:
    with pytest.raises(ProviderUncertain):
        ask(paid(**change))


def test_an_answer_about_another_number_of_unionpays_is_not_believed() -> None:
    assert ask(paid(), external_no="442601012000000000001").status is PaidStatus.PAID
    with pytest.raises(ProviderUncertain):
        ask(paid(), external_no="442601012000000000002")


def test_an_answer_without_a_good_signature_is_uncertain() -> None:
    body = paid()
    unsigned = body.partition(b"&signature=")[0]
    for bad in (body.replace(b"txnAmt=1234", b"txnAmt=9999"), unsigned, body[:-6], b"respCode=00"):
        with pytest.raises(ProviderUncertain):
            ask(bad)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_reply"),
        (b"respCode=00", "bad_reply"),
        (b"a=1&b=2", "bad_reply"),
        (b"a=1&a=2", "bad_reply"),
        (b"a={b=1&c=2", "bad_reply"),
        (b"a=1}&b=2", "bad_reply"),
        (b"\xff=1&b=2", "bad_reply"),
        (b"respCode=00&merId=1", "bad_sign_type_in_reply"),
        (paid().replace(b"txnAmt=1234", b"txnAmt=9999"), "bad_signature_in_reply"),
        (paid().replace(b"UTF-8", b"GBK"), "bad_charset_in_reply"),
        (paid(merId="777290012345679"), "other_merchant"),
        (paid(merId=""), "other_merchant"),
    ],
)
def test_an_answer_that_proves_nothing_is_uncertain_by_name(body: bytes, code: str) -> None:
    with pytest.raises(ProviderUncertain) as caught:
        wire.read_reply(config(), body, now=NOW)

    assert caught.value.code == code


def test_a_code_of_the_turned_away_counts_unsigned_only() -> None:
    """Signed, and wrongly: then it is nobody's word."""
    forged = answer(respCode="11").replace(b"respCode=11", b"respCode=13")
    with pytest.raises(ProviderUncertain) as caught:
        wire.read_reply(config(), forged, now=NOW)
    assert caught.value.code == "bad_signature_in_reply"
    with pytest.raises(ProviderUncertain) as caught:
        wire.read_reply(config(), b"respCode=11&novalue", now=NOW)
    assert caught.value.code == "bad_reply"


def test_bytes_that_are_no_text_make_an_answer_uncertain_and_nothing_worse() -> None:
    for body in (b"respCode=\xff&merId=1", b"respCode=00&merId=\xff&signature=\xff"):
        with pytest.raises(ProviderUncertain):
            wire.read_reply(config(), body, now=NOW)


def test_an_answer_is_split_once_and_may_end_its_line() -> None:
    said = seal({"merId": config().mer_id, "respCode": "00", "a": "b=c", "d": "{x}"})

    reply = wire.read_reply(config(), write(said) + b"\r\n", now=NOW)

    assert reply == said


def test_a_call_that_was_turned_away_is_told_in_unionpays_words() -> None:
    with pytest.raises(ProviderRefused) as caught:
        ask(write({"respCode": "11", "respMsg": "验证签名失败[9100004]", "merId": "1"}))

    assert (caught.value.code, caught.value.message) == ("unionpay_11", "验证签名失败[9100004]")


@pytest.mark.parametrize("code", ["00", "34", "36", "45"])
def test_an_unsigned_answer_of_another_code_decides_nothing(code: str) -> None:
    with pytest.raises(ProviderUncertain):
        ask(write({"respCode": code, "respMsg": "x", "merId": config().mer_id}))


def test_a_value_in_braces_keeps_its_separators() -> None:
    said = seal({"merId": config().mer_id, "respCode": "00", "vpcTransData": "{a=1&b={c=2&d=3}}"})

    reply = wire.read_reply(config(), write(said), now=NOW)

    assert reply["vpcTransData"] == "{a=1&b={c=2&d=3}}"


@pytest.mark.parametrize(
    "body", [b"a={b=1&c=2", b"a=1}&b=2", b"a=1&a=2", b"a&b=1", b"", b"\xff=1&b=2"]
)
def test_a_malformed_answer_is_uncertain(body: bytes) -> None:
    with pytest.raises(ProviderUncertain):
        wire.read_reply(config(), body, now=NOW)


# --- refunds -----------------------------------------------------------------------------------


def refund_fields(**form: str) -> dict[str, str]:
    request = make_refund(NUMBER, refund_no="260102000000000009")
    asked = wire.build_refund(config(**form), request, external_no="44", sent_at=NOW)
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True))


def test_a_refund_has_its_own_number_and_second() -> None:
    fields = refund_fields()

    beijing = NOW.astimezone(wire.BEIJING).strftime("%Y%m%d%H%M%S")
    assert (fields["txnType"], fields["orderId"]) == ("04", "260102000000000009")
    assert (fields["origQryId"], fields["txnTime"], fields["txnAmt"]) == ("44", beijing, "1234")
    assert fields["backUrl"] == "http://www.specialUrl.com"


def test_a_whole_refund_of_the_same_settlement_day_is_a_cancel_where_the_shop_chose_so() -> None:
    chosen = config(same_day="cancel")
    evening = dt.datetime(2026, 1, 1, 14, 59, tzinfo=dt.UTC)  # 22:59 in Beijing
    night = evening + dt.timedelta(minutes=2)
    whole = dataclasses.replace(
        make_refund(NUMBER, refund_no="R2026010100001"), opened_at=evening, asked_at=evening
    )

    assert refund_fields()["txnType"] == "04"
    assert wire.is_cancel(chosen, whole)
    assert not wire.is_cancel(config(), whole)
    assert not wire.is_cancel(chosen, dataclasses.replace(whole, asked_at=night))
    assert not wire.is_cancel(chosen, dataclasses.replace(whole, amount=Amount(100)))
    assert wire.is_cancel(chosen, dataclasses.replace(whole, opened_at=night, asked_at=night))


def test_a_refund_that_was_taken_or_repeated_is_asked_about() -> None:
    for code in ("00", "A6", "03", "04", "05", "12"):
        assert wire.parse_refund(config(), answer(respCode=code), now=NOW) is None
    said = wire.parse_refund(
        config(), answer(respCode="36", respMsg="与原交易信息不符[2011002]"), now=NOW
    )
    assert said == RefundOutcome(
        status=RefundStatus.REFUSED, reason="unionpay_36: 与原交易信息不符[2011002]"
    )
    with pytest.raises(ProviderUncertain):
        wire.parse_refund(config(), answer(respCode="06"), now=NOW)


def ask_refund(**changes: str) -> RefundOutcome:
    said = {"txnType": "04", "orderId": "R2026010100001", "txnAmt": "1234", "queryId": "45"}
    request = make_refund(NUMBER, refund_no="R2026010100001")
    body = answer(**{**said, "origRespCode": "00", **changes})
    return wire.parse_refund_query(config(), body, request=request, now=NOW)


def test_a_refunds_query_tells_its_own_outcome() -> None:
    assert ask_refund().status is RefundStatus.DONE
    assert ask_refund(txnType="31").status is RefundStatus.DONE
    assert ask_refund(origRespCode="05").status is RefundStatus.PROCESSING
    assert ask_refund(origRespCode="61").status is RefundStatus.REFUSED
    assert ask_refund(respCode="34").status is RefundStatus.UNKNOWN
    for change in ({"txnAmt": "1233"}, {"orderId": "R2026010100002"}, {"txnType": "01"}):
        with pytest.raises(ProviderUncertain):
            ask_refund(**change)


# --- the form ----------------------------------------------------------------------------------


def problems(**changes: str) -> dict[str, str]:
    with pytest.raises(ConfigInvalid) as caught:
        config(**changes)
    return {name: str(text) for name, text in caught.value.problems.items()}


def test_a_pfx_as_certutil_writes_it_and_a_pem_are_taken() -> None:
    own = papers()
    framed = f"-----BEGIN CERTIFICATE-----\r\n{own.merchant_pfx}\r\n-----END CERTIFICATE-----\r\n"
    merchant = load_merchant(own.merchant_pfx, own.password)
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    pem = merchant.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    assert config(merchant_cert=framed).merchant.cert_id == merchant.cert_id
    both = config(merchant_cert=own.merchant + pem, cert_password="")
    assert both.merchant.cert_id == merchant.cert_id


def test_what_is_wrong_with_a_certificate_is_said_at_its_field() -> None:
    own, other = papers(), certificates.make_papers("777290012345678")

    assert list(problems(cert_password="Wrong-Word-77")) == ["cert_password"]
    assert list(problems(merchant_cert=own.merchant)) == ["merchant_cert"]
    assert list(problems(root_cert="")) == ["root_cert"]
    assert list(problems(middle_cert=own.signer)) == ["middle_cert"]
    assert list(problems(root_cert=own.middle)) == ["root_cert"]
    assert list(problems(middle_cert=other.middle)) == ["middle_cert"]
    assert list(problems(mer_id="1234")) == ["mer_id"]
    assert list(problems(same_day="x")) == ["same_day"]
    assert list(problems(file_url="http://files.example.com/")) == ["file_url"]


def test_a_certificate_that_ran_out_is_refused_in_the_form_and_read_from_storage() -> None:
    """A shop goes on asking about its payments although its certificate has run out."""
    own, key = papers(), signing.make_private_key()
    old = NOW - dt.timedelta(days=1)
    name = "041@N@777290012345678@1"
    certificate = certificates.issue(
        name,
        key,
        issuer=own.middle,
        issuer_key=own.middle_key,
        ends_at=old,
        starts_at=old - dt.timedelta(days=9),
    )
    body = "".join(key[i : i + 64] + "\n" for i in range(0, len(key), 64))
    pem = f"{certificate}-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"

    assert list(problems(merchant_cert=pem, cert_password="")) == ["merchant_cert"]
    form = {**make_case("unionpay").form, "merchant_cert": pem, "cert_password": ""}
    assert Config.from_json(form).merchant.expires_at < NOW
