"""The demo's buyers: names, logins and habits, made up from a seed. Pure.

No address or number here reaches a person: mail goes to example.com, numbers come from a block
that operators keep for tests.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from kameng.config.demo.rhythm import DAYS

FRONT = tuple("晴小阿夜南北橙蓝青星云风雨鹿柚橘七九半初晚清暖木林山海月")
BACK = (
    *("天", "鱼", "北", "舟", "木子", "不吃糖", "爱喝茶", "同学"),
    *("老师", "先生", "小姐", "大叔", "团子", "布丁", "可乐", "汽水"),
    *("豆豆", "糖糖", "玩家", "站长", "小店", "打工人", "路人甲", "旅人"),
    *("追剧中", "码农", "摸鱼", "早睡", "熬夜", "上分", "抽卡", "肝帝"),
    *("养老", "休闲党"),
)
ADDRESSES = ("192.0.2.{}", "198.51.100.{}", "203.0.113.{}")
EARLY_DAYS = 40  # some customers are older than the history
PROBLEMS = (
    "Office 安装到一半报错 0xc004f069",
    "系统更新后打印机脱机",
    "新电脑想装正版 WPS 和 XMind",
    "激活时提示次数已用完",
    "WiFi 打印设置",
)
WISHES = (
    "校招简历，投产品经理岗",
    "年终汇报，蓝色商务风",
    "奶茶店，想要手写感",
    "转行做前端，突出项目经历",
    "下周三要用，先做封面看看",
)
LANDLINES = ("010-8888{:04d}", "021-6666{:04d}", "0755-8600{:04d}", "028-8510{:04d}")


@dataclass(slots=True, kw_only=True)
class Customer:
    """A buyer with an account: who, since when, how often and what they like."""

    login: str
    nickname: str
    joined_at: dt.datetime
    eagerness: float
    favourites: tuple[str, ...]
    uses_wallet: bool
    ip: str
    customer_id: int = 0
    wallet_amount: int = 0


def draw_customers(
    count: int, *, shelves: Mapping[str, float], now: dt.datetime, rng: Random
) -> list[Customer]:
    """Return customers in the order in which they joined; `shelves` weighs what they like."""
    names = list(shelves)
    weights = [shelves[name] for name in names]
    logins: set[str] = set()
    customers = []
    for _number in range(count):
        back = (rng.random() ** 0.85) * (DAYS + EARLY_DAYS)
        login = draw_login(rng)
        while login in logins:
            login = draw_login(rng)
        logins.add(login)
        customers.append(
            Customer(
                login=login,
                nickname=rng.choice(FRONT) + rng.choice(BACK),
                joined_at=now - dt.timedelta(days=back, seconds=rng.randrange(600)),
                eagerness=rng.paretovariate(1.25),
                favourites=tuple(rng.choices(names, weights, k=2)),
                uses_wallet=rng.random() < 0.78,
                ip=draw_address(rng),
            )
        )
    return sorted(customers, key=lambda each: each.joined_at)


def draw_login(rng: Random) -> str:
    """Return an e-mail address or a phone number that is nobody's."""
    if rng.random() < 0.45:
        stem = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(4, 7)))
        return f"{stem}{rng.randrange(10, 9999)}@example.com"
    return draw_phone(rng)


def draw_phone(rng: Random) -> str:
    """Return a mobile number of a block that is used for tests."""
    return f"1380000{rng.randrange(10_000):04d}"


def draw_address(rng: Random) -> str:
    """Return an address of the networks kept for documentation."""
    return rng.choice(ADDRESSES).format(rng.randrange(1, 255))


def draw_answer(kind: str, *, choices: tuple[str, ...], rng: Random) -> str:
    """Return what a buyer fills in; `kind` is that of the demo's texts."""
    name, _, size = kind.partition(":")
    if name == "choice":
        return rng.choice(choices)
    if name == "digits":
        return str(rng.randrange(1, 10)) + "".join(rng.choices("0123456789", k=int(size) - 1))
    if name == "phone":
        return draw_phone(rng)
    if name == "email":
        return f"user{rng.randrange(1000, 9999)}@example.com"
    if name == "word":
        return "".join(rng.choices("abcdefghijkmnpqrstuvwxyz0123456789", k=9))
    if name == "landline":
        return rng.choice(LANDLINES).format(rng.randrange(10_000))
    return rng.choice(PROBLEMS if name == "problem" else WISHES)
