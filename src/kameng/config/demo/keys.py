"""The demo's card keys: made up, unique, in the forms that each kind of goods has, and imported.

They open nothing anywhere. Stock follows demand: what sells gets more, some run low, some sell out.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from random import Random

from django.db import connections

from kameng.catalog.selectors import list_card_variants
from kameng.config.demo.commits import relax_commits
from kameng.config.demo.files import DemoFiles
from kameng.config.demo.rhythm import FACE_WEIGHTS
from kameng.core.audit import Actor
from kameng.inventory.services.importing import (
    KeyImport,
    check_key_import,
    confirm_key_import,
    run_key_import,
    start_key_import,
    start_key_paste,
)
from kameng.pricing.money import Amount

KEY_COUNT = 23_000  # less what sells out or runs low: more than 20 000 come in
LEAST_KEYS = 12
CROWDED = 26  # variants that are restocked on the way
LANES = 3
WAVES = (0.5, 0.3, 0.2)
SIGNS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
MESSY_CODE, MESSY_NAME = "D0002", "150点"  # whose stock the messy file is


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Keys of one face value, in the batches in which they come."""

    variant_id: int
    label: str
    cost_amount: Amount
    counts: tuple[int, ...]
    form: str


def plan_supplies(files: DemoFiles, *, expected_orders: float, rng: Random) -> list[Supply]:
    """Share the keys out over the own card goods of the site in force, by how they sell.

    `expected_orders` is how many orders of card goods the history will have.
    """
    variants = list_card_variants()
    weights = []
    for variant in variants:
        heat = files.goods[variant.product.code].heat
        shares = FACE_WEIGHTS[: len(files.goods[variant.product.code].face_values)]
        weights.append(heat * shares[variant.position] / sum(shares))
    whole = sum(weights)
    spare = KEY_COUNT - LEAST_KEYS * len(variants)
    crowded = set(sorted(range(len(variants)), key=lambda n: -weights[n])[:CROWDED])
    supplies = []
    for number, variant in enumerate(variants):
        count = LEAST_KEYS + round(spare * weights[number] / whole)
        demand = expected_orders * weights[number] / whole
        if number in crowded and number % 5 == 4:
            count = max(round(demand * 0.8), 4)  # sells out
        elif number % 11 == 7:
            count = round(demand * 1.1) + rng.randint(3, 6)  # runs low
        counts = [round(count * share) for share in WAVES[1:]] if number in crowded else []
        supplies.append(
            Supply(
                variant_id=variant.id,
                label=f"{variant.product.title} {variant.name}"[:60],
                cost_amount=Amount(variant.cost_amount),
                counts=(count - sum(counts), *counts),
                form=_form_of(variant.product.category.name),
            )
        )
    return supplies


def import_wave(
    supplies: Sequence[Supply], *, wave: int, rng: Random, actor: Actor
) -> Mapping[int, int]:
    """Import the batches of one wave into the site in force; return the keys by import.

    A few at a time: an import of a dozen keys mostly waits for the disk.
    """
    pastes = [
        (supply, "\n".join(_draw_key(supply.form, rng) for _ in range(supply.counts[wave])))
        for supply in supplies
        if wave < len(supply.counts) and supply.counts[wave]
    ]
    with ThreadPoolExecutor(LANES, initializer=relax_commits) as pool:
        imports = [
            pool.submit(copy_context().run, _import_paste, supply, text, wave=wave, actor=actor)
            for supply, text in pastes
        ]
        done = [each.result() for each in imports]
        for _lane in range(LANES):
            pool.submit(connections.close_all)
    return dict(done)


def _import_paste(supply: Supply, text: str, *, wave: int, actor: Actor) -> tuple[int, int]:
    wanted = KeyImport(
        variant_id=supply.variant_id,
        label=f"{supply.label} 第{wave + 1}批",
        cost_amount=supply.cost_amount,
    )
    job = start_key_paste(text, wanted=wanted, actor=actor)
    return job.id, confirm_key_import(job.id, actor=actor).created_count


def import_messy_file(files: DemoFiles, *, actor: Actor) -> int:
    """Import a key file as a shop owner keeps it; return the import, its odd lines explained.

    It is long enough to be a job of the worker, which does not run yet: the steps are taken here,
    and the queued ones find nothing left to do.
    """
    (variant,) = [
        each
        for each in list_card_variants()
        if (each.product.code, each.name) == (MESSY_CODE, MESSY_NAME)
    ]
    wanted = KeyImport(
        variant_id=variant.id,
        label="老仓库整理的卡密",
        cost_amount=Amount(variant.cost_amount),
        filename="卡密.txt",
    )
    job = start_key_import([files.messy_keys_file], wanted=wanted, actor=actor)
    check_key_import(job.id)
    confirm_key_import(job.id, actor=actor)
    run_key_import(job.id)
    return job.id


def _form_of(category: str) -> str:
    if category in {"游戏点卡", "话费充值"}:
        return "number"
    if category in {"软件激活", "Steam与主机"}:
        return "groups5"
    return "groups4"


def _draw_key(form: str, rng: Random) -> str:
    if form == "number":
        number = "".join(rng.choices("0123456789", k=14))
        return f"{number}----{''.join(rng.choices('0123456789', k=16))}"
    size, count = (5, 5) if form == "groups5" else (4, 4)
    return "-".join("".join(rng.choices(SIGNS, k=size)) for _ in range(count))
