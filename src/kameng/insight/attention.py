"""What on a site waits for a person, counted and listed from every app at once.

Bounded: a count stops at `LIMIT`, so that a page that shows it stays quick whatever has piled up.
Words and links are the screen's; here are codes, counts and the oldest moment.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q, QuerySet, Sum, Value

from kameng.accounts.models import Approval, ApprovalState, Customer
from kameng.accounts.selectors import list_waiting_approvals
from kameng.catalog.models import DeliveryKind, PriceRule, Product, Variant
from kameng.catalog.own_goods import count_scanned, makes_goods
from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey
from kameng.inventory.selectors import stock_of
from kameng.ledger.selectors import prepaid_balance
from kameng.messaging.selectors import find_mail_trouble
from kameng.orders.models import Note, Order, OrderRefund, OrderRefundState, OrderState
from kameng.pages.models import Page
from kameng.pages.selectors import get_design
from kameng.payments.conditions import IS_ODD
from kameng.payments.models import (
    DisputeState,
    Gateway,
    GatewayRefund,
    Payment,
    RefundState,
    Shortfall,
    ShortfallState,
)
from kameng.payments.selectors import (
    list_disputes,
    list_mismatched,
    list_refused_returns,
    list_shortfalls_of,
    list_surpluses,
    list_unbooked,
)
from kameng.pricing.money import Amount, format_yuan
from kameng.settlement.models import PayoutAccount
from kameng.settlement.selectors import list_pending
from kameng.tenancy.claims import count_troubled
from kameng.tenancy.licensing import count_waiting_licences
from kameng.tenancy.models import SettlementWay, Site, SiteKind
from kameng.tenancy.selectors import SiteView, get_limits, list_domains

LIMIT = 99
LOW_STOCK_COUNT = 5
LOW_STOCK_DAYS = 7
LOOK_BACK_DAYS = 14
UNBOOKED_DAYS = 3
SOLD_VARIANTS = 200
DISPUTE_NOTICE = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One thing that waits: what (`code`), how many, since when, and the order or goods it is."""

    code: str
    count: int
    since: dt.datetime | None = None
    subject: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyWaiting:
    """How many decisions about money wait: for a second person, and about odd payments."""

    approval_count: int
    odd_count: int

    @property
    def count(self) -> int:
        """Return how many there are together."""
        return self.approval_count + self.odd_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a new shop and whether it is done."""

    code: str
    is_done: bool


def count_attention() -> int:
    """Count orders of the site in force that wait for staff: to deliver, or a refused refund."""
    waiting = _waiting()[: LIMIT + 1].count()
    refused = OrderRefund.objects.filter(state=OrderRefundState.REFUSED)[: LIMIT + 1].count()
    return int(waiting + refused)


def count_money_waiting() -> MoneyWaiting:
    """Count what waits on the site in force for a second person, or for a word on an odd payment.

    One statement, each kind up to `LIMIT` + 1, because every page of the back office asks. What
    waits for its buyer (the rest of a short payment) or its gateway (a refund) is not counted.
    """
    approvals = Approval.objects.filter(state=ApprovalState.WAITING, expires_at__gt=clock.now())
    asked = Shortfall.objects.filter(state=ShortfallState.OPEN)
    returning = GatewayRefund.objects.filter(is_surplus=True, state=RefundState.WAITING)
    odd = Payment.objects.filter(IS_ODD)
    for waiting in (asked, returning):
        odd = odd.exclude(id__in=waiting.values("payment_id"))
    kinds = [
        rows.order_by().annotate(what=Value(what)).values_list("what", flat=True)[: LIMIT + 1]
        for what, rows in (("approval", approvals), ("odd", odd))
    ]
    found = Counter(kinds[0].union(kinds[1], all=True))
    return MoneyWaiting(approval_count=found["approval"], odd_count=found["odd"])


def list_matters(site: SiteView, *, now: dt.datetime) -> list[Matter]:
    """Return everything on the site in force that waits for a person, worst first."""
    waiting = _waiting()
    refused = OrderRefund.objects.filter(state=OrderRefundState.REFUSED)
    found = [
        *_prepaid(site),
        _oldest("refund_refused", refused.order_by("created_at"), "created_at"),
        _oldest(
            "stuck", waiting.filter(delivery_kind=DeliveryKind.CARD).order_by("paid_at"), "paid_at"
        ),
        *_undecided(),
        *_disputes(now),
        _approvals(),
        _returns(),
        *_unreturned(now),
        *_gateways(site),
        *([_unbooked(now)] if site.is_main else []),
        *(_settlement() if site.is_main else []),
        *([_licences()] if site.is_main else []),
        _oldest(
            "to_deliver",
            waiting.exclude(delivery_kind=DeliveryKind.CARD).order_by("paid_at"),
            "paid_at",
        ),
        *(_low_stock(site, now) if makes_goods(site) else []),
        *(_taken_down(site) if makes_goods(site) else []),
        Matter(code="domains", count=count_troubled(None if site.is_main else site.site_id)),
        _mail(),
    ]
    return [matter for matter in found if matter.count]


def _waiting() -> "QuerySet[Any]":
    """Paid orders that somebody can deliver: those that wait for a prepaid balance go by it."""
    return Order.objects.filter(state=OrderState.AWAITING_DELIVERY, awaits_prepaid=False)


def _prepaid(site: SiteView) -> list[Matter]:
    """Orders that wait for the prepaid balance, and a balance below what its operator watches."""
    if site.settlement_way != SettlementWay.PREPAID:
        return []
    waiting = Order.objects.filter(state=OrderState.AWAITING_DELIVERY, awaits_prepaid=True)
    usable = prepaid_balance(site.site_id).usable_amount
    is_low = usable < site.settings.prepaid_alert_amount
    return [
        _oldest("awaits_prepaid", waiting.order_by("paid_at"), "paid_at"),
        Matter(code="prepaid_low", count=int(is_low), subject=format_yuan(Amount(usable))),
    ]


def _oldest(code: str, rows: "QuerySet[Any]", column: str) -> Matter:
    moments = list(rows.values_list(column, flat=True)[: LIMIT + 1])
    return Matter(code=code, count=len(moments), since=moments[0] if moments else None)


def _undecided() -> list[Matter]:
    """Payments that somebody must give back: of another amount, or made twice.

    Those whose buyers are asked for the rest wait for them, not for staff.
    """
    rows = list_mismatched(LIMIT + 1)
    asked = {
        payment_id
        for payment_id, each in list_shortfalls_of([row.id for row in rows]).items()
        if each.state == ShortfallState.OPEN
    }
    rows = [row for row in rows if row.id not in asked]
    return [
        _payments("mismatched", [row for row in rows if not row.is_second]),
        _payments("surplus", list_surpluses(LIMIT + 1)),
        _payments("paid_twice", [row for row in rows if row.is_second]),
    ]


def _disputes(now: dt.datetime) -> list[Matter]:
    """Disputes that are open, and those that must be answered soon and are not."""
    opened = list_disputes(state=DisputeState.OPEN, limit=LIMIT + 1)
    due = [
        each
        for each in opened
        if each.answered_at is None and each.answer_by and each.answer_by <= now + DISPUTE_NOTICE
    ]
    rest = [each for each in opened if each not in due]
    return [
        Matter(
            code=code,
            count=len(rows),
            since=rows[-1].created_at if rows else None,
            subject=str(rows[0].id) if len(rows) == 1 else "",
        )
        for code, rows in (("dispute_due", due), ("dispute_open", rest))
    ]


def _approvals() -> Matter:
    rows = list_waiting_approvals(LIMIT + 1)
    return Matter(code="approval", count=len(rows), since=rows[0].created_at if rows else None)


def _returns() -> Matter:
    rows = list_refused_returns(LIMIT + 1)
    only = rows[0].top_up.top_up_no if len(rows) == 1 else ""
    return Matter(
        code="return_refused",
        count=len(rows),
        since=rows[0].created_at if rows else None,
        subject=only,
    )


def _payments(code: str, rows: list[Payment]) -> Matter:
    only = rows[0].payment_no if len(rows) == 1 else ""
    since = rows[-1].confirmed_at or rows[-1].created_at if rows else None
    return Matter(code=code, count=len(rows), since=since, subject=only)


def _unreturned(now: dt.datetime) -> list[Matter]:
    """Late payments that neither goods nor a refund could answer."""
    notes = Note.objects.filter(
        kind="late_unrefundable", created_at__gte=now - dt.timedelta(days=LOOK_BACK_DAYS)
    ).select_related("order")
    return [
        Matter(
            code=note.kind,
            count=1,
            since=note.created_at,
            subject=note.order.order_no,
            title=note.order.title,
        )
        for note in notes.order_by("-id")[:5]
        if note.order.state in {OrderState.AWAITING_DELIVERY, OrderState.REFUNDING}
    ]


def _gateways(site: SiteView) -> list[Matter]:
    """Merchant accounts of the site itself that are frozen, or rest after failing in a row."""
    troubled = Q(is_frozen=True) | Q(is_enabled=True, rests_until__isnull=False)
    rows = Gateway.objects.filter(troubled, site_id=site.site_id).order_by("-is_frozen", "id")
    return [
        Matter(
            code="gateway_frozen" if row.is_frozen else "gateway_resting",
            count=1,
            subject=str(row.id),
            title=row.label or row.name,
        )
        for row in rows
    ]


def _unbooked(now: dt.datetime) -> Matter:
    numbers = list_unbooked(now - dt.timedelta(days=UNBOOKED_DAYS), limit=LIMIT + 1)
    return Matter(code="unbooked", count=len(numbers))


def _low_stock(site: SiteView, now: dt.datetime) -> list[Matter]:
    """Variants of the site's own keys that sold lately and have almost none left.

    The main site's sell on any site, a sub-site's on its own: each is told to who stocks them.
    """
    if site.is_main:
        with platform_scope("what sold lately on any site"):
            sold = _sold_keys(Order.unscoped.filter(site_id__in=Site.objects.values("id")), now)
    else:
        sold = _sold_keys(Order.objects.all(), now)
    stocked = Variant.objects.filter(id__in=[row["variant_id"] for row in sold])
    own = set(stocked.filter(site_id=site.site_id).values_list("id", flat=True))
    sold = [row for row in sold if row["variant_id"] in own]
    stocks = stock_of([row["variant_id"] for row in sold])
    return [
        Matter(
            code="low_stock",
            count=1,
            subject=str(stocks[row["variant_id"]].count),
            title=row["title"],
        )
        for row in sold
        if stocks[row["variant_id"]].is_counted
        and stocks[row["variant_id"]].count < LOW_STOCK_COUNT
    ][:5]


def _taken_down(site: SiteView) -> list[Matter]:
    """A sub-site's own goods that the platform took off sale: their operator is told why.

    For the platform: those that a scan for refused words took off, until somebody has judged them.
    """
    if site.is_main:
        return [Matter(code="own_goods_scanned", count=count_scanned(limit=LIMIT + 1))]
    rows = Product.objects.filter(site_id=site.site_id).exclude(taken_down_reason="")
    ids = list(rows.order_by("-updated_at").values_list("id", flat=True)[: LIMIT + 1])
    only = str(ids[0]) if len(ids) == 1 else ""
    return [Matter(code="own_goods_taken", count=len(ids), subject=only)]


def _sold_keys(rows: "QuerySet[Any]", now: dt.datetime) -> list[dict[str, Any]]:
    recent = rows.filter(
        paid_at__gte=now - dt.timedelta(days=LOW_STOCK_DAYS), delivery_kind=DeliveryKind.CARD
    )
    grouped = recent.values("variant_id").annotate(pieces=Sum("quantity"), title=Max("title"))
    return list(grouped.order_by("-pieces")[:SOLD_VARIANTS])


def _settlement() -> list[Matter]:
    """Withdrawals to decide and to pay, payouts without an answer, shares that were refused."""
    return [Matter(code=each.code, count=each.count, since=each.since) for each in list_pending()]


def _licences() -> Matter:
    """Details of who runs a shop that wait for the main site's word."""
    count, since = count_waiting_licences()
    return Matter(code="licence_waiting", count=count, since=since)


def _mail() -> Matter:
    trouble = find_mail_trouble()
    if trouble is None:
        return Matter(code="mail", count=0)
    return Matter(code=f"mail_{trouble.code}", count=trouble.count)


def list_steps(site: SiteView) -> list[Step]:
    """Return what a new shop does to open well, done or not; the order of the work."""
    settings = site.settings
    looks = Step(code="looks", is_done=bool(settings.slogan or settings.banner_title))
    contact = Step(code="contact", is_done=bool(settings.contact_text))
    sale = Step(code="first_sale", is_done=Order.objects.filter(paid_at__isnull=False).exists())
    if site.is_main:
        own = Product.objects.filter(site_id=site.site_id)
        gateways = Gateway.objects.filter(site_id=site.site_id, is_enabled=True)
        branches = Site.objects.filter(kind=SiteKind.BRANCH)
        return [
            Step(code="goods", is_done=own.exists()),
            Step(code="keys", is_done=CardKey.objects.exists()),
            Step(code="gateway", is_done=gateways.exists()),
            looks,
            contact,
            Step(code="branch", is_done=branches.exists()),
            sale,
        ]
    design = get_design(site)
    legal = Step(code="legal", is_done=bool(settings.legal))
    own_goods = Step(
        code="own_goods", is_done=Product.objects.filter(site_id=site.site_id).exists()
    )
    most = get_limits(site.site_id).domains_most
    domain = Step(code="domain", is_done=any(each.is_own for each in list_domains(site.site_id)))
    return [
        *([legal] if settings.licence_required else []),
        Step(code="logo", is_done=bool(design.look["root"].get("logo"))),
        Step(code="design", is_done=Page.objects.exists()),
        contact,
        Step(code="prices", is_done=PriceRule.objects.exists()),
        *([own_goods] if makes_goods(site) else []),
        _payee_step(site),
        *([] if most == 0 and not domain.is_done else [domain]),
        Step(code="share", is_done=Customer.objects.exists() or Order.objects.exists()),
        sale,
    ]


def _payee_step(site: SiteView) -> Step:
    """Where the shop's money goes: its own gateway, or the account its share is paid out to."""
    if site.settlement_way == SettlementWay.PREPAID:
        gateways = Gateway.objects.filter(site_id=site.site_id, is_enabled=True)
        return Step(code="gateway", is_done=gateways.exists())
    return Step(code="payee", is_done=PayoutAccount.objects.exists())
