"""What is whose: the terms in force, and how much of a claim can be withdrawn now, and why not.

Reads only. Within a lock of the payee (`services.payees`) the answer holds until the commit.
"""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Sum

from kameng.core import clock
from kameng.core.scope import open_scope, require_site_id
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.selectors import site_account_amount
from kameng.orders.shares import disputed_margin, held_margin, list_contested
from kameng.settlement.models import OwnerKind, Payee, Source, Split, Terms, Withdrawal
from kameng.settlement.rules import OPEN_STATES, SplitState
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView, get_site_view, scope_of

ACCOUNT_KINDS = {
    Source.MARGIN: AccountKind.SITE_MARGIN,
    Source.PREPAID: AccountKind.PREPAID,
    Source.WALLET: AccountKind.WALLET,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose claim it is: a site, or later one of its customers."""

    kind: OwnerKind
    owner_id: int

    def account(self, source: int) -> int:
        """Return the ledger's account that a source stands for."""
        return account_id(ACCOUNT_KINDS[Source(source)], self.owner_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim: the balance, what is not settled, what is to be split, what may be taken now.

    A balance below zero is a receivable: refunds and lost disputes took more back than was left.
    """

    source: int
    balance_amount: int
    held_amount: int
    to_split_amount: int
    on_its_way_amount: int
    splitting_amount: int = 0
    disputed_amount: int = 0  # part of `held_amount`: buyers want it back by their bank

    @property
    def moving_amount(self) -> int:
        """Return what left the balance and has not arrived: asked for, or being split."""
        return self.on_its_way_amount + self.splitting_amount

    @property
    def available_amount(self) -> int:
        """Return what may be withdrawn now."""
        return max(self.balance_amount - self.held_amount - self.to_split_amount, 0)

    @property
    def is_short(self) -> bool:
        """Tell whether the balance no longer covers what is not settled: too much is on its way."""
        return self.balance_amount < self.held_amount

    @property
    def has_anything(self) -> bool:
        """Tell whether there is, or soon will be, anything to show."""
        return bool(self.balance_amount or self.held_amount or self.moving_amount)

    @property
    def owed_amount(self) -> int:
        """Return what the owner owes: new margins fill it up first."""
        return max(-self.balance_amount, 0)


def site_owner() -> Owner:
    """Return the site in force as an owner."""
    return Owner(kind=OwnerKind.SITE, owner_id=require_site_id())


def find_terms(view: SiteView) -> Terms:
    """Return the terms of a site: its own, else its main site's, else the standard ones.

    Call in the scope of the site, which reads its main site's.
    """
    rows = {
        row.site_id: row for row in Terms.objects.filter(site_id__in=[view.site_id, view.main_id])
    }
    return rows.get(view.site_id) or rows.get(view.main_id) or Terms(site_id=view.main_id)


def settled_before(terms: Terms) -> dt.datetime:
    """Return the moment before which an order must have been delivered to be settled."""
    return clock.now() - dt.timedelta(hours=terms.hold_hours)


def read_claim(owner: Owner, source: Source, *, terms: Terms) -> Claim:
    """Return a claim of the site in force as of now."""
    balance = site_account_amount(ACCOUNT_KINDS[source], owner_id=owner.owner_id)
    held = to_split = splitting = disputed = 0
    if source == Source.MARGIN:
        before = settled_before(terms)
        held, disputed = held_margin(delivered_before=before), disputed_margin()
        waiting = Split.objects.filter(state=SplitState.WAITING, delivered_at__lte=before)
        waiting = waiting.exclude(order_id__in=list_contested())  # those are in `held` already
        to_split = waiting.aggregate(total=Sum("margin_amount"))["total"] or 0
        asked = Split.objects.filter(state=SplitState.ASKED)
        splitting = asked.aggregate(total=Sum("amount"))["total"] or 0
    on_its_way = Withdrawal.objects.filter(
        payee__owner_kind=owner.kind,
        payee__owner_id=owner.owner_id,
        source=source,
        state__in=OPEN_STATES,
    )
    return Claim(
        source=source,
        balance_amount=balance,
        held_amount=held,
        to_split_amount=to_split,
        on_its_way_amount=on_its_way.aggregate(total=Sum("amount"))["total"] or 0,
        splitting_amount=splitting,
        disputed_amount=disputed,
    )


def read_claim_of(withdrawal: Withdrawal) -> Claim:
    """Return the claim that a withdrawal takes from, as its reviewer sees it. Of any site."""
    view = get_site_view(withdrawal.site_id)
    with open_scope(scope_of(view)):
        payee = Payee.objects.get(id=withdrawal.payee_id)
        owner = Owner(kind=OwnerKind(payee.owner_kind), owner_id=payee.owner_id)
        return read_claim(owner, Source(withdrawal.source), terms=find_terms(view))


def list_claims(view: SiteView) -> list[Claim]:
    """Return the claims of a sub-site: its margin, and a prepaid balance where there is one.

    Who takes the buyers' money earns no margin here: one that is empty is left out.
    """
    owner, terms = site_owner(), find_terms(view)
    margin = read_claim(owner, Source.MARGIN, terms=terms)
    prepaid = read_claim(owner, Source.PREPAID, terms=terms)
    if not (prepaid.balance_amount or prepaid.on_its_way_amount):
        return [margin]
    is_own = view.settlement_way == SettlementWay.PREPAID
    return [prepaid] if is_own and not margin.has_anything else [margin, prepaid]


def day_and_month(view: SiteView) -> tuple[dt.datetime, dt.datetime]:
    """Return when the day and the month of a site began."""
    local = get_site_view(view.main_id).settings.zone
    day = clock.now().astimezone(local).replace(hour=0, minute=0, second=0, microsecond=0)
    return day, day.replace(day=1)
