"""An operator's day: prices, card keys, an order to repair, a sub-site to open."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from python_calamine import CalamineWorkbook

from tests.journeys import buying, staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]


def test_a_price_rule_is_previewed_while_typing_and_reaches_the_shelf(
    visit: Visit, device: str
) -> None:
    wei = staff.sign_in(visit(device=device, host="lemon.localhost"), "wei")
    goods = wei.stack.facts["products"]["J006" if device == "phone" else "J005"]
    wei.go("/console/lemon/prices/")
    wei.look("rules")
    wei.go(f"/console/lemon/prices/rule/?product={goods['id']}")
    page = wei.page
    page.get_by_text("按金额", exact=True).click()
    page.locator("input[name=amount]").fill("7.77")
    expect(page.locator(".preview-body")).to_contain_text(re.compile(r"\d+\.\d\d"))
    before = wei.read_text(".preview-body")
    page.locator("input[name=amount]").fill("9.99")
    expect(page.locator(".preview-body")).not_to_have_text(before)
    wei.look("rule")
    page.get_by_role("button", name=re.compile("保存")).click()
    expect(page.get_by_text("9.99").first).to_be_visible()
    price = re.search(r"\d+\.\d\d", _price_on_shelf(wei, goods["id"]))
    assert price


def _price_on_shelf(wei: Visitor, product_id: int) -> str:
    wei.go(f"/p/{product_id}/")
    return wei.read_text(".goods-price")


def test_keys_are_pasted_checked_imported_withdrawn_and_restored(visit: Visit) -> None:
    ada = staff.sign_in(visit(device="desktop", host="main.localhost"), "ada")
    page = ada.page
    _open_import(ada, "J003")
    page.get_by_label(re.compile("粘贴")).fill(
        "PASTE-0001----A1\nPASTE-0002----A2\nPASTE-0001----A1"
    )
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_text("读到的前几张")).to_be_visible(timeout=60_000)
    ada.look("dry-run")
    page.get_by_role("button", name=re.compile("^导入")).click()
    expect(page.get_by_text("2 张卡密已上架")).to_be_visible(timeout=60_000)
    ada.look("imported")
    page.get_by_role("link", name="看这个批次").click()
    ada.look("batch")
    staff.dialog(ada, "撤回这批")
    staff.confirm(ada, "撤回")
    expect(page.locator(".status", has_text="已撤回").first).to_be_visible()
    ada.look("withdrawn")
    page.get_by_role("button", name="恢复上架").click()
    expect(page.get_by_role("link", name="撤回这批")).to_be_visible()


def test_a_key_file_shows_its_progress_and_explains_every_odd_line(
    visit: Visit, tmp_path: Path
) -> None:
    ada = staff.sign_in(visit(device="phone", host="main.localhost"), "ada")
    lines = [f"FILE-{number:06d}----P{number:06d}" for number in range(20_000)]
    lines[7] = "坏行 " * 400
    kept = tmp_path / "卡密.txt"
    kept.write_text("\r\n".join(lines), encoding="gbk")
    _open_import(ada, "J006")
    ada.page.locator("input[type=file]").set_input_files(kept)
    ada.page.get_by_role("button", name="检查").click()
    confirm = ada.page.get_by_role("button", name=re.compile("^导入"))
    expect(confirm).to_be_visible(timeout=60_000)
    ada.look("dry-run")
    confirm.click()
    expect(ada.page.get_by_text(re.compile("张卡密已上架"))).to_be_visible(timeout=90_000)
    ada.look("done")


def _open_import(ada: Visitor, code: str) -> None:
    ada.go("/console/main/card-keys/import/")
    variant = ada.stack.facts["products"][code]["variants"][0]
    ada.page.locator("select[name=variant_id]").select_option(str(variant))
    ada.page.get_by_label("批次名称").fill("旅程备货")


def test_an_order_gets_a_note_another_key_and_its_money_back(visit: Visit) -> None:
    buyer = visit()
    buying.choose(buyer, "J001", variant=2)
    buying.buy_now(buyer)
    buying.submit_order(buyer, pay="微信支付", contact="swap@example.com")
    order_no = buying.order_no_of(buyer)
    buying.open_cashier(buyer, "微信支付")
    buying.press(buyer, "支付成功")
    (key,) = buying.read_keys(buyer, 1)

    lin = staff.sign_in(visit(device="desktop"), "lin")
    lin.go(f"/console/star/orders/{order_no}/")
    lin.look("order")
    page = lin.page
    page.get_by_role("link", name="写备注").last.click()
    page.locator("dialog[open] textarea").fill("买家说卡密无效")
    page.locator("dialog[open]").get_by_role("button", name="记下来").click()
    expect(page.get_by_text("买家说卡密无效")).to_be_visible()
    page.get_by_role("link", name="换卡密").first.click()
    staff.confirm(lin, "换卡密并通知买家", reason="截图显示已被使用")
    expect(page.get_by_text("换卡密，旧的作废")).to_be_visible()
    buyer.reload()
    (fresh,) = buying.read_keys(buyer, 1)
    assert fresh != key
    staff.dialog(lin, "退款")
    lin.look("refund")
    staff.confirm(lin, "退款", reason="客户要求")
    lin.reload_until(page.get_by_text("退款完成"))
    lin.look("refunded")
    buyer.reload()
    buyer.look("refunded")
    (paid,) = [row for row in buyer.stack.list_payments() if row["refunds"]][:1]
    assert paid["refunded_fen"] == paid["amount_fen"] == 5000


def test_a_list_is_taken_away_as_a_workbook(visit: Visit, tmp_path: Path) -> None:
    buyer = visit()
    buying.choose(buyer, "J001")
    buying.buy_now(buyer)
    buying.submit_order(buyer, pay="微信支付", contact="export@example.com")
    order_no = buying.order_no_of(buyer)

    lin = staff.sign_in(visit(device="desktop"), "lin")
    lin.go("/console/star/orders/")
    page = lin.page
    page.locator("summary", has_text="导出").click()
    lin.look("export")
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name=re.compile("Excel")).click()
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)

    rows = CalamineWorkbook.from_path(kept).get_sheet_by_index(0).to_python()
    assert kept.suffix == ".xlsx"
    assert rows[0][0] == "订单号"
    assert order_no in [row[0] for row in rows]


def test_a_sub_site_opened_in_the_form_sells_at_once(visit: Visit) -> None:
    ada = staff.sign_in(visit(device="desktop", host="main.localhost"), "ada")
    page = ada.page
    ada.go("/console/main/sites/new/")
    ada.look("form")
    page.get_by_label(re.compile("店名|店铺名称|名称")).first.fill("海盐会员")
    page.locator("input[name=slug]").fill("haiyan")
    page.locator("input[name=host]").fill("haiyan.localhost")
    page.locator("input[name=owner_login]").fill("haiyan")
    page.locator("input[name=owner_name]").fill("海燕")
    page.get_by_role("button", name="开通分站").click()
    expect(page.get_by_text("海盐会员 已开通")).to_be_visible()
    ada.look("opened")
    buyer = visit(host="haiyan.localhost")
    buyer.go()
    expect(buyer.page.get_by_text("海盐会员").first).to_be_visible()
    buyer.look("new-shop")
    buying.choose(buyer, "J001")
    buying.buy_now(buyer)
    buying.submit_order(buyer, pay="微信支付", contact="first@example.com")
    buying.open_cashier(buyer, "微信支付")
    buying.press(buyer, "支付成功")
    buying.read_keys(buyer, 1)


PAGES = (
    "",
    "orders/",
    "orders/queue/",
    "orders/refunds/",
    "goods/",
    "goods/new/",
    "categories/",
    "prices/",
    "prices/rule/",
    "card-keys/",
    "card-keys/import/",
    "imports/products/",
    "customers/",
    "ledger/",
    "ledger/accounts/",
    "payments/",
    "payments/odd/",
    "payments/approvals/",
    "payments/refunds/",
    "payments/top-ups/",
    "payments/disputes/",
    "withdrawals/",
    "withdrawals/batches/",
    "splits/",
    "settlement-terms/",
    "reconciliation/",
    "reconciliation/cases/",
    "reconciliation/closing/",
    "gateways/",
    "gateways/new/",
    "sites/",
    "plans/",
    "licences/",
    "legal/",
    "archives/",
    "health/",
    "staff/",
    "settings/",
    "mails/",
    "audit-log/",
    "account/",
)


def test_every_page_of_the_console_is_fit_to_be_seen(visit: Visit, device: str) -> None:
    ada = staff.sign_in(visit(device=device, host="main.localhost"), "ada")
    goods = ada.stack.facts["products"]["J001"]["id"]
    for path in (*PAGES, f"goods/{goods}/"):
        ada.go(f"/console/main/{path}")
        expect(ada.page.locator("h1").first).to_be_visible()
        ada.look(path.strip("/").replace("/", "-") or "overview")


OWN_PAGES = (  # of an operator, who has what the main site has not
    "",
    "my-plan/",
    "domains/",
    "staff/invitations/",
    "staff/roles/",
    "staff/roles/new/",
    "account/passkeys/new/",
    "account/app/",
    "children/",
    "children/new/",
    "children/terms/",
    "closing-shop/",
    "hand-over/",
    "archives/",
    "legal/",
    "prices/table/",
)
MAIN_PAGES = ("plans/new/", "all-domains/", "dashboard/sites/", "sites/new/", "own-goods/")


def test_an_operators_own_pages_are_fit_on_a_phone_in_english_and_in_the_dark(
    visit: Visit,
) -> None:
    lin = staff.sign_in(visit(device="phone", color_scheme="dark"), "lin")
    ada = visit(device="phone", color_scheme="dark", host="main.localhost")
    staff.sign_in(ada, "ada")
    for person, slug, pages in ((lin, "star", OWN_PAGES), (ada, "main", MAIN_PAGES)):
        staff.read_english(person)
        for path in pages:
            person.go(f"/console/{slug}/{path}")
            expect(person.page.locator("h1").first).to_be_visible()
            person.look(path.strip("/").replace("/", "-") or "overview")


def test_the_console_reads_in_english_and_in_the_dark(visit: Visit) -> None:
    ada = staff.sign_in(visit(device="desktop", host="main.localhost", color_scheme="dark"), "ada")
    ada.go("/")
    ada.page.locator("footer").get_by_text("English").click()
    left: list[str] = []
    for path in PAGES:
        ada.go(f"/console/main/{path}")
        expect(ada.page.locator("html")).to_have_attribute("lang", re.compile("^en"))
        ada.look(path.strip("/").replace("/", "-") or "overview")
        for part in (".nav-link", "h1, h2, legend, th, label, button, .page-note"):
            texts = ada.page.locator(part).all_inner_texts()
            left += [f"{path}: {text}" for text in texts if not _reads_in_english(ada, text)]
    assert not left, "\n".join(left)


def _reads_in_english(ada: Visitor, text: str) -> bool:
    """Tell whether all Chinese in a text is of the shop's own making: names it gave."""
    titles = [goods["title"] for goods in ada.stack.facts["products"].values()]
    names = "云桥数卡 星海点卡 柠檬会员铺 海盐会员 陈安达 林星 安然 魏宁 海燕 专业版 普及版"
    own = [
        *titles,
        *names.split(),
        "微信支付",
        "支付宝网页",
        "支付宝手机",
        "支付宝",
        "QQ 钱包二号",
        "QQ 钱包",
        "简体中文",
        "开业备货",
        "旅程备货",
        "卡密.txt",
    ]
    own += ["游戏点卡", "视频会员", "话费充值", "人工服务", "软件激活"]
    for name in own:
        text = text.replace(name, "")
    return not re.search(r"[\u4e00-\u9fff]{2,}", text)
