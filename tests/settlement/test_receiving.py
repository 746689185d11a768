"""A payout that its receiver confirms inside WeChat: the page, the call, and every end of it.

The simulator plays WeChat over loopback; what the page hands to the bridge is handed to it.
"""

import datetime as dt
import html
import importlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from kameng.accounts.models import Role, User
from kameng.config import rotation
from kameng.core import clock, keyring
from kameng.core.crypto import binding, decrypt_text
from kameng.core.scope import platform_scope
from kameng.messaging.models import Email
from kameng.messaging.services import EmailDraft, send_email
from kameng.payments.providers.abilities import (
    WAITS_FOR_RECEIVER,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.providers.wechat.provider import WechatProvider
from kameng.risk.rules import LINK_TRY_BY_IP
from kameng.settlement import notices
from kameng.settlement.links import opens, payout_token, receive_url
from kameng.settlement.models import Withdrawal
from kameng.settlement.rules import State
from kameng.settlement.sealing import open_confirmation
from kameng.settlement.services.paying_out import _wait as wait_for
from kameng.settlement.services.paying_out import send_due_payouts
from kameng.settlement.services.receiving import put_off, read_receiving
from kameng.tenancy.addresses import site_url
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import site_scope
from kameng.web.receiving import receiving_path
from tests import people
from tests.factories import make_staff
from tests.people import Staff
from tests.providers.world import World, open_world
from tests.settlement.live import LiveDesk
from tests.settlement.test_live import LOSSES, add_account, confirm, open_desk, send, start
from tests.settlement.world import LIN

ClientFor = Callable[..., Client]
WECHAT = "Mozilla/5.0 (iPhone) AppleWebKit Mobile/15E148 MicroMessenger/8.0.50"
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The simulator, in fast motion."""
    with open_world(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(autouse=True)
def _allow_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ALLOW_LOOPBACK_GATEWAYS", True)


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key ring of its own, which can be turned."""
    path = keyring.ensure(tmp_path / "keyring.json")
    monkeypatch.setattr(settings, "KEYRING_PATH", path)
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(rotation, "STRAGGLER_SECONDS", 0.0)
    return path


@pytest.fixture
def desk(any_db: None, world: World, main_site: Site, site_a: Site) -> LiveDesk:
    """A sub-site whose main site pays out by WeChat; something was sold."""
    made = open_desk("wechat", world, main_site, site_a)
    made.sell()
    return made


@pytest.fixture
def asked(desk: LiveDesk) -> Withdrawal:
    """Lin's withdrawal: asked for, approved, sent, waiting for its receiver."""
    row = start(desk, add_account(desk))
    send(desk)
    found: Withdrawal = desk.fresh(row)
    return found


@pytest.fixture
def phone(client_for: ClientFor, site_a: Site) -> Client:
    """The receiver's phone, on which nobody is signed in."""
    return client_for(site_a)


def link(row: Withdrawal, *, token: str | None = None, page: str = "") -> str:
    given = payout_token(row.site_id, row.payout_no) if token is None else token
    return f"/receive/{row.withdrawal_no}/{page}?t={given}"


def look(client: Client, path: str, agent: str = WECHAT) -> str:
    answer: HttpResponse = client.get(path, headers={"User-Agent": agent})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    return answer.content.decode()


def poll(client: Client, row: Withdrawal, *, shown: str = "open") -> dict[str, Any]:
    answer = client.get(link(row, page="status/") + f"&s={shown}")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    told: dict[str, Any] = answer.json()
    return told


def fields_on(page: str) -> dict[str, str]:
    found = re.search(r'data-receive-bridge="([^"]*)"', page)
    assert found is not None
    fields: dict[str, str] = json.loads(html.unescape(found.group(1)))
    return fields


# --- the whole way -----------------------------------------------------------------------------


def test_a_payout_is_confirmed_on_its_page_and_paid(
    desk: LiveDesk, asked: Withdrawal, phone: Client
) -> None:
    page = look(phone, link(asked))
    for text in ("请在微信里确认收款", "0.50", "林**", "oUp****eS6o"):
        assert text in page
    for secret in ("林小满", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"):
        assert secret not in page

    said = json.loads(desk.world.post_bridge(fields_on(page)))
    assert said["err_msg"] == "requestMerchantTransfer:ok"
    assert poll(phone, asked)["state"] == "open"  # the bridge's word proves nothing
    desk.world.browse(said["page"], fields={"act": "take"})
    send(desk)

    done = desk.fresh(asked)
    assert (done.state, done.confirm_cipher) == (State.PAID, None)
    told = poll(phone, asked)
    assert (told["state"], told["done"]) == ("taken", True)
    assert "已收款" in told["html"]
    page = look(phone, link(asked))  # by the back button, or again
    assert "钱已进入微信零钱" in page
    assert "data-receive-bridge" not in page
    assert "data-poll-url" not in page


@pytest.mark.parametrize(
    ("act", "state", "words"),
    [("refuse", "failed", "没有收到款"), ("expire", "expired", "24 小时内没有确认")],
)
def test_a_payout_that_is_not_taken_says_so_and_the_money_is_back(
    desk: LiveDesk, asked: Withdrawal, phone: Client, act: str, state: str, words: str
) -> None:
    held = desk.margin()
    confirm(desk, asked, act=act)
    send(desk)

    ended = desk.fresh(asked)
    assert (ended.state, ended.confirm_cipher) == (State.FAILED, None)
    assert desk.margin() == held + asked.amount
    told = poll(phone, asked)
    assert (told["state"], told["done"]) == (state, True)
    assert words in told["html"]
    assert words in look(phone, link(asked))
    assert "data-receive-bridge" not in look(phone, link(asked))


def test_the_link_ends_with_the_transfer(desk: LiveDesk, asked: Withdrawal, phone: Client) -> None:
    with clock.standing_at(clock.now() + dt.timedelta(hours=24, minutes=1)):
        page = look(phone, link(asked))
        assert "确认时间已过" in page
        assert "data-receive-bridge" not in page
        told = poll(phone, asked)
        assert (told["state"], told["done"]) == ("closing", False)
    confirm(desk, asked)
    send(desk)
    with clock.standing_at(clock.now() + dt.timedelta(hours=25)):
        page = look(phone, link(asked))
    assert "链接已失效" in page
    for told_no_more in ("0.50", "林**", asked.withdrawal_no + "</dd>"):
        assert told_no_more not in page


def test_the_page_speaks_english_too(asked: Withdrawal, phone: Client) -> None:
    phone.post("/language/", {"language": "en"})

    page = look(phone, link(asked))

    assert "Confirm in WeChat to receive" in page
    assert "Confirm before" in page
    assert "收款" not in page


# --- the link by mail --------------------------------------------------------------------------


def ask_as(desk: LiveDesk, login: str) -> Withdrawal:
    """A withdrawal that Lin, who signs in so, asked for; approved and given to the gateway."""
    made = make_staff(login=login, name="Lin")
    User.objects.filter(id=made.id).update(id=LIN.actor_id)
    return start(desk, add_account(desk))


def mails() -> list[tuple[str, str]]:
    """Return (address, text) of each e-mail in the queue."""
    with platform_scope("a test reads the mail"):
        rows = list(Email.unscoped.order_by("id"))
    return [
        (opened(row, row.to_cipher, "to"), opened(row, row.body_cipher, "body")) for row in rows
    ]


def opened(row: Email, cipher: bytes, column: str) -> str:
    return decrypt_text(cipher, binding(row.site_id, f"email_{column}", row.dedupe_key))


def test_who_asked_gets_the_link_once_and_it_opens_the_page(
    desk: LiveDesk, phone: Client, site_a: Site
) -> None:
    row = ask_as(desk, "lin@example.com")

    send(desk, times=3)

    ((to, text),) = mails()
    assert to == "lin@example.com"
    assert "0.50 元" in text
    assert "林小满" not in text
    (url,) = re.findall(r"https?://\S+", text)
    assert url == receive_url(site_a.id, withdrawal_no=row.withdrawal_no, payout_no=row.payout_no)
    waiting = read_receiving(desk.fresh(row))
    assert waiting is not None
    assert url == site_url(site_a.id) + receiving_path("receive", waiting)
    assert "请在微信里确认收款" in look(phone, url.partition(site_url(site_a.id))[2])


@pytest.mark.parametrize(("login", "is_active"), [("lin", True), ("gone@example.com", False)])
def test_who_signs_in_without_an_address_or_left_gets_no_mail(
    desk: LiveDesk, login: str, is_active: bool
) -> None:
    row = ask_as(desk, login)
    User.objects.filter(id=LIN.actor_id).update(is_active=is_active)

    send(desk, times=2)

    assert desk.fresh(row).confirm_until is not None
    assert mails() == []


def meet_twice(row: Withdrawal) -> None:
    """Two workers read the payout before either wrote that it waits for its receiver."""
    waits = TransferOutcome(status=TransferStatus.UNKNOWN, reason=WAITS_FOR_RECEIVER)
    for _worker in range(2):
        with site_scope(row.site_id):
            wait_for(row, put_off(row, outcome=waits))


@pytest.fixture
def stale(desk: LiveDesk) -> Withdrawal:
    """Lin's payout as two workers read it at once."""
    return ask_as(desk, "lin@example.com")


def test_two_workers_that_meet_the_first_answer_tell_once(stale: Withdrawal) -> None:
    meet_twice(stale)

    assert len(mails()) == 1


def test_control_without_the_key_two_workers_tell_twice(
    stale: Withdrawal, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = iter("ab")

    def without_key(drafts: list[EmailDraft]) -> None:
        send_email([replace(each, dedupe_key=next(keys)) for each in drafts])

    monkeypatch.setattr(notices, "send_email", without_key)

    meet_twice(stale)

    assert len(mails()) == 2


# --- the secret --------------------------------------------------------------------------------


def test_what_wechat_needs_is_kept_sealed_and_shown_inside_wechat_alone(
    desk: LiveDesk, asked: Withdrawal, phone: Client
) -> None:
    package = fields_on(look(phone, link(asked)))["package"]

    assert len(package) > 160  # as long as WeChat's own, which was once cut
    assert open_confirmation(asked) == package
    assert asked.reason == "WAIT_USER_CONFIRM"
    with platform_scope("a test looks"):
        row = Withdrawal.unscoped.filter(id=asked.id).values().get()
    assert package.encode() not in bytes(row.pop("confirm_cipher"))
    assert package not in repr(row)
    elsewhere = look(phone, link(asked), DESKTOP)
    assert package not in elsewhere
    assert "data-receive-bridge" not in elsewhere
    assert "<svg" in elsewhere
    assert html.escape(f"//a.localhost:8000{link(asked)}") in elsewhere
    assert package not in json.dumps(poll(phone, asked))


def test_a_new_key_takes_the_secret_along(
    ring: Path, desk: LiveDesk, asked: Withdrawal, phone: Client
) -> None:
    before = open_confirmation(asked)

    assert rotation.run([]) == 0

    after = desk.fresh(asked)
    assert bytes(after.confirm_cipher)[0] == keyring.load(ring).current != 1
    assert open_confirmation(after) == before


def test_the_migration_takes_the_secret_out_of_the_reason(
    desk: LiveDesk, asked: Withdrawal, phone: Client
) -> None:
    with platform_scope("a test writes as it was written once"):
        Withdrawal.unscoped.update(
            reason="WAIT_USER_CONFIRM ABBQO+oY==", confirm_cipher=None, confirm_until=None
        )
    migration = importlib.import_module("kameng.settlement.migrations.0005_receiver_confirms")
    with connection.cursor() as cursor:
        cursor.execute(migration.FORGET)
    assert desk.fresh(asked).reason == "WAIT_USER_CONFIRM"
    assert phone.get(link(asked)).status_code == 404

    send(desk)

    assert "ok" in desk.world.post_bridge(fields_on(look(phone, link(asked))))


@pytest.mark.parametrize("fault", LOSSES)
def test_a_lost_first_answer_is_asked_for_again_and_sent_once(
    desk: LiveDesk, phone: Client, fault: str
) -> None:
    row = start(desk, add_account(desk))
    desk.break_call(fault)
    send(desk)
    assert desk.fresh(row).confirm_until is None
    assert phone.get(link(row)).status_code == 404  # not known to wait yet

    send(desk)

    waiting = desk.fresh(row)
    assert waiting.state == State.SENDING
    fields = fields_on(look(phone, link(row)))
    assert "ok" in desk.world.post_bridge(fields)
    assert len(desk.sent(row.payout_no)) == 1


@pytest.mark.parametrize("trouble", ["refused outcome", "refused call", "no answer"])
def test_a_refusal_of_the_repeat_is_none_of_the_payout(
    desk: LiveDesk, asked: Withdrawal, phone: Client, monkeypatch: Any, trouble: str
) -> None:
    with platform_scope("a test loses the secret"):
        Withdrawal.unscoped.update(confirm_cipher=None)

    def fail(*_args: object) -> TransferOutcome:
        if trouble == "refused outcome":
            return TransferOutcome(status=TransferStatus.REFUSED, reason="PARAM_ERROR")
        raise ProviderRefused("NO_AUTH") if trouble == "refused call" else ProviderUncertain("late")

    monkeypatch.setattr(WechatProvider, "pay_out", fail)
    send(desk)

    assert desk.fresh(asked).state == State.SENDING
    assert "正在准备收款" in look(phone, link(asked))
    assert poll(phone, asked, shown="preparing")["reload"] is False
    monkeypatch.undo()
    monkeypatch.setattr(settings, "ALLOW_LOOPBACK_GATEWAYS", True)
    send(desk)
    assert poll(phone, asked, shown="preparing")["reload"] is True
    assert fields_on(look(phone, link(asked)))


# --- looking -----------------------------------------------------------------------------------


def test_who_looks_is_told_soon(desk: LiveDesk, asked: Withdrawal, phone: Client) -> None:
    later = clock.now() + dt.timedelta(minutes=15)
    with platform_scope("a test puts off"):
        Withdrawal.unscoped.update(next_attempt_at=later)
    look(phone, link(asked))
    assert desk.fresh(asked).next_attempt_at == later  # reading alone asks nothing

    poll(phone, asked)
    soon = desk.fresh(asked).next_attempt_at
    poll(phone, asked)

    assert soon < clock.now() + dt.timedelta(seconds=6)
    assert desk.fresh(asked).next_attempt_at == soon  # a busy page does not push it away
    confirm(desk, asked)
    poll(phone, asked)
    assert poll(phone, asked)["state"] == "open"
    with platform_scope("a test lets five seconds go by"):
        Withdrawal.unscoped.update(next_attempt_at=clock.now())
    send_due_payouts()
    assert poll(phone, asked)["state"] == "taken"


def test_nobody_can_keep_the_gateway_busy_for_ever(
    desk: LiveDesk, asked: Withdrawal, phone: Client
) -> None:
    later = clock.now() + dt.timedelta(hours=40)
    with platform_scope("a test puts off"):
        Withdrawal.unscoped.update(next_attempt_at=later)
    with clock.standing_at(clock.now() + dt.timedelta(hours=25, minutes=1)):
        poll(phone, asked, shown="closing")
    assert desk.fresh(asked).next_attempt_at == later


# --- whose it is -------------------------------------------------------------------------------


def test_nothing_but_its_token_opens_a_payout(
    desk: LiveDesk, phone: Client, client_for: ClientFor, site_b: Site
) -> None:
    account = add_account(desk)
    asked = start(desk, account)
    send(desk)
    right = payout_token(asked.site_id, asked.payout_no)
    other = start(desk, account, amount=3_000)
    wrong = (
        "",
        right[:-1],
        right.swapcase(),
        payout_token(site_b.id, asked.payout_no),
        payout_token(asked.site_id, asked.withdrawal_no),
        "é" * 32,
    )

    for token in wrong:
        for page in ("", "status/"):
            assert phone.get(link(asked, token=token, page=page)).status_code == 404
    assert client_for(site_b).get(link(asked)).status_code == 404
    assert phone.get(link(other)).status_code == 404  # approved, and not sent yet
    assert phone.get(f"/receive/{'9' * 18}/?t={right}").status_code == 404
    assert phone.get(link(asked)).status_code == 200
    assert phone.post(link(asked)).status_code == 405
    assert opens(right, site_id=asked.site_id, payout_no=asked.payout_no)


def test_wrong_tokens_are_counted_and_a_right_one_is_not_kept_out(
    asked: Withdrawal, phone: Client
) -> None:
    wrong = link(asked, token="x" * 32)
    codes = [phone.get(wrong).status_code for _ in range(LINK_TRY_BY_IP.hits + 1)]

    assert codes == [404] * LINK_TRY_BY_IP.hits + [429]
    assert phone.get(link(asked)).status_code == 200


def test_a_suspended_site_pays_what_it_owes(asked: Withdrawal, phone: Client) -> None:
    Site.objects.filter(id=asked.site_id).update(state=SiteState.SUSPENDED)

    assert phone.get("/").status_code != 200
    assert "请在微信里确认收款" in look(phone, link(asked))


# --- the operator's page -----------------------------------------------------------------------


def console(client: Client, row: Withdrawal, agent: str = DESKTOP) -> str:
    path = f"/console/site-a/settlement/{row.withdrawal_no}/"
    answer: HttpResponse = client.get(path, headers={"User-Agent": agent})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    return answer.content.decode()


def test_the_operator_shows_a_code_or_confirms_at_once(
    desk: LiveDesk, asked: Withdrawal, client_for: ClientFor, lin: Staff, site_a: Site
) -> None:
    browser = client_for(site_a, lin)
    page = console(browser, asked)
    assert "等收款人在微信里确认" in page
    assert "<svg" in page.partition("receive-link")[0]
    assert html.escape(link(asked)) in page
    assert "data-receive-bridge" not in page
    assert fields_on(console(browser, asked, WECHAT)) == fields_on(look(browser, link(asked)))

    status = f"/console/site-a/settlement/{asked.withdrawal_no}/receipt/"
    assert browser.get(f"{status}?s=open").json() == {"state": "open", "reload": False}
    confirm(desk, asked)
    send(desk)
    assert browser.get(f"{status}?s=open").json() == {"state": "taken", "reload": True}
    page = console(browser, asked)
    assert "receive-link" not in page
    assert "已打款" in page


def test_the_operator_reads_why_nothing_arrived(
    desk: LiveDesk, asked: Withdrawal, client_for: ClientFor, lin: Staff, site_a: Site
) -> None:
    confirm(desk, asked, act="expire")
    send(desk)

    page = console(client_for(site_a, lin), asked)
    assert "收款人没有在 24 小时内确认收款" in page
    assert "OVERDUE" not in page
    assert "receive-link" not in page


def test_the_link_is_for_who_may_ask_for_money(
    desk: LiveDesk,
    asked: Withdrawal,
    client_for: ClientFor,
    ada: Staff,
    wei: Staff,
    lin: Staff,
    site_a: Site,
    main_site: Site,
) -> None:
    status = f"/console/site-a/settlement/{asked.withdrawal_no}/receipt/"
    clerk = people.make_operator(site_a, login="cy", name="Cy", role=Role.SERVICE)
    assert client_for(site_a, clerk).get(status).status_code == 403
    assert client_for(main_site, wei).get(status).status_code in {403, 404}
    assert client_for(site_a).get(status).status_code in {303, 302, 401}
    reviewed = client_for(main_site, ada).get(f"/console/main/withdrawals/{asked.withdrawal_no}/")
    page = reviewed.content.decode()
    assert "等收款人在微信里确认收款" in page
    assert payout_token(asked.site_id, asked.payout_no) not in page
