"""Bills: planned a day at a time, fetched until they are there, stored once, compared.

Reserve → call → finish: the gateway is asked between two transactions.
"""

import datetime as dt
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import open_scope, platform_scope, require_site_id
from kameng.payments.models import Gateway
from kameng.payments.providers import abilities
from kameng.payments.providers.abilities import BillNotReady, BillSource
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.selectors import list_proved_gateways
from kameng.payments.services.gateways import config_of, get_own_gateway, provider_of
from kameng.pricing.money import Amount
from kameng.reconciliation import errors, rules, store
from kameng.reconciliation.models import Bill, BillFile, BillSourceKind, BillState
from kameng.reconciliation.reading import read_bill_file
from kameng.reconciliation.services.matching import match_bill
from kameng.reconciliation.store import Line
from kameng.tenancy.selectors import get_site_view, scope_of

BATCH = 10
LINES_MAX = 2_000_000
TEXT_MAX = 1000
NUMBER_MAX = 64
UNREADABLE = "unreadable"
NAUGHT = Amount(0)


def plan_bills() -> int:
    """Note which bills of which days are to be fetched; return how many are new."""
    now, count = clock.now(), 0
    with platform_scope("plan bills of every gateway"):
        gateways = [each for each in list_proved_gateways() if is_fetchable(each)]
    for gateway in gateways:
        with open_scope(scope_of(get_site_view(gateway.site_id))):
            days = rules.days_to_plan(now, since=rules.day_of(gateway.created_at))
            wanted = [
                Bill(
                    site_id=gateway.site_id,
                    gateway_id=gateway.id,
                    day=day,
                    next_attempt_at=rules.ready_at(day),
                )
                for day in days
            ]
            known = set(
                Bill.objects.filter(gateway_id=gateway.id, day__in=days).values_list(
                    "day", flat=True
                )
            )
            fresh = [each for each in wanted if each.day not in known]
            Bill.objects.bulk_create(fresh, ignore_conflicts=True)
            count += len(fresh)
    return count


def is_fetchable(gateway: Gateway) -> bool:
    """Tell whether the bills of a gateway that was proved can be fetched."""
    return gateway.checked_at is not None and isinstance(provider_of(gateway), BillSource)


def fetch_due_bills() -> int:
    """Fetch the bills that are due, oldest day first; return how many were asked for. Calls out."""
    with platform_scope("bills due to be fetched"), transaction.atomic():
        due = store.claim_bills(BATCH)
    for bill_id, site_id in due:
        with open_scope(scope_of(get_site_view(site_id))):
            _fetch(Bill.objects.get(id=bill_id))
    return len(due)


def fetch_bill(*, gateway_id: int, day: dt.date, actor: Actor) -> Bill:
    """Fetch the bill of a day now, again if it was fetched before; audited. Calls out.

    Raises `GatewayNotFound`, `BillDayInvalid`, `BillNotFetchable`, `BillAway`.
    """
    gateway = get_own_gateway(gateway_id)
    if not rules.is_billable_day(day, now=clock.now()):
        raise errors.BillDayInvalid
    if not is_fetchable(gateway):
        raise errors.BillNotFetchable
    bill = open_bill(gateway, day=day)
    with transaction.atomic():
        record(
            "bill.asked",
            actor=actor,
            site_id=gateway.site_id,
            subject=("bill", bill.id),
            detail={"gateway": gateway.name, "day": day.isoformat()},
        )
    if fault := _fetch(bill):
        raise errors.BillAway(why=fault)
    return Bill.objects.get(id=bill.id)  # type: ignore[no-any-return]


def upload_bill(*, gateway_id: int, day: dt.date, data: bytes, name: str, actor: Actor) -> Bill:
    """Take a bill that a person exported from the gateway's own pages; audited.

    Raises `GatewayNotFound`, `BillDayInvalid`, `BillUnreadable`.
    """
    gateway = get_own_gateway(gateway_id)
    if not rules.is_billable_day(day, now=clock.now()):
        raise errors.BillDayInvalid
    told = read_bill_file(data, day=day, filename=name)
    bill = open_bill(gateway, day=day)
    with transaction.atomic():
        _take(bill, told, source=BillSourceKind.UPLOADED, name=name, by=actor.name)
        record(
            "bill.uploaded",
            actor=actor,
            site_id=gateway.site_id,
            subject=("bill", bill.id),
            detail={"gateway": gateway.name, "day": day.isoformat(), "lines": len(told.lines)},
        )
    return Bill.objects.get(id=bill.id)  # type: ignore[no-any-return]


def open_bill(gateway: Gateway, *, day: dt.date) -> Bill:
    """Return the bill of a gateway and a day, made when there is none."""
    found, _made = Bill.objects.get_or_create(
        site_id=require_site_id(), gateway_id=gateway.id, day=day
    )
    return found  # type: ignore[no-any-return]


def lock_bill(bill_id: int) -> Bill:
    """Lock the bill of a day: it is stored and compared by one at a time."""
    bill: Bill = Bill.objects.select_for_update().get(id=bill_id)
    return bill


def _fetch(bill: Bill) -> str:
    """Ask, store, compare; return what went wrong, or nothing."""
    gateway = get_own_gateway(bill.gateway_id)
    provider = provider_of(gateway)
    if not isinstance(provider, BillSource):
        _put_off(bill, "not_fetchable", is_refused=True)
        return "not_fetchable"
    try:
        told = provider.fetch_bill(config_of(gateway), bill.day)
    except (BillNotReady, ProviderUncertain) as fault:
        _put_off(bill, fault.code, is_refused=False)
        return fault.code
    except ProviderRefused as fault:
        why = f"{fault.code} {fault.message}".strip()
        _put_off(bill, why, is_refused=True)
        return why
    with transaction.atomic():
        _take(bill, told, source=BillSourceKind.FETCHED, name="", by="")
    return ""


def _put_off(bill: Bill, why: str, *, is_refused: bool) -> None:
    later = rules.next_attempt_at(clock.now(), asked_count=bill.asked_count)
    given_up = is_refused or later is None
    Bill.objects.filter(id=bill.id, matched_at__isnull=True).update(
        last_error=why[:200],
        next_attempt_at=later,
        state=BillState.FAILED if given_up else BillState.WAITING,
    )
    Bill.objects.filter(id=bill.id, matched_at__isnull=False).update(
        last_error=why[:200], next_attempt_at=None
    )


def _take(bill: Bill, told: abilities.Bill, *, source: int, name: str, by: str) -> None:
    """Store a bill with its file and compare it; in the caller's transaction.

    The row of the bill is locked first: the same bill fetched twice at once is stored once.
    """
    lock_bill(bill.id)
    raw_digest = hashlib.sha256(told.raw).digest()
    BillFile.objects.get_or_create(
        site_id=bill.site_id,
        bill_id=bill.id,
        raw_digest=raw_digest,
        defaults={
            "compressed": zlib.compress(told.raw, 6),
            "name": name[:120],
            "received_by": by[:100],
            "is_account": told.is_account,
        },
    )
    lines = list(to_lines(told))[:LINES_MAX]
    store.store_lines(lines, site_id=bill.site_id, bill_id=bill.id)
    count, received, refunded, fees = store.sum_lines(bill.id)
    Bill.objects.filter(id=bill.id).update(
        source=source,
        fetched_at=clock.now(),
        next_attempt_at=None,
        last_error="",
        line_count=count,
        received_amount=received,
        refunded_amount=refunded,
        fee_amount=fees,
    )
    match_bill(bill.id)


def to_lines(told: abilities.Bill) -> Iterator[Line]:
    """Return a bill's lines as they are stored: bounded, each with a digest of its own."""
    seen: Counter[bytes] = Counter()
    begin, _end = rules.bounds_of(told.day)
    for each in told.lines:
        yield _line(
            seen,
            (str(each.kind), each.own_no, each.payment_no, each.external_no, each.text),
            amounts=(each.amount, each.fee_amount),
            happened_at=each.happened_at,
        )
    for text in told.unread_lines:
        yield _line(
            seen, (UNREADABLE, "", "", "", text), amounts=(NAUGHT, NAUGHT), happened_at=begin
        )


def _line(
    seen: "Counter[bytes]",
    texts: Iterable[str],
    *,
    amounts: tuple[int, int],
    happened_at: dt.datetime,
) -> Line:
    kind, own_no, payment_no, external_no, text = (each.replace("\x00", "") for each in texts)
    content = "\x1f".join(
        (kind, own_no, external_no, *map(str, amounts), happened_at.isoformat(), text)
    ).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(content).digest()
    seen[digest] += 1
    if seen[digest] > 1:  # the same line twice in one bill is two lines, and a difference
        digest = hashlib.sha256(digest + seen[digest].to_bytes(4, "big")).digest()
    return Line(
        digest=digest,
        kind=kind,
        own_no=own_no[:NUMBER_MAX],
        payment_no=payment_no[:NUMBER_MAX],
        external_no=external_no[:NUMBER_MAX],
        amount=amounts[0],
        fee_amount=amounts[1],
        happened_at=happened_at,
        text=text[:TEXT_MAX],
    )
