"""The cashier's page and buttons, and where the browser goes afterwards."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from kameng_simulator import signing
from tests.providers.world import Shop, World, wait_until
from tests.simulator.calls import call, open_epay


def press(address: str, mode: str) -> tuple[int, str, str]:
    return call(f"{address}/{mode}", data=b"")


def test_cashier_shows_amount_code_countdown_and_every_button(world: World) -> None:
    page = world.browse(open_epay(world, "P1", money="1234.50", name="腾讯视频月卡"))

    assert "1234.50" in page
    assert "腾讯视频月卡" in page
    assert "<svg" in page
    assert "data-left=" in page
    for label in (
        "支付成功",
        "支付失败",
        "重复通知",
        "付两次",
        "延迟支付",
        "少付",
        "通知丢失",
        "伪造通知",
    ):
        assert label in page


def test_texts_from_the_shop_run_no_script(world: World) -> None:
    address = open_epay(
        world, "P1", name="<script>alert(1)</script>", return_url='javascript:alert("x")'
    )

    for page in (world.browse(address), world.browse(world.url + "/"), press(address, "lost")[1]):
        assert "<script>alert" not in page
        assert "javascript:" not in page


def test_paying_sends_the_browser_back_with_signed_fields(world: World, shop: Shop) -> None:
    address = open_epay(world, "P1", return_url=shop.url + "/r?x=1", notify_url=shop.url)

    status, _, target = press(address, "success")

    fields = dict(parse_qsl(urlsplit(target).query))
    assert status == 303
    assert fields.pop("x") == "1"
    assert fields["sign"] == signing.sign_epay(fields, world.credentials("epay")["key"])
    assert len(shop.wait_for(1)) == 1


def test_failed_payment_can_be_tried_again(world: World) -> None:
    address = open_epay(world, "P1")

    assert "可再次付款" in press(address, "fail")[1]
    assert world.state("P1")["state"] == "wait"
    assert press(address, "success")[0] == 303


def test_paid_payment_takes_no_second_payment(world: World) -> None:
    address = open_epay(world, "P1")
    press(address, "lost")

    assert press(address, "success")[0] == 409
    assert "付款成功" in world.browse(address)
    assert world.state("P1")["notices"] == []


def test_opening_a_button_by_link_pays_nothing(world: World) -> None:
    address = open_epay(world, "P1")

    world.browse(f"{address}/success")

    assert world.state("P1")["state"] == "wait"


def test_late_payment_arrives_after_its_time(world: World, shop: Shop) -> None:
    address = open_epay(world, "P1", notify_url=shop.url)
    store = world.simulator.store
    payment = store.find_payment("epay", "P1")
    assert payment is not None
    assert store.close_payment(payment.id)

    press(address, "late")

    wait_until(lambda: world.state("P1")["state"] == "paid")
    assert len(shop.wait_for(1)) == 1


def test_callbacks_leave_this_machine_in_no_case(world: World) -> None:
    open_epay(world, "P1", notify_url="http://198.51.100.7/n")

    world.pay("P1", "success")

    wait_until(lambda: bool(world.state("P1")["notices"][0]["attempts"]))
    attempt = world.state("P1")["notices"][0]["attempts"][0]
    assert attempt["status"] == 0
    assert "不在本机" in attempt["reply"]


def test_list_shows_payments_and_what_the_shop_answered(world: World, shop: Shop) -> None:
    shop.answers = [b"fail"]
    open_epay(world, "P1", notify_url=shop.url)
    world.pay("P1", "success")
    shop.wait_for(2)
    wait_until(lambda: world.state("P1")["notices"][0]["state"] == "done")

    page = world.browse(world.url + "/")

    assert "P1" in page
    assert "商户已确认" in page


@pytest.mark.parametrize("path", ["/pay/none", "/pay/none/success", "/nothing", "/pay/"])
def test_unknown_pages_are_404(world: World, path: str) -> None:
    assert call(world.url + path)[0] == 404
