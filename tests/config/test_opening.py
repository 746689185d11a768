"""The first shop of a new installation, and a lost password: from the command line alone."""

import io

import pytest

from kameng.accounts import errors
from kameng.accounts.hashing import check_password
from kameng.accounts.models import Role, SiteRole, User
from kameng.config import opening
from kameng.config.launch import commands
from kameng.config.launch.failure import LaunchFailed
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Domain, Site
from kameng.tenancy.selectors import find_site_id

PASSWORD = "a-good-password-1"
WISH = opening.ShopWish(
    name="云桥数卡", host="shop.example", slug="main", login="Ada", password=PASSWORD
)


def hear(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_the_first_shop_opens_with_its_host_and_an_owner_of_the_platform(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opening.tell_shops() == opening.NO_SHOP

    told = opening.open_shop(WISH)

    assert "云桥数卡 is open: http://shop.example:8000/" in told
    assert PASSWORD not in told
    assert opening.tell_shops() == "  云桥数卡  http://shop.example:8000/"
    site = Site.objects.get()
    assert (site.is_main, site.slug, site.name) == (True, "main", "云桥数卡")
    assert find_site_id("shop.example:8000") == site.id
    ada = User.objects.get()
    assert (ada.login, ada.is_platform) == ("ada", True)
    assert check_password(PASSWORD, ada.password)[0]
    with platform_scope("test"):
        assert SiteRole.unscoped.get().role == Role.OWNER


def test_a_second_main_site_is_refused_in_words_and_changes_nothing(db: None) -> None:
    opening.open_shop(WISH)
    other = opening.ShopWish(
        name="别的店", host="other.example", slug="other", login="eve", password=PASSWORD
    )

    with pytest.raises(LaunchFailed, match=r"open already\. Nothing was changed\."):
        commands._granted(opening.open_shop, other)

    assert Site.objects.count() == Domain.objects.count() == User.objects.count() == 1


def test_a_weak_password_is_refused_and_nothing_opens(db: None) -> None:
    weak = opening.ShopWish(
        name="云桥数卡", host="shop.example", slug="main", login="ada", password="short"
    )

    with pytest.raises(LaunchFailed, match="at least 8 characters"):
        commands._granted(opening.open_shop, weak)

    assert opening.tell_shops() == opening.NO_SHOP
    assert not User.objects.exists()


def test_a_lost_password_is_set_anew_by_login(db: None) -> None:
    opening.open_shop(WISH)

    told = opening.set_password(" ADA ", "another-password-2")

    assert told == "ada has a new password, and is signed out everywhere."
    ada = User.objects.get()
    assert check_password("another-password-2", ada.password)[0]
    assert not check_password(PASSWORD, ada.password)[0]


@pytest.mark.parametrize("login", ["nobody", "", "not a login"])
def test_an_unknown_login_gets_no_password(db: None, login: str) -> None:
    opening.open_shop(WISH)

    with pytest.raises(errors.UserNotFound):
        opening.set_password(login, "another-password-2")

    assert check_password(PASSWORD, User.objects.get().password)[0]


def test_without_a_terminal_the_password_is_a_line_of_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear(monkeypatch, "pass word 密\r\nmore\n")

    wish = opening.read_shop(["--name", "云店", "--login", "ada"])

    assert wish == opening.ShopWish(
        name="云店", host="localhost", slug="main", login="ada", password="pass word 密"
    )


def test_without_a_terminal_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hear(monkeypatch, "password\n")

    with pytest.raises(LaunchFailed, match="Sign-in of the owner: not given"):
        commands._heard(opening.read_shop, ["--name", "云店"])


def test_passwords_that_differ_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hear(monkeypatch, "")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = iter(["first-password", "second-password"])
    monkeypatch.setattr("getpass.getpass", lambda _question: next(answers))

    with pytest.raises(opening.EntryMissing, match="differ; nothing was changed"):
        opening.read_login(["ada"])


def test_of_many_shops_a_few_addresses_are_told(
    db: None, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SHOWN_SITES", 1)

    assert opening.tell_shops().splitlines()[1:] == ["  … and more"]
