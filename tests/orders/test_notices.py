"""What buyers are told: guests by e-mail with their link, customers in the inbox, each once."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from django.db import transaction

from kameng.catalog.models import DeliveryKind, Product
from kameng.catalog.selectors import forget_catalogues
from kameng.config.wiring import AFTER_COMMIT
from kameng.core.crypto import binding, decrypt_text
from kameng.core.events import Event, consume, publish
from kameng.core.scope import platform_scope
from kameng.messaging.models import Email, InboxMessage
from kameng.messaging.rendering import render_mail
from kameng.orders.events import OrderClosed, OrderDelivered, OrderPaid, OrderRefunded
from kameng.orders.links import order_token
from kameng.orders.models import Order
from kameng.orders.notices import LANGUAGE
from kameng.tenancy.addresses import site_url
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view
from tests.concurrency.shop import (
    Shop,
    cancel,
    fresh,
    make_buyers,
    notify,
    order,
    payment_of,
)
from tests.factories import fund_wallet, make_card_keys, make_product, make_variant


@pytest.fixture(autouse=True)
def _commits(committed_db: None) -> None:
    """A consumer reads what was committed only."""


def read_log() -> list[int]:
    """Feed every consumer until nothing is left; return how many events each got."""
    counts = []
    for consumer in AFTER_COMMIT:
        kinds = [event.KIND for event in consumer.events]
        total = 0
        while got := consume(consumer.name, kinds, consumer.handler):
            total += got
        counts.append(total)
    return counts


def mails() -> list[tuple[int, str, str, str]]:
    """Return (site, address, subject, text) of the queued e-mails, oldest first."""
    with platform_scope("look at e-mails"):
        rows = list(Email.unscoped.order_by("id"))
    return [(row.site_id, _open(row, "to"), row.subject, _open(row, "body")) for row in rows]


def _open(row: Email, column: str) -> str:
    cipher = bytes(getattr(row, f"{column}_cipher"))
    return decrypt_text(cipher, binding(row.site_id, f"email_{column}", row.dedupe_key))


def letter(name: str, row: Order, *, amount: str = "¥0.00") -> tuple[str, str]:
    """Return subject and text that the template itself gives for an order."""
    site = get_site_view(row.site_id)
    token = order_token(row.site_id, row.order_no)
    mail = render_mail(
        name,
        {
            "site_name": site.name,
            "order_no": row.order_no,
            "title": row.title,
            "amount": amount,
            "link": f"{site_url(row.site_id)}/o/{row.order_no}/?t={token}",
        },
        language=LANGUAGE,
    )
    return mail.subject, mail.body


def test_a_guest_gets_the_mail_of_each_thing_that_happens(shop: Shop) -> None:
    paid, queued = order(shop, contact="mei@example.com"), _order_by_hand(shop)
    closed, back = order(shop), order(shop)
    for placed in (paid, queued, back):
        notify(shop, payment_of(shop, placed))
    cancel(shop, closed)
    read_log()
    with transaction.atomic(), platform_scope("a refund is done"):
        publish(
            OrderRefunded(
                site_id=shop.site.id,
                subject_id=back.order_id or 0,
                customer_id=None,
                refund_id=1,
                amount=123_400,
            )
        )
    read_log()

    sent = {(subject, text) for _site, _to, subject, text in mails()}
    assert sent == {
        letter("order_delivered", fresh(shop, paid)),
        letter("order_delivered", fresh(shop, back)),
        letter("order_queued", fresh(shop, queued)),
        letter("order_closed", fresh(shop, closed)),
        letter("order_refunded", fresh(shop, back), amount="¥12.34"),
    }
    assert "mei@example.com" in {to for _site, to, _subject, _text in mails()}
    assert {site for site, *_rest in mails()} == {shop.site.id}


def test_orders_that_nobody_pays_flood_no_mailbox(shop: Shop) -> None:
    """A guest types any address: one mail a day tells it of all orders that came to nothing."""
    placed = [order(shop, contact="victim@example.com") for _number in range(3)]
    other = order(shop, contact="else@example.com")
    for each in (*placed, other):
        cancel(shop, each)
    read_log()
    read_log()

    days = {fresh(shop, each).order_no[:6] for each in placed}
    assert [to for _site, to, _subject, _text in mails()].count("victim@example.com") == len(days)
    assert [to for _site, to, _subject, _text in mails()].count("else@example.com") == 1


def _order_by_hand(shop: Shop):  # type: ignore[no-untyped-def]
    with platform_scope("goods of the main site"):
        main = Product.unscoped.get(id=shop.variant.product_id).site
    product = make_product(main, title="代充", delivery_kind=DeliveryKind.MANUAL)
    variant = make_variant(product)
    forget_catalogues()
    return order(shop, variant_id=variant.id)


def test_a_customer_reads_it_in_the_inbox_and_hears_nothing_of_what_he_watched(shop: Shop) -> None:
    watching, waiting = make_buyers(shop.site, 2, amount=0)
    fund_wallet(watching, 10_000_000)
    order(shop, customer=watching, by_wallet=True)
    placed = order(shop, customer=waiting)
    cancel(shop, placed)
    read_log()

    row = fresh(shop, placed)
    with platform_scope("look at inboxes"):
        (message,) = InboxMessage.unscoped.all()
    assert message.customer_id == waiting.id
    assert (message.title, message.body) == ("订单已关闭", f"{row.title} × 1")
    assert message.link == f"/o/{row.order_no}/"
    assert mails() == []


def test_a_batch_that_comes_again_tells_nobody_twice(shop: Shop) -> None:
    notify(shop, payment_of(shop, order(shop)))
    cancel(shop, order(shop, customer=make_buyers(shop.site, 1, amount=0)[0]))
    read_log()
    with platform_scope("a position that was lost"), transaction.atomic():
        Email.unscoped.get()
        consumer = AFTER_COMMIT[0]
        kinds = [event.KIND for event in consumer.events]
        assert consume("test.again", kinds, consumer.handler) == 2

    with platform_scope("look at what was written"):
        assert (Email.unscoped.count(), InboxMessage.unscoped.count()) == (1, 1)


def test_a_title_can_neither_open_a_gap_nor_move_the_border_of_the_subject(shop: Shop) -> None:
    placed = order(shop)
    title = "点卡 %(link)s {{ link }}\nBcc: x@example.com"
    with platform_scope("a title from elsewhere"):
        Order.unscoped.filter(id=placed.order_id).update(title=title)
    cancel(shop, placed)
    read_log()

    ((_site, _to, subject, text),) = mails()
    flat = "点卡 %(link)s {{ link }} Bcc: x@example.com"
    assert subject == f"订单已关闭：{flat}"
    assert title in text
    assert text.count("http://a.localhost") == 1


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that reach the driver, Django's and hand-written ones."""
    seen: list[str] = []
    real = psycopg.Cursor.execute

    def execute(self: Any, query: Any, *args: Any, **values: Any) -> Any:
        seen.append(str(query))
        return real(self, query, *args, **values)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    return seen


def _mixed(shops: Sequence[Shop], rounds: int) -> int:
    """Publish four things of a guest's and a customer's order on each site, so many times."""
    told: list[Event] = []
    for shop in shops:
        for buyer in (None, make_buyers(shop.site, 1, amount=0)[0]):
            row = fresh(shop, order(shop, customer=buyer))
            common = {"site_id": row.site_id, "subject_id": row.id, "customer_id": row.customer_id}
            told += [
                OrderPaid(
                    **common,
                    product_id=row.product_id,
                    quantity=1,
                    main_site_id=row.main_site_id,
                    delivered=False,
                ),
                OrderDelivered(**common),
                OrderClosed(**common, state=4),
                OrderRefunded(**common, refund_id=1, amount=100),
            ]
    with transaction.atomic(), platform_scope("a test publishes"):
        for event in told * rounds:
            publish(event)
    return len(told) * rounds


def test_a_batch_costs_the_same_statements_however_long_it_is(
    shop: Shop, site_b: Site, statements: list[str]
) -> None:
    make_card_keys(shop.variant, 4)
    other = Shop(site=site_b, variant=shop.variant, choice=shop.choice)
    _mixed([shop, other], 1)
    read_log()  # the connection has been told the scope, the forms of the mails are made
    told = {}
    for shops, rounds in (([shop], 1), ([shop, other], 4)):
        number = _mixed(shops, rounds)
        for consumer in AFTER_COMMIT:
            if consumer.name not in {"orders.notify_buyers", "orders.count_sales"}:
                continue
            statements.clear()
            kinds = [event.KIND for event in consumer.events]
            assert consume(consumer.name, kinds, consumer.handler) in (number, number // 4)
            told[consumer.name, number] = len(statements)

    # scope, waiting, batch, position and: orders, names and hosts, inboxes, e-mails | lock, add
    assert told == {
        ("orders.notify_buyers", 8): 8,
        ("orders.notify_buyers", 64): 8,
        ("orders.count_sales", 8): 5,
        ("orders.count_sales", 64): 5,
    }
    with platform_scope("look at what was written"):
        assert InboxMessage.unscoped.count() == (16 + 8 + 64) // 2
        # Of the four things that happen, closing is told once a day to one address.
        told_each = Email.unscoped.exclude(dedupe_key__startswith=OrderClosed.KIND)
        assert told_each.count() == (16 + 8 + 64) // 2 * 3 // 4
