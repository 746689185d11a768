"""`kameng open-shop` and `kameng set-password`: how a person gets a first account, or back to one.

A new installation has no site, so no console in which one could be opened; and whoever runs the
platform has nobody above to ask for a new password. Both need what only this machine's owner has:
a command line beside the key file. A password is asked for, or read from standard input, never an
argument: the list of processes shows those to everyone.
"""

import argparse
import getpass
import sys
from collections.abc import Sequence
from dataclasses import dataclass

HOST = "localhost"
SLUG = "main"
SHOWN_SITES = 5
NO_SHOP = """\
There is no shop yet. `kameng open-shop` asks for its name, its host and its owner, and opens it
(in a clone: .venv/bin/kameng open-shop, in another terminal, while this one runs)."""


class EntryMissing(RuntimeError):
    """The terminal or the other end of the pipe gave less than is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopWish:
    """What a person said of the first site and its owner."""

    name: str
    host: str
    slug: str
    login: str
    password: str


def read_shop(arguments: Sequence[str]) -> ShopWish:
    """Read the arguments, and ask for what is missing; end with help or what is wrong in them."""
    parser = argparse.ArgumentParser(
        prog="kameng open-shop",
        description="Open the main site and the account of its owner, who runs the platform."
        " What is not given is asked for; without a terminal the password is the first line of"
        " standard input.",
        allow_abbrev=False,
    )
    parser.add_argument("--name", default="", help="name of the shop, as buyers read it")
    parser.add_argument("--host", default="", help="its host, like shop.example.com (no port)")
    parser.add_argument("--login", default="", help="sign-in of the owner, like ada")
    parser.add_argument("--slug", default=SLUG, help=f"short name in addresses (default: {SLUG})")
    given = parser.parse_args(arguments)
    return ShopWish(
        name=given.name or _ask("Name of the shop"),
        host=given.host or _ask("Its host", default=HOST),
        slug=given.slug,
        login=given.login or _ask("Sign-in of the owner"),
        password=_ask_password(),
    )


def read_login(arguments: Sequence[str]) -> tuple[str, str]:
    """Read who gets a new password, and the password."""
    parser = argparse.ArgumentParser(
        prog="kameng set-password",
        description="Give a member of staff a new password; whoever is signed in as them is signed"
        " out. Without a terminal the password is the first line of standard input.",
        allow_abbrev=False,
    )
    parser.add_argument("login", help="the sign-in of the member of staff")
    given = parser.parse_args(arguments)
    return given.login, _ask_password()


def open_shop(wish: ShopWish) -> str:
    """Open the main site; return what to tell the person. Raises what `open_main_site` raises."""
    from kameng.accounts.services.opening import Opening, open_main_site
    from kameng.core.audit import SYSTEM
    from kameng.tenancy.addresses import site_url

    site = open_main_site(
        Opening(
            slug=wish.slug,
            name=wish.name,
            host=wish.host,
            plan_id=None,
            owner_login=wish.login,
            owner_password=wish.password,
        ),
        actor=SYSTEM,
    )
    address = site_url(site.id)
    return (
        f"{site.name} is open: {address}/\n"
        f"Its back office: {address}/console/  (sign in as {wish.login})\n"
        "A running Kameng knows the host within seconds."
    )


def set_password(login: str, password: str) -> str:
    """Give a member of staff a new password; return what to tell the person."""
    from kameng.accounts import errors
    from kameng.accounts.models import User
    from kameng.accounts.rules import clean_staff_login
    from kameng.accounts.services.staff import set_staff_password
    from kameng.core.audit import SYSTEM

    user = User.objects.filter(login=clean_staff_login(login) or "").first()
    if user is None:
        raise errors.UserNotFound
    set_staff_password(user.id, new_password=password, actor=SYSTEM)
    return f"{user.login} has a new password, and is signed out everywhere."


def tell_shops() -> str:
    """Return the addresses of the first sites, or how to open one when there is none."""
    from kameng.tenancy.addresses import site_url
    from kameng.tenancy.site_lists import list_sites_oldest

    sites = list_sites_oldest(limit=SHOWN_SITES + 1)
    lines = [f"  {site.name}  {site_url(site.id)}/" for site in sites[:SHOWN_SITES]]
    if len(sites) > SHOWN_SITES:
        lines.append("  … and more")
    return "\n".join(lines) or NO_SHOP


def _ask(question: str, *, default: str = "") -> str:
    if not sys.stdin.isatty():
        if default:
            return default
        raise EntryMissing(f"{question}: not given, and there is no terminal to ask at.")
    hint = f" [{default}]" if default else ""
    try:
        return input(f"{question}{hint}: ").strip() or default
    except EOFError:
        raise EntryMissing(f"{question}: not given.") from None


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password (8 characters or more): ")
    if getpass.getpass("The same again: ") != first:
        raise EntryMissing("The two passwords differ; nothing was changed.")
    return first
