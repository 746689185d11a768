"""Inbox and e-mail: once by key, encrypted at rest, sent with patience, given up in the open."""

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import LazySettings
from django.conf import settings as django_settings
from django.db import transaction
from django.template import Context, Template
from psycopg.errors import InsufficientPrivilege

from kameng.config import tasks as calendar
from kameng.core import clock, keyring
from kameng.core.audit import SYSTEM
from kameng.core.database import fetch, fetch_one
from kameng.core.scope import platform_scope
from kameng.messaging import errors, rendering, selectors, services
from kameng.messaging.dressing import Dress
from kameng.messaging.models import Audience, Email, EmailState, InboxMessage
from kameng.messaging.rendering import mail_form, render_mail
from kameng.messaging.rules import MAX_ATTEMPTS, wait_seconds
from kameng.messaging.services import EmailDraft, InboxDraft, deliver_due_emails
from kameng.messaging.tasks import deliver_emails
from kameng.pages.letterheads import dress_mail
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.people import Buyer
from tests.ports import free_port


class Sink:
    """An SMTP server that keeps what it gets and answers as told."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.answer = "250 OK"
        self.recipient_answer = "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.recipient_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.mails.append(envelope)
        return self.answer


@pytest.fixture
def sink(settings: LazySettings) -> Iterator[Sink]:
    handler = Sink()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    settings.MAIL_HOST, settings.MAIL_PORT = "127.0.0.1", port
    yield handler
    with contextlib.suppress(Exception):
        controller.stop()


def draft(site: Site, *, to: str = "mei@example.com", key: str = "order:1") -> EmailDraft:
    return EmailDraft(
        site_id=site.id, to=to, subject="您的订单已发货", body="链接：…\n", dedupe_key=key
    )


def inbox(site: Site, mei: Buyer, key: str) -> InboxDraft:
    return InboxDraft(
        site_id=site.id,
        customer_id=mei.customer.id,
        title="已发货\n标题",
        body="您的订单已发货\x00",
        dedupe_key=key,
    )


def state_of(email_key: str = "order:1") -> Email:
    with platform_scope("look at an e-mail"):
        row: Email = Email.unscoped.get(dedupe_key=email_key)
    return row


def test_a_message_comes_once_however_often_it_is_sent(site_a: Site, mei: Buyer) -> None:
    with site_scope(site_a.id):
        services.send_inbox([inbox(site_a, mei, "order:1"), inbox(site_a, mei, "order:2")])
        services.send_inbox([inbox(site_a, mei, "order:1")])

        messages = selectors.list_inbox(mei.customer.id)
        assert [message.dedupe_key for message in messages] == ["order:2", "order:1"]
        assert messages[0].title == "已发货 标题"
        assert messages[0].body == "您的订单已发货"
        assert selectors.count_unread(mei.customer.id) == 2
        assert services.mark_inbox_read(mei.customer.id, up_to_id=messages[1].id) == 1
        assert selectors.count_unread(mei.customer.id) == 1
        assert selectors.list_inbox(mei.customer.id, before_id=messages[0].id) == messages[1:]


def test_a_consumer_writes_for_many_sites_at_once(site_a: Site, site_b: Site, mei: Buyer) -> None:
    with platform_scope("a consumer of events"):
        services.send_email([draft(site_a), draft(site_b)])
        assert Email.unscoped.count() == 2
    with site_scope(site_b.id):
        assert Email.objects.count() == 1
        assert InboxMessage.objects.count() == 0


def test_a_site_cannot_write_for_another(site_a: Site, site_b: Site, mei: Buyer) -> None:
    with site_scope(site_b.id), pytest.raises(InsufficientPrivilege), transaction.atomic():
        services.send_inbox([inbox(site_a, mei, "order:1")])


def test_address_and_text_are_noise_in_the_table_and_absent_from_repr(site_a: Site) -> None:
    message = draft(site_a)
    with site_scope(site_a.id):
        services.send_email([message])
        row = fetch_one("select e::text, encode(to_cipher, 'escape') from messaging_email e")

    assert row is not None
    assert "mei@" not in "".join(row)
    assert "mei@" not in repr(message)


def test_an_e_mail_is_sent_and_its_text_is_not_kept(site_a: Site, sink: Sink) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])

    assert deliver_emails() == 1
    assert deliver_emails() == 0

    (mail,) = sink.mails
    assert mail.rcpt_tos == ["mei@example.com"]
    content = mail.content if isinstance(mail.content, bytes) else b""
    assert b"From: =?utf-8?" in content
    assert state_of().state == EmailState.SENT
    assert bytes(state_of().body_cipher) == b""


def test_without_a_server_e_mails_wait_and_the_operator_is_told(
    site_a: Site, settings: LazySettings
) -> None:
    settings.MAIL_HOST = ""
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])

        assert deliver_due_emails() == 0
        assert selectors.find_mail_trouble() == selectors.MailTrouble(code="no_server", count=1)
    assert state_of().state == EmailState.WAITING
    assert state_of().attempts == 0


@pytest.mark.parametrize(
    ("answer", "recipient_answer", "state", "error"),
    [
        ("451 later", "250 OK", EmailState.WAITING, "refused 451"),
        ("554 spam", "250 OK", EmailState.FAILED, "refused 554"),
        ("250 OK", "450 greylisted", EmailState.WAITING, "recipient_refused 450"),
        ("250 OK", "550 no such user", EmailState.FAILED, "recipient_refused 550"),
    ],
)
def test_a_refusal_is_tried_again_or_given_up(
    site_a: Site, sink: Sink, answer: str, recipient_answer: str, state: int, error: str
) -> None:
    sink.answer, sink.recipient_answer = answer, recipient_answer
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])

    assert deliver_due_emails() == 0

    row = state_of()
    assert (row.state, row.last_error, row.attempts) == (state, error, 1)
    assert "mei@" not in row.last_error


def test_one_bad_address_does_not_hold_up_the_others(site_a: Site, sink: Sink) -> None:
    with site_scope(site_a.id):
        services.send_email(
            [
                draft(site_a, to="no address\r\nBcc: x@y.cn", key="bad"),
                draft(site_a, to="mei@example.com", key="good"),
            ]
        )

    assert deliver_due_emails() == 1
    assert state_of("bad").state == EmailState.FAILED
    assert state_of("bad").last_error == "address_invalid"
    assert len(sink.mails) == 1


def test_a_server_that_is_away_costs_an_attempt_and_waits_longer_each_time(
    site_a: Site, sink: Sink, settings: LazySettings
) -> None:
    settings.MAIL_PORT = 1
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])
    for _ in range(MAX_ATTEMPTS):
        deliver_due_emails()
        with site_scope(site_a.id):
            Email.objects.update(next_attempt_at=clock.now() - dt.timedelta(seconds=1))

    row = state_of()
    assert (row.state, row.attempts) == (EmailState.FAILED, MAX_ATTEMPTS)
    assert row.last_error.startswith("connection ")
    with site_scope(site_a.id):
        assert selectors.find_mail_trouble() == selectors.MailTrouble(code="given_up", count=1)
        services.retry_email(row.id, actor=SYSTEM)
        with pytest.raises(errors.EmailNotFound):
            services.retry_email(row.id, actor=SYSTEM)
    assert [wait_seconds(n) for n in range(1, 6)] == [30, 120, 480, 1920, 7680]


def test_a_claimed_e_mail_comes_back_after_the_lease(site_a: Site, sink: Sink) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])
    with platform_scope("a worker that dies"):
        assert len(fetch("select * from messaging_claim_emails(10, 300)")) == 1

    assert deliver_due_emails() == 0
    with site_scope(site_a.id):
        Email.objects.update(next_attempt_at=clock.now() - dt.timedelta(seconds=1))
    assert deliver_due_emails() == 1


def test_two_workers_never_claim_the_same_e_mail(
    run_parallel: Callable[[int, Callable[[int], Any]], list[Any]], site_a: Site, sink: Sink
) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a, key=f"order:{number}") for number in range(60)])

    outcomes = run_parallel(4, lambda _: deliver_emails())

    assert sum(outcomes) == 60
    assert len(sink.mails) == 60


def test_a_header_cannot_be_injected(site_a: Site, sink: Sink) -> None:
    with site_scope(site_a.id):
        services.send_email(
            [
                EmailDraft(
                    site_id=site_a.id,
                    to="mei@example.com",
                    subject="x\r\nBcc: evil@example.com",
                    body="\x00\ud800.\r\n.\r\nMAIL FROM:<x>\r\n",
                    dedupe_key="odd",
                )
            ]
        )

    assert deliver_due_emails() == 1
    assert sink.mails[0].rcpt_tos == ["mei@example.com"]
    assert b"\nBcc:" not in bytes(sink.mails[0].content or b"")


def test_sent_mail_is_swept_after_a_month(site_a: Site, sink: Sink) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])
        deliver_due_emails()
        assert services.sweep_emails() == 0
        Email.objects.update(created_at=clock.now() - dt.timedelta(days=31))
    assert services.sweep_emails() == 1


def test_e_mails_are_encrypted_anew_with_a_new_key(
    site_a: Site, sink: Sink, settings: LazySettings
) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])
    before = bytes(state_of().to_cipher)
    version = keyring.add_key(settings.KEYRING_PATH)

    assert sum(services.rotate_messaging()) == 1
    assert sum(services.rotate_messaging()) == 0

    assert bytes(state_of().to_cipher)[0] == version != before[0]
    assert deliver_due_emails() == 1


def read(mail: Envelope) -> EmailMessage:
    """Return a mail that the server got, as who gets it reads it."""
    made = message_from_bytes(bytes(mail.content or b""), policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def html_of(mail: Envelope) -> str:
    part = read(mail).get_body(preferencelist=("html",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def test_a_mail_wears_the_look_of_its_shop_and_one_to_staff_that_of_the_main_site(
    site_a: Site, site_b: Site, main_site: Site, sink: Sink
) -> None:
    staff = dataclasses.replace(draft(site_a, key="staff"), audience=Audience.STAFF)
    code = dataclasses.replace(draft(site_b, key="code"), language="en")
    with platform_scope("a consumer of events"):
        services.send_email([draft(site_a), staff, code])

    assert deliver_emails(dress_mail) == 3

    names = {read(mail)["Message-ID"]: html_of(mail) for mail in sink.mails}
    pages = [
        names[f"<kameng.{state_of(key).id}@{domain()}>"] for key in ("order:1", "staff", "code")
    ]
    assert ["“甲站”" in page for page in pages] == [True, True, False]
    assert [f">{main_site.name}</span>" in page for page in pages] == [False, True, False]
    assert [">甲站</span>" in page for page in pages] == [True, False, False]
    assert ['lang="en"' in page for page in pages] == [False, False, True]
    assert "You get this mail because" in pages[2]
    assert "http://main.localhost" in pages[1]


def domain() -> str:
    return django_settings.MAIL_FROM.rpartition("@")[2]


def test_a_mail_that_is_sent_again_is_the_same_mail(site_a: Site, sink: Sink) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])
    with platform_scope("a worker that dies after sending"):
        services._deliver(services.store.claim_emails(limit=10, lease_seconds=1), dress_mail)
        Email.unscoped.update(next_attempt_at=clock.now() - dt.timedelta(seconds=1))

    assert deliver_emails(dress_mail) == 1

    first, second = (read(mail) for mail in sink.mails)
    assert first["Message-ID"] == second["Message-ID"] == f"<kameng.{state_of().id}@{domain()}>"
    for made in (first, second):
        text = made.get_body(preferencelist=("plain",))
        assert isinstance(text, EmailMessage)
        assert text.get_content() == "链接：…\n"
    assert html_of(sink.mails[0]) == html_of(sink.mails[1])


def test_a_look_that_cannot_be_drawn_holds_no_mail_back(
    site_a: Site, site_b: Site, sink: Sink
) -> None:
    def dresser(site_id: int, *, audience: int, language: str) -> Dress:
        if site_id == site_a.id:
            raise KeyError("brand")
        return dress_mail(site_id, audience=audience, language=language)

    with platform_scope("a consumer of events"):
        services.send_email([draft(site_a), draft(site_b)])

    assert deliver_emails(dresser) == 2

    kinds = sorted(read(mail).get_content_type() for mail in sink.mails)
    assert kinds == ["multipart/alternative", "text/plain"]


def test_the_worker_dresses_what_it_sends(site_a: Site, sink: Sink) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a)])

    calendar.deliver_emails.func(timestamp=0)

    assert read(sink.mails[0]).get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(
    "name",
    ["one_time_code", "order_delivered", "order_queued", "order_refunded", "order_closed"],
)
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_template_gives_a_subject_and_a_text(name: str, language: str) -> None:
    text = render_mail(
        name,
        {
            "site_name": "甲站 & <b>",
            "code": "012345",
            "title": "点卡",
            "order_no": "1",
            "link": "http://a.localhost/o/1?t=a&b",
            "amount": "¥1.00",
            "site_url": "http://a.localhost/",
        },
        language=language,
    )

    assert text.subject
    assert "\n" not in text.subject
    assert "甲站 & <b>" in text.body
    assert "&amp;" not in text.body


VALUES = {
    "site_name": "甲站 & <b>",
    "title": "点卡 %(link)s {{ link }}",
    "order_no": "261122000000000001",
    "link": "http://a.localhost/o/1?t=a&b",
    "amount": "¥1.00",
}


@pytest.mark.parametrize(
    "name", ["order_delivered", "order_queued", "order_refunded", "order_closed"]
)
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_form_that_is_filled_reads_as_its_template(name: str, language: str) -> None:
    form = mail_form(name, tuple(VALUES), language)

    assert form.fill(VALUES) == render_mail(name, VALUES, language=language)


def test_the_languages_of_a_form_differ() -> None:
    assert mail_form("order_closed", tuple(VALUES), "en") != mail_form(
        "order_closed", tuple(VALUES), "zh-hans"
    )


def test_a_value_opens_no_gap_and_stays_in_its_place() -> None:
    hostile = {**VALUES, "title": "\x00link\x00\r\nBcc: x@example.com"}
    mail = mail_form("order_closed", tuple(VALUES), "zh-hans").fill(hostile)

    assert mail.subject == "订单已关闭： link Bcc: x@example.com"
    assert mail.body.count(VALUES["link"]) == 1
    assert mail.body.startswith("订单 261122000000000001（\x00link\x00")


@pytest.mark.parametrize("word", ["{{ title|upper }}", "{{ title|slice:':3' }}"])
def test_a_template_that_changes_a_value_has_no_form(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        rendering,
        "render_to_string",
        lambda _name, context: Template(f"subject\n{word}").render(Context(context)),
    )
    with pytest.raises(ValueError, match="odd"):
        mail_form.__wrapped__("odd", ("title",), "en")


def test_a_batch_with_a_key_twice_is_sent_once(site_a: Site, mei: Buyer) -> None:
    with site_scope(site_a.id):
        services.send_email([draft(site_a), draft(site_a), draft(site_a, key="order:2")])
        services.send_inbox([inbox(site_a, mei, "order:1"), inbox(site_a, mei, "order:1")])
        services.send_email([])
        services.send_inbox([])

        assert Email.objects.count() == 2
        assert InboxMessage.objects.count() == 1
