"""The running stack and a real browser, once a session; people with profiles of their own a test.

`KAMENG_JOURNEYS_STACK` names a file that says where a stack runs already (`python -m
tests.journeys`), which saves its start while one writes a journey.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.journeys.stack import Stack, attach, run_stack
from tests.journeys.visitor import Visitor, clean_name, open_visitor

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--lang=zh-CN",
)
TURNS_OF_ONE_LINE = 10  # journeys, before the line that all of them share counts anew
PATIENCE_MS = 30_000  # a busy machine is slow, not wrong


def _find_chromium() -> str | None:
    named = os.environ.get("KAMENG_CHROMIUM")
    if named:
        return named
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every journey drives a browser, and the stack's start counts against the first."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(600))
            item.add_marker(pytest.mark.xdist_group("journeys"))


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """The running shop."""
    if _find_chromium() is None:
        pytest.skip("no Chromium here: `make test` brings it when run as root")
    known = os.environ.get("KAMENG_JOURNEYS_STACK")
    if known:
        yield attach(Path(known))
        return
    with run_stack() as running:
        yield running
        assert running.act("audit") == [], "the books after all journeys"


@pytest.fixture(scope="package")
def browser(stack: Stack) -> Iterator[Browser]:
    """One Chromium for the journeys.

    Not for the session: while Playwright's loop runs, nothing else in this thread may use one.
    """
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        path = _find_chromium()
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


_turns = itertools.count(1)


@pytest.fixture
def visit(
    stack: Stack, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Visitor]]:
    """Open a browser profile: `visit(device="phone", host="star.localhost")`."""
    opened: list[Visitor] = []
    name = clean_name(request.node.name)
    if next(_turns) % TURNS_OF_ONE_LINE == 0:
        stack.act("forget-tries")

    def open_one(**options: Any) -> Visitor:
        label = name if not opened else f"{name}-{len(opened) + 1}"
        opened.append(open_visitor(browser, stack, name=label, **options))
        return opened[-1]

    yield open_one
    faults = [fault for visitor in opened for fault in visitor.faults]
    for visitor in opened:
        visitor.context.close()
    assert not faults, "\n".join(faults)


@pytest.fixture(params=["phone", "desktop"])
def device(request: pytest.FixtureRequest) -> str:
    """Each test that asks for it runs on both."""
    return str(request.param)
