"""Alipay's bills: what they say, and archives that are damaged, cut, or made to do harm."""

import dataclasses
import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from typing import Any

import pytest

from kameng.payments.providers.abilities import BillLine, BillNotReady, BillSource, LineKind
from kameng.payments.providers.alipay import bills
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng_simulator import alipay_bills, signing
from kameng_simulator.moves import BillRow
from tests.providers.cases import make_case, make_refund, make_request
from tests.providers.world import World

DAY = dt.date(2026, 1, 5)
NOON = 1_767_585_600.0  # 2026-01-05 12:00 in Beijing
SELLER = "2088000000000011"


def row(kind: str, number: str, *, fen: int = 1234, fee: int = 0, trade: str = "T1") -> BillRow:
    return BillRow(
        kind=kind,
        own_no=number,
        external_no=f"X{number}",
        trade_no=trade,
        out_trade_no="P1",
        subject='月卡, "引号" 和 #井号',
        method="alipay",
        amount_fen=fen,
        fee_fen=fee,
        paid_fen=fen,
        happened_at=NOON,
    )


ROWS = (
    row("payment", "P1", fee=7),
    row("refund", "R1", fen=200, fee=-1),
    row("split", "S1", fen=300),
    row("split_return", "B1", fen=100),
    row("payout", "W1", fen=5000),
)


def archives(rows: Sequence[BillRow] = ROWS) -> dict[str, bytes]:
    told = {"seller_id": SELLER, "day": DAY.isoformat()}
    return {
        bills.TRADE: alipay_bills.make_trade_bill(rows, **told),
        bills.ACCOUNT: alipay_bills.make_account_bill(rows, **told),
    }


def repack(
    archive: bytes, *, cut: str = "", swap: tuple[str, str] | None = None, name: str = ""
) -> bytes:
    """Return an archive whose table was changed."""
    with zipfile.ZipFile(io.BytesIO(archive), metadata_encoding="gbk") as bundle:
        entry = next(each for each in bundle.infolist() if "汇总" not in each.filename)
        text = bundle.read(entry).decode("gb18030")
    if swap:
        assert swap[0] in text
        text = text.replace(*swap)
    lines = [line for line in text.splitlines() if not cut or cut not in line]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(name or "bill.csv", "\r\n".join(lines).encode("gb18030"))
    return buffer.getvalue()


def of_kind(lines: Sequence[BillLine], kind: LineKind) -> BillLine:
    (line,) = [each for each in lines if each.kind is kind]
    return line


def test_each_movement_is_told_once_with_its_numbers_and_fee() -> None:
    bill = bills.make_bill(DAY, archives())

    assert len(bill.lines) == 5
    assert bill.unread_lines == []
    payment = of_kind(bill.lines, LineKind.PAYMENT)
    assert (payment.own_no, payment.payment_no, payment.external_no) == ("P1", "P1", "T1")
    assert (payment.amount, payment.fee_amount) == (123_400, 700)
    assert payment.happened_at == dt.datetime(2026, 1, 5, 4, 0, tzinfo=dt.UTC)
    refund = of_kind(bill.lines, LineKind.REFUND)
    assert (refund.own_no, refund.payment_no) == ("R1", "P1")
    assert (refund.amount, refund.fee_amount) == (20_000, -100)
    share = of_kind(bill.lines, LineKind.SPLIT)
    assert (share.own_no, share.payment_no, share.amount) == ("S1", "P1", 30_000)
    back = of_kind(bill.lines, LineKind.SPLIT_RETURN)
    assert (back.own_no, back.payment_no, back.amount) == ("B1", "P1", 10_000)
    sent = of_kind(bill.lines, LineKind.PAYOUT)
    assert (sent.own_no, sent.amount, sent.fee_amount) == ("W1", 500_000, 0)


def test_a_transfer_that_came_back_is_no_second_transfer() -> None:
    whole = archives((row("payout", "W1", trade=""), row("payout_return", "W1", trade="")))
    plain = repack(whole[bills.ACCOUNT], swap=("转账退回", "转账"))

    bill = bills.make_bill(DAY, whole)
    other = bills.make_bill(DAY, {**whole, bills.ACCOUNT: plain})

    assert [(line.kind, line.own_no, line.amount) for line in bill.lines] == [
        (LineKind.PAYOUT, "W1", 123_400),
        (LineKind.PAYOUT_RETURN, "W1", 123_400),
    ]
    # What comes in without such a word may be anybody's: it is shown, and compared with nothing.
    assert [line.kind for line in other.lines] == [LineKind.PAYOUT, LineKind.OTHER]


def test_fee_that_belongs_to_no_trade_is_a_line_of_its_own() -> None:
    bill = bills.make_bill(DAY, archives((row("payout", "W1", fen=5000, fee=10, trade=""),)))

    fee = of_kind(bill.lines, LineKind.FEE)
    assert (fee.amount, fee.fee_amount) == (0, 1000)


def test_day_without_anything_is_empty() -> None:
    empty = bills.make_bill(DAY, archives(()))

    assert (empty.lines, empty.unread_lines) == ([], [])
    assert bills.make_bill(DAY, {}).lines == []


def test_raw_holds_what_came_and_its_digest_depends_on_that_alone() -> None:
    came = archives()

    first, second = bills.make_bill(DAY, came), bills.make_bill(DAY, came)

    assert first.raw_digest == second.raw_digest
    with zipfile.ZipFile(io.BytesIO(first.raw)) as bundle:
        assert bundle.read("trade.zip") == came[bills.TRADE]
        assert bundle.read("signcustomer.zip") == came[bills.ACCOUNT]


@pytest.mark.parametrize("kind", [bills.TRADE, bills.ACCOUNT])
def test_a_bill_that_was_cut_is_not_believed(kind: str) -> None:
    whole = archives()
    for mark in ("P1", "合计"):
        damaged = {**whole, kind: repack(whole[kind], cut=mark)}
        with pytest.raises(ProviderUncertain) as caught:
            bills.make_bill(DAY, damaged)
        assert caught.value.code == "bill_incomplete"


def test_a_changed_amount_contradicts_the_total() -> None:
    whole = archives()
    changed = repack(whole[bills.TRADE], swap=(",12.34,12.34,", ",12.34,12.35,"))

    with pytest.raises(ProviderUncertain):
        bills.make_bill(DAY, {**whole, bills.TRADE: changed})


def test_a_line_that_cannot_be_read_is_kept_as_it_stands() -> None:
    whole = archives()
    odd = repack(whole[bills.TRADE], swap=(",12.34,12.34,", ",一二,12.34,"))

    bill = bills.make_bill(DAY, {**whole, bills.TRADE: odd})

    assert len(bill.unread_lines) == 1
    assert "一二" in bill.unread_lines[0]
    assert LineKind.PAYMENT not in {line.kind for line in bill.lines}


def test_unknown_business_is_kept_as_other() -> None:
    whole = archives()
    odd = repack(whole[bills.ACCOUNT], swap=("转账", "积分兑换"))

    bill = bills.make_bill(DAY, {**whole, bills.ACCOUNT: odd})

    assert of_kind(bill.lines, LineKind.OTHER).amount == 500_000


def test_name_in_an_archive_is_no_path(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = archives()
    slip = repack(whole[bills.TRADE], name="../../../../tmp/slip.csv")

    bill = bills.make_bill(DAY, {**whole, bills.TRADE: slip})

    assert len(bill.lines) == 5
    assert list(tmp_path.iterdir()) == []


def bundle_of(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in entries:
            bundle.writestr(name, data)
    return buffer.getvalue()


def test_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "MAX_UNPACKED", 1_000_000)
    bomb = bundle_of(("a.csv", b"#" * 2_000_000))
    assert len(bomb) < 10_000

    with pytest.raises(ProviderUncertain) as caught:
        bills.make_bill(DAY, {bills.TRADE: bomb})

    assert caught.value.code == "bill_too_large"


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"<html>busy</html>",
        b"PK\x03\x04" + b"\0" * 50,
        bundle_of(),
        bundle_of(("a.csv", b""), ("b.csv", b"")),
        bundle_of(*((f"{i}.csv", b"") for i in range(20))),
        bundle_of(("readme.txt", b"x")),
        bundle_of(("a.csv", b"\xff\xff\xff")),
        archives()[bills.TRADE][:-40],
        archives()[bills.TRADE][:200] + b"\0" * 60 + archives()[bills.TRADE][260:],
    ],
)
def test_what_is_no_bill_is_uncertain(archive: bytes) -> None:
    with pytest.raises(ProviderUncertain):
        bills.make_bill(DAY, {bills.TRADE: archive})


# --- fetched from the simulator ----------------------------------------------------------------


@pytest.fixture(params=["alipay", "alipay_cert"])
def account(request: pytest.FixtureRequest, world: World) -> tuple[Any, Any]:
    provider = make_case(request.param).provider()
    return provider, provider.config_from_form(world.credentials(request.param))


def test_bill_of_a_day_names_its_payments_and_refunds(
    world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    assert isinstance(provider, BillSource)
    number = "P" + signing.make_digits(18)
    world.browse(provider.create(config, make_request(number, method="qr")).qr_text)
    world.pay(number, "lost")
    provider.refund(config, make_refund(number, refund_no="R" + number[1:], amount=50_000))
    store = world.simulator.store
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=40)
    moment = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC).timestamp()
    store.run("UPDATE payments SET paid_at=? WHERE out_trade_no=?", moment, number)
    store.run("UPDATE refunds SET refunded_at=? WHERE refund_no=?", moment, "R" + number[1:])

    bill = provider.fetch_bill(config, day)

    mine = [line for line in bill.lines if line.payment_no == number]
    assert [(line.kind, line.amount) for line in mine] == [
        (LineKind.PAYMENT, 123_400),
        (LineKind.REFUND, 50_000),
    ]
    assert mine[0].external_no == provider.query(config, number).external_no
    assert mine[1].own_no == "R" + number[1:]


def test_bill_of_today_is_not_ready(account: tuple[Any, Any]) -> None:
    provider, config = account
    today = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=8)).date()

    with pytest.raises(BillNotReady):
        provider.fetch_bill(config, today)


def test_a_long_day_without_anything_is_an_empty_bill(account: tuple[Any, Any]) -> None:
    provider, config = account

    assert provider.fetch_bill(config, dt.date(2020, 2, 2)).lines == []


def test_download_that_breaks_is_uncertain(world: World, account: tuple[Any, Any]) -> None:
    provider, config = account
    kind = "alipay_cert" if config.has_certificates else "alipay"
    for fault in ("reset", "garbage", "error", "huge"):
        world.break_call(kind, fault, after=1)
        with pytest.raises(ProviderUncertain):
            provider.fetch_bill(config, dt.date(2020, 2, 2))


def test_wrong_account_gets_no_bill(world: World, account: tuple[Any, Any]) -> None:
    provider, config = account
    stranger = dataclasses.replace(config, app_id="2021000000000002")

    with pytest.raises(ProviderRefused):
        provider.fetch_bill(stranger, dt.date(2020, 2, 2))
