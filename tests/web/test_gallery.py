"""The style guide in a real browser: no violation, no overflow, and behaviours that answer.

Each page is served under the product's content security policy, so markup that would need an
inline script or style shows up here before it reaches a screen.
"""

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "frontend" / "gallery"
CHROMIUM = "/usr/bin/chromium"
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
ANSWERS = {
    "/search/suggest": {
        "items": [{"url": "/shop-product.html", "title": "王者荣耀点券 648元", "price": "628.56"}]
    },
    "/palette": {
        "groups": [{"name": "订单", "items": [{"url": "/console-order.html", "title": "K2025"}]}]
    },
    "/imports/7/progress": {"done_count": 4000, "total_count": 5001, "text": "4,000 / 5,001"},
}
PAGES = sorted(path.stem for path in (GALLERY / "pages").glob("[a-z]*.html"))

pytestmark = pytest.mark.browser


class _Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def do_GET(self) -> None:
        answer = ANSWERS.get(self.path.partition("?")[0])
        if answer is None:
            return super().do_GET()
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def gallery_url() -> Iterator[str]:
    subprocess.run([sys.executable, str(GALLERY / "render.py")], check=True)
    handler = functools.partial(_Handler, directory=str(GALLERY / "dist"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
    expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("page_name", PAGES)
@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (1440, "dark")])
def test_page_is_accessible_and_fits(
    browser: Browser, gallery_url: str, page_name: str, theme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme="dark" if theme == "dark" else "light",
        is_mobile=width == 390,
        has_touch=width == 390,
        reduced_motion="reduce",
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda line: (
            problems.append(line.text) if line.type == "error" and "404" not in line.text else None
        ),
    )

    page.goto(f"{gallery_url}/{page_name}.html")
    violations = Axe().run(page).response["violations"]
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()

    assert problems == []
    assert overflow <= 0
    assert [
        (found["id"], found["nodes"][0]["html"])
        for found in violations
        if found["impact"] in ("serious", "critical")
    ] == []


def test_variant_and_quantity_change_the_total(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/shop-product.html")

    desktop.get_by_label("200 个").check(force=True)
    desktop.get_by_label("加一件").click()

    expect(desktop.locator("[data-price-unit]")).to_have_text("¥208.82", use_inner_text=True)
    expect(desktop.locator("[data-price-total]")).to_have_text("¥417.64", use_inner_text=True)
    expect(desktop.locator(".goods-meta [data-stock]")).to_have_text(
        "仅剩 3 件", use_inner_text=True
    )
    desktop.locator("#quantity").fill("99")
    desktop.locator("#quantity").blur()
    expect(desktop.locator("#quantity")).to_have_value("3")


def test_wrong_account_is_explained_and_full_width_digits_are_taken(
    desktop: Page, gallery_url: str
) -> None:
    desktop.goto(f"{gallery_url}/shop-product.html")
    account = desktop.locator("#account")

    account.fill("01")
    account.blur()
    expect(desktop.locator("#account-error")).to_contain_text("5 到 12 位数字")
    desktop.get_by_role("button", name="立即购买").click()
    assert desktop.url.endswith("/shop-product.html")

    account.fill("１０００１")
    account.blur()
    expect(account).to_have_value("10001")
    expect(desktop.locator("#account-error")).to_have_text("", use_inner_text=True)
    desktop.get_by_role("button", name="立即购买").click()
    desktop.wait_for_url("**/shop-checkout.html?*")


def test_typed_contact_survives_a_reload(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/shop-checkout.html")
    desktop.locator("#contact").press_sequentially("13800138000")

    desktop.reload()

    expect(desktop.locator("#contact")).to_have_value("13800138000")


def test_suggestions_are_chosen_by_keyboard(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/shop-home.html")
    search = desktop.get_by_role("combobox", name="搜商品")

    search.press_sequentially("王者")
    desktop.locator(".suggest-item").wait_for()
    search.press("ArrowDown")
    search.press("Enter")

    desktop.wait_for_url("**/shop-product.html")


def test_dialog_opens_closes_and_gives_the_focus_back(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/console-order.html")
    opener = desktop.get_by_role("link", name="退款").first

    opener.click()
    expect(desktop.locator("#refund")).to_be_visible()
    desktop.keyboard.press("Escape")

    expect(desktop.locator("#refund")).to_be_hidden()
    expect(opener).to_be_focused()


def test_tabs_show_one_panel(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/shop-product.html")

    desktop.get_by_role("tab", name="售后").click()

    expect(desktop.locator("#after-sale")).to_be_visible()
    expect(desktop.locator("#about")).to_be_hidden()


def test_palette_finds_and_opens(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/console-overview.html")

    desktop.keyboard.press("Control+k")
    desktop.keyboard.type("K2025")
    desktop.get_by_role("option", name="K2025").wait_for()
    desktop.keyboard.press("Enter")

    desktop.wait_for_url("**/console-order.html")


def test_bulk_bar_counts_what_is_picked(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/console-orders.html")
    picks = desktop.locator("[data-pick]")

    expect(desktop.locator("[data-bulk-bar]")).to_be_hidden()
    picks.nth(0).click()
    picks.nth(3).click(modifiers=["Shift"])

    expect(desktop.locator("[data-bulk-count]")).to_have_text("已选 4 项", use_inner_text=True)


def test_unsaved_form_says_so_and_offers_its_draft(desktop: Page, gallery_url: str) -> None:
    desktop.on("dialog", lambda dialog: dialog.accept())
    desktop.goto(f"{gallery_url}/console-form.html")
    desktop.locator("#rate").fill("9.5")
    # The draft is written half a second after the last key.
    desktop.wait_for_function("() => Object.values(localStorage).join().includes('9.5')")

    desktop.reload()
    desktop.get_by_role("button", name="接着改").click()

    expect(desktop.locator("#rate")).to_have_value("9.5")
    expect(desktop.get_by_text("有改动没保存")).to_be_visible()


def test_progress_follows_the_server(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/console-import.html")

    desktop.get_by_text("4,000 / 5,001").wait_for()

    expect(desktop.locator("[data-progress]")).to_have_attribute("value", "4000")


def test_theme_switch_is_kept_in_a_cookie(desktop: Page, gallery_url: str) -> None:
    desktop.goto(f"{gallery_url}/shop-home.html")

    desktop.locator("[data-theme-switch]").click()

    expect(desktop.locator("html")).to_have_attribute("data-theme", "light")
    assert {cookie["name"]: cookie["value"] for cookie in desktop.context.cookies()} == {
        "theme": "light"
    }


def test_masked_secret_is_shown_and_copied_on_demand(desktop: Page, gallery_url: str) -> None:
    desktop.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desktop.goto(f"{gallery_url}/shop-paid.html")
    secret = desktop.locator("[data-secret]")

    assert "84713962" not in secret.inner_text()
    desktop.get_by_role("button", name="显示").click()
    expect(secret).to_have_text("84713962", use_inner_text=True)
    desktop.get_by_role("button", name="复制", exact=True).first.click()

    expect(desktop.get_by_text("已复制")).to_be_visible()  # said when it has been
    assert desktop.evaluate("navigator.clipboard.readText()") == "TXSP-8F2K-91QM-7C3D"
