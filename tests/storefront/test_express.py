"""The express way answers as the ordinary way: the same requests through both, side by side."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from kameng.config import server as server_module
from kameng.config.server import make_server
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.ledger.selectors import wallet_amount
from kameng.openapi.views import callbacks
from kameng.orders.models import Order, OrderState
from kameng.payments.models import Gateway, Payment, PaymentState, RejectedCallback
from kameng.payments.services.gateways import GatewayTerms, create_gateway
from kameng.risk.rules import Limit
from kameng.risk.windows import SlidingWindows
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import site_scope
from tests import factories, people
from tests.config.rsgi import CSRF, Protocol, ask, make_scope
from tests.people import Buyer, Staff
from tests.providers.cases import make_case
from tests.storefront.conftest import Goods

KEY = "c2f1aa5b7e4d0c8e9f1c276f13527aa5"
HOST = "a.localhost"


@dataclass(slots=True)
class Shop:
    """Both ways into one shop; `threads` counts the requests that took the ordinary one."""

    site: Site
    token: str
    staff_token: str
    cards: Goods
    gateway: Gateway
    express: Any = None
    threads: list[str] = field(default_factory=list)

    def order(self, **changes: str) -> dict[str, str]:
        return {**self.cards.order(), "csrfmiddlewaretoken": CSRF, **changes}

    def post(
        self,
        *forms: dict[str, str] | bytes,
        token: str = "",
        accept: str = "application/json",
        headers: Iterable[tuple[str, str]] = (),
        host: str = HOST,
    ) -> list[Protocol]:
        """Send checkouts at the same moment."""
        requests = []
        for form in forms:
            body = form if isinstance(form, bytes) else urlencode(form).encode()
            given = [
                ("Host", host),
                ("Accept", accept),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", str(len(body))),
                ("Cookie", f"kameng_csrf={CSRF}; kameng_session={token}"),
                *headers,
            ]
            kept = {name.lower(): (name, value) for name, value in given}
            requests.append((make_scope("POST", "/checkout/", kept.values()), Protocol(body=body)))
        return ask(self.express, *requests)

    def get(self, path: str, host: str = HOST) -> Protocol:
        return ask(self.express, (make_scope("GET", path, [("Host", host)]), Protocol()))[0]

    def callback(self, payment: Payment, **changes: str) -> str:
        fields = {
            "pid": "1001",
            "trade_no": f"EXT{payment.payment_no}",
            "out_trade_no": payment.payment_no,
            "type": "alipay",
            "name": "x",
            "money": f"{payment.amount / 10_000:.2f}",
            "trade_status": "TRADE_SUCCESS",
            **changes,
        }
        text = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v) + KEY
        sign = hashlib.md5(text.encode()).hexdigest()
        query = urlencode({**fields, "sign": changes.get("sign", sign), "sign_type": "MD5"})
        return f"/notify/{self.gateway.id}/?{query}"


@pytest.fixture
def shop(
    committed_db: None,
    site_a: Site,
    cards: Goods,
    gateway: Gateway,
    mei: Buyer,
    lin: Staff,
    monkeypatch: pytest.MonkeyPatch,
    client_for: Callable[..., Any],
) -> Shop:
    factories.fund_wallet(mei.customer, 1_000_000)
    token = people.sign_in(client_for(site_a), site=site_a, person=mei)
    staff_token = people.sign_in(client_for(site_a), site=site_a, person=lin)
    made = Shop(site=site_a, token=token, staff_token=staff_token, cards=cards, gateway=gateway)
    made.express = make_server(2)
    serve = made.express._serve

    def counted(environ: dict[str, Any]) -> Any:
        made.threads.append(environ["PATH_INFO"])
        return serve(environ)

    monkeypatch.setattr(made.express, "_serve", counted)
    path = f"/checkout/?variant={cards.variant.id}&quantity=1"
    assert made.get(path).status == 200  # host, catalogue and gateways are known from here on
    made.threads.clear()
    return made


def orders_of(site: Site) -> list[Order]:
    with site_scope(site.id):
        return list(Order.objects.order_by("id"))


def payment_of(shop: Shop) -> Payment:
    with site_scope(shop.site.id):
        return Payment.objects.latest("id")


def test_an_order_by_wallet_is_placed_without_a_thread(shop: Shop) -> None:
    (answer,) = shop.post(shop.order(), token=shop.token)

    (order,) = orders_of(shop.site)
    assert answer.status == 201
    assert json.loads(answer.content)["order_no"] == order.order_no
    assert order.state == OrderState.DELIVERED
    assert shop.threads == []
    with site_scope(shop.site.id):
        assert wallet_amount(order.customer_id or 0) == 900_000
    assert shop.get(json.loads(answer.content)["url"]).status == 200


def test_a_browser_is_led_on(shop: Shop) -> None:
    (answer,) = shop.post(shop.order(), token=shop.token, accept="text/html")

    assert answer.status == 303
    assert answer.headers["location"].startswith(f"/o/{orders_of(shop.site)[0].order_no}/?t=")
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert shop.threads == []


def test_a_guest_pays_by_callback_without_a_thread(shop: Shop) -> None:
    pay = str(shop.gateway.id)
    (placed,) = shop.post(shop.order(pay=pay))
    payment = payment_of(shop)

    answer = shop.get(shop.callback(payment))
    again = shop.get(shop.callback(payment))

    assert placed.status == 201
    assert json.loads(placed.content)["payment_no"] == payment.payment_no
    assert (answer.status, answer.content) == (200, b"success")
    assert (again.status, again.content) == (200, b"success")
    assert orders_of(shop.site)[0].state == OrderState.DELIVERED
    assert orders_of(shop.site)[0].path == [1, 2, 3]
    assert shop.threads == [f"/notify/{shop.gateway.id}/"]  # the repeat alone


def test_many_at_once_are_answered_each_for_itself(shop: Shop) -> None:
    wishes = [shop.order() for _ in range(12)]

    answers = shop.post(*wishes, *wishes[:3], token=shop.token)

    # A hundred yuan pay ten of twelve; a repeat gets the answer of its first.
    statuses = sorted(each.status for each in answers[:12])
    assert statuses == [201] * 10 + [402, 402]
    for first, second in zip(answers[:3], answers[12:], strict=True):
        assert first.status == second.status
        if first.status == 201:
            assert json.loads(first.content)["order_no"] == json.loads(second.content)["order_no"]
    assert len(orders_of(shop.site)) == 10


CASES: dict[str, dict[str, Any]] = {
    "no key": {"form": {"idempotency_key": ""}},
    "not agreed": {"form": {"agree": ""}},
    "bad contact": {"form": {"contact": "nobody"}, "as": "guest", "by": "gateway"},
    "no contact": {"form": {"contact": ""}, "as": "guest", "by": "gateway"},
    "guest by wallet": {"as": "guest"},
    "unknown variant": {"form": {"variant": "999999999"}},
    "variant in words": {"form": {"variant": "一"}},
    "full-width quantity": {"form": {"quantity": "１"}},
    "no pieces": {"form": {"quantity": "0"}},
    "negative": {"form": {"quantity": "-1"}},
    "huge": {"form": {"quantity": "9" * 30}},
    "wrong total": {"form": {"shown_total": "0.01"}},
    "too many": {"form": {"quantity": "21", "shown_total": ""}},
    "too dear": {"form": {"quantity": "11", "shown_total": ""}},
    "unknown gateway": {"form": {"pay": "987654"}},
    "no way to pay": {"form": {"pay": ""}},
    "no csrf": {"form": {"csrfmiddlewaretoken": ""}},
    "other csrf": {"form": {"csrfmiddlewaretoken": "x" * 32}},
    "other origin": {"headers": [("Origin", "https://evil.example")]},
    "null origin": {"headers": [("Origin", "null")]},
    "own origin": {"headers": [("Origin", f"http://{HOST}")]},
    "nul": {"form": {"contact": "a\x00b"}},
    "broken utf-8": {"body": b"variant=%ff&quantity=1&csrfmiddlewaretoken=" + CSRF.encode()},
    "raw bytes": {"body": b"\xff\xfe\x00"},
    "other type": {"headers": [("Content-Type", "text/plain")]},
    "json type": {"headers": [("Content-Type", "application/json")]},
    "unknown host": {"host": "nobody.example"},
    "ended session": {"as": "gone"},
    "staff": {"as": "staff", "by": "gateway"},
    "guest by gateway": {"as": "guest", "by": "gateway"},
    "customer by gateway": {"by": "gateway"},
    "english": {"headers": [("Cookie", "kameng_language=en; kameng_csrf=" + CSRF)]},
    "english and wrong": {
        "form": {"quantity": "一"},
        "headers": [("Cookie", "kameng_language=en; kameng_csrf=" + CSRF)],
        "as": "guest",
    },
    "emoji": {"form": {"contact": "😀@example.com"}, "as": "guest", "by": "gateway"},
    "many fields": {"body": b"&".join(b"a%d=1" % n for n in range(600))},
}


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("name", CASES)
def test_both_ways_say_the_same(
    shop: Shop, name: str, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    tokens = {"guest": "", "gone": "x" * 32, "staff": shop.staff_token, "mei": shop.token}

    def send() -> Protocol:
        changes = dict(case.get("form", {}))
        if case.get("by") == "gateway":
            changes["pay"] = str(shop.gateway.id)
        form = case.get("body") or shop.order(**changes)
        return shop.post(
            form,
            token=tokens[case.get("as", "mei")],
            accept=accept,
            headers=case.get("headers", ()),
            host=case.get("host", HOST),
        )[0]

    express = send()
    with monkeypatch.context() as patch:
        patch.setattr(server_module, "find_route", lambda _environ: None)
        ordinary = send()

    assert express.status == ordinary.status
    assert express.status < 500
    if accept == "application/json":
        seen, wanted = json.loads(express.content), json.loads(ordinary.content)
        assert seen.keys() == wanted.keys()
        assert seen.get("code") == wanted.get("code")
        assert seen.get("message") == wanted.get("message")
    varying = {"location", "content-security-policy", "set-cookie", "content-length"}
    assert {k: v for k, v in express.headers.items() if k not in varying} == {
        k: v for k, v in ordinary.headers.items() if k not in varying
    }
    assert express.headers.keys() == ordinary.headers.keys()


def test_a_suspended_site_sells_nothing_but_hears_its_gateways(shop: Shop) -> None:
    shop.post(shop.order(pay=str(shop.gateway.id)))
    payment = payment_of(shop)
    Site.objects.filter(id=shop.site.id).update(state=SiteState.SUSPENDED, suspended_reason="年检")

    (refused,) = shop.post(shop.order(), token=shop.token)
    heard = shop.get(shop.callback(payment))

    assert refused.status == 403
    assert (heard.status, heard.content) == (200, b"success")
    assert len(orders_of(shop.site)) == 1


def test_a_signed_out_session_does_not_pay(shop: Shop) -> None:
    from kameng.accounts.models import Session

    shop.post(shop.order(), token=shop.token)
    with site_scope(shop.site.id):
        Session.objects.all().delete()

    (refused,) = shop.post(shop.order(), token=shop.token)

    assert refused.status in {401, 403}
    assert len(orders_of(shop.site)) == 1


BAD_CALLBACKS: dict[str, dict[str, str]] = {
    "forged": {"sign": "0" * 32},
    "short": {"money": "9.99"},
    "over": {"money": "10.01"},
    "other merchant": {"pid": "1002"},
    "unknown": {"out_trade_no": "202611229999999999"},
    "not paid": {"trade_status": "TRADE_CLOSED"},
}


@pytest.mark.parametrize("name", BAD_CALLBACKS)
def test_a_callback_that_is_not_plain_is_judged_the_long_way(shop: Shop, name: str) -> None:
    shop.post(shop.order(pay=str(shop.gateway.id)))
    payment = payment_of(shop)
    shop.threads.clear()

    answer = shop.get(shop.callback(payment, **BAD_CALLBACKS[name]))

    assert shop.threads == [f"/notify/{shop.gateway.id}/"]
    assert answer.status < 500
    assert orders_of(shop.site)[0].state == OrderState.AWAITING_PAYMENT
    state = payment_of(shop).state
    assert state == (PaymentState.MISMATCHED if name in {"short", "over"} else PaymentState.OPEN)


@pytest.mark.parametrize("way", ["express", "ordinary"])
def test_forgers_are_turned_away_and_their_neighbours_heard(
    shop: Shop, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy that nobody named, forger and gateway have one address."""
    windows = SlidingWindows(Limit(3, 10**9), keys=10)
    monkeypatch.setattr(callbacks, "forged_callbacks", windows)
    if way == "ordinary":
        monkeypatch.setattr(server_module, "find_route", lambda _environ: None)
    pay = str(shop.gateway.id)
    shop.post(shop.order(pay=pay), shop.order(pay=pay))
    with site_scope(shop.site.id):
        first, second = Payment.objects.order_by("id")

    unknown = shop.callback(first, out_trade_no="202611229999999999")
    genuine = [shop.get(unknown).status for _ in range(5)]
    forged = [shop.get(shop.callback(first, sign="0" * 32)).status for _ in range(5)]
    nobody = shop.get("/notify/987654/?a=b").status
    heard = [shop.get(shop.callback(payment)) for payment in (first, second)]
    still = shop.get(unknown).status

    assert genuine == [400] * 5  # refused, but from who has the key: it counts against nobody
    assert forged == [400, 400, 400, 429, 429]
    assert nobody == 429
    assert [(each.status, each.content) for each in heard] == [(200, b"success")] * 2
    assert still == 400
    assert [o.state for o in orders_of(shop.site)] == [OrderState.DELIVERED] * 2
    with platform_scope("a test looks at refused callbacks"):
        codes = list(RejectedCallback.objects.order_by("id").values_list("code", flat=True))
    assert codes == ["payment_unknown"] * 5 + ["bad_signature"] * 3 + ["payment_unknown"]


def test_a_callback_with_a_nonce_is_taken_without_a_thread_and_once(
    shop: Shop, main_site: Site
) -> None:
    case = make_case("wechat")
    with site_scope(main_site.id):
        terms = GatewayTerms(
            name="微信支付", method="native", fee_bps=60, min_amount=0, max_amount=10**10
        )
        wechat = create_gateway(kind="wechat", form=case.form, terms=terms, actor=SYSTEM)
        Gateway.objects.filter(id=wechat.id).update(is_enabled=True)
    pay = str(wechat.id)
    assert [each.status for each in shop.post(shop.order(pay=pay), shop.order(pay=pay))] == [
        201
    ] * 2
    with site_scope(shop.site.id):
        payments = list(Payment.objects.order_by("id"))
    shop.threads.clear()

    def send(payment: Payment) -> tuple[Any, Protocol]:
        fields = case.signed(
            out_trade_no=payment.payment_no,
            trade_no=f"42{payment.payment_no}",
            **case.priced(payment.amount),
        )
        callback = case.send(fields)
        headers = [("Host", HOST), ("Content-Length", str(len(callback.body)))]
        headers += list(callback.headers.items())
        kept = ((name.lower(), (name, value)) for name, value in headers)
        scope = make_scope("POST", f"/notify/{wechat.id}/", dict(kept).values())
        return scope, Protocol(body=callback.body)

    sendings = [send(payment) for payment in payments]
    first = ask(shop.express, *sendings)
    assert shop.threads == []
    copies = [(scope, Protocol(body=protocol.body)) for scope, protocol in sendings]
    replayed = ask(shop.express, *copies)
    anew = ask(shop.express, *(send(payment) for payment in payments))

    assert [each.status for each in first] == [200, 200]
    assert [each.status for each in replayed] == [400, 400]
    assert [each.status for each in anew] == [200, 200]
    assert [o.state for o in orders_of(shop.site)] == [OrderState.DELIVERED] * 2
    with platform_scope("a test looks at refused callbacks"):
        codes = list(RejectedCallback.objects.values_list("code", flat=True))
    assert codes == ["replayed"] * 2


def test_a_gateways_number_pays_one_payment_only(shop: Shop) -> None:
    pay = str(shop.gateway.id)
    shop.post(shop.order(pay=pay))
    first = payment_of(shop)
    shop.post(shop.order(pay=pay))
    second = payment_of(shop)

    assert shop.get(shop.callback(first)).content == b"success"
    refused = shop.get(shop.callback(second, trade_no=f"EXT{first.payment_no}"))

    assert refused.content != b"success"
    assert [o.state for o in orders_of(shop.site)] == [
        OrderState.DELIVERED,
        OrderState.AWAITING_PAYMENT,
    ]


def test_each_request_is_answered_in_its_own_language(shop: Shop) -> None:
    cookie = f"kameng_csrf={CSRF}; kameng_session={shop.token}"
    wrong = urlencode(shop.order(quantity="一")).encode()

    def request(language: str) -> tuple[Any, Protocol]:
        headers = [
            ("Host", HOST),
            ("Accept", "application/json"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(wrong))),
            ("Cookie", f"{cookie}; kameng_language={language}"),
        ]
        return make_scope("POST", "/checkout/", headers), Protocol(body=wrong)

    answers = ask(shop.express, *(request(language) for language in ["en", "zh-hans"] * 4))

    messages = [json.loads(each.content)["message"] for each in answers]
    assert len(set(messages)) == 2
    assert messages == messages[:2] * 4
    assert "Quantity" in messages[0]
    assert "数量" in messages[1]
    assert shop.threads == []
