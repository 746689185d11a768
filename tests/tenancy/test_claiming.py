"""Own domains from the claim to the last day, against a real little domain name system."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection

from kameng.config import audit
from kameng.core import certificates, names
from kameng.core.audit import SYSTEM
from kameng.core.certificates import Shown
from kameng.core.models import AuditEntry, EventRow
from kameng.core.scope import platform_scope
from kameng.tenancy import checking, errors, selectors
from kameng.tenancy.checking import check_claims, check_due
from kameng.tenancy.claiming import (
    choose_primary,
    claim_hosts,
    drop_host,
    note_certificate,
    remove_claim,
)
from kameng.tenancy.claims import get_claim, list_all_claims, list_claims, read_findings
from kameng.tenancy.closing import release_address
from kameng.tenancy.models import (
    ClaimState,
    Closing,
    Domain,
    DomainClaim,
    Plan,
    Site,
    SiteState,
)
from kameng.tenancy.permits import forget_permits, may_have_certificate
from kameng.tenancy.selectors import find_site_id, primary_host, site_scope
from kameng.tenancy.services import change_settings
from tests.damage import as_owner
from tests.names_server import NamesServer, names_server

HERE, THERE = "203.0.113.10", "198.51.100.7"

OF_DOMAINS = [
    ("I36", "update tenancy_domain set is_own = false where is_own"),
    ("I36", "delete from tenancy_domain where is_own"),
    ("I36", "update tenancy_domain set site_id = {other}, is_primary = false where is_own"),
    ("I36", "update tenancy_domainclaim set state = 6, proof = 0"),
    ("I36", "update tenancy_domainclaim set state = 4"),
]


@pytest.fixture
def zone(committed_db: None, main_site: Site, settings: LazySettings) -> Iterator[NamesServer]:
    """The domain name system, and a platform that says where it is."""
    with names_server() as server:
        settings.DNS_SERVERS = (server.address,)
        publish_addresses(main_site, HERE)
        server.set("a.localhost", "A", HERE)
        server.set("b.localhost", "A", HERE)
        forget_permits()
        yield server


def publish_addresses(main_site: Site, addresses: str) -> None:
    """Let the platform say where it is."""
    with site_scope(main_site.id):
        changes: dict[str, object] = {"domain_addresses": addresses}
        change_settings(site_id=main_site.id, changes=changes, actor=SYSTEM)


def claim(site: Site, host: str, *, with_twin: bool = False, wants_primary: bool = False) -> Any:
    with site_scope(site.id):
        return claim_hosts(host, with_twin=with_twin, wants_primary=wants_primary, actor=SYSTEM)


def look(row: DomainClaim) -> DomainClaim:
    """Look at a domain as the button does, however lately it was looked at."""
    with platform_scope("let some time go by"):
        DomainClaim.unscoped.filter(id=row.id).update(checked_at=None)
    with site_scope(row.site_id):
        return check_claims([row.id])[0]


def problems(row: DomainClaim) -> list[str]:
    findings = read_findings(row)
    assert findings is not None
    return [each.code for each in findings.problems]


def kinds() -> list[str]:
    with platform_scope("read the events"):
        return [row.kind for row in EventRow.objects.order_by("id")]


def bring_live(zone: NamesServer, site: Site, host: str, **options: bool) -> DomainClaim:
    row = claim(site, host, **options)[0]
    zone.set(host, "A", HERE)
    zone.set(f"_kameng.{host}", "TXT", f"kameng-site={row.token}")
    live = look(row)
    assert live.state == ClaimState.LIVE
    return live


def test_a_claim_leads_nowhere_until_it_is_proved(zone: NamesServer, site_a: Site) -> None:
    zone.set("shop.com", "A", THERE)
    bare, www = claim(site_a, "https://Shop.com/x", with_twin=True, wants_primary=True)

    assert [bare.host, www.host] == ["shop.com", "www.shop.com"]
    assert bare.token == www.token
    first = look(bare)
    assert (first.state, problems(first)) == (ClaimState.WAITING, ["wrong_address"])
    assert problems(look(www)) == ["no_name"]
    assert find_site_id("shop.com") is None
    assert not may_have_certificate("shop.com")
    assert primary_host(site_a.id) == "a.localhost"

    zone.set("_kameng.shop.com", "TXT", f"kameng-site={bare.token}", "something else")
    proved = look(bare)
    assert (proved.state, proved.points) == (ClaimState.VERIFIED, False)
    selectors.forget_hosts()
    forget_permits()
    assert find_site_id("shop.com") == site_a.id
    assert may_have_certificate("shop.com")
    assert primary_host(site_a.id) == "a.localhost"

    zone.set("shop.com", "A", HERE)
    zone.set("www.shop.com", "CNAME", "a.localhost")
    assert (look(bare).state, look(www).state) == (ClaimState.LIVE, ClaimState.LIVE)
    assert primary_host(site_a.id) == "shop.com"
    assert kinds().count("tenancy.domain_live") == 2
    with platform_scope("read the audit log"):
        said = list(AuditEntry.objects.filter(subject_id="shop.com").values_list("action"))
    assert [each[0] for each in said] == [
        "site.domain.claimed",
        "site.domain.verified",
        "site.domain.live",
    ]


def test_pointing_alone_proves_what_was_elsewhere_and_is_wanted_by_nobody_else(
    zone: NamesServer, site_a: Site
) -> None:
    row = claim(site_a, "shop.com")[0]
    zone.set("shop.com", "A", THERE)
    look(row)
    zone.set("shop.com", "A", HERE)

    assert look(row).state == ClaimState.LIVE


def test_a_dangling_name_is_not_taken_over(zone: NamesServer, site_a: Site, site_b: Site) -> None:
    """Wei claims what still points here since Lin went, and what a wildcard leads here."""
    live = bring_live(zone, site_a, "shop.com")
    with site_scope(site_a.id):
        remove_claim(live.id, actor=SYSTEM)
    zone.set("_kameng.shop.com", "TXT")
    zone.set("wild.card.com", "A", HERE)

    left, wild = claim(site_b, "shop.com")[0], claim_more(site_b, "wild.card.com")

    assert problems(look(left)) == ["claimed_by_other"]
    assert problems(look(wild)) == ["led_here_before"]
    zone.set("shop.com", "A", THERE)
    look(left)
    zone.set("shop.com", "A", HERE)
    assert problems(look(left)) == ["claimed_by_other"]
    assert find_site_id("shop.com") is None
    assert not Domain.objects.filter(site=site_b, is_own=True).exists()


def test_a_name_that_was_left_on_an_address_given_to_another_shop_is_not_taken_over(
    zone: NamesServer, site_a: Site, site_b: Site
) -> None:
    """Lin's shop went, its address on the platform is Wei's, and the old record still names it."""
    zone.set("www.left.com", "A", HERE)
    zone.set("www.left.com", "CNAME", "a.localhost")
    lived = look(claim(site_a, "www.left.com")[0])
    assert lived.state == ClaimState.LIVE
    with site_scope(site_a.id):
        remove_claim(lived.id, actor=SYSTEM)
    Domain.objects.filter(host="b.localhost").delete()
    Domain.objects.filter(host="a.localhost").update(site_id=site_b.id)
    selectors.forget_hosts()

    left = claim(site_b, "www.left.com")[0]

    assert problems(look(left)) == ["led_here_before"]
    assert find_site_id("www.left.com") is None
    zone.set("_kameng.www.left.com", "TXT", f"kameng-site={left.token}")
    assert look(left).state == ClaimState.LIVE


def test_a_rival_does_not_keep_a_shop_from_proving_by_its_own_address(
    zone: NamesServer, site_a: Site, site_b: Site
) -> None:
    """The domain moves from Lin to Wei, while Lin's claim goes on looking at its records."""
    zone.set("www.moved.com", "CNAME", "a.localhost")
    held = look(claim(site_a, "www.moved.com")[0])
    assert held.state == ClaimState.LIVE

    zone.set("www.moved.com", "CNAME", "b.localhost")
    wanted = claim(site_b, "www.moved.com")[0]
    look(held)

    assert look(wanted).state == ClaimState.LIVE
    assert find_site_id("www.moved.com") == site_b.id


def claim_more(site: Site, host: str) -> DomainClaim:
    """Claim beyond what the plan of the tests allows."""
    Plan.objects.update(domains_most=None)
    row: DomainClaim = claim(site, host)[0]
    return row


def test_a_rival_can_neither_prove_by_pointing_nor_disturb_a_live_domain(
    zone: NamesServer, site_a: Site, site_b: Site
) -> None:
    live = bring_live(zone, site_a, "shop.com", wants_primary=True)
    zone.set("_kameng.shop.com", "TXT")  # tidied up by its owner

    rival = claim(site_b, "shop.com")[0]

    assert problems(look(rival)) == ["held_by_other"]
    assert look(live).state == ClaimState.LIVE
    assert find_site_id("shop.com") == site_a.id
    assert primary_host(site_a.id) == "shop.com"


def test_two_claims_at_once_both_need_a_proof_that_names_the_site(
    zone: NamesServer, site_a: Site, site_b: Site
) -> None:
    first, second = claim(site_a, "shop.com")[0], claim(site_b, "shop.com")[0]
    zone.set("shop.com", "A", THERE)
    look(first), look(second)
    zone.set("shop.com", "A", HERE)

    assert problems(look(first)) == problems(look(second)) == ["claimed_by_other"]
    assert first.token != second.token
    zone.set("_kameng.shop.com", "TXT", f"kameng-site={second.token}")
    wrong = look(first)
    assert problems(wrong) == ["claimed_by_other", "other_text"]
    assert look(second).state == ClaimState.LIVE
    assert find_site_id("shop.com") == site_b.id


def test_who_bought_the_domain_takes_it_with_him_by_a_text_record(
    zone: NamesServer, site_a: Site, site_b: Site
) -> None:
    old = bring_live(zone, site_a, "shop.com", wants_primary=True)
    new = claim(site_b, "shop.com", wants_primary=True)[0]
    zone.set("_kameng.shop.com", "TXT", f"kameng-site={new.token}")

    assert look(new).state == ClaimState.LIVE

    selectors.forget_hosts()
    assert find_site_id("shop.com") == site_b.id
    assert (primary_host(site_a.id), primary_host(site_b.id)) == ("a.localhost", "shop.com")
    with platform_scope("look at both claims"):
        gone = DomainClaim.unscoped.get(id=old.id)
    assert (gone.state, gone.wants_primary, gone.next_check_at) == (
        ClaimState.RELEASED,
        False,
        None,
    )
    assert "tenancy.domain_lost" in kinds()
    with site_scope(site_a.id), pytest.raises(errors.ClaimNotFound):
        get_claim(old.id)


def test_no_proof_takes_a_host_that_the_platform_gave(
    zone: NamesServer, site_a: Site, site_b: Site
) -> None:
    row = claim(site_b, "given.com")[0]
    Domain.objects.create(site=site_a, host="given.com")
    zone.set("given.com", "A", HERE)
    zone.set("_kameng.given.com", "TXT", f"kameng-site={row.token}")

    assert problems(look(row)) == ["platforms"]
    assert find_site_id("given.com") == site_a.id
    with pytest.raises(errors.OwnHostIsPlatforms):
        claim(site_b, "given.com")


def test_names_of_the_platform_are_not_claimed(
    zone: NamesServer, main_site: Site, site_a: Site
) -> None:
    with site_scope(main_site.id):
        changes: dict[str, object] = {
            "branch_suffix": "shops.kameng.cn",
            "domain_target": "edge.kameng.com",
        }
        change_settings(site_id=main_site.id, changes=changes, actor=SYSTEM)

    for host in ("x.shops.kameng.cn", "kameng.cn", "other.kameng.com", "edge.kameng.com"):
        with pytest.raises(errors.OwnHostIsPlatforms):
            claim(site_a, host)
    with platform_scope("nothing was claimed"):
        assert not DomainClaim.unscoped.exists()


def test_a_site_sees_and_touches_its_own_claims_alone(
    zone: NamesServer, site_a: Site, site_b: Site
) -> None:
    row = claim(site_a, "shop.com")[0]

    with site_scope(site_b.id):
        assert list_claims() == []
        for act in (
            lambda: get_claim(row.id),
            lambda: check_claims([row.id]),
            lambda: remove_claim(row.id, actor=SYSTEM),
            lambda: choose_primary(row.id, actor=SYSTEM),
        ):
            with pytest.raises(errors.ClaimNotFound):
                act()
    with site_scope(site_a.id):
        assert [each.host for each in list_claims()] == ["shop.com"]


def test_the_plan_says_how_many_and_a_pair_counts_once(zone: NamesServer, site_a: Site) -> None:
    first = claim(site_a, "shop.com")[0]

    again = claim(site_a, "www.shop.com", with_twin=True)
    assert {each.host for each in again} == {"shop.com", "www.shop.com"}
    assert {each.token for each in again} == {first.token}
    with pytest.raises(errors.DomainsMost):
        claim(site_a, "other.com")
    with site_scope(site_a.id):
        remove_claim(first.id, actor=SYSTEM)
    with pytest.raises(errors.DomainsMost):  # www. is still there
        claim(site_a, "other.com")
    Plan.objects.update(domains_most=0)
    with pytest.raises(errors.DomainsNotAllowed):
        claim(site_a, "other.com")
    assert not DomainClaim._all.filter(host="other.com").exists()


def test_a_claim_that_is_not_proved_expires_and_may_be_made_again(
    zone: NamesServer, site_a: Site
) -> None:
    row = claim(site_a, "shop.com", wants_primary=True)[0]
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(days=15), tick=True):
        assert check_due() == 1
        with site_scope(site_a.id):
            ended = get_claim(row.id)
        assert (ended.state, ended.next_check_at) == (ClaimState.EXPIRED, None)
        assert check_due() == 0

        again = claim(site_a, "shop.com")[0]
    assert (again.id, again.state) == (row.id, ClaimState.WAITING)
    assert again.token != row.token


def test_a_live_domain_that_leads_elsewhere_stops_being_the_primary_and_comes_back(
    zone: NamesServer, site_a: Site
) -> None:
    live = bring_live(zone, site_a, "shop.com", wants_primary=True)
    begin = dt.datetime.now(dt.UTC)
    zone.set("shop.com", "A", THERE)  # it lapsed, and somebody else bought it
    zone.set("_kameng.shop.com", "TXT")

    assert look(live).state == ClaimState.LIVE  # once is not yet away
    with time_machine.travel(begin + dt.timedelta(hours=2), tick=True):
        assert look(live).state == ClaimState.AWAY
        assert primary_host(site_a.id) == "a.localhost"
        assert kinds()[-1] == "tenancy.domain_away"
        with site_scope(site_a.id), pytest.raises(errors.DomainNotLive):
            choose_primary(live.id, actor=SYSTEM)
        zone.set("shop.com", "A", HERE)
        assert look(live).state == ClaimState.LIVE
        assert primary_host(site_a.id) == "shop.com"


def test_a_domain_that_stays_away_is_given_up_after_a_month(
    zone: NamesServer, site_a: Site
) -> None:
    live = bring_live(zone, site_a, "shop.com")
    begin = dt.datetime.now(dt.UTC)
    zone.set("shop.com", "A", THERE)
    look(live)
    with time_machine.travel(begin + dt.timedelta(hours=2), tick=True):
        look(live)
    with time_machine.travel(begin + dt.timedelta(days=31), tick=True):
        assert check_due() == 1
    selectors.forget_hosts()
    assert find_site_id("shop.com") is None
    assert kinds()[-1] == "tenancy.domain_lost"


def test_silence_of_the_domain_name_system_changes_nothing(
    zone: NamesServer, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = bring_live(zone, site_a, "shop.com", wants_primary=True)
    zone.is_silent = True
    monkeypatch.setattr(names, "TOTAL_SECONDS", 1)

    looked = look(live)

    assert (looked.state, looked.points, looked.away_since) == (ClaimState.LIVE, True, None)
    assert problems(looked) == ["no_reply"]
    assert primary_host(site_a.id) == "shop.com"


def test_a_button_pressed_twice_asks_once(zone: NamesServer, site_a: Site) -> None:
    row = claim(site_a, "shop.com")[0]
    with site_scope(site_a.id):
        check_claims([row.id])
        asked = len(zone.asked)
        check_claims([row.id])

    assert len(zone.asked) == asked


def test_the_primary_is_chosen_and_given_back(zone: NamesServer, site_a: Site) -> None:
    live = bring_live(zone, site_a, "shop.com")
    assert primary_host(site_a.id) == "a.localhost"
    assert selectors.find_onward_host("shop.com") == "a.localhost"

    with site_scope(site_a.id):
        choose_primary(live.id, actor=SYSTEM)
    assert primary_host(site_a.id) == "shop.com"
    assert selectors.find_onward_host("a.localhost") == "shop.com"
    assert selectors.find_onward_host("shop.com") is None
    with site_scope(site_a.id):
        choose_primary(None, actor=SYSTEM)
        remove_claim(live.id, actor=SYSTEM)
    assert primary_host(site_a.id) == "a.localhost"
    assert find_site_id("shop.com") is None
    assert selectors.find_onward_host("a.localhost") is None


def test_the_platform_owner_takes_a_host_away_with_its_claim(
    zone: NamesServer, site_a: Site
) -> None:
    live = bring_live(zone, site_a, "shop.com", wants_primary=True)

    with platform_scope("a domain is taken away"):
        drop_host(site_id=site_a.id, host="shop.com", actor=SYSTEM)

    assert find_site_id("shop.com") is None
    assert primary_host(site_a.id) == "a.localhost"
    with platform_scope("look at the claim"):
        assert DomainClaim.unscoped.get(id=live.id).state == ClaimState.RELEASED


def test_a_claim_ends_with_the_address_that_a_closed_site_lets_go(
    zone: NamesServer, site_a: Site
) -> None:
    live = bring_live(zone, site_a, "shop.com")
    now = dt.datetime.now(dt.UTC)
    Site.objects.filter(id=site_a.id).update(state=SiteState.CLOSED)
    with site_scope(site_a.id):
        Closing.objects.create(
            site_id=site_a.id,
            reason="done",
            asked_by="Lin",
            state_before=SiteState.OPEN,
            completed_at=now - dt.timedelta(days=800),
        )
        release_address(host="shop.com", actor=SYSTEM)

    assert find_site_id("shop.com") is None
    with platform_scope("look at the claim"):
        assert DomainClaim.unscoped.get(id=live.id).state == ClaimState.RELEASED


def test_under_tls_a_domain_is_live_with_its_certificate_only(
    zone: NamesServer, site_a: Site, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_SCHEME, settings.PUBLIC_PORT, settings.EDGE_ADDRESS = "https", "443", ()
    row = claim(site_a, "shop.com", wants_primary=True)[0]
    zone.set("shop.com", "A", HERE)
    zone.set("_kameng.shop.com", "TXT", f"kameng-site={row.token}")
    met: list[tuple[str, str, int]] = []
    shown = [Shown(fault="refused")]

    def shake(host: str, *, address: str, port: int, ca_file: str) -> Shown:
        met.append((host, address, port))
        return shown[-1]

    monkeypatch.setattr(checking, "look_at", shake)
    assert check_due() == 1
    with site_scope(site_a.id):
        waiting = get_claim(row.id)
    assert (waiting.state, waiting.certificate_fault) == (ClaimState.VERIFIED, "refused")
    assert primary_host(site_a.id) == "a.localhost"
    assert met == [("shop.com", HERE, 443)]

    ends_at = dt.datetime.now(dt.UTC) + dt.timedelta(days=90)
    shown.append(Shown(ends_at=ends_at))
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2), tick=True):
        assert check_due() == 1
    with site_scope(site_a.id):
        live = get_claim(row.id)
    assert (live.state, live.certificate_ends_at) == (ClaimState.LIVE, ends_at)
    assert primary_host(site_a.id) == "shop.com"

    note_certificate(row.id, Shown(fault="expired"))
    note_certificate(row.id, Shown(fault="expired"))
    assert kinds().count("tenancy.certificate_failed") == 1
    assert [each.is_troubled for each in list_all_claims(only="trouble")] == [True]
    note_certificate(row.id, Shown(ends_at=ends_at))
    assert list_all_claims(only="trouble") == []
    note_certificate(row.id, Shown(ends_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=3)))
    assert kinds().count("tenancy.certificate_failed") == 2


def test_nobody_is_asked_inside_a_transaction(db: None) -> None:
    with pytest.raises(RuntimeError):
        names.look_up("shop.com")
    with pytest.raises(RuntimeError):
        certificates.look_at("shop.com", address="127.0.0.1", port=9)


def test_a_made_up_name_gets_no_certificate(main_site: Site, site_a: Site) -> None:
    forget_permits()
    for host, may in (
        ("a.localhost", True),
        ("A.localhost.", True),
        ("unknown.com", False),
        ("203.0.113.10", False),
        ("localhost", False),
        ("a.localhost:443", False),
        ("", False),
        ("a" * 300, False),
    ):
        assert may_have_certificate(host) is may, host
    for state in (2, 3):  # suspended, closed: buyers look up what they bought
        Site.objects.filter(id=site_a.id).update(state=state)
        forget_permits()
        assert may_have_certificate("a.localhost"), state
    Domain.objects.filter(site=site_a).delete()
    forget_permits()
    assert not may_have_certificate("a.localhost")


def test_a_flood_of_made_up_names_asks_the_database_so_often_only(
    main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_permits()
    monkeypatch.setattr("kameng.tenancy.permits.time.monotonic_ns", lambda: 5 * 10**9)
    refused = 0
    for number in range(80):
        try:
            assert not may_have_certificate(f"x{number}.com")
        except errors.AskedTooOften:
            refused += 1

    assert refused == 30
    assert not may_have_certificate("x1.com")  # what is known is answered


def test_where_the_platform_says_nothing_its_own_name_is_asked(
    zone: NamesServer, main_site: Site, site_a: Site
) -> None:
    publish_addresses(main_site, "")
    row = claim(site_a, "shop.com")[0]
    zone.set("shop.com", "A", HERE)
    zone.set("_kameng.shop.com", "TXT", f"kameng-site={row.token}")

    live = look(row)

    findings = read_findings(live)
    assert live.state == ClaimState.LIVE
    assert findings is not None
    assert findings.expected_addresses == (HERE,)


def test_a_worker_that_died_leaves_its_domains_to_the_next_look(
    zone: NamesServer, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(site_a, "shop.com")
    monkeypatch.setattr(checking, "_check_one", lambda _claim_id: None)  # cut before the look
    assert check_due() == 1
    assert check_due() == 0
    monkeypatch.undo()

    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=95), tick=True):
        assert check_due() == 1


@pytest.mark.parametrize("damage", [damage for _name, damage in OF_DOMAINS])
def test_the_audit_names_a_domain_that_nobody_proved(
    main_site: Site, site_a: Site, site_b: Site, damage: str
) -> None:
    now = dt.datetime.now(dt.UTC)
    with site_scope(site_a.id):
        DomainClaim.objects.create(
            site_id=site_a.id,
            host="shop.com",
            token="t",
            state=ClaimState.LIVE,
            proof=1,
            verified_at=now,
            claimed_at=now,
        )
    Domain.objects.filter(site=site_a).update(is_primary=False)
    Domain.objects.create(site=site_a, host="shop.com", is_own=True, is_primary=True)
    assert find_named("I36") == []

    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage.format(other=site_b.id))

    assert [line.partition(":")[0] for line in find_named("I36")] in (
        ["shop.com"],
        ["shop.com", "shop.com"],
    )


def find_named(name: str) -> list[str]:
    """Return what one invariant of the audit finds."""
    return [line for each, _, check in audit.checks() if each == name for line in check()]
