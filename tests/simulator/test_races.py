"""Calls that come at once, and calls that are cut off: each is taken whole, as if alone.

Two calls wait for one another at their reads, so that without the guard both have read before one
writes; each race is run without it too, and must then go wrong.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from kameng_simulator import signing, wechat
from kameng_simulator.alipay import Alipay
from kameng_simulator.alipay_signers import CertificateSigner
from kameng_simulator.store import Store
from kameng_simulator.wechat import Wechat
from tests.providers.world import Shop, World, wait_until
from tests.simulator.calls import alipay_fields, call, call_alipay, open_epay
from tests.simulator.test_wechat import ask, order

WAIT_SECONDS = 4
GUARDED = pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "control"])
Act = Callable[[], object]


@contextmanager
def no_transaction(_store: Store) -> Iterator[None]:
    """What a transaction is without its promise."""
    yield


def meet_at_reads(monkeypatch: pytest.MonkeyPatch, *, is_guarded: bool) -> None:
    """Let two calls wait for one another at every read; take the guard away for a control.

    Who holds the guard waits in vain, once: the other cannot come.
    """
    fetch, remember, barrier = Store.fetch, Store.remember, threading.Barrier(2)

    def meet() -> None:
        if "process_request" in threading.current_thread().name:  # a call, not the courier
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(timeout=WAIT_SECONDS)

    def fetch_together(store: Store, sql: str, *values: object) -> Any:
        meet()
        found = fetch(store, sql, *values)
        meet()
        return found

    def remember_together(store: Store, name: str, make: Any) -> str:
        found = remember(store, name, make)
        meet()
        return found

    monkeypatch.setattr(Store, "fetch", fetch_together)
    monkeypatch.setattr(Store, "remember", remember_together)
    if not is_guarded:
        monkeypatch.setattr(Store, "transaction", no_transaction)


def together(*acts: Act) -> None:
    barrier, faults = threading.Barrier(len(acts)), []

    def run(act: Act) -> None:
        barrier.wait()
        try:
            act()
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(each,)) for each in acts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert faults == []


def sum_moved(world: World, gateway: str, kind: str) -> int:
    rows = world.simulator.moves.list_transfers(gateway, kind=kind)
    return sum(row.amount_fen for row in rows)


# --- Alipay --------------------------------------------------------------------------------------


def paid_at_alipay(world: World, number: str = "P1") -> str:
    """Open a payment of one yuan, let it be paid; return Alipay's number."""
    wish = {"out_trade_no": number, "subject": "月卡", "total_amount": "1.00"}
    told = call_alipay(world, "alipay.trade.precreate", wish)
    call(told["qr_code"])
    world.pay(number, "success")
    return str(world.state(number)["trade_no"])


def bind(world: World, account: str, number: str) -> dict[str, Any]:
    receiver = {"type": "userId", "account": account, "name": "林记商行"}
    content: Any = {"out_request_no": number, "receiver_list": [receiver]}
    return call_alipay(world, "alipay.trade.royalty.relation.bind", content)


def prepared(world: World, method: str, content: Any) -> Act:
    """Sign a call now, so that it goes out at once later."""
    data = urlencode(alipay_fields(world, method, content)).encode()
    address = world.credentials("alipay")["gateway_url"]
    return lambda: call(address, data=data)


def told_relations(world: World) -> set[str]:
    return set(json.loads(world.simulator.store.remember("alipay_relations", lambda: "{}")))


@GUARDED
def test_two_receivers_are_bound_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    acts = [
        prepared(
            world,
            "alipay.trade.royalty.relation.bind",
            {"out_request_no": account, "receiver_list": [{"type": "userId", "account": account}]},
        )
        for account in ("2088000000000001", "2088000000000002")
    ]
    meet_at_reads(monkeypatch, is_guarded=is_guarded)

    together(*acts)

    assert (len(told_relations(world)) == 2) is is_guarded


@GUARDED
def test_two_shares_at_once_do_not_pass_the_limit(
    world: World, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    trade_no = paid_at_alipay(world)
    bind(world, "2088000000000001", "B1")
    acts = [
        prepared(
            world,
            "alipay.trade.order.settle",
            {
                "trade_no": trade_no,
                "out_request_no": number,
                "royalty_parameters": [{"trans_in": "2088000000000001", "amount": "0.20"}],
            },
        )
        for number in ("S1", "S2")
    ]
    meet_at_reads(monkeypatch, is_guarded=is_guarded)

    together(*acts)

    assert sum_moved(world, "alipay", "split") == (20 if is_guarded else 40)


@GUARDED
def test_each_of_two_refunds_is_told_with_its_own_sum(
    world: World, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    trade_no = paid_at_alipay(world)
    acts = [
        prepared(
            world,
            "alipay.trade.refund",
            {"trade_no": trade_no, "out_request_no": number, "refund_amount": "0.10"},
        )
        for number in ("R1", "R2")
    ]
    meet_at_reads(monkeypatch, is_guarded=is_guarded)

    together(*acts)

    rows = world.simulator.store.fetch("SELECT fields FROM notices WHERE subject='refund'")
    sums = sorted(json.loads(row["fields"])["refund_fee"] for row in rows)
    assert sums == (["0.10", "0.20"] if is_guarded else ["0.20", "0.20"])


def test_a_receiver_that_was_refused_is_not_taken_for_heard(world: World) -> None:
    wrong = {"type": "userId", "account": "2088000000000001", "name": "不符"}
    content: Any = {"out_request_no": "B1", "receiver_list": [wrong]}
    method = "alipay.trade.royalty.relation.bind"

    answers = [call_alipay(world, method, content)["code"] for _ in range(2)]

    assert answers == ["40004", "40004"]
    assert bind(world, "2088000000000001", "B1")["code"] == "10000"
    assert told_relations(world) == {"2088000000000001"}


def test_a_reply_names_the_certificate_by_which_it_was_signed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = world.simulator.peers["alipay_cert"]
    assert isinstance(peer, Alipay)
    signer = peer._signer
    assert isinstance(signer, CertificateSigner)
    authority = signer._authority
    find_key = authority.find_key

    def change_first(sn: str) -> Any:
        authority.renew()
        return find_key(sn)

    monkeypatch.setattr(authority, "find_key", change_first)
    before = authority.current_sn
    member, signature = signer.seal("words")

    assert before != authority.current_sn
    assert before in member
    key = find_key(before).public_key()
    assert signing.verify_rsa("words", signature=signature, key=key)


# --- WeChat Pay ----------------------------------------------------------------------------------


def paid_at_wechat(world: World, number: str = "P2026010101") -> str:
    """Open a payment of one yuan that will be split, let it be paid; return WeChat's number."""
    wish = order(world, out_trade_no=number, settle_info={"profit_sharing": True})
    assert ask(world, "POST", "/v3/pay/transactions/native", wish)[0] == 200
    world.pay(number, "success")
    return str(world.state(number)["trade_no"])


def add_receiver(world: World, openid: str) -> int:
    wish = {
        "appid": world.credentials("wechat")["appid"],
        "type": "PERSONAL_OPENID",
        "account": openid,
        "relation_type": "PARTNER",
    }
    return ask(world, "POST", "/v3/profitsharing/receivers/add", wish)[0]


def split(world: World, trade_no: str, number: str, fen: int) -> int:
    wish = {
        "appid": world.credentials("wechat")["appid"],
        "transaction_id": trade_no,
        "out_order_no": number,
        "unfreeze_unsplit": False,
        "receivers": [
            {"type": "PERSONAL_OPENID", "account": "o1", "amount": fen, "description": "货款"}
        ],
    }
    return ask(world, "POST", "/v3/profitsharing/orders", wish)[0]


def refund(world: World, trade_no: str, number: str, fen: int) -> dict[str, Any]:
    wish = {
        "transaction_id": trade_no,
        "out_refund_no": number,
        "amount": {"refund": fen, "total": 100, "currency": "CNY"},
        "notify_url": "http://a.localhost:9/",
    }
    return ask(world, "POST", "/v3/refund/domestic/refunds", wish)[1]


@GUARDED
def test_two_receivers_are_added_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    meet_at_reads(monkeypatch, is_guarded=is_guarded)

    together(lambda: add_receiver(world, "o1"), lambda: add_receiver(world, "o2"))

    known = json.loads(world.simulator.store.remember("wechat_receivers", lambda: "{}"))
    assert (len(known) == 2) is is_guarded


@GUARDED
def test_two_shares_at_once_leave_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    trade_no = paid_at_wechat(world)
    assert add_receiver(world, "o1") == 200
    meet_at_reads(monkeypatch, is_guarded=is_guarded)

    together(
        lambda: split(world, trade_no, "S1", 20),
        lambda: split(world, trade_no, "S2", 20),
    )

    assert sum_moved(world, "wechat", "split") == (20 if is_guarded else 40)


@GUARDED
def test_a_share_and_a_refund_at_once_give_no_more_than_came(
    world: World, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    trade_no = paid_at_wechat(world)
    assert add_receiver(world, "o1") == 200
    meet_at_reads(monkeypatch, is_guarded=is_guarded)

    together(
        lambda: split(world, trade_no, "S1", 30),
        lambda: refund(world, trade_no, "R1", 100),
    )

    given = sum_moved(world, "wechat", "split") + world.state("P2026010101")["refunded_fen"]
    assert given in (30, 100) if is_guarded else given == 130


def test_a_transfer_ends_once(world: World) -> None:
    moves = world.simulator.moves
    wish = {"gateway": "wechat", "kind": "payout", "own_no": "W1", "amount_fen": 5}
    seen, _ = moves.open_transfer({**wish, "state": "wait"})

    ended = [moves.end_transfer(seen, state=state) for state in ("done", "refused")]

    found = moves.find_transfer("wechat", "payout", "W1")
    assert found is not None
    assert (ended, found.state) == ([True, False], "done")


@GUARDED
def test_a_code_is_not_lost_to_who_signs_in_at_the_same_moment(
    world: World, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    peer = world.simulator.peers["wechat"]
    assert isinstance(peer, Wechat)
    if not is_guarded:
        monkeypatch.setattr(peer, "_lock", nullcontext())
    codes: list[str] = []

    def sign_in() -> None:
        query = {
            "appid": world.credentials("wechat")["appid"],
            "redirect_uri": "http://lin.localhost:9/back",
            "response_type": "code",
            "scope": "snsapi_base",
        }
        target = call(f"{world.url}/connect/oauth2/authorize?{urlencode(query)}")[2]
        codes.extend(parse_qs(urlsplit(target).query)["code"])

    sign_in()
    others = [threading.Thread(target=sign_in)]

    def let_another_in() -> float:
        """Between reading the codes and writing them, somebody else comes."""
        if others:
            other = others.pop()
            other.start()
            other.join(timeout=WAIT_SECONDS)
            late.append(other)
        return time.time()

    late: list[threading.Thread] = []
    shim = SimpleNamespace(time=let_another_in, strftime=time.strftime)
    monkeypatch.setattr(wechat, "time", shim)
    sign_in()
    late[0].join()

    assert len(codes) == 3
    assert (set(codes) == set(peer._codes)) is is_guarded


# --- cut off in the middle -----------------------------------------------------------------------


def forget_to_tell(*_: object, **__: object) -> int:
    raise OSError("killed here")


def refund_at_alipay(world: World) -> str:
    wish = {"trade_no": world.state("P1")["trade_no"], "out_request_no": "R1"}
    fields = alipay_fields(world, "alipay.trade.refund", {**wish, "refund_amount": "0.10"})
    address = world.credentials("alipay")["gateway_url"]
    told = json.loads(call(address, data=urlencode(fields).encode())[1])
    return str(told.get("error", ""))


def refund_at_wechat(world: World) -> str:
    return str(refund(world, world.state("P2026010101")["trade_no"], "R1", 10).get("error", ""))


@GUARDED
@pytest.mark.parametrize(
    ("number", "prepare", "give_back"),
    [
        ("P1", paid_at_alipay, refund_at_alipay),
        ("P2026010101", paid_at_wechat, refund_at_wechat),
    ],
)
def test_a_refund_and_its_notice_are_kept_together(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    number: str,
    prepare: Callable[[World], str],
    give_back: Callable[[World], str],
    is_guarded: bool,
) -> None:
    prepare(world)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "add_notice", forget_to_tell)
        if not is_guarded:
            patch.setattr(Store, "transaction", no_transaction)
        assert give_back(world) == "simulator failure"

    cut_off = world.state(number)["refunded_fen"]
    give_back(world)

    told = [each for each in world.state(number)["notices"] if each["kind"] == "退款"]
    assert (cut_off, len(told)) == ((0, 1) if is_guarded else (10, 0))


@GUARDED
def test_a_payment_and_its_notice_are_kept_together(
    world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    open_epay(world, "P1", notify_url=f"{shop.url}/n")
    cashier, store = world.simulator.cashier, world.simulator.store
    payment = store.find_payment("epay", "P1")
    assert payment is not None
    with monkeypatch.context() as patch:
        patch.setattr(Store, "add_notice", forget_to_tell)
        if not is_guarded:
            patch.setattr(Store, "transaction", no_transaction)
        with pytest.raises(OSError, match="killed here"):
            cashier.act(payment, "success")

    assert world.state("P1")["state"] == ("wait" if is_guarded else "paid")
    world.pay("P1", "success")
    if is_guarded:
        shop.wait_for(1)
    assert len(world.state("P1")["notices"]) == (1 if is_guarded else 0)


def test_a_part_that_fails_does_not_undo_the_rest(world: World) -> None:
    store = world.simulator.store

    def keep(name: str) -> None:
        store.overwrite(name, "kept")

    def kept() -> list[str]:
        rows = store.fetch("SELECT name FROM credentials WHERE value='kept' ORDER BY name")
        return [row["name"] for row in rows]

    def fail_after(act: Act) -> None:
        with store.transaction():
            act()
            raise KeyError

    def keep_a_part() -> None:
        with store.transaction():
            keep("part")

    with store.transaction():
        keep("outer")
        with pytest.raises(KeyError):
            fail_after(lambda: keep("inner"))
        keep("after")
    assert kept() == ["after", "outer"]

    with pytest.raises(KeyError):
        fail_after(keep_a_part)
    assert kept() == ["after", "outer"]


# --- callbacks -----------------------------------------------------------------------------------


def test_a_trick_that_is_answered_first_does_not_hide_what_is_being_sent(
    world: World, shop: Shop
) -> None:
    open_epay(world, "P1", notify_url=f"{shop.url}/n")
    held = shop.may_answer
    held.clear()
    world.pay("P1", "success")
    shop.wait_for(1)
    shop.may_answer = threading.Event()
    shop.may_answer.set()
    world.pay("P1", "forged")
    shop.wait_for(2)
    wait_until(lambda: any(each["attempt_count"] for each in world.state("P1")["notices"]))

    world.pay("P1", "replayed")

    first, _, third = shop.wait_for(3)
    assert first.query == third.query
    held.set()
