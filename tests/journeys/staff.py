"""What people behind the counter do: the steps that several journeys share."""

from playwright.sync_api import expect

from tests.journeys.visitor import Visitor


def sign_in(visitor: Visitor, login: str) -> Visitor:
    """Sign a member of staff in on the console of the host in front."""
    visitor.go("/console/")
    page = visitor.page
    page.get_by_label("账号").fill(login)
    page.locator("input[type=password]").fill(visitor.stack.facts["password"])
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.locator(".app")).to_be_visible()
    return visitor


def dialog(visitor: Visitor, opener: str) -> None:
    """Open one of the page's dialogs by the words of its button."""
    visitor.page.locator(".page-actions").get_by_text(opener, exact=True).click()
    expect(visitor.page.locator("dialog[open]")).to_be_visible()


def confirm(visitor: Visitor, button: str, *, reason: str = "") -> None:
    """Give a reason in the open dialog, press its button, and see the page that answers."""
    opened = visitor.page.locator("dialog[open]")
    if reason:
        opened.get_by_label("原因").fill(reason)
    opened.get_by_role("button", name=button, exact=True).click()
    expect(opened).to_have_count(0)


def read_english(visitor: Visitor) -> None:
    """Choose English, as the footer of every page offers it."""
    cookie = {"name": "kameng_language", "value": "en", "url": visitor.stack.url(host=visitor.host)}
    visitor.context.add_cookies([cookie])  # type: ignore[list-item]
