"""The demo: its files fit together, its rhythm is believable, its load is whole or begun anew."""

import datetime as dt
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db.models import F, Min, Sum

from kameng.accounts.models import Approval, Customer, SiteRole, User
from kameng.accounts.services.passwords import hash_new_password
from kameng.catalog.inputs import clean_answers
from kameng.catalog.models import Category, DeliveryKind, ImportJob, ImportState, Product, Variant
from kameng.catalog.selectors import get_catalogue, list_plan_offers
from kameng.config.audit import find_breaches
from kameng.config.demo import crowd, gateways, is_empty, load, rhythm, shelves, shops, wiping
from kameng.config.demo.files import DemoFiles, read_files
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.core.models import AuditEntry, EventRow
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey, KeyState
from kameng.inventory.selectors import forget_stock, stock_of
from kameng.ledger.models import Balance, Transfer
from kameng.messaging.models import Email, EmailState, InboxMessage
from kameng.orders.models import Note, Order, OrderState
from kameng.payments.models import (
    BonusRule,
    Dispute,
    Gateway,
    Payment,
    PaymentState,
    PrepaidIn,
    PrepaidWatch,
    TopUp,
    TopUpReturn,
)
from kameng.payments.services.gateways import config_of, switch_gateway
from kameng.settlement.models import Split, SplitState, Withdrawal, WithdrawalState
from kameng.tenancy.models import Domain, SettlementWay, Site
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.web.cover_icons import ICON_PATHS
from tests import ports
from tests.factories import (
    make_card_keys,
    make_category,
    make_main_site,
    make_product,
    make_variant,
)

NOW = dt.datetime(2026, 11, 22, 14, 0, tzinfo=dt.UTC)
SOME_ORDERS = 1_200  # at every hour some are refunded: of so many 1.2 in a hundred, by lot


@pytest.fixture(scope="module")
def files() -> DemoFiles:
    return read_files()


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Give the demo a port whose next one, the simulator's, is free too."""
    port = ports.free_port(in_a_row=2)
    monkeypatch.setenv("KAMENG_PORT", str(port))
    return port


def test_files_hold_enough_goods_with_honest_face_values(files: DemoFiles) -> None:
    assert len(files.goods) >= 120
    assert len(files.categories) >= 12
    for goods in files.goods.values():
        names = [each.name for each in goods.face_values]
        assert len(set(names)) == len(names) >= 1
        for each in goods.face_values:
            assert each.cost_amount < each.list_amount, goods.code
            if each.face_amount is not None:
                assert each.list_amount <= each.face_amount * 105 // 100, goods.code


def test_every_shelf_has_an_icon_that_covers_know(files: DemoFiles) -> None:
    assert {icon for _name, icon, _position in files.categories} <= set(ICON_PATHS)


def test_buyers_of_the_demo_answer_what_the_goods_ask(files: DemoFiles) -> None:
    rng = rhythm.seeded("test")
    for goods in files.goods.values():
        for _time in range(5):
            answers = {
                each.name: crowd.draw_answer(
                    goods.text.answers[each.name], choices=each.choices, rng=rng
                )
                for each in goods.text.fields
            }
            assert set(clean_answers(goods.text.fields, answers)) == set(answers), goods.code


def test_passwords_of_the_demo_would_be_accepted_from_anyone(files: DemoFiles) -> None:
    for site in files.shops["sites"]:
        assert hash_new_password(files.shops["password"], login=site["owner"]["login"])


def test_days_grow_and_add_up_to_the_orders_wanted() -> None:
    days = rhythm.plan_days(NOW, order_count=6000, rng=rhythm.seeded("test"))

    counts = [day.order_count for day in days]
    assert len(days) == rhythm.DAYS
    assert sum(counts) == pytest.approx(6000, rel=0.02)
    assert sum(counts[-30:-1]) > 1.2 * sum(counts[:29])
    assert days[-1].ends_at == NOW
    assert all(a.ends_at == b.starts_at for a, b in zip(days, days[1:], strict=False))


def test_moments_of_a_day_lie_in_it_in_order_and_mostly_in_the_evening() -> None:
    day = rhythm.plan_days(NOW, order_count=90_000, rng=rhythm.seeded("test"))[-2]

    moments = rhythm.draw_moments(day, rng=rhythm.seeded("test"))

    assert len(moments) == day.order_count
    assert moments == sorted(moments)
    assert day.starts_at <= moments[0] <= moments[-1] < day.ends_at
    hours = Counter(moment.astimezone(rhythm.ZONE).hour for moment in moments)
    assert hours.most_common(1)[0][0] in {20, 21, 22}
    assert hours[4] < hours[21] / 8


def test_nobody_delivers_by_hand_at_night() -> None:
    night = dt.datetime(2026, 11, 22, 20, 30, tzinfo=dt.UTC)  # half past four in China

    assert rhythm.at_work(night).astimezone(rhythm.ZONE).hour == 9
    assert rhythm.at_work(NOW) == NOW


def test_customers_have_logins_of_nobody_and_joined_before_now() -> None:
    customers = crowd.draw_customers(
        300, shelves={"游戏点卡": 1.0, "话费充值": 2.0}, now=NOW, rng=rhythm.seeded("test")
    )

    assert len({each.login for each in customers}) == 300
    assert all(
        each.login.endswith("@example.com") or each.login.startswith("1380000")
        for each in customers
    )
    assert all(each.joined_at < NOW for each in customers)


def test_a_database_with_other_sites_is_left_alone(committed_db: None) -> None:
    make_main_site(name="别人的店")

    text = load()

    assert "没有装入演示数据" in text
    assert Site.objects.get().name == "别人的店"
    assert not wiping.is_marked()


def test_gateways_follow_the_simulator_to_another_port(
    committed_db: None, free_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "ALLOW_LOOPBACK_GATEWAYS", True)
    monkeypatch.setattr(settings, "HOME", tmp_path)
    rows = read_files().shops["gateways"]
    with site_scope(make_main_site().id):
        with gateways.open_simulator() as simulator:
            gateways.enter_gateways(rows, simulator=simulator, actor=SYSTEM)
        off = Gateway.objects.order_by("id")[0]
        switch_gateway(gateway_id=off.id, is_enabled=False, actor=SYSTEM)
        assert gateways.follow_simulator(actor=SYSTEM) == 0
        port = ports.free_port()
        monkeypatch.setenv("KAMENG_PORT", str(port - 1))

        assert gateways.follow_simulator(actor=SYSTEM) == len(rows)
        assert gateways.follow_simulator(actor=SYSTEM) == 0

        moved = list(Gateway.objects.order_by("id"))
    assert {urlsplit(config_of(each).gateway_url).port for each in moved} == {port}
    assert [each.is_enabled for each in moved] == [False] + [True] * (len(rows) - 1)
    assert all(each.checked_at is not None for each in moved)


@pytest.mark.parametrize(
    ("address", "moved"),
    [
        ("http://127.0.0.1:8001/", "http://127.0.0.1:9001/"),
        ("http://127.0.0.1:8001/gateway.do", "http://127.0.0.1:9001/gateway.do"),
        ("http://127.0.0.1:9001/", ""),
        ("https://pay.example/", ""),
        ("https://openapi.alipay.com/gateway.do", ""),
    ],
)
def test_only_the_address_of_a_simulator_moves(address: str, moved: str) -> None:
    assert gateways._moved(address, port=9001) == moved


def test_what_is_sold_out_is_not_pinned_but_what_sells_beside_it(
    db: None, main_site: Site, site_a: Site
) -> None:
    cards, others = make_category(main_site), make_category(main_site)
    gone, kept, beside, far = (
        make_variant(make_product(main_site, category=category, code=code, sold_count=sold))
        for code, category, sold in (
            ("GONE", cards, 9),
            ("KEPT", others, 5),
            ("BESIDE", cards, 1),
            ("FAR", others, 8),
        )
    )
    for variant in (kept, beside, far):
        make_card_keys(variant, 1)
    opened = [
        shops.Shop(
            site_id=site.id,
            slug=site.slug,
            name=site.name,
            host="",
            owner=SYSTEM,
            service=SYSTEM,
            plan={"pinned": codes},
        )
        for site, codes in ((main_site, ["FAR"]), (site_a, ["GONE", "KEPT"]))
    ]

    shops.pin_goods(opened)

    pinned = []
    for site in (main_site, site_a):
        with site_scope(site.id) as view:
            pinned.append({each.code for each in get_catalogue(view).list_pinned()})
    assert pinned == [{"FAR"}, {"BESIDE", "KEPT"}]
    assert gone.product.code == "GONE"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_load_that_was_cut_short_is_begun_anew_and_every_invariant_holds(
    committed_db: None, free_port: int, monkeypatch: pytest.MonkeyPatch, files: DemoFiles
) -> None:
    def fail(*_args: object, **_values: object) -> None:
        raise RuntimeError("killed")

    assert is_empty()
    with monkeypatch.context() as patch:
        patch.setattr(shelves, "dress_products", fail)
        with pytest.raises(RuntimeError):
            load(order_count=SOME_ORDERS)
    assert wiping.is_marked()

    text = load(order_count=SOME_ORDERS)

    assert not wiping.is_marked()
    assert f"http://star.localhost:{free_port}/" in text
    assert files.shops["password"] in text
    assert list(find_breaches()) == []
    _check_shops(files)
    _check_goods_and_keys(files)
    _check_history()
    _check_settlement()
    before = _counts()
    assert load() == text
    assert _counts() == before


def _check_shops(files: DemoFiles) -> None:
    sites = {site.slug: site for site in Site.objects.all()}
    assert set(sites) == {"main", "star", "lemon", "ink", "lulu"}
    assert Domain.objects.get(host="127.0.0.1").site_id == sites["main"].id
    assert User.objects.filter(is_platform=True).count() == 1
    views = [get_site_view(site.id) for site in sites.values()]
    assert len({view.settings.palette for view in views}) == 4
    prices = []
    for view in views:
        with site_scope(view.site_id):
            assert SiteRole.objects.filter(role="owner").count() == 1
            catalogue = get_catalogue(view)
            pinned = catalogue.list_pinned()
            assert len(pinned) == 4
            forget_stock()
            for product in pinned:
                counts = stock_of([variant.id for variant in product.variants])
                assert any(stock.is_available for stock in counts.values()), product.title
            card = next(each for each in catalogue.products if each.code == "D0096")
            prices.append(card.variants[0].unit.price_amount)
            wholesale = card.variants[0].unit.wholesale_amount
            assert wholesale <= prices[-1]
    assert len(set(prices)) == len(sites)
    with platform_scope("test"):
        gateways = Gateway.unscoped.all()
        own = [row for site in files.shops["sites"] for row in site.get("gateways", ())]
        assert gateways.count() == len(files.shops["gateways"]) + len(own)
        assert all(row.is_enabled and row.checked_at is not None for row in gateways)
    with site_scope(sites["main"].id):
        (trial,) = [each for each in list_plan_offers() if each.is_free]
        assert trial.days is not None  # nobody has the demo's shops for nothing for ever


def _check_goods_and_keys(files: DemoFiles) -> None:
    with platform_scope("test"):
        own = [each for site in files.shops["sites"] for each in site.get("own_goods", ())]
        assert {each["delivery"] for each in own} == {"CARD", "MANUAL", "TOP_UP"}
        goods = Product.unscoped.exclude(delivery_kind=DeliveryKind.SITE_PLAN)
        assert goods.count() == len(files.goods) + len(own)
        plans = Category.unscoped.exclude(id__in=goods.values("category_id"))
        assert plans.count() <= 1  # the shelf of what opens shops
        shelves = Category.unscoped.count() - plans.count()
        assert shelves == len(files.categories) + 1  # and one of star's own
        faces = sum(len(each.face_values) for each in files.goods.values())
        sold = Variant.unscoped.filter(plan__isnull=True)
        assert sold.count() == faces + sum(len(each["variants"]) for each in own)
        assert CardKey.unscoped.count() >= 20_000
        jobs = ImportJob.unscoped.all()
        assert set(jobs.values_list("state", flat=True)) == {ImportState.DONE}
        messy = jobs.get(filename="卡密.txt")
        assert messy.created_count + messy.duplicate_count + messy.problem_count == 5040
        assert messy.created_count > 4900
        assert len(messy.problems) >= messy.problem_count > 0


def _check_history() -> None:
    now = clock.now()
    with platform_scope("test"):
        orders = Order.unscoped.all()
        states = Counter(orders.values_list("state", flat=True))
        assert sum(states.values()) >= SOME_ORDERS * 9 // 10
        assert states[OrderState.AWAITING_DELIVERY] >= 3
        assert states[OrderState.EXPIRED] >= 3
        assert states[OrderState.REFUNDED] >= 1
        first = orders.aggregate(first=Min("placed_at"))["first"]
        assert now - first > dt.timedelta(days=80)
        assert not orders.filter(paid_at__lt=F("placed_at")).exists()
        assert not orders.filter(delivered_at__lt=F("paid_at")).exists()
        assert not orders.filter(placed_at__gt=now).exists()
        for order in orders[:20]:
            assert order.order_no.startswith(f"{order.placed_at:%y%m%d}")
        _check_money(first)
        assert Customer.unscoped.count() >= 300
        sold = orders.filter(paid_by__gt=0).aggregate(sum=Sum("quantity"))["sum"]
        assert Product.unscoped.aggregate(sum=Sum("sold_count"))["sum"] == sold
        assert InboxMessage.unscoped.exists()
        assert set(Email.unscoped.values_list("state", flat=True)) == {EmailState.SENT}
        assert not Note.unscoped.filter(created_at__gt=now).exists()


def _check_money(first: dt.datetime) -> None:
    wallets = Balance.unscoped.filter(posted_amount__gt=0)
    assert wallets.count() >= 100
    assert TopUp.unscoped.filter(credited_at__isnull=True).count() == 2  # of other amounts
    assert TopUpReturn.unscoped.count() == Dispute.unscoped.count() == 1
    assert Approval.unscoped.filter(state=1).count() == 1
    assert BonusRule.unscoped.count() == 3
    earliest = Transfer.unscoped.aggregate(first=Min("created_at"))["first"]
    assert earliest < first + dt.timedelta(days=5)
    paid = Payment.unscoped.filter(state=PaymentState.CONFIRMED)
    assert not paid.exclude(confirmed_at__gte=F("created_at")).exists()
    assert CardKey.unscoped.filter(state=KeyState.SOLD, sold_at__isnull=True).count() == 0
    sample = Order.unscoped.filter(paid_by__gt=0, refunded_amount=0).first()
    assert sample is not None
    dates = Transfer.unscoped.filter(reference_kind=1, reference_id=sample.id)
    assert set(dates.values_list("created_at", flat=True)) == {sample.paid_at}


def _check_settlement() -> None:
    now = clock.now()
    ways = {site.slug: site.settlement_way for site in Site.objects.all()}
    assert ways == {
        "main": SettlementWay.CLAIM,
        "star": SettlementWay.CLAIM,
        "lemon": SettlementWay.SPLIT,
        "ink": SettlementWay.PREPAID,
        "lulu": SettlementWay.CLAIM,
    }
    with platform_scope("test"):
        splits = Split.unscoped.all()
        assert {SplitState.DONE, SplitState.STAYS} <= set(splits.values_list("state", flat=True))
        assert not splits.filter(done_at__gt=now).exists()
        assert not splits.filter(done_at__lt=F("delivered_at")).exists()
        withdrawals = Withdrawal.unscoped.all()
        assert set(withdrawals.values_list("state", flat=True)) >= {
            WithdrawalState.REQUESTED,
            WithdrawalState.APPROVED,
            WithdrawalState.IN_BATCH,
            WithdrawalState.PAID,
            WithdrawalState.REFUSED,
            WithdrawalState.TAKEN_BACK,
        }
        assert withdrawals.filter(state=WithdrawalState.PAID, gateway_id__isnull=False).exists()
        assert not withdrawals.filter(ended_at__lt=F("created_at")).exists()
        assert PrepaidIn.unscoped.filter(credited_at__isnull=False).exists()
        assert PrepaidWatch.unscoped.get().is_low
        assert Order.unscoped.filter(settlement_way=SettlementWay.PREPAID).exists()


def _counts() -> dict[str, int]:
    with platform_scope("test"):
        models = (Order, CardKey, Transfer, Customer, Payment)
        counts = {model.__name__: model.unscoped.count() for model in models}
        return counts | {"events": EventRow.objects.count(), "audit": AuditEntry.objects.count()}
