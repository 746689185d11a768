"""Gateways in the back office: secrets go in and never come out, refusals stand at their field."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.accounts.models import Role
from kameng.payments.errors import GatewayCheckFailed
from kameng.payments.models import Gateway
from kameng.payments.selectors import read_open_config
from kameng.payments.services.gateways import config_of
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
    "position": "0",
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
