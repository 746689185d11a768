"""Three months of the demo's shops, told day by day, each day's end with what the worker does.

Two processes share the shops out; between days they wait for each other, so that numbers rise with
time, and here is done what otherwise the worker does: expiry, events, gateway queries.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from kameng.accounts.hashing import Argon2
from kameng.config.demo import crowd, keys, rhythm
from kameng.config.demo.commits import relax_commits
from kameng.config.demo.diary import Diary
from kameng.config.demo.files import DemoFiles
from kameng.config.demo.gateways import Simulator
from kameng.config.demo.keys import Supply
from kameng.config.demo.lanes import open_lanes
from kameng.config.demo.lives import Life
from kameng.config.demo.shops import Shop
from kameng.config.wiring import AFTER_COMMIT
from kameng.core import clock
from kameng.core.events import consume
from kameng.orders.services.closing import expire_orders
from kameng.payments.services.querying import query_due_payments
from kameng.tenancy.selectors import site_scope

# So long ago the shelves were filled.
BEFORE = dt.timedelta(days=rhythm.DAYS + crowd.EARLY_DAYS + 1)
RESTOCK_DAYS = {38: 1, 68: 2}  # day → wave of keys
KNOWN_EAGERNESS = 12.0  # the named buyer has a history worth looking at


@dataclass(slots=True, kw_only=True)
class History:
    """What is needed to tell it, and what was noted."""

    files: DemoFiles
    shops: Sequence[Shop]
    simulator: Simulator
    now: dt.datetime
    order_count: int
    supplies: Sequence[Supply] = ()
    diary: Diary = field(default_factory=Diary)

    def tell(self, *, report: Callable[[str], None]) -> None:
        """Tell it from the first day to now; `report` gets a line now and then."""
        rng = rhythm.seeded("days")
        days = rhythm.plan_days(self.now, order_count=self.order_count, rng=rng)
        lives = [self._life(shop) for shop in self.shops]
        with light_hashes(), open_lanes(lives) as lanes:
            relax_commits()
            for number, day in enumerate(days):
                if number in RESTOCK_DAYS:
                    self._restock(RESTOCK_DAYS[number], at=day.starts_at)
                lanes.begin(day)
                read_events()  # of the day before, while this one goes on
                lanes.wait()
                expire_orders()  # while nobody buys: a payment under way must not find it expired
                if number % 15 == 14:
                    report(f"  … 到 {day.ends_at.astimezone(rhythm.ZONE):%m 月 %d 日}")
            for diary in lanes.finish():
                self.diary.add(diary)
        read_events()
        settle_gateways()

    def _life(self, shop: Shop) -> Life:
        rng = rhythm.seeded(shop.slug)
        loves: dict[str, float] = shop.plan.get("loves", {})
        shelves = {name: loves.get(name, 1.0) for name, _icon, _position in self.files.categories}
        life = Life(
            shop=shop,
            main=self.shops[0],
            files=self.files,
            diary=self.diary,
            simulator=self.simulator,
            rng=rng,
            customers=self._customers(shop, shelves, rng),
            password=self.files.shops["password"],
            ends_at=self.now,
        )
        life.open()
        return life

    def _customers(
        self, shop: Shop, shelves: Mapping[str, float], rng: Random
    ) -> list[crowd.Customer]:
        """Draw the customers of a shop; the buyer that the welcome text names is among them."""
        drawn = crowd.draw_customers(shop.plan["audience"], shelves=shelves, now=self.now, rng=rng)
        buyer = self.files.shops["buyer"]
        if buyer["site"] == shop.slug:
            known = drawn[len(drawn) // 6]
            known.login, known.nickname = buyer["login"], buyer["nickname"]
            known.eagerness, known.uses_wallet = KNOWN_EAGERNESS, True
        return drawn

    def _restock(self, wave: int, *, at: dt.datetime) -> None:
        main = self.shops[0]
        with site_scope(main.site_id), clock.standing_at(at):
            brought = keys.import_wave(
                self.supplies, wave=wave, rng=rhythm.seeded("keys", wave), actor=main.owner
            )
        for job_id in brought:
            self.diary.note_import(job_id, at=at)


@contextmanager
def light_hashes() -> Iterator[None]:
    """Hash the passwords of this block at little cost; the first sign-in renews such a hash.

    The crowd's password stands on the screen, and hashing it 380 times would make people wait.
    """
    before = Argon2.memory_cost, Argon2.time_cost
    Argon2.memory_cost, Argon2.time_cost = 64, 1
    try:
        yield
    finally:
        Argon2.memory_cost, Argon2.time_cost = before


def read_events() -> None:
    """Read the log of events to its end, as the worker does."""
    for consumer in AFTER_COMMIT:
        kinds = [event.KIND for event in consumer.events]
        while consume(consumer.name, kinds, consumer.handler):
            pass


def settle_gateways() -> None:
    """Ask the gateway about every payment whose order was given up, and close it there."""
    while query_due_payments():
        pass
