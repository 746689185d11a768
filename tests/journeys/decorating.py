"""What an operator does in the page editor: steps that several journeys share."""

import io
from secrets import token_hex

from PIL import Image
from playwright.sync_api import FrameLocator, Locator, expect

from tests.journeys.visitor import Visitor


def make_page(lin: Visitor, title: str) -> tuple[FrameLocator, str]:
    """Make a landing page by its form; return it inside the editor, and its address in the shop."""
    slug = f"page-{token_hex(4)}"  # a stack may be used for more than one run
    lin.go("/console/star/design/pages/new/")
    page = lin.page
    page.get_by_label("页面名称").fill(title)
    page.get_by_label("页面地址").fill(slug)
    page.locator(
        ".savebar button, .form button[type=submit], .form button.button-primary"
    ).first.click()
    return frame_of(lin), f"/pages/{slug}/"


def open_single(lin: Visitor, kind: int) -> FrameLocator:
    """Open the editor of a page of which a site has one."""
    lin.go(f"/console/star/design/open/{kind}/")
    return frame_of(lin)


def frame_of(lin: Visitor) -> FrameLocator:
    """Return the page inside the editor, when it is there."""
    frame = lin.page.frame_locator(".builder-frame")
    expect(frame.locator("html.is-framed")).to_be_attached()
    return frame


def tab(lin: Visitor, name: str) -> None:
    """Show one of the parts beside the page: outline, add, root, panel."""
    if name == "panel" and lin.device == "desktop":
        return
    button = lin.page.locator(f".builder-tab.is-{name}")
    if button.get_attribute("aria-pressed") != "true":
        button.click()
    expect(button).to_have_attribute("aria-pressed", "true")


def add(lin: Visitor, kind: str) -> Locator:
    """Put a section in from the palette; return it on the page."""
    tab(lin, "add")
    lin.page.locator(f"[data-type={kind}]").click()
    drawn = lin.page.frame_locator(".builder-frame").locator(f".s-{kind}").last
    expect(drawn).to_be_visible()
    wait_saved(lin)
    return drawn


def type_in_place(lin: Visitor, text: Locator, words: str) -> None:
    """Type over a text where it stands on the page; on a phone the first tap only chooses."""
    text.click()
    if text.get_attribute("contenteditable") is None:
        text.click()
    lin.page.keyboard.press("Control+A")
    lin.page.keyboard.type(words)
    lin.page.keyboard.press("Escape")
    wait_saved(lin)


def wait_saved(lin: Visitor) -> None:
    """Wait until the server has everything."""
    expect(lin.page.locator(".builder-status")).to_have_attribute("data-state", "saved")


def outline_of(lin: Visitor) -> list[str]:
    """Return the names of the sections in their order."""
    names: list[str] = lin.page.locator(".outline-name").evaluate_all(
        "all => all.map(each => each.querySelector('span').firstChild.textContent)"
    )
    return names


def menu(lin: Visitor, entry: str) -> None:
    """Choose from the menu behind the three dots."""
    lin.page.locator(".builder-acts summary").click()
    lin.page.locator(".menu-list").get_by_role("button", name=entry).click()


def publish(lin: Visitor) -> None:
    """Publish, and see that it was."""
    lin.page.get_by_role("button", name="发布", exact=True).click()
    expect(lin.page.locator(".builder-state")).to_have_text("已发布")


def drag(lin: Visitor, start: Locator, goal: tuple[float, float]) -> None:
    """Pull something to a point of the screen: by mouse, or by a finger that holds first."""
    start.scroll_into_view_if_needed()
    box = start.bounding_box()
    assert box is not None
    x, y = box["x"] + 20, box["y"] + box["height"] / 2
    steps = [(x + (goal[0] - x) * n / 8, y + (goal[1] - y) * n / 8) for n in range(1, 9)]
    if lin.device == "desktop":
        lin.page.mouse.move(x, y)
        lin.page.mouse.down()
        for step in steps:
            lin.page.mouse.move(*step)
        lin.page.mouse.up()
        return
    finger = lin.context.new_cdp_session(lin.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        told = [{"x": each[0], "y": each[1]} for each in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    touch("touchStart", (x, y))
    expect(lin.page.locator(".drag-ghost")).to_be_visible()
    for step in steps:
        touch("touchMove", step)
    touch("touchEnd")


def photo(width: int, height: int) -> dict[str, object]:
    """Return a picture as a file field takes it: dark on the left, light on the right."""
    out = io.BytesIO()
    Image.linear_gradient("L").rotate(90).resize((width, height)).convert("RGB").save(out, "JPEG")
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}
