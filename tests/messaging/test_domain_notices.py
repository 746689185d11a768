"""What becomes of a domain is told to the owners once, a failing certificate to the platform."""

import pytest

from kameng.accounts.models import Role
from kameng.core.events import Event, LoggedEvent
from kameng.core.scope import platform_scope
from kameng.messaging import domain_notices
from kameng.messaging.domain_notices import send_domain_news
from kameng.messaging.models import Email
from kameng.messaging.services import EmailDraft
from kameng.tenancy.events import CertificateFailed, DomainLost, DomainWentAway, DomainWentLive
from kameng.tenancy.models import Domain, Site
from tests import people
from tests.factories import make_staff


@pytest.fixture
def owners(site_a: Site) -> None:
    """Two owners with addresses, one without, a manager, and the platform's owner."""
    people.make_operator(site_a, login="lin@shop.cn", name="Lin")
    people.make_operator(site_a, login="an@shop.cn", name="An")
    people.make_operator(site_a, login="plain", name="Plain")
    people.make_operator(site_a, login="hui@shop.cn", name="Hui", role=Role.MANAGER)
    make_staff(login="ada@kameng.cn", name="Ada", is_platform=True)


def event(kind: type[Event], site: Site, **payload: object) -> LoggedEvent:
    values = {"host": "xn--hlrt69d.com", **payload}
    return LoggedEvent(event_id=7, kind=kind.KIND, site_id=site.id, subject_id=1, payload=values)


@pytest.mark.parametrize(
    ("kind", "payload", "said", "is_for_platform"),
    [
        (DomainWentLive, {}, "买家现在可以用 点卡.com 打开您的店", False),
        (DomainWentAway, {}, "链接已换回平台网址", False),
        (DomainLost, {"was_taken": True}, "另一个店证明了 点卡.com 是他的", False),
        (DomainLost, {"was_taken": False}, "一个月没有指向我们", False),
        (CertificateFailed, {"fault": "expired"}, "的证书没有续上", True),
    ],
)
def test_owners_are_told_in_words(
    site_a: Site,
    owners: None,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Event],
    payload: dict[str, object],
    said: str,
    is_for_platform: object,
) -> None:
    sent: list[EmailDraft] = []
    monkeypatch.setattr(domain_notices, "send_email", sent.extend)
    Domain.objects.create(site=site_a, host="xn--hlrt69d.com", is_own=True)

    with platform_scope("a consumer of events"):
        send_domain_news([event(kind, site_a, **payload)])

    platform = ["ada@kameng.cn"] if is_for_platform else []
    assert [draft.to for draft in sent] == ["lin@shop.cn", "an@shop.cn", *platform]
    assert all("点卡.com" in draft.subject and said in draft.body for draft in sent)
    assert all("//a.localhost" in draft.body for draft in sent)  # not by the host itself
    assert all("/console/site-a/domains/" in draft.body for draft in sent)


def test_an_event_that_is_read_twice_is_told_once(site_a: Site, owners: None) -> None:
    with platform_scope("a consumer of events"):
        for _ in range(2):
            send_domain_news([event(DomainWentLive, site_a)])

        assert Email.unscoped.count() == 2


def test_a_site_that_is_not_there_stops_nobody(main_site: Site) -> None:
    gone = LoggedEvent(
        event_id=1, kind=DomainLost.KIND, site_id=2**40, subject_id=1, payload={"host": "a.com"}
    )
    with platform_scope("a consumer of events"):
        send_domain_news([gone])

        assert not Email.unscoped.exists()
