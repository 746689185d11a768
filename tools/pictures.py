"""The pictures of the README and of the designs, from a running demo: `python -m tools.pictures`.

Chromium visits the shops and the back office as the demo's own people, buys one card key from a
wallet, and keeps a PNG of each screen in docs/pictures, small enough for a README. With `--designs`
it keeps a WebP of every ready-made design in frontend/designs, drawn with the demo's goods by the
renderer that buyers meet; the opening page and docs/designs.md show them. So it does with the mail
of a delivered order in each design, and with pages on paper, in docs/pictures.
"""

import argparse
import io
import json
import pathlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
SITES: Any = json.loads((ROOT / "data" / "demo" / "sites.json").read_text(encoding="utf-8"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIMIT_BYTES = 250_000
DESIGNS = ROOT / "frontend" / "designs"
DESIGN_SCREENS = {  # name: (width and height of the screen, width of the picture)
    "": (1280, 1600, 480),
    "-phone": (390, 844, 240),
}
MAIL_SCREEN = (560, 640, 300)  # as of the screens of designs, for each half of a picture
MAIL_HALVES = (("light", "zh-hans"), ("dark", "en"))
PAPER = (793, 1122, 420)  # A4 at 96 pixels an inch, and the width of its picture
MARGIN = (49, 53)  # beside and above: the margins of @page in frontend/shared/print.css
# A list as shop owners keep it: made up, looked through by the import, never stored.
ODD_KEYS = """\
卡号----密码
9100100200301----K7QXV-2M4TD-9RWPA-HC6JN
卡号：9100100200302 密码：T3YBE-8HKUF-5ZNGX-W2DQR
９１００１００２００３０３----V6PMC-4XJHS-7LTAY-B9KFE
9100100200304|Q2WNZ-6RDGB-3UCVK-Y8SMH
9100100200301----K7QXV-2M4TD-9RWPA-HC6JN
9100100200305----
9.1001E+12----J5FKT-2PVXA-8QMWC-L4ZRD
合计 6 张
"""
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 760},
    "is_mobile": True,
    "has_touch": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """A browser and the port of the demo."""

    browser: Browser
    port: int
    theme: Literal["light", "dark"] = "light"

    def address(self, host: str, path: str) -> str:
        """Return an address of one of the demo's sites."""
        return f"http://{host}:{self.port}{path}"

    @contextmanager
    def visitor(self, screen: dict[str, Any], *, host: str) -> Iterator[Page]:
        """Open a page of its own profile on the home page of a host."""
        context = self.browser.new_context(**screen, color_scheme=self.theme, locale="zh-CN")
        page = context.new_page()
        page.goto(self.address(host, "/"))
        yield page
        context.close()


def keep(page: Page, name: str) -> None:
    """Keep what is on the screen; raise when the file is too large for a README."""
    page.wait_for_load_state("networkidle")
    page.locator("[data-toast]").first.wait_for(state="detached", timeout=15_000)
    path = FOLDER / f"{name}.png"
    path.write_bytes(shrink(page.screenshot(animations="disabled")))
    size = path.stat().st_size
    print(f"{size // 1000:4d} kB  {path.relative_to(ROOT)}")
    if size > LIMIT_BYTES:
        raise SystemExit(f"{path.name} is larger than {LIMIT_BYTES // 1000} kB")


def shrink(picture: bytes) -> bytes:
    """Return the same picture with 256 colours: a third of the bytes of a screenshot."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256).save(out, "PNG", optimize=True)
    return out.getvalue()


def take_designs(studio: Studio) -> None:
    """Every ready-made design on a desk and on a phone."""
    branch = SITES["sites"][1]
    host = branch["hosts"][0]
    DESIGNS.mkdir(exist_ok=True)
    gallery = studio.address(host, f"/console/{branch['slug']}/design/templates/")
    with studio.visitor(DESKTOP, host=host) as page:
        sign_in(studio, page, site=branch)
        page.goto(gallery)
        frames = page.locator("iframe.design-frame").evaluate_all("all => all.map(a => a.src)")
        for frame in map(str, frames):
            for ending, (width, height, shown) in DESIGN_SCREENS.items():
                page.set_viewport_size({"width": width, "height": height})
                page.goto(frame)
                page.wait_for_load_state("networkidle")
                path = DESIGNS / f"{frame.split('/')[-3]}{ending}.webp"
                with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as image:
                    small = image.convert("RGB").resize(
                        (shown, height * shown // width), Image.Resampling.LANCZOS
                    )
                    small.save(path, "WEBP", quality=78, method=6)
                print(f"{path.stat().st_size // 1000:4d} kB  {path.relative_to(ROOT)}")


def take_mails(studio: Studio) -> None:
    """The mail of a delivered order in every design: light in Chinese beside dark in English."""
    branch = SITES["sites"][1]
    host = branch["hosts"][0]
    base = studio.address(host, f"/console/{branch['slug']}/design/")
    width, height, shown = MAIL_SCREEN
    with studio.visitor(DESKTOP, host=host) as page:
        sign_in(studio, page, site=branch)
        page.goto(f"{base}templates/")
        frames = page.locator("iframe.design-frame").evaluate_all("all => all.map(a => a.src)")
        page.set_viewport_size({"width": width, "height": height})
        for key in (str(frame).split("/")[-3] for frame in frames):
            both = Image.new("RGB", (2 * shown, height * shown // width))
            for number, (theme, language) in enumerate(MAIL_HALVES):
                ask = f"design={key}&theme={theme}&lang={language}"
                page.goto(f"{base}mails/order_delivered/frame/?{ask}")
                with Image.open(io.BytesIO(page.screenshot())) as image:
                    small = image.convert("RGB").resize(
                        (shown, both.height), Image.Resampling.LANCZOS
                    )
                both.paste(small, (number * shown, 0))
            save_small(both, f"mail-{key}")


def take_prints(studio: Studio) -> None:
    """A paid order on paper, from a light and a dark screen, in both languages; a dashboard."""
    branch = SITES["sites"][1]
    host = branch["hosts"][0]
    for theme, language in MAIL_HALVES:
        with studio.visitor(DESKTOP, host=host) as page:
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.goto(studio.address(host, "/sign-in/"))
            page.locator("input[name=login]").fill(SITES["buyer"]["login"])
            page.locator("input[type=password]").fill(SITES["password"])
            page.locator("main form button[type=submit], main form button").last.click()
            page.wait_for_load_state("load")
            buy_card_key(studio, page, host=host)
            page.context.add_cookies(
                [{"name": "kameng_language", "value": language, "url": studio.address(host, "/")}]
            )
            page.reload()
            keep_print(page, f"print-order-{'zh' if language != 'en' else 'en'}")
    with studio.visitor(DESKTOP, host=host) as page:
        sign_in(studio, page, site=branch)
        keep_print(page, "print-dashboard")


def keep_print(page: Page, name: str) -> None:
    """Keep the first sheet of paper of a page, drawn by its rules for print."""
    width, height, shown = PAPER
    page.emulate_media(media="print")
    page.set_viewport_size({"width": width - 2 * MARGIN[0], "height": height - 2 * MARGIN[1]})
    page.wait_for_timeout(500)
    sheet = Image.new("RGB", (width, height), "white")
    with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as image:
        sheet.paste(image.convert("RGB"), MARGIN)
    small = sheet.resize((shown, height * shown // width), Image.Resampling.LANCZOS)
    save_small(small, name)


def save_small(picture: Image.Image, name: str) -> None:
    """Keep a picture of the documents as WebP."""
    path = FOLDER / f"{name}.webp"
    picture.save(path, "WEBP", quality=78, method=6)
    print(f"{path.stat().st_size // 1000:4d} kB  {path.relative_to(ROOT)}")


def take_shop(studio: Studio) -> None:
    """The shop: home on a desk and on a phone, a product, a paid order with its key."""
    host = SITES["sites"][1]["hosts"][0]
    with studio.visitor(DESKTOP, host=host) as page:
        keep(page, "shop-home")
    with studio.visitor(PHONE, host=host) as page:
        keep(page, "phone-home")
        page.locator("a[href^='/p/']").first.click()
        keep(page, "phone-product")
    with studio.visitor(PHONE, host=host) as page:
        page.goto(studio.address(host, "/sign-in/"))
        page.locator("input[name=login]").fill(SITES["buyer"]["login"])
        page.locator("input[type=password]").fill(SITES["password"])
        page.locator("main form button[type=submit], main form button").last.click()
        page.wait_for_load_state("load")
        buy_card_key(studio, page, host=host)
        keep(page, "phone-paid")


def buy_card_key(studio: Studio, page: Page, *, host: str) -> None:
    """Buy the first card key that can be had, from the wallet."""
    page.goto(studio.address(host, "/"))
    links = page.locator("a[href^='/p/']").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    for link in dict.fromkeys(links):
        page.goto(studio.address(host, str(link)))
        button = page.get_by_role("button", name="立即购买")
        if "自动发货" not in page.locator("body").inner_text() or not button.is_enabled():
            continue
        button.click()
        page.wait_for_url("**/checkout/**")
        page.locator("label.choice", has_text="余额").first.click()
        page.locator("label.check input[name=agree]").check()
        page.get_by_role("button", name="支付").last.click()
        page.wait_for_url("**/o/**")
        return
    raise SystemExit("the demo has no card key to sell")


def take_console(studio: Studio) -> None:
    """The back office: today, an order with its time line, the price of a product, an import."""
    main = SITES["sites"][0]
    branch = SITES["sites"][1]
    with studio.visitor(DESKTOP, host=branch["hosts"][0]) as page:
        sign_in(studio, page, site=branch)
        keep(page, "console-today")
        base = studio.address(branch["hosts"][0], f"/console/{branch['slug']}/")
        page.goto(f"{base}orders/")
        keep(page, "console-orders")
        page.locator("table a[href*='/orders/']").first.click()
        keep(page, "console-order")
        page.goto(f"{base}prices/")
        keep(page, "console-prices")
    with studio.visitor(DESKTOP, host=main["hosts"][0]) as page:
        sign_in(studio, page, site=main)
        base = studio.address(main["hosts"][0], f"/console/{main['slug']}/")
        page.goto(f"{base}goods/")
        page.locator("table a[href*='/goods/']").first.click()
        page.wait_for_load_state("load")
        keep(page, "console-product")
        page.goto(f"{base}card-keys/import/")
        page.locator("select[name=variant_id]").select_option(index=1)  # the first is a question
        page.locator("textarea").first.fill(ODD_KEYS)
        page.locator("main form button[type=submit], main form button.button-primary").last.click()
        page.wait_for_url("**/card-keys/import/*/")
        page.mouse.wheel(0, 350)
        keep(page, "console-import")


def sign_in(studio: Studio, page: Page, *, site: dict[str, Any]) -> None:
    """Sign the owner of a site in on its back office."""
    host = str(site["hosts"][0])
    page.goto(studio.address(host, "/console/"))
    page.locator("input[type=text], input:not([type])").first.fill(str(site["owner"]["login"]))
    page.locator("input[type=password]").fill(SITES["password"])
    page.get_by_role("button", name="登录", exact=True).click()
    page.locator(".app").wait_for()


def main() -> int:
    """Take every picture."""
    parser = argparse.ArgumentParser(description="Take the pictures of the README.")
    parser.add_argument("--port", type=int, default=8000, help="port of the running demo")
    parser.add_argument(
        "--designs", action="store_true", help="take the designs, their mails, and paper"
    )
    wanted = parser.parse_args()
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print("no Chromium here: make test brings one", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        studio = Studio(browser=browser, port=wanted.port)
        if wanted.designs:
            take_designs(studio)
            take_mails(studio)
            take_prints(studio)
        else:
            take_shop(studio)
            take_console(studio)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
