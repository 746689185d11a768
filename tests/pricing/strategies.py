"""Hypothesis strategies for prices, rules, plans and orders."""

from hypothesis import strategies as st

from kameng.pricing.margins import FeeBearer, FeeTerms
from kameng.pricing.markups import (
    Ending,
    MarkupKind,
    MarkupRule,
    PriceBasis,
    RuleScope,
    WholesalePlan,
)
from kameng.pricing.money import SCALE, Amount
from kameng.pricing.quote import OrderLine, UnitQuote, quote_unit

PRICES = st.integers(0, 10_000 * SCALE).map(Amount)
ENDINGS = st.sampled_from(Ending)


@st.composite
def markup_rules(draw: st.DrawFn) -> MarkupRule:
    kind = draw(st.sampled_from(MarkupKind))
    return MarkupRule(
        rule_id=draw(st.integers(1, 50)),
        scope=draw(st.sampled_from(RuleScope)),
        kind=kind,
        rate_bps=draw(st.integers(0, 20_000)),
        amount=Amount(draw(st.integers(1, 1_000 * SCALE))),
        ending=draw(ENDINGS),
        cap_bps=draw(st.none() | st.integers(0, 30_000)),
        depth=draw(st.integers(0, 3)),
    )


@st.composite
def bases(draw: st.DrawFn) -> PriceBasis:
    fen = draw(st.booleans())
    scale = 100 if fen else 1
    return PriceBasis(
        floor_amount=draw(PRICES), list_amount=Amount(draw(st.integers(0, 10**6)) * scale)
    )


PLANS = st.builds(
    WholesalePlan,
    markup_bps=st.integers(0, 5_000),
    minimum_margin_amount=st.integers(0, 50_000).map(Amount),
)
FEES = st.builds(FeeTerms, rate_bps=st.integers(0, 5_000), bearer=st.sampled_from(FeeBearer))


@st.composite
def units(draw: st.DrawFn) -> UnitQuote:
    return quote_unit(
        cost_amount=draw(PRICES),
        list_amount=draw(PRICES),
        plan=draw(st.none() | PLANS),
        rules=draw(st.lists(markup_rules(), max_size=3)),
    )


LINES = st.lists(
    st.builds(OrderLine, unit=units(), quantity=st.integers(1, 1_000)), min_size=1, max_size=4
)
