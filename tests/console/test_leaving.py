"""The screens of a shop's end: archive, handing over, closing, licence details."""

import datetime as dt
import io
import re
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from kameng.accounts.models import Role, Session, SiteRole, User
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.insight.models import Archive, ArchiveState
from kameng.insight.services.archiving import write_archive
from kameng.messaging.models import OperatorNotice
from kameng.messaging.operator_notices import NoticeDraft, post_notices
from kameng.tenancy.models import Licence, Site, SiteState
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.services import change_settings, set_site_state
from tests import people
from tests.console.pages import address, text_of
from tests.factories import PASSWORD, make_staff

ClientFor = Callable[..., Client]
PAGES = ("archives", "hand_over", "shop_closing")
FORM = {
    "kind": "1",
    "name": "星河网络有限公司",
    "credit_code": "91350100M000100Y43",
    "address": "上海市一号",
    "phone": "400-800-1234",
    "complaints": "021-12345678",
}


def grow_old(site: Site) -> None:
    with site_scope(site.id):
        Session.objects.update(confirmed_at=clock.now() - dt.timedelta(hours=1))


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


@pytest.mark.parametrize("name", PAGES)
def test_only_the_owner_may_leave(
    name: str, site_a: Site, site_b: Site, lin: people.Staff, wei: people.Staff,
    client_for: ClientFor,
) -> None:  # fmt: skip
    manager = people.make_operator(site_a, login="sun", name="Sun", role=Role.MANAGER)

    statuses = [
        client_for(site_a, person).get(address(site_a, name)).status_code
        for person in (lin, manager, wei, None)
    ]

    assert statuses == [200, 403, 404, 302]


def test_an_archive_is_made_and_downloaded_with_the_password(
    site_a: Site, site_b: Site, lin: people.Staff, wei: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    assert client.post(address(site_a, "archives"), {}).status_code == 303
    with site_scope(site_a.id):
        archive = Archive.objects.get()
    progress = client.get(address(site_a, "archive_progress", archive.id)).json()
    assert (progress["reload"], progress["done_count"]) == (False, 0)
    assert client.post(address(site_a, "archives"), {}).status_code == 409
    with site_scope(site_a.id):
        write_archive(archive.id)
    assert client.get(address(site_a, "archive_progress", archive.id)).json()["reload"]

    grow_old(site_a)
    url = address(site_a, "archive_file", archive.id)
    assert client.post(url).status_code == 403
    given = client.post(url, {"confirm_password": PASSWORD})
    data = body_of(given)
    assert (given.status_code, given["Content-Type"]) == (200, "application/zip")
    assert (len(data), given["Cache-Control"]) == (int(given["Content-Length"]), "no-store")
    assert "orders.csv" in zipfile.ZipFile(io.BytesIO(data)).namelist()
    foreign = client_for(site_b, wei).post(address(site_b, "archive_file", archive.id))
    assert foreign.status_code == 404

    assert client.post(address(site_a, "drop_archive", archive.id)).status_code == 303
    assert client.post(url).status_code == 404
    with site_scope(site_a.id):
        assert Archive.objects.get().state == ArchiveState.REMOVED


def test_a_suspended_shop_is_taken_along_too(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    Site.objects.filter(id=site_a.id).update(state=SiteState.SUSPENDED)

    assert client_for(site_a, lin).post(address(site_a, "archives"), {}).status_code == 303


def test_the_name_is_typed_before_a_shop_winds_down(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client, url = client_for(site_a, lin), address(site_a, "shop_closing")

    wrong = client.post(url, {"reason": "不做了", "typed_name": "乙站"})
    assert wrong.status_code == 400
    assert "和店铺名称不一样" in text_of(wrong)
    assert 'value="不做了"' in wrong.content.decode()
    assert get_site_view(site_a.id).state == SiteState.OPEN

    assert client.post(url, {"reason": "不做了", "typed_name": "甲站"}).status_code == 303
    assert get_site_view(site_a.id).state == SiteState.CLOSING
    act = address(site_a, "act_on_closing")
    assert client.post(act, {"action": "dance"}).status_code == 400
    assert client.post(act, {"action": "give_up"}).status_code == 303
    assert get_site_view(site_a.id).state == SiteState.OPEN
    assert client.post(act, {"action": "complete"}).status_code == 409


def test_a_closed_shop_is_opened_again_by_the_platform_alone(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    client, platform = client_for(site_a, lin), client_for(main_site, ada)
    act = address(site_a, "act_on_closing")
    client.post(address(site_a, "shop_closing"), {"reason": "x", "typed_name": "甲站"})
    assert client.post(act, {"action": "complete"}).status_code == 303
    assert "已关店" in text_of(client.get(address(site_a, "shop_closing")))

    for action in ("reopen", "release", "settle"):
        assert client.post(act, {"action": action}).status_code == 403
    assert get_site_view(site_a.id).state == SiteState.CLOSED
    state = platform.post(address(main_site, "set_state", site_a.id), {"action": "reopen"})
    assert state.status_code == 409
    assert platform.post(act, {"action": "release", "host": "a.localhost"}).status_code == 409
    assert platform.post(act, {"action": "reopen"}).status_code == 303
    assert get_site_view(site_a.id).state == SiteState.OPEN


def test_what_the_main_site_began_the_operator_does_not_give_up(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    form = {"reason": "违规", "typed_name": "甲站"}
    client_for(main_site, ada).post(address(site_a, "shop_closing"), form)

    refused = client_for(site_a, lin).post(address(site_a, "act_on_closing"), {"action": "give_up"})

    assert refused.status_code == 403
    assert get_site_view(site_a.id).state == SiteState.CLOSING


def link_of(response: HttpResponse) -> str:
    found = re.search(r"/console/take-over/[\w-]+/", response.content.decode())
    assert found is not None
    return found[0]


def test_who_has_no_account_makes_one_and_takes_the_shop_over(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    owner = client_for(site_a, lin)
    offered = owner.post(
        address(site_a, "hand_over"), {"receiver": "Sun@Example.com", "reason": ""}
    )
    link = link_of(offered)
    assert offered["Cache-Control"] == "no-store"
    assert link not in owner.get(address(site_a, "hand_over")).content.decode()

    guest = client_for(site_a)
    assert "sun@example.com" in text_of(guest.get(link))
    assert guest.post(link, {"action": "accept", "password": "x"}).status_code == 303
    weak = guest.post(link, {"action": "join", "display_name": "小孙", "password": "123"})
    assert weak.status_code == 400
    assert not User.objects.filter(login="sun@example.com").exists()
    joined = guest.post(
        link, {"action": "join", "display_name": "小孙", "password": "ein-gutes-Wort-9"}
    )
    assert joined.status_code == 303
    assert guest.get(address(site_a, "orders")).status_code == 404  # no part in it yet
    wrong = guest.post(link, {"action": "accept", "password": "falsch-falsch"})
    assert (wrong.status_code, "不正确" in text_of(wrong)) == (400, True)
    with site_scope(site_a.id):
        assert SiteRole.objects.get(role="owner").user.login == "lin"

    taken = guest.post(link, {"action": "accept", "password": "ein-gutes-Wort-9"})
    assert taken.status_code == 303
    assert guest.get(address(site_a, "staff")).status_code == 200
    assert owner.get(address(site_a, "orders")).status_code == 302  # signed out
    again = guest.get(link)
    assert (again.status_code, "链接已失效" in text_of(again)) == (409, True)


def test_the_link_opens_nothing_to_another_person(
    site_a: Site, site_b: Site, lin: people.Staff, wei: people.Staff, client_for: ClientFor
) -> None:
    make_staff(login="sun", name="Sun")
    offered = client_for(site_a, lin).post(
        address(site_a, "hand_over"), {"receiver": "sun", "reason": ""}
    )
    link = link_of(offered)
    owner = client_for(site_a, lin)

    shown = owner.get(link)
    refused = owner.post(link, {"action": "accept", "password": PASSWORD})
    elsewhere = client_for(site_b, wei).get(link)

    assert "另一个登录名" in text_of(shown)
    assert (refused.status_code, elsewhere.status_code) == (403, 409)
    with site_scope(site_a.id):
        assert SiteRole.objects.get(role="owner").user.login == "lin"


def test_who_is_asked_may_say_no(site_a: Site, lin: people.Staff, client_for: ClientFor) -> None:
    make_staff(login="sun", name="Sun")
    offered = client_for(site_a, lin).post(
        address(site_a, "hand_over"), {"receiver": "sun", "reason": ""}
    )
    link, guest = link_of(offered), client_for(site_a)
    guest.post("/console/sign-in/", {"login": "sun", "password": PASSWORD})

    assert "您没有接手" in text_of(guest.post(link, {"action": "decline"}))

    stale = client_for(site_a, lin).post(address(site_a, "take_offer_back"))
    assert stale.status_code == 409


def test_licence_details_are_handed_in_and_verified(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    client, platform = client_for(site_a, lin), client_for(main_site, ada)
    bad = client.post(address(site_a, "legal"), {**FORM, "credit_code": "91350100M000100Y44"})
    assert (bad.status_code, "校验不符" in text_of(bad)) == (400, True)
    assert 'value="星河网络有限公司"' in bad.content.decode()
    assert client.post(address(site_a, "legal"), FORM).status_code == 303
    with site_scope(site_a.id):
        licence = Licence.objects.get()
    assert "主体信息待核实" in text_of(platform.get(address(main_site, "overview")))
    decide = address(main_site, "decide_licence", licence.id)
    assert client.post(decide, {"action": "verify"}).status_code in {403, 404}
    assert platform.post(decide, {"action": "refuse", "note": ""}).status_code == 400
    assert platform.post(decide, {"action": "refuse", "note": "地址不清"}).status_code == 303
    assert "地址不清" in text_of(client.get(address(site_a, "legal")))
    assert platform.post(decide, {"action": "verify"}).status_code == 404

    client.post(address(site_a, "legal"), {**FORM, "address": "上海市浦东新区一号"})
    with site_scope(site_a.id):
        waiting = Licence.objects.get(state=1)
    decide = address(main_site, "decide_licence", waiting.id)
    assert platform.post(decide, {"action": "verify"}).status_code == 303

    shop = client_for(site_a)
    home = text_of(shop.get("/"))
    assert ("星河网络有限公司" in home, FORM["credit_code"] in home) == (True, True)
    legal = text_of(shop.get("/about/legal/"))
    assert ("上海市浦东新区一号" in legal, "021-12345678" in legal) == (True, True)


def test_a_shop_without_licence_is_seen_by_its_operator_alone(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    guest, operator = client_for(site_a), client_for(site_a, lin)
    assert guest.get("/").status_code == 200
    saved = client_for(main_site, ada).post(
        address(main_site, "licences"), {"licence_required": "on", "closed_keep_days": "90"}
    )
    assert saved.status_code == 303

    closed = guest.get("/", headers={"accept": "text/html"})
    assert (closed.status_code, "准备中" in text_of(closed)) == (403, True)
    assert guest.get("/lookup/").status_code == 200
    seen = operator.get("/")
    assert (seen.status_code, "只有您看得到" in text_of(seen)) == (200, True)

    passed = client_for(main_site, lin).get(address(site_a, "look_inside"))
    assert passed.status_code == 303
    path = passed["Location"].partition("a.localhost")[2]
    path = path[path.index("/") :]
    assert guest.get(path).status_code == 303
    assert guest.get("/").status_code == 200
    assert guest.get(path).status_code == 303  # the browser that used it may follow it again
    assert client_for(site_a).get("/inside/forged/").status_code == 404
    used = client_for(site_a).get(path)
    assert (used.status_code, "已经用过" in text_of(used)) == (404, True)


def test_a_pass_opens_one_shop_and_not_for_long(
    main_site: Site, site_a: Site, site_b: Site, lin: people.Staff, client_for: ClientFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with site_scope(main_site.id):
        change_settings(site_id=main_site.id, changes={"licence_required": True}, actor=SYSTEM)
    passed = client_for(main_site, lin).get(address(site_a, "look_inside"))
    path = "/inside/" + passed["Location"].partition("/inside/")[2]

    assert client_for(site_b).get(path).status_code == 404

    late = time.time() + 600
    monkeypatch.setattr(time, "time", lambda: late)
    assert client_for(site_a).get(path).status_code == 404


def test_news_of_the_main_site_stand_above_until_they_were_seen(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    with site_scope(site_a.id):
        values = {"reason": "投诉太多", "to": ""}
        post_notices(
            [NoticeDraft(site_id=site_a.id, kind="resumed", dedupe_key="one", values=values)]
        )
        notice_id = OperatorNotice.objects.get().id
    operator = client_for(site_a, lin)

    shown = text_of(operator.get(address(site_a, "overview")))
    assert ("主站已恢复本店营业" in shown, "原因：投诉太多" in shown) == (True, True)
    seen = f"/console/{site_a.slug}/news/{notice_id}/seen/"
    assert operator.post(seen).status_code == 303
    assert operator.post(seen).status_code == 303
    assert "主站已恢复本店营业" not in text_of(operator.get(address(site_a, "overview")))


def test_every_page_says_why_a_shop_does_not_sell(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    operator = client_for(site_a, lin)
    with site_scope(site_a.id):
        set_site_state(
            site_id=site_a.id, state=SiteState.SUSPENDED, reason="资料不全", actor=SYSTEM
        )

    assert "原因：资料不全" in text_of(operator.get(address(site_a, "goods")))
