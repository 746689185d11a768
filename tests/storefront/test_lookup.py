"""TEN-09: a guest's orders open by a proved contact, never by a contact alone."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from kameng.core.crypto import binding, decrypt_text
from kameng.messaging.models import Email
from kameng.payments.models import Gateway
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.storefront.conftest import CONTACT, Goods

ClientFor = Callable[..., Client]


def mailed_code(site: Site) -> str:
    """Return the code of the newest mail."""
    with site_scope(site.id):
        mail = Email.objects.order_by("-id")[0]
        aad = binding(site.id, "email_body", mail.dedupe_key)
        found = re.search(r"\b(\d{6})\b", decrypt_text(bytes(mail.body_cipher), aad))
    assert found is not None
    return found.group(1)


@pytest.fixture
def order_no(site_a: Site, cards: Goods, gateway: Gateway, client_for: ClientFor) -> str:
    """The number of a guest's order."""
    answer = client_for(site_a).post("/checkout/", cards.order(pay=str(gateway.id)))
    return str(answer["Location"]).split("/")[2]


def test_a_proved_contact_opens_its_orders(
    site_a: Site, order_no: str, client_for: ClientFor
) -> None:
    browser = client_for(site_a)

    sent = browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})
    code = mailed_code(site_a)
    found = browser.post("/lookup/", {"contact": CONTACT, "step": "code", "code": code})

    assert sent.status_code == 200
    assert order_no not in sent.content.decode()
    link = re.search(rf'href="(/pay/{order_no}/\?t=[^"]+)"', found.content.decode())
    assert link is not None
    assert client_for(site_a).get(link.group(1)).status_code == 200


def test_a_code_is_taken_with_spaces_and_full_width_digits(
    site_a: Site, order_no: str, client_for: ClientFor
) -> None:
    browser = client_for(site_a)
    browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})
    code = mailed_code(site_a)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)

    found = browser.post(
        "/lookup/", {"contact": CONTACT, "step": "code", "code": f" {wide[:3]} {wide[3:]} "}
    )

    assert order_no in found.content.decode()


def test_the_code_stands_in_the_sealed_text_alone(site_a: Site, client_for: ClientFor) -> None:
    """The subject is stored in clear and shown to the operator while the mail waits."""
    client_for(site_a).post("/lookup/", {"contact": CONTACT, "step": "contact"})

    code = mailed_code(site_a)
    with site_scope(site_a.id):
        mail = Email.objects.get()
    assert code not in mail.subject
    assert mail.subject == f"{site_a.name} 验证码"


def test_a_code_works_once_and_only_for_its_contact(
    site_a: Site, order_no: str, client_for: ClientFor
) -> None:
    browser = client_for(site_a)
    browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})
    code = mailed_code(site_a)

    other = browser.post("/lookup/", {"contact": "other@example.com", "step": "code", "code": code})
    first = browser.post("/lookup/", {"contact": CONTACT, "step": "code", "code": code})
    again = browser.post("/lookup/", {"contact": CONTACT, "step": "code", "code": code})

    assert other.status_code == again.status_code == 400
    assert order_no in first.content.decode()
    assert order_no not in other.content.decode() + again.content.decode()


def test_a_contact_without_orders_is_answered_alike(
    site_a: Site, order_no: str, client_for: ClientFor
) -> None:
    browser = client_for(site_a)

    known = browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})
    unknown = browser.post("/lookup/", {"contact": "nobodyx@example.com", "step": "contact"})

    def plain(page: object) -> str:
        text = re.sub(r'value="[^"]*"', "", page.content.decode())  # type: ignore[attr-defined]
        return re.sub(r'content="[A-Za-z0-9]{64}"', "", text)

    assert known.status_code == unknown.status_code == 200
    assert plain(known) == plain(unknown)


@pytest.mark.parametrize(
    "code", ["", "0", "000000", "１２３４５６", "*", "%", "' or 1=1 --", "9" * 500, "😀"]
)
def test_a_wrong_code_opens_nothing(
    code: str, site_a: Site, order_no: str, client_for: ClientFor
) -> None:
    browser = client_for(site_a)
    browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})
    if code == mailed_code(site_a):
        return

    page = browser.post("/lookup/", {"contact": CONTACT, "step": "code", "code": code})

    assert page.status_code == 400
    assert "验证码不正确或已失效" in page.content.decode()
    assert order_no not in page.content.decode()


def test_guessing_is_stopped(site_a: Site, order_no: str, client_for: ClientFor) -> None:
    browser = client_for(site_a)
    browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})
    code = mailed_code(site_a)
    wrong = [f"{(int(code) + number) % 1_000_000:06d}" for number in range(1, 41)]

    statuses = [
        browser.post("/lookup/", {"contact": CONTACT, "step": "code", "code": guess}).status_code
        for guess in wrong
    ]
    late = browser.post("/lookup/", {"contact": CONTACT, "step": "code", "code": code})

    assert statuses[0] == 400
    assert statuses[-1] == 429
    assert late.status_code == 429
    assert order_no not in late.content.decode()


def test_codes_are_not_sent_in_a_row(site_a: Site, client_for: ClientFor) -> None:
    browser = client_for(site_a)

    first = browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})
    second = browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})

    assert first.status_code == 200
    assert second.status_code == 429
    assert f'value="{CONTACT}"' in second.content.decode()
    assert 'name="code"' in second.content.decode()  # the first one may have arrived


@pytest.mark.parametrize("contact", ["", "x", "@", "1", "a@b", "*", "%@%.%", "a" * 500, "😀"])
def test_an_odd_contact_is_refused(contact: str, site_a: Site, client_for: ClientFor) -> None:
    page = client_for(site_a).post("/lookup/", {"contact": contact, "step": "contact"})

    assert page.status_code == 400
    with site_scope(site_a.id):
        assert not Email.objects.exists()


def test_a_phone_is_told_what_to_do(site_a: Site, client_for: ClientFor) -> None:
    page = client_for(site_a).post("/lookup/", {"contact": "13800138000", "step": "contact"})

    assert page.status_code == 400
    assert "手机号暂时收不到验证码" in page.content.decode()


def test_orders_of_another_site_are_not_found(
    site_a: Site, site_b: Site, order_no: str, client_for: ClientFor
) -> None:
    browser = client_for(site_b)
    browser.post("/lookup/", {"contact": CONTACT, "step": "contact"})

    page = browser.post(
        "/lookup/", {"contact": CONTACT, "step": "code", "code": mailed_code(site_b)}
    )

    assert page.status_code == 200
    assert "没有这个联系方式的订单" in page.content.decode()
    assert order_no not in page.content.decode()
