"""Host names and slugs in their one stored form, and the settings of a site."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.tenancy.rules import clean_host, is_openable, is_slug
from kameng.tenancy.settings import BOUNDS, PALETTES, SiteSettings, parse_settings, settings_json


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        ("shop.example.com", "shop.example.com"),
        (" Shop.Example.COM. ", "shop.example.com"),
        ("shop.example.com:8000", "shop.example.com"),
        ("a.localhost.:80", "a.localhost"),
        ("卡盟.cn", "卡盟.cn".encode("idna").decode()),
        ("127.0.0.1:8000", "127.0.0.1"),
    ],
)
def test_a_host_has_one_form(raw: str, host: str) -> None:
    assert clean_host(raw) == host


@pytest.mark.parametrize(
    "raw",
    [
        *("", ".", "a..b", "-a.b", "a-.b", "a b", "a/b", "http://a", "a@b", "a:b:c", "a:99999"),
        *("[::1]", "a\x00b", "a_b.c", "x" * 64 + ".com", "a." * 130, "\ud800.cn", "a:８０", "*"),
    ],
)
def test_what_is_no_host_is_none(raw: str) -> None:
    assert clean_host(raw) is None


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        *(("shop.example.com", True), ("localhost", True), ("10.0.0.7", True), ("1.com", True)),
        *(("123", False), ("1.2.3", False), ("256.1.1.1", False), ("shop.42", False)),
    ],
)
def test_a_host_that_browsers_take_for_a_broken_address_is_told(host: str, verdict: bool) -> None:
    assert is_openable(host) is verdict


@given(st.text(max_size=300))
def test_any_text_is_a_clean_host_or_none(raw: str) -> None:
    host = clean_host(raw)

    assert host is None or (clean_host(host) == host and host.isascii())


@pytest.mark.parametrize(("text", "verdict"), [("site-a", True), ("a1", True), ("a", False)])
def test_a_slug_is_told(text: str, verdict: bool) -> None:
    assert is_slug(text) is verdict


@pytest.mark.parametrize(
    "text", ["", "1a", "A1", "a_b", "a b", "-a", "a-", "x" * 33, "中文", "a\n"]
)
def test_what_is_no_slug_is_told(text: str) -> None:
    assert not is_slug(text)


def test_settings_survive_storage() -> None:
    settings = SiteSettings(palette="teal", hidden_gateway_ids=(1, 2), wallet_enabled=False)

    assert parse_settings(settings_json(settings)) == settings


@pytest.mark.parametrize(
    "stored",
    [
        {"palette": "neon"},
        {"palette": 5},
        {"order_hold_seconds": 1},
        {"order_hold_seconds": "900"},
        {"order_hold_seconds": True},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"timezone": ""},
        {"hidden_gateway_ids": ["1"]},
        {"hidden_gateway_ids": {"1": 2}},
        {"wallet_enabled": "yes"},
        {"unknown": 1, "slogan": None},
    ],
)
def test_a_site_always_opens_whatever_was_stored(stored: dict[str, object]) -> None:
    assert parse_settings(stored) == SiteSettings()


def test_the_bounds_hold_the_defaults() -> None:
    defaults = settings_json(SiteSettings())

    assert all(low <= defaults[name] <= high for name, (low, high) in BOUNDS.items())
    assert defaults["palette"] in PALETTES


def test_no_shop_is_named_like_an_address_of_the_back_office() -> None:
    from kameng.console.urls import urlpatterns

    firsts = {str(each.pattern).partition("/")[0] for each in urlpatterns} - {""}
    fixed = {first for first in firsts if "<" not in first}

    assert fixed >= {"sign-in", "join", "passkeys"}
    assert not {name for name in fixed if is_slug(name)}
