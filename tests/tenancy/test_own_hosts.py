"""What may be claimed as an own domain: parsed from anything pasted, refused with its reason."""

import pytest

from kameng.tenancy import errors
from kameng.tenancy.own_hosts import (
    base_of,
    is_platforms,
    parse_own_host,
    record_name,
    shown_as,
    twin_of,
)

PLATFORM = ("main.kameng.cn", "sites.kameng.cn")


@pytest.mark.parametrize(
    ("pasted", "host"),
    [
        ("shop.com", "shop.com"),
        ("  WWW.Shop.COM.  ", "www.shop.com"),
        ("https://shop.com/path?x=1#y", "shop.com"),
        ("http://user:secret@shop.com:80/", "shop.com"),
        ("//shop.com:443", "shop.com"),
        ("shop。com", "shop.com"),
        ("ｓｈｏｐ．ｃｏｍ", "shop.com"),
        ("点卡.中国", "xn--hlrt69d.xn--fiqs8s"),
        ("https://www.点卡.中国/", "www.xn--hlrt69d.xn--fiqs8s"),
        ("shop.com.cn/", "shop.com.cn"),
        ("a.b.shop.com", "a.b.shop.com"),
    ],
)
def test_a_host_is_read_from_what_was_pasted(pasted: str, host: str) -> None:
    assert parse_own_host(pasted, platform_hosts=PLATFORM) == host


@pytest.mark.parametrize(
    ("pasted", "refusal"),
    [
        ("", errors.OwnHostInvalid),
        ("https://", errors.OwnHostInvalid),
        ("my shop.com", errors.OwnHostInvalid),
        ("-shop.com", errors.OwnHostInvalid),
        ("shop_1.com", errors.OwnHostInvalid),
        ("*.shop.com", errors.OwnHostInvalid),
        ("a" * 64 + ".com", errors.OwnHostInvalid),
        ("x." * 200 + "com", errors.OwnHostInvalid),
        ("http://[::1", errors.OwnHostInvalid),
        ("shop.com\x00", errors.OwnHostInvalid),
        ("203.0.113.1", errors.OwnHostIsAddress),
        ("http://203.0.113.1:8000/", errors.OwnHostIsAddress),
        ("[2001:db8::1]", errors.OwnHostIsAddress),
        ("1.2.3", errors.OwnHostIsAddress),
        ("shop.com:8000", errors.OwnHostHasPort),
        ("localhost", errors.OwnHostIsSpecial),
        ("shop", errors.OwnHostIsSpecial),
        ("shop.local", errors.OwnHostIsSpecial),
        ("a.localhost", errors.OwnHostIsSpecial),
        ("router.lan", errors.OwnHostIsSpecial),
        ("com.cn", errors.OwnHostIsSuffix),
        ("github.io", errors.OwnHostIsSuffix),
        ("中国.cn", None),
        ("kameng.cn", errors.OwnHostIsPlatforms),
        ("main.kameng.cn", errors.OwnHostIsPlatforms),
        ("star.kameng.cn", errors.OwnHostIsPlatforms),
        ("x.sites.kameng.cn", errors.OwnHostIsPlatforms),
    ],
)
def test_what_nobody_can_own_is_refused_with_its_reason(
    pasted: str, refusal: type[Exception] | None
) -> None:
    if refusal is None:
        assert parse_own_host(pasted, platform_hosts=PLATFORM).startswith("xn--")
        return
    with pytest.raises(refusal):
        parse_own_host(pasted, platform_hosts=PLATFORM)


def test_a_neighbour_that_only_looks_alike_is_not_the_platforms() -> None:
    assert not is_platforms("notkameng.cn", PLATFORM)
    assert not is_platforms("kameng.com", PLATFORM)
    assert is_platforms("a.localhost", ["localhost"])


@pytest.mark.parametrize(
    ("host", "base", "twin", "record"),
    [
        ("shop.com", "shop.com", "www.shop.com", "@"),
        ("www.shop.com", "shop.com", "shop.com", "www"),
        ("shop.com.cn", "shop.com.cn", "www.shop.com.cn", "@"),
        ("bbs.shop.com", "bbs.shop.com", None, "bbs"),
        ("www.bbs.shop.com", "bbs.shop.com", None, "www.bbs"),
        ("www.com.cn", "www.com.cn", "www.www.com.cn", "@"),
    ],
)
def test_with_and_without_www_are_one_domain(
    host: str, base: str, twin: str | None, record: str
) -> None:
    assert (base_of(host), twin_of(host), record_name(host)) == (base, twin, record)


def test_a_chinese_name_is_shown_as_it_is_read() -> None:
    assert shown_as("www.xn--hlrt69d.xn--fiqs8s") == "www.点卡.中国"
    assert shown_as("shop.com") == "shop.com"
    assert shown_as("xn--zz-") == "xn--zz-"
