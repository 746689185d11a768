"""The steps that led to a price, readable by buyer, operator and support alike.

Owns the shape of a step, the table of Chinese texts and their filling in. Promises that steps form
a chain (each begins with the amount the one before it ended with), and that a chain survives being
stored as JSON with the order that it explains.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kameng.core.problems import gettext_noop
from kameng.pricing.money import Amount, format_yuan

TRACE_TEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cost": gettext_noop("成本价 %(cost_amount)s 元"),
        "wholesale_rate": gettext_noop("批发价在成本上加 %(rate_bps)s"),
        "wholesale_minimum": gettext_noop("批发加价不足最低利润，改为加 %(margin_amount)s 元"),
        "upline_rate": gettext_noop("上级站点在其供货价上加 %(rate_bps)s"),
        "upline_minimum": gettext_noop("上级站点的最低差价，加 %(margin_amount)s 元"),
        "list_price": gettext_noop("没有加价规则，按建议零售价 %(list_amount)s 元"),
        "own_price": gettext_noop("自营商品，按您定的售价 %(list_amount)s 元"),
        "platform_share": gettext_noop("平台收售价的 %(rate_bps)s，每件 %(share_amount)s 元"),
        "markup_rate": gettext_noop("%(scope)s加价规则：加价 %(rate_bps)s"),
        "markup_amount": gettext_noop("%(scope)s加价规则：加价 %(amount)s 元"),
        "markup_fixed": gettext_noop("%(scope)s加价规则：一口价 %(amount)s 元"),
        "floor": gettext_noop("低于底价，提高到底价 %(floor_amount)s 元"),
        "ending": gettext_noop("价格尾数：%(ending)s"),
        "cap": gettext_noop("超过上限（建议零售价的 %(cap_bps)s），降到不超过 %(cap_amount)s 元"),
        "cap_below_floor": gettext_noop(
            "上限 %(cap_amount)s 元低于底价，以底价 %(floor_amount)s 元为准"
        ),
        "quantity": gettext_noop("数量 × %(quantity)s"),
        "round_to_fen": gettext_noop("应付金额四舍五入到分"),
        "raise_to_fen": gettext_noop("应付金额进到分，不低于底价"),
        "add_line": gettext_noop("加上另一件商品 %(line_amount)s 元"),
        "fee_buyer": gettext_noop("支付手续费 %(rate_bps)s，由买家承担"),
        "fee_site": gettext_noop("支付手续费 %(fee_amount)s 元，从站点利润中扣除"),
        "fee_main": gettext_noop("支付手续费 %(fee_amount)s 元，由主站承担"),
    }
)

SCOPE_TEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "platform": gettext_noop("平台默认"),
        "site": gettext_noop("全站"),
        "category": gettext_noop("分类"),
        "product": gettext_noop("商品"),
        "variant": gettext_noop("规格"),
    }
)

ENDING_TEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "none": gettext_noop("不处理"),
        "fen": gettext_noop("进到分"),
        "jiao": gettext_noop("进到角"),
        "yuan": gettext_noop("进到元"),
        "end_8": gettext_noop("以 .8 结尾"),
        "end_9": gettext_noop("以 .9 结尾"),
        "end_88": gettext_noop("以 .88 结尾"),
        "end_99": gettext_noop("以 .99 结尾"),
    }
)


# The steps by which each level of sites buys in. What a level pays is the end of its own; those
# above are not for its eyes.
MAIN_STEPS: Final = frozenset({"cost", "wholesale_rate", "wholesale_minimum"})
UPLINE_STEPS: Final = frozenset({"upline_rate", "upline_minimum"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One step of a price: what was applied, to which amount, with which result."""

    code: str
    params: Mapping[str, int | str]
    before_amount: Amount
    after_amount: Amount


def explain_step(step: TraceStep, *, translate: Callable[[str], str] = str) -> str:
    """Write a step as one sentence; `translate` maps each Chinese text to the reader's language."""
    filled = {
        name: _param_text(name, value=value, translate=translate)
        for name, value in step.params.items()
    }
    return translate(TRACE_TEXT[step.code]) % filled


def steps_below(steps: Sequence[TraceStep], *, hidden: frozenset[str]) -> tuple[TraceStep, ...]:
    """Return the steps after the last one whose code is hidden: what its reader may see."""
    last = max((k for k, step in enumerate(steps) if step.code in hidden), default=-1)
    return tuple(steps[last + 1 :])


def format_rate(rate_bps: int) -> str:
    """Print basis points as a percentage without idle zeros: 850 is "8.5%"."""
    whole, rest = divmod(rate_bps, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + "%"


def dump_trace(steps: Sequence[TraceStep]) -> list[dict[str, object]]:
    """Return the steps as plain JSON values."""
    return [
        {
            "code": step.code,
            "params": dict(step.params),
            "before": int(step.before_amount),
            "after": int(step.after_amount),
        }
        for step in steps
    ]


def load_trace(rows: Sequence[Mapping[str, object]]) -> tuple[TraceStep, ...]:
    """Return the steps that `dump_trace` wrote; raise ValueError for anything else."""
    return tuple(_load_step(row) for row in rows)


def _load_step(row: Mapping[str, object]) -> TraceStep:
    code, params, before, after = (row.get(key) for key in ("code", "params", "before", "after"))
    if code not in TRACE_TEXT or not isinstance(params, Mapping):
        raise ValueError("trace_step")
    if not isinstance(before, int) or not isinstance(after, int):
        raise ValueError("trace_step")
    return TraceStep(
        code=str(code),
        params=dict(params),
        before_amount=Amount(before),
        after_amount=Amount(after),
    )


def _param_text(name: str, *, value: int | str, translate: Callable[[str], str]) -> str:
    if name == "scope":
        return translate(SCOPE_TEXT[str(value)])
    if name == "ending":
        return translate(ENDING_TEXT[str(value)])
    if isinstance(value, int) and name.endswith("amount"):
        return format_yuan(Amount(value))
    if isinstance(value, int) and name.endswith("_bps"):
        return format_rate(value)
    return str(value)
