"""The link to an order opens that order alone."""

import pytest

from kameng.orders.links import contact_digest, opens, order_token


def test_the_token_opens_its_order_on_its_site() -> None:
    token = order_token(1, "260101123456789012")

    assert opens(token, site_id=1, order_no="260101123456789012")
    assert len(token) == 32  # 192 bits


@pytest.mark.parametrize(("site", "number"), [(2, "260101123456789012"), (1, "260101123456789013")])
def test_it_opens_nothing_else(site: int, number: str) -> None:
    token = order_token(1, "260101123456789012")

    assert not opens(token, site_id=site, order_no=number)


@pytest.mark.parametrize("token", ["", "x", "ｘ" * 32, "\ud800" * 32, "\0" * 32, "A" * 10_000])
def test_an_odd_token_opens_nothing(token: str) -> None:
    assert not opens(token, site_id=1, order_no="260101123456789012")


def test_a_contact_is_found_in_any_case_on_its_own_site_only() -> None:
    assert contact_digest(1, " Mei@Example.com ") == contact_digest(1, "mei@example.com")
    assert contact_digest(1, "mei@example.com") != contact_digest(2, "mei@example.com")
    assert contact_digest(1, "mei@example.com") != contact_digest(1, "mei@example.org")
