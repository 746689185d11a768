"""What a shop gives on top of a top-up: the rules, and the one bonus that a top-up gets."""

import datetime as dt
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.payments import errors
from kameng.payments.models import Bonus, BonusRule, TopUp
from kameng.payments.rules import Tier, pick_tier

RULES_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BonusTerms:
    """A rule as staff write it: an amount or a rate, once a customer or each time, and when."""

    min_amount: int
    bonus_amount: int
    bonus_bps: int
    is_once: bool
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None


def add_bonus_rule(terms: BonusTerms, *, actor: Actor) -> BonusRule:
    """Let top-ups of the site in force bring more from now on; audited.

    Raises `BonusRuleInvalid`.
    """
    one_kind = (terms.bonus_amount > 0) != (terms.bonus_bps > 0)
    whole = terms.min_amount % 100 == 0 and terms.bonus_amount % 100 == 0
    lasts = not (terms.starts_at and terms.ends_at) or terms.starts_at < terms.ends_at
    if terms.min_amount <= 0 or not (one_kind and whole and lasts) or terms.bonus_bps > 10_000:
        raise errors.BonusRuleInvalid
    if BonusRule.objects.filter(is_enabled=True).count() >= RULES_LIMIT:
        raise errors.BonusRuleInvalid
    with transaction.atomic():
        rule: BonusRule = BonusRule.objects.create(
            site_id=require_site_id(),
            min_amount=terms.min_amount,
            bonus_amount=terms.bonus_amount,
            bonus_bps=terms.bonus_bps,
            is_once=terms.is_once,
            starts_at=terms.starts_at,
            ends_at=terms.ends_at,
        )
        _record("top_up.bonus_rule_added", rule, actor)
    return rule


def end_bonus_rule(rule_id: int, *, actor: Actor) -> BonusRule:
    """Stop a rule; what was promised with it is kept. Audited. Raises `BonusRuleNotFound`."""
    with transaction.atomic():
        rule: BonusRule | None = BonusRule.objects.filter(id=rule_id).first()
        if rule is None:
            raise errors.BonusRuleNotFound
        if BonusRule.objects.filter(id=rule_id, is_enabled=True).update(is_enabled=False):
            _record("top_up.bonus_rule_ended", rule, actor)
    return rule


def list_bonus_rules() -> list[BonusRule]:
    """Return the rules of the site in force that are not ended, smallest first."""
    return list(BonusRule.objects.filter(is_enabled=True).order_by("min_amount", "id"))


def list_bonus_tiers() -> list[Tier]:
    """Return the tiers of the site in force that count at this moment, smallest first."""
    now = clock.now()
    rows = BonusRule.objects.filter(
        Q(starts_at=None) | Q(starts_at__lte=now), Q(ends_at=None) | Q(ends_at__gt=now)
    ).filter(is_enabled=True)
    return [
        Tier(
            rule_id=row.id,
            min_amount=row.min_amount,
            bonus_amount=row.bonus_amount,
            bonus_bps=row.bonus_bps,
            is_once=row.is_once,
        )
        for row in rows.order_by("min_amount", "id")
    ]


def list_tiers_for(customer_id: int) -> list[Tier]:
    """Return the tiers that a customer can still get."""
    used = _used_rules(customer_id)
    return [tier for tier in list_bonus_tiers() if not (tier.is_once and tier.rule_id in used)]


def promise_bonus(customer_id: int, *, amount: int) -> tuple[Tier | None, int]:
    """Return the tier that a top-up of a customer gets, and how much; none and zero without one."""
    tier = pick_tier(amount, tiers=list_bonus_tiers(), used_rule_ids=_used_rules(customer_id))
    return tier, tier.bonus_for(amount) if tier else 0


def _used_rules(customer_id: int) -> set[int]:
    rows = Bonus.objects.filter(customer_id=customer_id, is_once=True)
    return set(rows.values_list("rule_id", flat=True))


def grant_bonus(top_up: TopUp) -> int:
    """Write down the bonus that was promised with a top-up; return it, zero when it is used up.

    Call in the transaction that credits the top-up. A second top-up under a rule that gives once
    waits here for the first, at the unique index, and gets nothing.
    """
    if not top_up.bonus_amount or top_up.bonus_rule_id is None:
        return 0
    is_once = BonusRule.objects.filter(id=top_up.bonus_rule_id, is_once=True).exists()
    try:
        with transaction.atomic():
            Bonus.objects.create(
                site_id=top_up.site_id,
                top_up=top_up,
                rule_id=top_up.bonus_rule_id,
                customer_id=top_up.customer_id,
                amount=top_up.bonus_amount,
                is_once=is_once,
            )
    except IntegrityError:
        return 0
    return int(top_up.bonus_amount)


def _record(action: str, rule: BonusRule, actor: Actor) -> None:
    record(
        action,
        actor=actor,
        site_id=rule.site_id,
        subject=("bonus_rule", rule.id),
        detail={
            "min_amount": rule.min_amount,
            "bonus_amount": rule.bonus_amount,
            "bonus_bps": rule.bonus_bps,
            "is_once": rule.is_once,
        },
    )
