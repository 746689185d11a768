"""Gateways: weak credentials never get in, stored ones never out, unproved ones take nothing."""

import pytest

from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.payments import errors
from kameng.payments.models import Gateway
from kameng.payments.selectors import get_pay_choice, list_pay_choices
from kameng.payments.services.gateways import (
    GatewayTerms,
    change_gateway,
    config_of,
    create_gateway,
    get_own_gateway,
    switch_gateway,
)
from kameng.payments.services.gateways import test_gateway as prove_gateway
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF
from tests.payments.conftest import METHODS, Counter, connect
from tests.providers.cases import make_case
from tests.providers.world import World

SECRET = {
    "epay": "key",
    "epay2": "merchant_private_key",
    "alipay": "app_private_key",
    "wechat": "api_v3_key",
    "stripe": "secret_key",
    "unionpay": "merchant_cert",
}
WEAK = [
    "",
    "   ",
    "\t",
    "123456",
    "0" * 32,
    "your-key-your-key",
    "changeme-changeme",
    "密钥密钥" * 8,
]


def terms(kind: str, **changes: object) -> GatewayTerms:
    values: dict[str, object] = {
        "name": "收银",
        "method": METHODS[kind],
        "fee_bps": 60,
        "min_amount": 0,
        "max_amount": 10**9,
    }
    return GatewayTerms(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("secret", WEAK)
def test_a_weak_secret_is_refused_with_the_reason_and_nothing_is_kept(
    db: None, kind: str, secret: str, main_site: Site
) -> None:
    """PAY-02."""
    form = {**make_case(kind).form, SECRET[kind]: secret}

    with site_scope(main_site.id):
        with pytest.raises(errors.GatewayConfigInvalid) as refused:
            create_gateway(kind=kind, form=form, terms=terms(kind), actor=STAFF)
        assert list(Gateway.objects.all()) == []

    assert refused.value.problems[SECRET[kind]]
    assert secret.strip() == "" or secret not in str(refused.value.problems)


def test_an_unknown_protocol_is_refused(db: None, main_site: Site) -> None:
    with site_scope(main_site.id), pytest.raises(errors.GatewayNotFound):
        create_gateway(kind="paypal", form={}, terms=terms("epay"), actor=STAFF)


def test_credentials_are_noise_in_the_table_and_in_logs(
    db: None, kind: str, main_site: Site
) -> None:
    case = make_case(kind)
    choice = connect(main_site, kind, dict(case.form))

    with site_scope(main_site.id):
        gateway = Gateway.objects.get(id=choice.gateway_id)
    stored = bytes(gateway.config_cipher)
    for secret in case.secrets:
        assert secret.encode() not in stored
        assert secret not in repr(config_of(gateway))
    with platform_scope("a test reads the audit log"):
        for entry in AuditEntry.objects.all():
            assert all(secret not in str(entry.detail) for secret in case.secrets)


def test_a_gateway_is_offered_only_after_a_real_query_proved_it(
    committed_db: None, kind: str, world: World, main_site: Site, site_a: Site
) -> None:
    gateway_id = connect(main_site, kind, world.credentials(kind)).gateway_id
    with site_scope(main_site.id), pytest.raises(errors.GatewayCheckFailed):
        switch_gateway(gateway_id=gateway_id, is_enabled=True, actor=STAFF)
    with site_scope(site_a.id) as view:
        assert list_pay_choices(view) == []

    with site_scope(main_site.id):
        prove_gateway(gateway_id=gateway_id, actor=STAFF)
        switch_gateway(gateway_id=gateway_id, is_enabled=True, actor=STAFF)
    with site_scope(site_a.id) as view:
        assert [choice.gateway_id for choice in list_pay_choices(view)] == [gateway_id]


def test_wrong_credentials_are_not_proved(
    committed_db: None, kind: str, world: World, main_site: Site
) -> None:
    url = world.credentials(kind)["gateway_url"]
    form = {**make_case(kind).form, "gateway_url": url}
    gateway_id = connect(main_site, kind, form).gateway_id

    with site_scope(main_site.id):
        with pytest.raises(errors.GatewayCheckFailed):
            prove_gateway(gateway_id=gateway_id, actor=STAFF)
        assert Gateway.objects.get().checked_at is None


ACCOUNT = {
    "epay2": {"pid": "1002"},
    "unionpay": {"mer_id": "777290012345679"},
    "epay": {"pid": "1002"},
    "alipay": {"app_id": "2021000000000002", "seller_id": "2088000000000012"},
    "wechat": {"mchid": "1900000002", "appid": "wx0123456789abcdee"},
    "stripe": {"account_id": "acct_1032D82eZvKYlo2D"},
}


@pytest.mark.parametrize("begun", ["open", "paid"])
def test_another_account_is_another_gateway_once_there_are_payments(
    counter: Counter, kind: str, begun: str
) -> None:
    """Its payments would be asked about, and given back, at an account that knows none of them."""
    gateway = counter.gateway()
    with site_scope(gateway.site_id):
        change_gateway(gateway_id=gateway.id, form=ACCOUNT[kind], terms=terms(kind), actor=STAFF)
        change_gateway(
            gateway_id=gateway.id, form=counter.case.form, terms=terms(kind), actor=STAFF
        )
        Gateway.objects.update(is_enabled=True)
    _placed, payment = counter.sell()
    if begun == "paid":
        counter.say(payment)

    with site_scope(gateway.site_id):
        for name, value in ACCOUNT[kind].items():
            with pytest.raises(errors.GatewayConfigInvalid) as refused:
                change_gateway(
                    gateway_id=gateway.id, form={name: value}, terms=terms(kind), actor=STAFF
                )
            assert set(refused.value.problems) == {name}
        assert config_of(counter.gateway()) == counter.case.config()
        assert counter.gateway().is_enabled
        moved = {"gateway_url": "https://pay2.example.com/gateway.do"}
        change_gateway(gateway_id=gateway.id, form=moved, terms=terms(kind), actor=STAFF)

    assert "pay2" in config_of(counter.gateway()).gateway_url


def test_new_credentials_switch_it_off_and_empty_secrets_stay(live: Counter, kind: str) -> None:
    gateway = live.gateway()
    before = config_of(gateway).to_json()
    with site_scope(gateway.site_id):
        kept = change_gateway(
            gateway_id=gateway.id, form=None, terms=terms(kind, fee_bps=100), actor=STAFF
        )
        assert (kept.is_enabled, kept.fee_bps) == (True, 100)

        form = {**before, SECRET[kind]: ""}
        changed = change_gateway(gateway_id=gateway.id, form=form, terms=terms(kind), actor=STAFF)

    assert (changed.is_enabled, changed.checked_at) == (False, None)
    assert config_of(changed).to_json() == before


def test_a_sub_site_sees_the_main_sites_gateway_and_cannot_touch_it(
    counter: Counter, kind: str
) -> None:
    gateway_id = counter.shop.choice.gateway_id
    with site_scope(counter.shop.site.id):
        assert Gateway.objects.filter(id=gateway_id).exists()
        with pytest.raises(errors.GatewayNotFound):
            get_own_gateway(gateway_id)
        with pytest.raises(errors.GatewayNotFound):
            change_gateway(gateway_id=gateway_id, form=None, terms=terms(kind), actor=STAFF)
        with pytest.raises(errors.GatewayNotFound):
            switch_gateway(gateway_id=gateway_id, is_enabled=False, actor=STAFF)


def test_a_gateway_is_offered_within_its_range_alone(live: Counter, kind: str) -> None:
    gateway = live.gateway()
    with site_scope(gateway.site_id):
        change_gateway(
            gateway_id=gateway.id,
            form=None,
            terms=terms(kind, min_amount=10_000, max_amount=20_000),
            actor=STAFF,
        )
    with site_scope(live.shop.site.id) as view:
        assert list_pay_choices(view, amount=9_900) == []
        assert len(list_pay_choices(view, amount=10_000)) == 1
        assert get_pay_choice(view, gateway_id=gateway.id, amount=20_000).fee_for(20_000) == 100
        with pytest.raises(errors.GatewayNotUsable):
            get_pay_choice(view, gateway_id=gateway.id, amount=20_100)
