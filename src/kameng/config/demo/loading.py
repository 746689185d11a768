"""Loading the demo: the steps in order, and what to do with a database that is not empty.

Promises all or nothing: the database is marked while the demo is loaded (a comment on its schema),
and a mark found at the next start means that the load was cut short: what it left is wiped.
"""

import logging
import time

from django.conf import settings
from django.db import connection, connections

from kameng.config.demo import (
    claims,
    history,
    keys,
    prepaying,
    rhythm,
    sharing,
    shelves,
    shops,
    terms,
    wiping,
)
from kameng.config.demo.below import open_below
from kameng.config.demo.bills import bring_bills
from kameng.config.demo.commits import relax_commits
from kameng.config.demo.dating import date_back
from kameng.config.demo.files import DemoFiles, read_files
from kameng.config.demo.gateways import enter_gateways, follow_simulator, open_simulator
from kameng.config.demo.history import History
from kameng.config.demo.own_goods import open_own_shelf
from kameng.config.demo.queues import fill_queues
from kameng.config.demo.rhythm import ORDERS
from kameng.config.demo.shops import Shop
from kameng.config.demo.visiting import bring_visitors
from kameng.config.demo.welcome import tell_foreign, tell_welcome
from kameng.config.launch.report import say
from kameng.config.security import kameng_tables
from kameng.config.settings import MIGRATION_ALIAS
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from kameng.web import logs

CARD_SHARE = 0.72  # of all orders, as the mix of goods makes it


def is_empty() -> bool:
    """Tell whether there is no site yet: nothing that a demo could get in the way of."""
    return not Site.objects.exists()


def load(*, order_count: int = ORDERS) -> str:
    """Load the demo into an empty database and return what its visitor should know.

    A database with other data is left alone, and the text says so.
    """
    files = read_files()
    if wiping.is_marked():
        say("装入演示数据时中断过，重新开始。")
        wiping.wipe()
    elif not is_empty():
        if not _is_demo(files):
            return tell_foreign()
        _follow_simulator()
        return tell_welcome(files)
    wiping.mark()
    _load(files, order_count=order_count)
    wiping.unmark()
    return tell_welcome(files)


def _is_demo(files: DemoFiles) -> bool:
    slugs = {site["slug"] for site in files.shops["sites"]}
    return slugs <= set(Site.objects.values_list("slug", flat=True))


def _prepare_process() -> None:
    # This process talks to nobody but the simulator beside it, which lives on this machine.
    settings.ALLOW_LOOPBACK_GATEWAYS = True
    logs.configure()
    logging.getLogger().setLevel(logging.WARNING)  # the terminal belongs to the steps


def _follow_simulator() -> None:
    _prepare_process()
    count = 0
    for site in Site.objects.order_by("id"):
        with site_scope(site.id):
            count += follow_simulator(actor=SYSTEM)
    if count:
        say(f"模拟支付换了端口，{count} 个支付通道已跟着改。")


def _load(files: DemoFiles, *, order_count: int) -> None:
    started = time.monotonic()
    _prepare_process()
    relax_commits()
    now = clock.now()
    say(f"开设站点：{len(files.shops['sites'])} 个 …")
    opened = shops.open_shops(files.shops)
    with open_simulator() as simulator:
        telling = History(
            files=files, shops=opened, simulator=simulator, now=now, order_count=order_count
        )
        _stock(telling, files, opened[0])
        shops.dress_shops(opened)
        say(f"写入近三个月的订单，约 {order_count} 笔 …")
        telling.tell(report=say)
    with site_scope(opened[0].site_id):
        shelves.count_services(actor=opened[0].owner)
    shops.pin_goods(opened)
    terms.sell_plans(files.shops, main=opened[0])
    say("整理时间线 …")
    connection.close()
    date_back(telling.diary, now=now)
    say("结算：分账、提现与预存 …")
    with open_simulator():
        sharing.share_out_margins(opened, telling.diary)
        claims.tell_claims(opened)
    for shop in shops.list_own_takers(opened):
        prepaying.watch_closely(shop, main=opened[0])
    for shop in opened[1:]:
        if "own_goods" in shop.plan:
            open_own_shelf(shop)
    fill_queues(opened[1])
    terms.give_terms(opened)
    open_below(opened[1], main=opened[0], password=files.shops["password"])
    history.read_events()
    say("核对最近几天的通道账单 …")
    for shop in (opened[0], *shops.list_own_takers(opened)):
        bring_bills(shop, now=now)
    say("访客和经营数据 …")
    bring_visitors(opened)
    _analyze()
    say(f"演示数据已就绪，用时 {time.monotonic() - started:.0f} 秒。")


def _stock(telling: History, files: DemoFiles, main: Shop) -> None:
    """Bring in goods, gateways and the first keys of the main site."""
    first_day = telling.now - history.BEFORE
    with site_scope(main.site_id), clock.standing_at(first_day):
        listed = shelves.import_products(files, actor=main.owner)
        shelves.dress_products(files, actor=main.owner)
        say(f"装入商品：{len(files.goods)} 种 …")
        telling.supplies = keys.plan_supplies(
            files, expected_orders=telling.order_count * CARD_SHARE, rng=rhythm.seeded("supplies")
        )
        brought = keys.import_wave(
            telling.supplies, wave=0, rng=rhythm.seeded("keys", 0), actor=main.owner
        )
        messy = keys.import_messy_file(files, actor=main.owner)
        say(f"装入卡密：{sum(brought.values())} 条，另有一份未整理的文件 …")
    with site_scope(main.site_id):
        enter_gateways(files.shops["gateways"], simulator=telling.simulator, actor=main.owner)
    for shop in shops.list_own_takers(telling.shops):
        with site_scope(shop.site_id):
            enter_gateways(shop.plan["gateways"], simulator=telling.simulator, actor=shop.owner)
    for job_id in (listed, *brought, messy):
        telling.diary.note_import(job_id, at=first_day)


def _analyze() -> None:
    """Give the planner what it would else learn minutes later; the owner must ask for it."""
    tables = ", ".join(table for table, _has_site, _shared in kameng_tables())
    with connections[MIGRATION_ALIAS].cursor() as cursor:
        cursor.execute(f"analyze {tables}")
    connections[MIGRATION_ALIAS].close()
