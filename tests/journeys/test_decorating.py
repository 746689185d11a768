"""An operator decorates a shop: by template, in place, by mouse, finger and keys, now and later."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.journeys import staff
from tests.journeys.decorating import (
    add,
    drag,
    frame_of,
    make_page,
    menu,
    open_single,
    outline_of,
    photo,
    publish,
    tab,
    type_in_place,
    wait_saved,
)
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
LOOK, HOME, CATEGORY, PRODUCT, ABOUT, HELP = 1, 2, 3, 4, 6, 7  # kinds of pages
SCREENS = ("", "pages/new/", "templates/", "pictures/", "skins/")


@pytest.fixture
def lin(visit: Visit, device: str) -> Visitor:
    """Lin at the back office of the shop 星海, on a phone or a desktop."""
    return staff.sign_in(visit(device=device), "lin")


def test_a_page_is_edited_in_place_put_in_order_by_keys_and_published(
    lin: Visitor, visit: Visit, device: str
) -> None:
    frame, path = make_page(lin, "双十一")
    lin.look("empty")
    hero = add(lin, "hero")
    lin.look("first")
    type_in_place(lin, hero.locator("[data-edit=title]"), "全场五折 <b>")
    add(lin, "steps")
    add(lin, "product_grid")
    lin.look("three")
    tab(lin, "outline")
    assert outline_of(lin) == ["主横幅", "步骤", "商品宫格"]

    lin.page.locator(".outline-name").nth(2).focus()
    lin.page.keyboard.press("Alt+ArrowUp")
    assert outline_of(lin) == ["主横幅", "商品宫格", "步骤"]
    lin.page.keyboard.press("Control+z")
    assert outline_of(lin) == ["主横幅", "步骤", "商品宫格"]
    lin.page.keyboard.press("Control+Shift+z")
    assert outline_of(lin) == ["主横幅", "商品宫格", "步骤"]
    wait_saved(lin)
    publish(lin)
    lin.look("published")

    mei = visit(device=device)
    mei.go(path)
    expect(mei.page.locator(".hero-title")).to_have_text("全场五折 <b>")
    kinds = mei.page.locator(".sections > .s").evaluate_all("all => all.map(s => s.classList[1])")
    assert kinds == ["s-hero", "s-product_grid", "s-steps"]
    mei.look("shop")
    assert frame.locator(".hero-title").inner_text() == "全场五折 <b>"


def test_sections_are_dragged_from_the_palette_and_in_the_list(lin: Visitor) -> None:
    frame, _path = make_page(lin, "拖动")
    add(lin, "hero")
    add(lin, "steps")
    tab(lin, "add")
    place = lin.page.locator(".builder-frame").bounding_box()
    assert place is not None
    top = frame.locator(".s-hero").bounding_box()
    assert top is not None
    drag(lin, lin.page.locator("[data-type=notice]"), (place["x"] + 150, top["y"] + 12))
    tab(lin, "outline")
    expect(lin.page.locator(".outline-name")).to_have_count(3)
    assert outline_of(lin) == ["公告条", "主横幅", "步骤"]

    last = lin.page.locator(".outline-item").nth(2).bounding_box()
    assert last is not None
    goal = (last["x"] + 60, last["y"] + last["height"] - 4)
    drag(lin, lin.page.locator(".outline-name").first, goal)
    expect(lin.page.locator(".outline-name").last).to_contain_text("公告条")
    assert outline_of(lin) == ["主横幅", "步骤", "公告条"]
    wait_saved(lin)


def test_a_picture_is_cut_uploaded_and_shown_to_buyers(
    lin: Visitor, visit: Visit, device: str
) -> None:
    lin.allow(400)
    _frame, path = make_page(lin, "图片")
    section = add(lin, "picture")
    tab(lin, "panel")
    page = lin.page
    page.locator(".image-box").get_by_role("button", name="选择图片").click()
    chooser = page.locator("dialog input[type=file]")
    chooser.set_input_files({"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    expect(page.locator("dialog [role=alert]").last).to_contain_text("打不开这个文件")
    chooser.set_input_files(photo(1200, 800))  # type: ignore[arg-type]
    cutting = page.locator("dialog").last
    cutting.get_by_role("button", name="1:1").click()
    expect(cutting.get_by_text("800 × 800")).to_be_visible()
    lin.look("crop")
    cutting.get_by_role("button", name="上传图片").click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(section.locator("img")).to_be_visible()
    page.locator(".focal").click(position={"x": 20, "y": 20})
    wait_saved(lin)
    lin.look("placed")
    _put_a_spot(lin)
    publish(lin)

    mei = visit(device=device)
    mei.go(path)
    size = mei.page.locator(".s-picture img").evaluate("i => [i.naturalWidth, i.naturalHeight]")
    assert size[0] == size[1] > 0


def _put_a_spot(lin: Visitor) -> None:
    """A point of a picture is put where it is tapped, and moved by the arrow keys."""
    page, section = lin.page, add(lin, "hot_spots")
    tab(lin, "panel")
    page.locator(".image-box").get_by_role("button", name="选择图片").click()
    page.locator("dialog .picture-pick").first.click()
    page.locator("[data-path=spots] .button").last.click()
    place = page.locator("[data-item='spots.0'] .focal")
    box = place.bounding_box()
    assert box is not None
    place.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
    page.locator("[data-path='spots.0.text'] input").fill("黄金会员")
    place.press("ArrowRight")
    page.locator("[data-path='spots.0.link'] select").select_option("all")
    wait_saved(lin)
    expect(section.locator(".spot-core")).to_have_attribute("cx", "260")
    expect(section.locator(".spots-list")).to_have_text("黄金会员")


def test_a_page_is_planned_changed_back_and_its_history_compared(lin: Visitor) -> None:
    frame, _path = make_page(lin, "定时")
    notice = add(lin, "notice")
    type_in_place(lin, notice.locator("[data-edit]").first, "第一版公告")
    publish(lin)
    type_in_place(lin, frame.locator(".s-notice [data-edit]").first, "第二版公告")
    menu(lin, "定时发布")
    lin.look("when")
    lin.page.locator("dialog").get_by_role("button", name="定时发布").click()
    expect(lin.page.locator("dialog")).to_have_count(0)
    menu(lin, "定时发布")
    expect(lin.page.locator("dialog")).to_contain_text("已安排在")
    lin.page.locator("dialog").get_by_role("button", name="取消定时").click()
    expect(lin.page.locator("dialog")).to_have_count(0)

    publish(lin)
    menu(lin, "历史")
    expect(lin.page.locator(".history-item").first).to_be_visible()
    lin.page.locator(".history-item", has_text="第 1 版").click()
    old = lin.page.frame_locator(".history-frame").first
    expect(old.locator(".s-notice")).to_contain_text("第一版公告")
    lin.look("history")
    lin.page.get_by_role("button", name="恢复到第 1 版").click()
    expect(frame_of(lin).locator(".s-notice")).to_contain_text("第一版公告")
    expect(lin.page.locator(".builder-state")).to_contain_text("未发布")


def test_the_built_in_part_of_a_page_is_seen_in_its_place_and_does_nothing(
    lin: Visitor, visit: Visit, device: str
) -> None:
    frame = open_single(lin, PRODUCT)
    add(lin, "notice")
    tab(lin, "outline")
    expect(lin.page.locator(".outline > li").first).to_have_class("outline-fixed")
    if device == "phone":
        lin.page.locator(".builder-tab.is-outline").click()
    first = frame.locator(".goods-title").inner_text()
    button = frame.locator("[data-buy-button]").bounding_box()
    assert button is not None
    lin.page.mouse.click(button["x"] + 20, button["y"] + 10)
    frame.locator("[data-choose-shown]").click()
    lin.page.locator(".goods-option").nth(1).click()
    lin.page.locator("dialog").get_by_role("button", name="完成").click()
    expect(frame.locator(".goods-title")).not_to_have_text(first)
    expect(frame.locator(".builtin + .sections .s-notice")).to_be_visible()
    lin.look("product")
    menu(lin, "分享预览")
    url = lin.page.locator("dialog input").input_value()
    friend = visit(device=device)
    friend.go(url)
    expect(friend.page.locator(".goods-title")).to_have_text(
        frame.locator(".goods-title").inner_text()
    )
    friend.look("preview")
    lin.page.keyboard.press("Escape")
    menu(lin, "放弃修改")
    lin.page.locator("dialog").get_by_role("button", name="放弃修改").click()
    expect(frame.locator(".s-notice")).to_have_count(0)


def test_two_tabs_do_not_overwrite_each_other(lin: Visitor) -> None:
    lin.allow(409)
    frame, _path = make_page(lin, "两个标签页")
    add(lin, "hero")
    add(lin, "notice")
    first, url = lin.page, lin.page.url
    second = lin.watch(lin.context.new_page())
    lin.go(url)
    other = frame_of(lin)
    type_in_place(lin, other.locator("[data-edit=title]"), "来自第二个标签页")

    lin.page = first
    first.bring_to_front()
    type_in_place(lin, frame.locator(".s-notice [data-edit]").first, "来自第一个标签页")
    expect(frame.locator(".hero-title")).to_have_text("来自第二个标签页")

    lin.page = second
    second.bring_to_front()
    type_in_place(lin, other.locator("[data-edit=title]"), "第二个又改了")
    lin.page = first
    first.bring_to_front()
    title = frame.locator("[data-edit=title]")
    title.click()
    if title.get_attribute("contenteditable") is None:
        title.click()
    first.keyboard.press("Control+A")
    first.keyboard.type("第一个也改了")
    expect(first.locator("dialog")).to_contain_text("这个页面有两份修改")
    lin.look("clash")
    first.locator("dialog").get_by_text("对方的修改").click()
    first.locator("dialog").get_by_role("button", name="按选择合并").click()
    wait_saved(lin)
    expect(frame.locator(".hero-title")).to_have_text("第二个又改了")


def test_a_draft_is_shown_by_link_until_the_link_is_revoked(
    lin: Visitor, visit: Visit, device: str
) -> None:
    make_page(lin, "预览")
    notice = add(lin, "notice")
    type_in_place(lin, notice.locator("[data-edit]").first, "只在草稿里")
    menu(lin, "分享预览")
    url = lin.page.locator("dialog input").input_value()
    lin.look("share")
    friend = visit(device=device)
    friend.go(url)
    expect(friend.page.locator(".s-notice")).to_contain_text("只在草稿里")
    friend.look("preview")

    lin.page.locator("dialog").get_by_role("button", name="停用所有预览链接").click()
    expect(lin.page.locator("dialog")).to_have_count(0)
    friend.allow(404)
    friend.reload()
    expect(friend.page.locator(".s-notice")).to_have_count(0)


def test_who_is_signed_out_while_editing_loses_nothing(lin: Visitor) -> None:
    lin.allow(401, 403)
    frame, _path = make_page(lin, "登录过期")
    notice = add(lin, "notice")
    type_in_place(lin, notice.locator("[data-edit]").first, "之前")
    kept = lin.context.cookies()
    lin.context.clear_cookies()
    text = frame.locator(".s-notice [data-edit]").first
    text.click()
    if text.get_attribute("contenteditable") is None:
        text.click()
    lin.page.keyboard.type("之后")
    expect(lin.page.locator(".builder-state")).to_contain_text("登录已过期")
    lin.look("signed-out")

    lin.context.add_cookies(kept)  # type: ignore[arg-type]
    lin.page.get_by_role("button", name="重新登录").click()
    wait_saved(lin)
    lin.reload()
    expect(frame_of(lin).locator(".s-notice")).to_contain_text("之前之后")


def test_the_look_is_changed_live_and_thrown_away(lin: Visitor) -> None:
    frame = open_single(lin, 1)
    tab(lin, "root")
    lin.look("look")
    sheet = frame.locator("link[href*='/look/']")
    before = sheet.get_attribute("href")
    colour = lin.page.locator("[data-path=brand] input[type=text]")
    colour.fill("#ffe14d")
    expect(lin.page.locator("[data-path=brand] .field-note")).to_contain_text("不够清楚")
    expect(sheet).not_to_have_attribute("href", before or "")
    expect(sheet).to_have_attribute("href", re.compile("ffe14d"))
    lin.look("bright")
    menu(lin, "放弃修改")
    lin.page.locator("dialog").get_by_role("button", name="放弃修改").click()
    expect(sheet).to_have_attribute("href", before or "")


def test_a_shop_is_decorated_by_a_template_and_back(
    lin: Visitor, visit: Visit, device: str
) -> None:
    mei = visit(device=device)
    mei.go()
    sheet = mei.page.locator("link[href*='/look/']")
    before = sheet.get_attribute("href")
    lin.go("/console/star/design/templates/")
    lin.look("gallery")
    lin.page.locator("form[action*='/templates/salon/'] button").click()
    expect(lin.page.locator("#toasts, .flash, [role=status]").first).to_be_attached()
    mei.reload()
    expect(sheet).not_to_have_attribute("href", before or "")
    mei.look("decorated")

    lin.page.get_by_role("button", name="撤销上次装修").click()
    expect(lin.page.get_by_role("button", name="撤销上次装修")).to_have_count(0)
    mei.reload()
    expect(sheet).to_have_attribute("href", before or "")


def test_a_skin_is_worn_between_two_moments_and_taken_off(
    lin: Visitor, visit: Visit, device: str
) -> None:
    lin.allow(400)
    lin.go("/console/star/design/skins/")
    page = lin.page
    page.locator("input[name=kind]").first.check(force=True)
    page.locator("input[name=starts_at]").fill("2020-01-01T00:00")
    page.locator("input[name=ends_at]").fill("2020-01-02T00:00")
    page.locator(".savebar button[type=submit], .savebar button.button-primary").first.click()
    expect(page.get_by_text("结束时间要晚于开始时间和现在").first).to_be_visible()
    lin.look("refused")
    start, end = page.evaluate(
        "() => [-1, 1].map(d => new Date(Date.now() + d * 864e5 + 288e5))"
        ".map(each => each.toISOString().slice(0, 16))"
    )
    page.locator("input[name=starts_at]").fill(start)
    page.locator("input[name=ends_at]").fill(end)
    page.locator(".savebar button[type=submit], .savebar button.button-primary").first.click()
    expect(page.get_by_text("正在使用")).to_be_visible()
    mei = visit(device=device)
    mei.go()
    expect(mei.page.locator("html[data-skin]")).to_be_attached()
    mei.look("skin")

    page.get_by_role("button", name="取消").first.click()
    expect(page.get_by_text("正在使用")).to_have_count(0)
    mei.reload()
    expect(mei.page.locator("html[data-skin]")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_screen_of_decoration_is_fit_for_everybody(
    visit: Visit, device: str, scheme: str
) -> None:
    lin = staff.sign_in(visit(device=device, color_scheme=scheme), "lin")
    for path in SCREENS:
        lin.go(f"/console/star/design/{path}")
        lin.look(path.strip("/").replace("/", "-") or "pages")
    frame = open_single(lin, 2)
    frame.locator(".hero-title").first.click()
    tab(lin, "panel")
    lin.look("fields")
    for name in ("add", "outline"):
        tab(lin, name)
        lin.look(name)
    if device == "desktop":
        lin.page.keyboard.press("Escape")
        lin.page.keyboard.press("?")
        expect(lin.page.locator("dialog")).to_contain_text("撤销")
        lin.look("help")


def test_what_the_editor_frames_is_fit_for_everybody(visit: Visit, device: str) -> None:
    """Every kind of page, light and in Chinese on a desktop, dark and in English on a phone."""
    is_phone = device == "phone"
    lin = visit(device=device, color_scheme="dark" if is_phone else "light")
    staff.sign_in(lin, "lin")
    if is_phone:
        staff.read_english(lin)
    for kind in (LOOK, HOME, CATEGORY, PRODUCT, ABOUT, HELP):
        frame = open_single(lin, kind)
        if kind in {HOME, ABOUT}:
            frame.locator(".sections > [data-section]").first.click()
        lin.look_inside(f"kind {kind}", lin.page.locator(".builder-frame"))
