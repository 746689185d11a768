"""What the main site does with a shop is told to its owner once, by mail and in the console."""

import json

import pytest
from django.db import transaction

from kameng.accounts.events import OfferMoved
from kameng.accounts.models import Role, User
from kameng.accounts.services.handing_over import accept_offer, offer_site, withdraw_offer
from kameng.console.operator_news import NEWS, list_news
from kameng.core.audit import SYSTEM, Actor
from kameng.core.database import fetch
from kameng.core.events import LoggedEvent
from kameng.core.scope import platform_scope
from kameng.messaging import standing_notices
from kameng.messaging.handlers import tell_standing
from kameng.messaging.models import Email, OperatorNotice
from kameng.messaging.operator_notices import list_notices, see_notice
from kameng.messaging.services import EmailDraft
from kameng.messaging.standing_notices import send_standing_news
from kameng.tenancy.closing import begin_closing, give_up_closing
from kameng.tenancy.events import StandingChanged
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.services import set_site_state
from tests import people
from tests.factories import make_staff

ADA = Actor(kind="user", actor_id=1, name="Ada")


@pytest.fixture(autouse=True)
def _owners(site_a: Site) -> None:
    people.make_operator(site_a, login="lin@shop.cn", name="Lin")
    people.make_operator(site_a, login="hui@shop.cn", name="Hui", role=Role.MANAGER)


def standing(site: Site) -> list[tuple[str, str]]:
    """Return kind and reason of every notice of a site."""
    with site_scope(site.id):
        rows = OperatorNotice.objects.order_by("id")
        return [(row.kind, row.values["reason"]) for row in rows]


def hear() -> None:
    """Hand what was published to the consumer, twice over."""
    with platform_scope("a consumer of events"):
        rows = fetch(
            "select id, kind, site_id, subject_id, payload::text from core_event"
            " where kind = any (%s) order by id",
            ([StandingChanged.KIND, OfferMoved.KIND],),
        )
        events = [
            LoggedEvent(
                event_id=row[0],
                kind=row[1],
                site_id=row[2],
                subject_id=row[3],
                payload=json.loads(row[4]),
            )
            for row in rows
        ]
        for _turn in range(2):
            tell_standing(events)


def suspend(site: Site, reason: str = "投诉太多") -> None:
    with platform_scope("a test suspends"):
        set_site_state(site_id=site.id, state=SiteState.SUSPENDED, reason=reason, actor=ADA)


def resume(site: Site) -> None:
    with platform_scope("a test resumes"):
        set_site_state(site_id=site.id, state=SiteState.OPEN, reason="", actor=ADA)


def test_a_suspension_and_its_end_are_told_once(site_a: Site) -> None:
    suspend(site_a)
    suspend(site_a)  # the same again
    resume(site_a)
    resume(site_a)
    hear()

    assert standing(site_a) == [("suspended", "投诉太多"), ("resumed", "")]
    with site_scope(site_a.id):
        assert Email.objects.count() == 2  # to the owner, not to the manager


def test_a_closing_of_the_main_site_is_told_and_the_operators_own_is_not(
    site_a: Site, site_b: Site
) -> None:
    people.make_operator(site_b, login="wei@shop.cn", name="Wei")
    for site, is_by_platform in ((site_a, True), (site_b, False)):
        with site_scope(site.id):
            begin_closing(reason="违规", is_by_platform=is_by_platform, actor=SYSTEM)
            give_up_closing(actor=SYSTEM)
    hear()

    assert standing(site_a) == [("closing", "违规"), ("closing_ended", "")]
    assert standing(site_b) == []


def test_a_transfer_of_the_main_site_is_told_and_the_owners_own_is_not(site_a: Site) -> None:
    ada = make_staff(login="ada", name="Ada", is_platform=True)
    lin = User.objects.get(login="lin@shop.cn")
    platform, owner = (Actor(kind="user", actor_id=each.id, name="x") for each in (ada, lin))
    with site_scope(site_a.id):
        offer_site(receiver="bo@shop.cn", reason="欠款", is_by_platform=True, actor=platform)
        withdraw_offer(actor=platform)
        offer_site(receiver="bo@shop.cn", reason="", is_by_platform=False, actor=owner)
    hear()

    assert standing(site_a) == [("offered", "欠款"), ("offer_withdrawn", "欠款")]


def test_an_offer_is_news_while_it_stands_and_not_to_whom_it_made_the_owner(site_a: Site) -> None:
    ada = make_staff(login="ada", name="Ada", is_platform=True)
    bo = make_staff(login="bo@shop.cn", name="Bo")
    platform = Actor(kind="user", actor_id=ada.id, name="Ada")
    view = get_site_view(site_a.id)
    with site_scope(site_a.id):
        made = offer_site(receiver="bo@shop.cn", reason="", is_by_platform=True, actor=platform)
    hear()

    with site_scope(site_a.id):
        assert [news.notice.kind for news in list_news(view, may=frozenset())] == ["offered"]
        with transaction.atomic():
            accept_offer(made.token, user_id=bo.id, keeps_manager=False, actor=SYSTEM)
        assert list_news(view, may=frozenset()) == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("suspended", "停用原因"),
        ("resumed", "现在可以下单"),
        ("closing", "不再接受新订单"),
        ("closing_ended", "关店之前"),
        ("closed", "都已办完"),
        ("reopened", "撤销了关店"),
        ("offered", "向 bo@shop.cn 发出了转让邀请"),
        ("offer_withdrawn", "收回了给 bo@shop.cn"),
        ("offer_declined", "没有接受转让"),
    ],
)
def test_each_kind_has_its_words(
    site_a: Site, monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    sent: list[EmailDraft] = []
    monkeypatch.setattr(standing_notices, "send_email", sent.extend)
    payload = {"what": what, "reason": "投诉", "to": "bo@shop.cn"}
    told = LoggedEvent(
        event_id=7, kind=StandingChanged.KIND, site_id=site_a.id, subject_id=1, payload=payload
    )
    with platform_scope("a consumer of events"):
        send_standing_news([told])

    (draft,) = sent
    assert draft.to == "lin@shop.cn"
    assert said in draft.body
    assert "原因：投诉" in draft.body
    assert f"/console/{site_a.slug}/" in draft.body
    assert what in NEWS


def test_a_notice_that_was_seen_is_gone_for_this_site_alone(site_a: Site, site_b: Site) -> None:
    suspend(site_a)
    suspend(site_b)
    hear()
    with site_scope(site_a.id):
        (shown,) = list_notices()
    with site_scope(site_b.id):
        see_notice(shown.id, actor=ADA)
        assert len(list_notices()) == 1
    with site_scope(site_a.id):
        assert len(list_notices()) == 1
        see_notice(shown.id, actor=ADA)
        see_notice(shown.id, actor=SYSTEM)
        assert list_notices() == []
        assert OperatorNotice.objects.get().seen_by == "Ada"
