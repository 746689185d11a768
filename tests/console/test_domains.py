"""Own domains in the back office: claimed, explained, made primary, removed; and all of them."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client

from kameng.accounts.models import Role, Session
from kameng.console.domain_guides import GUIDES, find_guide
from kameng.console.domain_words import FAULTS, PROBLEMS
from kameng.core.certificates import Shown
from kameng.core.names import Found
from kameng.core.scope import platform_scope
from kameng.tenancy import checking, claims
from kameng.tenancy.claiming import note_certificate
from kameng.tenancy.models import ClaimState, Domain, DomainClaim, Plan, Site
from kameng.tenancy.selectors import get_site_view, primary_host
from tests import people
from tests.console.pages import address, text_of

ClientFor = Callable[..., Client]
HERE, THERE = "203.0.113.10", "198.51.100.7"
World = dict[str, Found]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """What the domain name system says, by host; nobody is asked."""
    told: World = {"a.localhost": Found(addresses=(HERE,))}

    def look_up(host: str, **_more: object) -> Found:
        return told.get(host, Found(fault="no_name", servers=("dns17.hichina.com",)))

    monkeypatch.setattr(checking, "look_up", look_up)
    monkeypatch.setattr(claims, "look_up", look_up)
    return told


def claim_of(host: str) -> DomainClaim:
    with platform_scope("look at a claim"):
        return DomainClaim.unscoped.get(host=host)


def look_again(client: Client, site: Site, claim: DomainClaim) -> None:
    with platform_scope("let some time go by"):
        DomainClaim.unscoped.update(checked_at=None)
    assert client.post(address(site, "check_domain", claim.id)).status_code == 303


def test_an_operator_brings_his_domain_live_and_takes_it_away(
    site_a: Site, lin: people.Staff, client_for: ClientFor, world: World
) -> None:
    client = client_for(site_a, lin)
    world["shop.com"] = Found(addresses=(THERE,), servers=("ns1.hichina.com",))

    page = text_of(client.get(address(site_a, "domains")))
    assert "绑定您自己的域名" in page
    assert "a.localhost 主网址" in page
    form = {"host": "https://Shop.com/x", "with_twin": "on", "wants_primary": "on"}
    claimed = client.post(address(site_a, "domains"), form)
    bare, www = claim_of("shop.com"), claim_of("www.shop.com")
    assert claimed["Location"] == address(site_a, "domain", bare.id)

    look_again(client, site_a, bare)
    page = text_of(client.get(address(site_a, "domain", bare.id)))
    assert f"现在指向 {THERE}，不是我们这里" in page
    assert "还没有这个域名的解析记录" in page
    assert "您的域名现在由阿里云（万网）解析" in page
    for value in ("@", HERE, "www", "a.localhost", "_kameng", f"kameng-site={bare.token}"):
        assert value in page, value
    assert "GoDaddy" in text_of(
        client.get(address(site_a, "domain", bare.id, query="guide=godaddy"))
    )

    status = client.get(address(site_a, "domain_status", bare.id)).json()
    same = client.get(address(site_a, "domain_status", bare.id, query=f"s={status['state']}"))
    assert (status["reload"], same.json()["reload"]) == (True, False)
    world["shop.com"] = Found(addresses=(HERE,), texts=(f"kameng-site={bare.token}",))
    world["www.shop.com"] = Found(addresses=(HERE,), names=("a.localhost",))
    look_again(client, site_a, bare)
    moved = client.get(address(site_a, "domain_status", bare.id, query=f"s={status['state']}"))
    assert moved.json()["reload"] is True
    page = text_of(client.get(address(site_a, "domains")))
    assert "shop.com 主网址" in page
    assert "自动跳转到主网址" in page
    assert primary_host(site_a.id) == "shop.com"

    client.post(address(site_a, "primary_domain"), {"claim_id": www.id})
    assert primary_host(site_a.id) == "www.shop.com"
    client.post(address(site_a, "primary_domain"))
    assert primary_host(site_a.id) == "a.localhost"
    gone = client.post(address(site_a, "remove_domain", bare.id), {"with_twin": "on"})
    assert gone.status_code == 303
    assert not Domain.objects.filter(site=site_a, is_own=True).exists()
    assert "已移除 shop.com、www.shop.com。" in text_of(client.get(address(site_a, "domains")))
    assert client.get(address(site_a, "domain", bare.id)).status_code == 404


@pytest.mark.parametrize(
    ("host", "status", "said"),
    [
        ("", 400, "请填写这一项"),
        ("com.cn", 400, "大家共用的后缀"),
        ("203.0.113.9", 400, "这是 IP 地址"),
        ("shop.com:8000", 400, "不要带端口"),
        ("localhost", 400, "不能在公网上使用"),
        ("x.main.localhost", 400, "不能在公网上使用"),
        ("my shop", 400, "这不像一个域名"),
    ],
)
def test_what_cannot_be_bound_is_said_and_kept_in_the_form(
    site_a: Site, lin: people.Staff, client_for: ClientFor, host: str, status: int, said: str
) -> None:
    answer = client_for(site_a, lin).post(address(site_a, "domains"), {"host": host})

    assert answer.status_code == status
    assert said in text_of(answer)
    assert not host or f'value="{host}"' in answer.content.decode()
    with platform_scope("nothing was claimed"):
        assert not DomainClaim.unscoped.exists()


def test_the_plan_limits_and_says_so(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    Plan.objects.update(domains_most=0)
    assert "您的套餐不包含自有域名" in text_of(client.get(address(site_a, "domains")))
    refused = client.post(address(site_a, "domains"), {"host": "shop.com"})
    assert (refused.status_code, "您的套餐不包含自有域名" in text_of(refused)) == (403, True)
    Plan.objects.update(domains_most=1)
    client.post(address(site_a, "domains"), {"host": "shop.com"})
    full = client.get(address(site_a, "domains"))
    assert "域名个数已用完" in text_of(full)
    refused = client.post(address(site_a, "domains"), {"host": "other.com"})
    assert (refused.status_code, "最多绑定 1 个域名" in text_of(refused)) == (409, True)


def test_nobody_touches_the_domain_of_another_site(
    site_a: Site,
    site_b: Site,
    lin: people.Staff,
    wei: people.Staff,
    client_for: ClientFor,
    world: World,
) -> None:
    client_for(site_a, lin).post(address(site_a, "domains"), {"host": "shop.com"})
    claim = claim_of("shop.com")
    stranger = client_for(site_b, wei)

    for name, method in (
        ("domain", stranger.get),
        ("domain_status", stranger.get),
        ("check_domain", stranger.post),
        ("remove_domain", stranger.post),
    ):
        assert method(address(site_b, name, claim.id)).status_code == 404, name
        assert method(address(site_a, name, claim.id)).status_code == 404, name
    answer = stranger.post(address(site_b, "primary_domain"), {"claim_id": claim.id})
    assert answer.status_code == 404
    assert claim_of("shop.com").state == ClaimState.WAITING


def test_who_may_not_change_settings_sees_no_domains(site_a: Site, client_for: ClientFor) -> None:
    helper = people.make_operator(site_a, login="hui", name="Hui", role=Role.SERVICE)
    client = client_for(site_a, helper)

    assert client.get(address(site_a, "domains")).status_code == 403
    assert client.post(address(site_a, "domains"), {"host": "shop.com"}).status_code == 403
    assert client.post(address(site_a, "primary_domain")).status_code == 403


def test_changing_where_buyers_are_led_asks_for_the_password(
    site_a: Site, lin: people.Staff, client_for: ClientFor, world: World
) -> None:
    client = client_for(site_a, lin)
    client.post(address(site_a, "domains"), {"host": "shop.com"})
    claim = claim_of("shop.com")
    with platform_scope("hours later"):
        Session.unscoped.update(confirmed_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=2))

    for name, words in (("remove_domain", (claim.id,)), ("primary_domain", ())):
        asked = client.post(address(site_a, name, *words))
        assert asked.status_code in (401, 403), name
        assert "confirm_password" in asked.content.decode()
    assert claim_of("shop.com").state == ClaimState.WAITING


def test_the_platform_owner_sees_all_and_says_where_they_lead(
    main_site: Site,
    site_a: Site,
    ada: people.Staff,
    lin: people.Staff,
    client_for: ClientFor,
    world: World,
    settings: LazySettings,
) -> None:
    client_for(site_a, lin).post(address(site_a, "domains"), {"host": "点卡.com"})
    claim = claim_of("xn--hlrt69d.com")
    owner = client_for(main_site, ada)

    page = text_of(owner.get(address(main_site, "all_domains")))
    assert "点卡.com" in page
    assert "还没有填服务器的公网 IP" in page
    bad = owner.post(address(main_site, "all_domains"), {"addresses": "somewhere", "name": ""})
    assert (bad.status_code, "请填 IP 地址" in text_of(bad)) == (400, True)
    told = {"addresses": f" {HERE}，2001:DB8::0010 ", "name": "Sites.kameng.cn"}
    assert owner.post(address(main_site, "all_domains"), told).status_code == 303
    kept = get_site_view(main_site.id).settings
    assert kept.domain_addresses == f"{HERE}, 2001:db8::10"
    assert kept.domain_target == "sites.kameng.cn"

    settings.PUBLIC_SCHEME = "https"
    with platform_scope("make it live"):
        now = dt.datetime.now(dt.UTC)
        DomainClaim.unscoped.filter(id=claim.id).update(
            state=ClaimState.LIVE, proof=1, verified_at=now, live_at=now, points=True
        )
    Domain.objects.create(site=site_a, host=claim.host, is_own=True)
    note_certificate(claim.id, Shown(fault="expired"))
    page = text_of(owner.get(address(main_site, "all_domains", query="only=trouble")))
    assert "证书有问题" in page
    assert "证书已过期" in page
    assert "1 个域名有问题" in text_of(owner.get(address(main_site, "overview")))
    assert "1 个域名有问题" in text_of(client_for(site_a, lin).get(address(site_a, "overview")))
    assert "点卡.com" not in text_of(owner.get(address(main_site, "all_domains", query="q=zzz")))


def test_only_the_platform_owner_sees_all(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    assert client_for(site_a, lin).get(address(site_a, "all_domains")).status_code == 403


def test_the_main_site_binds_its_hosts_itself(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    answer = client_for(main_site, ada).post(address(main_site, "domains"), {"host": "shop.com"})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("server", "key"),
    [
        ("dns17.hichina.com", "aliyun"),
        ("f1g1ns1.dnspod.net", "dnspod"),
        ("ns1.huaweicloud-dns.com", "huawei"),
        ("ns1.myhostadmin.net", "west"),
        ("ada.ns.cloudflare.com", "cloudflare"),
        ("ns01.domaincontrol.com", "godaddy"),
        ("dns1.registrar-servers.com", "namecheap"),
        ("ns1.example.org", "other"),
    ],
)
def test_the_name_servers_tell_where_the_records_are_kept(server: str, key: str) -> None:
    guide, is_told = find_guide("", servers=(server,))

    assert (guide.key, is_told) == (key, key != "other")
    assert find_guide("godaddy", servers=(server,))[0].key == "godaddy"
    assert find_guide("nonsense", servers=())[0].key == "other"
    assert len({each.key for each in GUIDES}) == len(GUIDES)


def test_every_problem_and_fault_has_words() -> None:
    for text in (*PROBLEMS.values(), *FAULTS.values()):
        assert str(text) % {"found": "x"}
