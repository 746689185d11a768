"""Gateways in the back office: secrets go in and never come out, refusals stand at their field."""

import base64
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kameng.accounts.models import Role
from kameng.console.forms.gateways import read_credential_file
from kameng.core import clock
from kameng.payments.errors import GatewayCheckFailed
from kameng.payments.models import FeeBearer, Gateway
from kameng.payments.selectors import read_open_config
from kameng.payments.services.gateways import config_of
from kameng.payments.services.resting import note_fault
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests import people
from tests.console.pages import address, text_of
from tests.providers.cases import make_case

ClientFor = Callable[..., Client]
SECRET = "q8Zr5LmX2vTn9KdW4hYc"
EPAY = {
    "key_gateway_url": "https://pay.example.com/",
    "key_pid": "1001",
    "key_key": SECRET,
    "key_opening": "page",
    "name": "支付宝",
    "method": "alipay",
    "fee_bps": "0.6",
    "min_amount": "0",
    "max_amount": "5000",
}


@pytest.fixture
def gateway(main_site: Site, ada: people.Staff, client_for: ClientFor) -> Gateway:
    """A gateway of the main site, added in the form."""
    client_for(main_site, ada).post(address(main_site, "new_gateway", query="kind=epay"), EPAY)
    with site_scope(main_site.id):
        found: Gateway = Gateway.objects.get()
    return found


def test_a_gateway_is_added_switched_off_and_its_secret_is_never_shown(
    main_site: Site, ada: people.Staff, gateway: Gateway, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)

    pages = [
        client.get(address(main_site, "gateway", gateway.id)),
        client.get(address(main_site, "gateways")),
        client.post(address(main_site, "gateway", gateway.id), EPAY | {"name": ""}),
    ]

    assert (gateway.is_enabled, gateway.fee_bps, gateway.max_amount) == (False, 60, 50_000_000)
    assert [page.status_code for page in pages] == [200, 200, 400]
    assert all(SECRET not in page.content.decode() for page in pages)
    assert "1001" in pages[0].content.decode()
    with site_scope(main_site.id):
        assert SECRET not in str(read_open_config(gateway))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"key_key": "1234567890123456"}, "示例或默认密钥"),
        ({"key_key": "short"}, "密钥太短"),
        ({"key_gateway_url": "http://pay.example.com/"}, "必须以 https:// 开头"),
        ({"key_gateway_url": "javascript:alert(1)"}, "网关地址"),
        ({"key_pid": "一〇〇一"}, "商户 ID 应为数字"),
        ({"key_opening": "letter"}, "请从列表中选择"),
        ({"method": "cash"}, "请从列表中选择"),
        ({"fee_bps": "21"}, "0% 到 20%"),
        ({"max_amount": "0"}, "元之间"),
        ({"min_amount": "6000"}, "不能低于单笔最低"),
        ({"key_key": ""}, "请填写这一项"),
    ],
)
def test_bad_credentials_are_refused_at_their_field_and_nothing_is_kept(
    changes: dict[str, str],
    sentence: str,
    main_site: Site,
    ada: people.Staff,
    client_for: ClientFor,
) -> None:
    url = address(main_site, "new_gateway", query="kind=epay")

    response = client_for(main_site, ada).post(url, EPAY | changes)

    assert response.status_code == 400
    assert sentence in text_of(response)
    assert SECRET not in response.content.decode()
    assert "支付宝" in response.content.decode()
    with site_scope(main_site.id):
        assert Gateway.objects.count() == 0


def test_what_a_gateway_can_do_without_may_stay_empty(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    form = make_case("wechat").form
    empty = {"public_key": "", "public_key_id": "", "app_secret": "", "verify_by": "certificate"}
    urls = {
        "gateway_url": "https://api.mch.weixin.qq.com",
        "oauth_url": "https://open.weixin.qq.com",
        "token_url": "https://api.weixin.qq.com",
    }
    values = {f"key_{name}": value for name, value in {**form, **urls, **empty}.items()}
    posted = {**EPAY, **values, "key_transfer_scene": "1005", "method": "native"}
    client, page = (
        client_for(main_site, ada),
        address(main_site, "new_gateway", query="kind=wechat"),
    )

    refused = client.post(page, {**posted, "key_verify_by": "public_key"})
    taken = client.post(page, posted)

    assert "请填写微信支付公钥 ID" in text_of(refused)
    assert taken.status_code == 303
    with site_scope(main_site.id):
        assert config_of(Gateway.objects.get()).takes_certificates


def test_an_empty_secret_keeps_the_stored_one_and_a_new_one_switches_off(
    main_site: Site, ada: people.Staff, gateway: Gateway, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    url = address(main_site, "gateway", gateway.id)
    with site_scope(main_site.id):
        Gateway.objects.filter(id=gateway.id).update(
            is_enabled=True, checked_at="2026-01-01T00:00Z"
        )

    client.post(url, EPAY | {"key_key": "", "fee_bps": "1"})
    with site_scope(main_site.id):
        kept = Gateway.objects.get()
        assert config_of(kept).key == SECRET
    client.post(url, EPAY | {"key_key": "n7Qp3RzV8kLw5TxB2mJd"})
    with site_scope(main_site.id):
        changed = Gateway.objects.get()

    assert (kept.is_enabled, kept.fee_bps) == (True, 100)
    assert (changed.is_enabled, changed.checked_at) == (False, None)


def test_an_unproved_gateway_is_not_switched_on(
    main_site: Site,
    ada: people.Staff,
    gateway: Gateway,
    client_for: ClientFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_call: object) -> None:
        raise GatewayCheckFailed(why="商户不存在")

    monkeypatch.setattr("kameng.console.views.gateways.test_gateway", refuse)
    client = client_for(main_site, ada)

    tested = client.post(address(main_site, "prove_gateway", gateway.id))
    switched = client.post(address(main_site, "set_gateway", gateway.id), {"action": "enable"})

    assert (tested.status_code, switched.status_code) == (400, 400)
    assert "商户不存在" in text_of(tested)
    with site_scope(main_site.id):
        assert not Gateway.objects.get().is_enabled


def test_a_sub_site_chooses_what_to_offer_and_touches_no_gateway(
    main_site: Site,
    site_a: Site,
    site_b: Site,
    lin: people.Staff,
    gateway: Gateway,
    client_for: ClientFor,
) -> None:
    client = client_for(site_a, lin)
    with site_scope(main_site.id):
        Gateway.objects.update(is_enabled=True)

    saved = client.post(address(site_a, "gateways"), {})
    foreign = client.post(address(site_a, "gateways"), {"offered": "987654"})
    answers = [
        client.get(address(site_a, "new_gateway", query="kind=epay")),
        client.post(address(site_a, "gateway", gateway.id), EPAY),
        client.post(address(site_a, "prove_gateway", gateway.id)),
        client.post(address(site_a, "set_gateway", gateway.id), {"action": "disable"}),
    ]

    assert (saved.status_code, foreign.status_code) == (303, 400)
    assert get_site_view(site_a.id).settings.hidden_gateway_ids == (gateway.id,)
    assert get_site_view(site_b.id).settings.hidden_gateway_ids == ()
    assert [answer.status_code for answer in answers] == [403] * 4
    with site_scope(main_site.id):
        assert Gateway.objects.get().is_enabled


def test_a_kind_that_is_not_there_shows_the_kinds_that_are(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client, url = client_for(main_site, ada), address(main_site, "new_gateway", query="kind=gold")

    shown, sent = client.get(url), client.post(url, {"name": "x"})

    assert (shown.status_code, sent.status_code) == (200, 400)
    assert "选择支付平台" in text_of(shown)


def test_why_a_test_failed_is_told_in_words(
    main_site: Site,
    ada: people.Staff,
    gateway: Gateway,
    client_for: ClientFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_call: object) -> None:
        raise GatewayCheckFailed(why="wrong_merchant pid 不存在")

    monkeypatch.setattr("kameng.console.views.gateways.test_gateway", refuse)

    tested = client_for(main_site, ada).post(address(main_site, "prove_gateway", gateway.id))

    assert "请检查商户 ID。（支付平台说：pid 不存在）" in text_of(tested)


def test_the_finance_of_the_main_site_reaches_the_gateways(
    main_site: Site, site_a: Site, gateway: Gateway, client_for: ClientFor
) -> None:
    clerk = people.make_operator(main_site, login="qian", name="Qian", role=Role.FINANCE)
    other = people.make_operator(site_a, login="sun", name="Sun", role=Role.FINANCE)

    assert client_for(main_site, clerk).get(address(main_site, "gateways")).status_code == 200
    assert client_for(site_a, other).get(address(site_a, "gateways")).status_code == 403


def add(client: Client, site: Site, **changes: str) -> Gateway:
    """Add an account in the form and switch it on."""
    client.post(address(site, "new_gateway", query="kind=epay"), EPAY | changes)
    with site_scope(site.id):
        found: Gateway = Gateway.objects.latest("id")
        Gateway.objects.filter(id=found.id).update(is_enabled=True, checked_at=clock.now())
    return found


def test_accounts_stand_behind_their_way_with_weight_cap_and_bearer(
    main_site: Site, ada: people.Staff, gateway: Gateway, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    second = add(
        client,
        main_site,
        name="支付宝二号",
        way_id=str(gateway.id),
        label="二号商户",
        weight="0",
        daily_cap_amount="5000",
        devices="mobile",
        fee_bearer="1",
    )
    text = text_of(client.get(address(main_site, "gateways")))
    shown = client.get(address(main_site, "gateway", second.id)).content.decode()

    assert (second.way_id, second.label, second.weight) == (gateway.id, "二号商户", 0)
    assert (second.daily_cap_amount, second.fee_bearer) == (50_000_000, FeeBearer.BUYER)
    assert second.devices == ["mobile"]
    for word in ("2 个账户", "二号商户", "备用", "¥0.00 / ¥5,000.00", "手机浏览器", "买家承担"):
        assert word in text, word
    boxes = shown.partition('name="devices" value="mobile"')[2].partition(">")[0]
    assert "checked" in boxes


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"way_id": "987654"}, "请从列表中选择"),
        ({"weight": "1001"}, "0 到 1"),
        ({"weight": "-1"}, "0 到 1"),
        ({"daily_cap_amount": "0"}, "元之间"),
        ({"daily_cap_amount": "x"}, ""),
        ({"devices": "fridge"}, "请从列表中选择"),
        ({"fee_bearer": "2"}, "请从列表中选择"),
    ],
)
def test_odd_terms_are_refused(
    changes: dict[str, str],
    sentence: str,
    main_site: Site,
    ada: people.Staff,
    client_for: ClientFor,
) -> None:
    url = address(main_site, "new_gateway", query="kind=epay")

    answer = client_for(main_site, ada).post(url, EPAY | changes)

    assert answer.status_code == 400
    assert sentence in text_of(answer)
    with site_scope(main_site.id):
        assert Gateway.objects.count() == 0


def test_a_resting_account_says_why_and_is_woken_by_hand(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    row = add(client, main_site)
    for _number in range(3):
        note_fault(row, code="bad_reply_signature")

    listed = text_of(client.get(address(main_site, "gateways")))
    overview = text_of(client.get(address(main_site, "overview")))
    detail = text_of(client.get(address(main_site, "gateway", row.id)))
    woken = client.post(address(main_site, "set_gateway", row.id), {"action": "wake"})
    after = text_of(client.get(address(main_site, "gateways")))

    for text in (listed, detail):
        assert "回应的签名不对，请检查支付平台的公钥" in text
    assert "暂停中" in listed
    assert "支付通道“支付宝”暂停使用" in overview
    assert woken.status_code == 303
    assert "暂停中" not in after
    with site_scope(main_site.id):
        assert Gateway.objects.get().rests_until is None


def test_ways_are_moved_by_buttons(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    rows = [add(client, main_site, name=name) for name in ("甲方式", "乙方式", "丙方式")]

    client.post(address(main_site, "set_gateway", rows[2].id), {"action": "move_up"})
    text = text_of(client.get(address(main_site, "gateways")))
    odd = client.post(address(main_site, "set_gateway", rows[0].id), {"action": "fly"})

    assert text.index("甲方式") < text.index("丙方式") < text.index("乙方式")
    assert odd.status_code == 400


def test_a_sub_site_orders_and_narrows_the_ways(
    main_site: Site,
    site_a: Site,
    ada: people.Staff,
    lin: people.Staff,
    client_for: ClientFor,
) -> None:
    owner, client = client_for(main_site, ada), client_for(site_a, lin)
    first, second = add(owner, main_site, name="甲方式"), add(owner, main_site, name="乙方式")
    both = {"offered": [str(first.id), str(second.id)]}

    moved = client.post(
        address(site_a, "gateways"),
        {**both, "move": f"up:{second.id}", f"low_{first.id}": "10", f"high_{first.id}": "20"},
    )
    settings = get_site_view(site_a.id).settings
    wide = client.post(address(site_a, "gateways"), {**both, f"high_{first.id}": "6000"})
    turned = client.post(
        address(site_a, "gateways"), {**both, f"low_{first.id}": "9", f"high_{first.id}": "8"}
    )

    assert moved.status_code == 303
    assert settings.pay_order == (second.id, first.id)
    assert settings.pay_limits == ((first.id, 100_000, 200_000),)
    assert settings.hidden_gateway_ids == ()
    assert (wide.status_code, turned.status_code) == (400, 400)
    assert get_site_view(site_a.id).settings == settings


def test_an_operator_who_takes_money_himself_keeps_his_accounts_to_himself(
    main_site: Site,
    site_a: Site,
    site_b: Site,
    ada: people.Staff,
    lin: people.Staff,
    wei: people.Staff,
    client_for: ClientFor,
) -> None:
    of_main = add(client_for(main_site, ada), main_site, name="主站收款")
    Site.objects.filter(id__in=(site_a.id, site_b.id)).update(settlement_way=2)
    client, outsider = client_for(site_a, lin), client_for(site_b, wei)
    own = add(client, site_a, name="林老板收款")

    listed = text_of(client.get(address(site_a, "gateways")))
    of_wei = text_of(outsider.get(address(site_b, "gateways")))
    answers = [
        opened
        for browser, site, foreign in (
            (client, site_a, of_main),
            (outsider, site_b, own),
            (client_for(main_site, ada), main_site, own),
        )
        for opened in (
            browser.get(address(site, "gateway", foreign.id)),
            browser.post(address(site, "prove_gateway", foreign.id)),
            browser.post(address(site, "set_gateway", foreign.id), {"action": "disable"}),
            browser.post(address(site, "set_gateway", foreign.id), {"action": "move_up"}),
            browser.post(address(site, "set_gateway", foreign.id), {"action": "wake"}),
        )
    ]
    joined = client.post(
        address(site_a, "new_gateway", query="kind=epay"), EPAY | {"way_id": str(of_main.id)}
    )

    assert own.site_id == site_a.id
    assert "林老板收款" in listed
    assert "主站收款" not in listed
    assert "还没有支付通道" in of_wei
    assert "林老板收款" not in of_wei
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert joined.status_code == 400
    with site_scope(site_a.id):
        assert set(Gateway.objects.values_list("is_enabled", flat=True)) == {True}


def test_roles_of_such_a_shop_reach_its_accounts_as_on_the_main_site(
    site_a: Site, client_for: ClientFor
) -> None:
    Site.objects.filter(id=site_a.id).update(settlement_way=2)
    clerk = people.make_operator(site_a, login="qian", name="Qian", role=Role.FINANCE)
    manager = people.make_operator(site_a, login="sun", name="Sun", role=Role.MANAGER)

    assert client_for(site_a, clerk).get(address(site_a, "gateways")).status_code == 200
    assert client_for(site_a, manager).get(address(site_a, "gateways")).status_code == 403
    form = client_for(site_a, manager).post(address(site_a, "new_gateway", query="kind=epay"), EPAY)
    assert form.status_code == 403
    with site_scope(site_a.id):
        assert not Gateway.objects.exists()


UNIONPAY = {
    "name": "银联",
    "method": "page",
    "fee_bps": "0.6",
    "min_amount": "0",
    "max_amount": "5000",
}


@pytest.fixture
def unionpay() -> tuple[dict[str, str], bytes]:
    """What a shop types for UnionPay without its certificate, and the certificate as a file."""
    case = make_case("unionpay")
    typed = {f"key_{name}": value for name, value in case.form.items() if name != "merchant_cert"}
    typed |= {"key_same_day": "refund"}
    values = {**UNIONPAY, "method": case.method, **typed}
    return values, base64.b64decode(case.form["merchant_cert"])


def upload(data: bytes, name: str = "shop.pfx") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type="application/x-pkcs12")


def test_a_certificate_is_taken_from_its_file_and_kept_encrypted(
    main_site: Site,
    ada: people.Staff,
    client_for: ClientFor,
    unionpay: tuple[dict[str, str], bytes],
) -> None:
    client, (values, pfx) = client_for(main_site, ada), unionpay
    url = address(main_site, "new_gateway", query="kind=unionpay")
    page = client.get(url).content.decode()
    assert 'enctype="multipart/form-data"' in page
    assert 'accept=".pfx,.p12,.pem"' in page

    made = client.post(url, {**values, "file_merchant_cert": upload(pfx)})

    assert made.status_code == 303
    with site_scope(main_site.id):
        stored = Gateway.objects.get()
        assert config_of(stored).merchant_cert == base64.b64encode(pfx).decode()
        assert config_of(stored).merchant.cert_id
        assert pfx not in bytes(stored.config_cipher)
    shown = client.get(address(main_site, "gateway", stored.id)).content.decode()
    assert base64.b64encode(pfx).decode()[:60] not in shown


def test_a_pem_file_is_taken_as_it_would_be_pasted() -> None:
    pem = b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
    assert read_credential_file(pem) == pem.decode()
    assert read_credential_file(b"\x30\x82\x00") == "MIIA"


@pytest.mark.parametrize(
    ("change", "data", "told"),
    [
        ({"key_cert_password": "wrong"}, None, "证书密码不正确"),
        ({"key_cert_password": ""}, None, "证书密码不正确"),
        ({}, b"\x30\x82\x01\x00 no pfx", "这不是商户私钥证书"),
        ({}, b"PK\x03\x04 a workbook", "这不是商户私钥证书"),
        ({}, b"0" * 20_000, "文件超过 16 KB"),
        ({}, b"", "文件是空的"),
        ({"key_merchant_cert": "MIIA"}, None, "只用一项"),
    ],
)
def test_a_wrong_file_or_password_is_refused_in_plain_words_and_nothing_is_kept(
    change: dict[str, str],
    data: bytes | None,
    told: str,
    main_site: Site,
    ada: people.Staff,
    client_for: ClientFor,
    unionpay: tuple[dict[str, str], bytes],
) -> None:
    values, pfx = unionpay
    file = upload(pfx if data is None else data)
    url = address(main_site, "new_gateway", query="kind=unionpay")

    page = client_for(main_site, ada).post(url, {**values, **change, "file_merchant_cert": file})

    assert page.status_code == 400
    assert told in page.content.decode()
    with site_scope(main_site.id):
        assert Gateway.objects.count() == 0


def test_one_of_file_and_text_is_asked_for_by_the_names_of_both(
    main_site: Site,
    ada: people.Staff,
    client_for: ClientFor,
    unionpay: tuple[dict[str, str], bytes],
) -> None:
    client, (values, pfx) = client_for(main_site, ada), unionpay
    url = address(main_site, "new_gateway", query="kind=unionpay")

    empty = client.get(url).content.decode()
    refused = client.post(url, values)
    pasted = client.post(url, {**values, "key_merchant_cert": base64.b64encode(pfx).decode()})

    assert empty.count("二选一，必填") == 2
    assert refused.status_code == 400
    told = "请在“商户私钥证书（选择文件）”里选文件，或在“商户私钥证书”里粘贴文本"
    assert refused.content.decode().count(told) == 1
    assert pasted.status_code == 303
    with site_scope(main_site.id):
        made = Gateway.objects.get()
    stored = client.get(address(main_site, "gateway", made.id)).content.decode()
    assert "二选一" not in stored  # it has one: both may stay empty


def test_a_stored_certificate_is_replaced_by_a_file_and_kept_without_one(
    main_site: Site,
    ada: people.Staff,
    client_for: ClientFor,
    unionpay: tuple[dict[str, str], bytes],
) -> None:
    client, (values, pfx) = client_for(main_site, ada), unionpay
    url = address(main_site, "new_gateway", query="kind=unionpay")
    client.post(url, {**values, "file_merchant_cert": upload(pfx)})
    with site_scope(main_site.id):
        made = Gateway.objects.get()
        Gateway.objects.update(checked_at=clock.now())
    url = address(main_site, "gateway", made.id)

    kept = client.post(url, {**values, "key_cert_password": ""})
    with site_scope(main_site.id):
        made.refresh_from_db()
        assert (kept.status_code, made.checked_at is not None) == (303, True)
    replaced = client.post(url, {**values, "file_merchant_cert": upload(pfx)})

    with site_scope(main_site.id):
        made.refresh_from_db()
        assert (replaced.status_code, made.checked_at) == (303, None)
        assert config_of(made).merchant.cert_id
