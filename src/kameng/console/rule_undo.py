"""What a saved or deleted mark-up rule was before, signed, so that one press brings it back.

Promises nothing by itself: `catalog` restores only while the rule is still what the press followed.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.core import signing
from django.http import HttpRequest, HttpResponse

from kameng.catalog.services.marking import RuleTarget, RuleTerms
from kameng.pricing.markups import Ending, MarkupKind
from kameng.pricing.money import Amount
from kameng.web.cookies import is_secure

SECONDS: Final = 3600  # long enough to look at the shop and come back
COOKIE: Final = "kameng_undo"  # of the page of rules alone
_SALT: Final = "kameng.console.rule_undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One rule before and after a change; None where there was none."""

    target: RuleTarget
    before: RuleTerms | None
    after: RuleTerms | None


def pack(change: RuleChange, *, site_id: int) -> str:
    """Return the change as a token that only this site's pages take."""
    target = change.target
    value = {
        "target": [target.category_id, target.product_id, target.variant_id],
        "before": _listed(change.before),
        "after": _listed(change.after),
    }
    return signing.dumps(value, salt=f"{_SALT}.{site_id}", compress=True)


def unpack(token: str, *, site_id: int) -> RuleChange | None:
    """Return what a token says; None for one that is old, of another site, or of nobody's."""
    try:
        value = signing.loads(token[:2000], salt=f"{_SALT}.{site_id}", max_age=SECONDS)
        category_id, product_id, variant_id = value["target"]
        return RuleChange(
            target=RuleTarget(
                category_id=category_id, product_id=product_id, variant_id=variant_id
            ),
            before=_terms(value["before"]),
            after=_terms(value["after"]),
        )
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None


def keep_undo(request: HttpRequest, response: HttpResponse, token: str, *, path: str) -> None:
    """Let the browser keep the token for the page of rules, as long as it counts."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=SECONDS,
        path=path,
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )


def kept_undo(request: HttpRequest) -> str:
    """Return the token that the browser keeps, or an empty text."""
    return request.COOKIES.get(COOKIE, "")


def _listed(terms: RuleTerms | None) -> list[Any] | None:
    if terms is None:
        return None
    amount = int(terms.amount)
    return [terms.kind.value, terms.rate_bps, amount, terms.ending.value, terms.cap_bps]


def _terms(row: list[Any] | None) -> RuleTerms | None:
    if row is None:
        return None
    kind, rate_bps, amount, ending, cap_bps = row
    return RuleTerms(
        kind=MarkupKind(kind),
        rate_bps=rate_bps,
        amount=Amount(amount),
        ending=Ending(ending),
        cap_bps=cap_bps,
    )
