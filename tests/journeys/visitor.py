"""A person at a screen: a browser context of one size, language and theme, watched for faults.

Whatever a page writes to the console as an error, every refused script or style, every answer of
5xx fails the test that visited it. `look` keeps a picture and tells what axe and the ruler say,
`look_inside` what axe says of a frame.

Pages move on by themselves: a form was sent, a script follows an order. Whoever goes somewhere,
reloads or measures at that moment is told by the browser that the page is gone. `go`, `reload`,
`read_html` and `look` then do it again on the page that came, as a person would.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Locator,
    Page,
    Response,
    expect,
)

from tests.journeys.stack import ROOT, Stack

PICTURES = ROOT / "artifacts" / "journeys"
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/150.0.0.0 Mobile Safari/537.36"
    ),
}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
DEVICES = {"phone": PHONE, "desktop": DESKTOP}
FADE_MS = 250  # what is new on a page has faded in by then
GRAVE = ("moderate", "serious", "critical")
TRIES = 5
MOVED_ON = re.compile(  # what Chromium and Playwright say of a page that left under one's hands
    "Not attached to an active page|interrupted by another navigation|net::ERR_ABORTED"
    "|Execution context was destroyed|page is navigating|[Ff]rame (was|got) detached"
)
T = TypeVar("T")
WIDER = """() => {
  const edge = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= edge) return [];
  return [...document.querySelectorAll('body *')]
    .filter(node => node.getBoundingClientRect().right > edge + 1)
    .slice(0, 5).map(node => node.outerHTML.slice(0, 120));
}"""


@cache
def _axe() -> Axe:
    return Axe()


@dataclass(slots=True, kw_only=True)
class Visitor:
    """One person with one browser profile; `page` is the tab in front."""

    stack: Stack
    context: BrowserContext
    page: Page
    host: str
    name: str  # of the test, for the pictures
    device: str
    faults: list[str] = field(default_factory=list)
    allowed: set[int] = field(default_factory=set)
    seen: int = 0

    def go(self, path: str = "/") -> None:
        """Open an address of the shop in front, or a whole one."""
        url = path if "://" in path else self.stack.url(path, host=self.host)
        self._try(lambda: self.page.goto(url))

    def reload(self) -> None:
        """Load the page in front again."""
        self._try(self.page.reload)

    def reload_until(self, sign: Locator, *, seconds: float = 60) -> None:
        """Load the page in front again, once a second, until it shows the sign."""
        end = time.monotonic() + seconds
        while not sign.count() and time.monotonic() < end:
            self.page.wait_for_timeout(1000)
            try:
                self.reload()
            except Error as fault:  # the page renews itself at the same moments
                if not MOVED_ON.search(fault.message):
                    raise
        expect(sign.first).to_be_visible()

    def read_html(self) -> str:
        """Return the page's own text, what is not shown included."""
        return self._try(self.page.content)

    def look(self, what: str) -> None:
        """Keep a picture of the page and check it: no grave finding of axe, nothing too wide."""
        self.seen += 1
        self._try(lambda: self._inspect(what))

    def look_inside(self, what: str, frame: Locator) -> None:
        """Check what a frame shows: no grave finding of axe in it."""
        inside = frame.element_handle().content_frame()
        assert inside is not None
        self._try(lambda: self._check_access(what, inside))

    def _try(self, act: Callable[[], T]) -> T:
        for _ in range(TRIES - 1):
            try:
                return act()
            except Error as fault:
                if not MOVED_ON.search(fault.message):
                    raise
                self.page.wait_for_load_state("load")
        return act()

    def _inspect(self, what: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_load_state("load")
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        self.page.wait_for_timeout(FADE_MS)
        picture = PICTURES / f"{self.name}-{self.seen:02d}-{what}.png"
        self.page.screenshot(path=picture, full_page=True, animations="disabled")
        self._check_access(what)
        wide = self.page.evaluate(WIDER)
        if wide:
            self.faults.append(f"{what}: wider than the screen: {wide}")

    def copy(self, press: Callable[[], object]) -> str:
        """Press what copies something; return what lies in the clipboard when it has arrived."""
        self.page.evaluate("navigator.clipboard.writeText('')")
        press()
        end = time.monotonic() + 30
        while not (text := str(self.page.evaluate("navigator.clipboard.readText()"))):
            assert time.monotonic() < end, "nothing was copied"
            self.page.wait_for_timeout(50)
        return text

    def read_text(self, selector: str = "body") -> str:
        """Return what is written on the page."""
        return self.page.locator(selector).first.inner_text()

    def allow(self, *statuses: int) -> None:
        """Say that pages of these statuses are what the test is about."""
        self.allowed.update(statuses)

    def watch(self, page: Page) -> Page:
        """Note every fault of a tab, and let it be the one in front."""
        page.on("console", lambda message: self._hear(message))
        page.on("pageerror", lambda fault: self.faults.append(f"script: {fault}"))
        page.on("response", lambda response: self._weigh(response))
        self.page = page
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        url = message.location["url"]
        if message.type != "error" or not self._is_ours(url):
            return
        told = re.search(r"status of (\d{3})", message.text)
        if told and int(told.group(1)) in self.allowed:
            return
        self.faults.append(f"console: {message.text} ({url})")

    def _weigh(self, response: Response) -> None:
        if response.status >= 500 and self._is_ours(response.url):
            self.faults.append(f"{response.status}: {response.url}")

    def _is_ours(self, url: str) -> bool:
        return not url.startswith(self.stack.simulator)

    def _check_access(self, what: str, inside: Frame | None = None) -> None:
        shown: Any = inside or self.page  # axe only evaluates, which both do
        found: list[dict[str, Any]] = _axe().run(shown).response["violations"]
        for one in found:
            if one["impact"] in GRAVE:
                where = [" ".join(map(str, node["target"])) for node in one["nodes"][:4]]
                self.faults.append(f"{what}: axe {one['id']} ({one['help']}): {where}")


def open_visitor(
    browser: Browser,
    stack: Stack,
    *,
    name: str,
    device: str = "phone",
    host: str = "star.localhost",
    **options: Any,
) -> Visitor:
    """Open a fresh browser profile on a shop; `options` are Playwright's own."""
    settings: dict[str, Any] = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
    context = browser.new_context(**{**DEVICES[device], **settings, **options})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(30_000)
    visitor = Visitor(
        stack=stack,
        context=context,
        page=context.new_page(),
        host=host,
        name=name,
        device=device,
    )
    visitor.watch(visitor.page)
    return visitor


def clean_name(node_name: str) -> str:
    """Return a test's name as a file name."""
    return re.sub(r"[^\w.-]+", "-", node_name).strip("-")


def pictures_of(name: str) -> list[Path]:
    """Return the pictures that a test has kept."""
    return sorted(PICTURES.glob(f"{name}-*.png"))
