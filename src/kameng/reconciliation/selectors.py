"""Reads of this app: days and their bills, differences, closed months."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from kameng.core import clock
from kameng.payments.models import Gateway
from kameng.payments.selectors import list_own_gateways
from kameng.reconciliation import errors, rules, store
from kameng.reconciliation.models import (
    Bill,
    BillFile,
    BillRow,
    BillState,
    Case,
    CaseNote,
    CaseState,
    LineState,
    MonthClose,
)

CASE_NO = re.compile(r"[cC]([0-9]{1,12})")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayMark:
    """One day of one gateway in the calendar."""

    day: dt.date
    bill: Bill | None
    open_count: int


def list_days(gateway_ids: Sequence[int], *, days: Sequence[dt.date]) -> dict[int, list[DayMark]]:
    """Return the days of each gateway of the site in force, in the order given."""
    bills = {
        (bill.gateway_id, bill.day): bill
        for bill in Bill.objects.filter(gateway_id__in=gateway_ids, day__in=days)
    }
    open_counts = count_open_cases([bill.id for bill in bills.values()])
    return {
        gateway_id: [
            DayMark(
                day=day,
                bill=(bill := bills.get((gateway_id, day))),
                open_count=open_counts.get(bill.id, 0) if bill else 0,
            )
            for day in days
        ]
        for gateway_id in gateway_ids
    }


def count_open_cases(bill_ids: Sequence[int]) -> dict[int, int]:
    """Return how many cases of each bill wait for a person."""
    rows = Case.objects.filter(bill_id__in=bill_ids, state=CaseState.OPEN)
    return dict(rows.values_list("bill_id").annotate(count=Count("id")))


def get_bill(bill_id: int) -> Bill:
    """Return a bill of the site in force; raises `BillNotFound`."""
    bill: Bill | None = Bill.objects.filter(id=bill_id).first()
    if bill is None:
        raise errors.BillNotFound
    return bill


def list_bill_files(bill_id: int) -> list[BillFile]:
    """Return what was received for a bill, newest first, without the files themselves."""
    return list(BillFile.objects.filter(bill_id=bill_id).defer("compressed").order_by("-id"))


def get_bill_file(bill_id: int, *, file_id: int) -> BillFile:
    """Return one received file; raises `BillNotFound`."""
    file: BillFile | None = BillFile.objects.filter(bill_id=bill_id, id=file_id).first()
    if file is None:
        raise errors.BillNotFound
    return file


def list_bill_rows(
    bill_id: int,
    *,
    state: LineState | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[BillRow]:
    """Return lines of a bill, newest first; keyset by `before_id`."""
    rows = BillRow.objects.filter(bill_id=bill_id)
    if state is not None:
        rows = rows.filter(state=state)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows.order_by("-id")[:limit])


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases are asked for."""

    state: int | None = None
    kind: int | None = None
    gateway_id: int | None = None
    bill_id: int | None = None
    text: str = ""


def list_cases(wanted: CaseFilter, *, before_id: int | None = None, limit: int = 50) -> list[Case]:
    """Return cases of the site in force, newest first; keyset by `before_id`."""
    rows = Case.objects.select_related("bill").order_by("-id")
    for name in ("state", "kind", "gateway_id", "bill_id"):
        value = getattr(wanted, name)
        if value is not None:
            rows = rows.filter(**{name: value})
    if wanted.text:
        number = CASE_NO.fullmatch(wanted.text.strip())
        matches = Q(own_no=wanted.text) | Q(external_no=wanted.text)
        rows = rows.filter(matches | Q(id=int(number[1]))) if number else rows.filter(matches)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def list_case_notes(case_id: int) -> list[CaseNote]:
    """Return what was said and done about a case, oldest first."""
    return list(CaseNote.objects.filter(case_id=case_id).order_by("id"))


def count_waiting_cases() -> int:
    """Return how many differences of the site in force wait for a person."""
    return int(Case.objects.filter(state=CaseState.OPEN).count())


def sum_open_stakes() -> int:
    """Return what the open differences of the site in force come to, each without its sign."""
    rows = Case.objects.filter(state=CaseState.OPEN, stake_amount__gt=0)
    more = rows.aggregate(total=Sum("stake_amount"))["total"] or 0
    rows = Case.objects.filter(state=CaseState.OPEN, stake_amount__lt=0)
    less = rows.aggregate(total=Sum("stake_amount"))["total"] or 0
    return int(more - less)


def list_month_closes() -> list[MonthClose]:
    """Return the closed months of the site in force, newest first."""
    return list(MonthClose.objects.order_by("-month"))


def find_month_close(month: dt.date) -> MonthClose | None:
    """Return a closed month of the site in force, or None."""
    return MonthClose.objects.filter(month=month.replace(day=1)).first()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMonth:
    """The days of a month on which one gateway account of the site took money."""

    gateway: Gateway
    compared_count: int
    uncompared_days: tuple[dt.date, ...]  # oldest first

    @property
    def name(self) -> str:
        """Return what staff call the account."""
        return str(self.gateway.label or self.gateway.name)


def list_account_months(since: dt.date, *, until: dt.date) -> dict[dt.date, list[AccountMonth]]:
    """Return the accounts that took money, by the first day of each month in between.

    Days by Beijing time, `until` left out; accounts of the site in force, whoever's orders they
    were paid for. A day counts as compared when its bill was; one without a bill does not.
    """
    gateways = {each.id: each for each in list_own_gateways()}
    taken = store.list_taken_days(
        list(gateways), since=rules.bounds_of(since)[0], until=rules.bounds_of(until)[0]
    )
    bills = Bill.objects.filter(day__gte=since, day__lt=until, state=BillState.MATCHED)
    compared = set(bills.values_list("gateway_id", "day"))
    days: dict[tuple[dt.date, int], list[dt.date]] = defaultdict(list)
    for gateway_id, day in sorted(taken):
        days[day.replace(day=1), gateway_id].append(day)
    months: dict[dt.date, list[AccountMonth]] = defaultdict(list)
    for gateway_id, gateway in gateways.items():
        for month in sorted(month for month, owner in days if owner == gateway_id):
            there = days[month, gateway_id]
            open_days = tuple(day for day in there if (gateway_id, day) not in compared)
            months[month].append(
                AccountMonth(
                    gateway=gateway,
                    compared_count=len(there) - len(open_days),
                    uncompared_days=open_days,
                )
            )
    return dict(months)


def count_open_days(since: dt.date, *, until: dt.date, accounts: Sequence[AccountMonth]) -> int:
    """Return how many days in between are not compared: bills that wait, and uncompared `accounts`.

    A day of a gateway counts once.
    """
    rows = Bill.objects.filter(day__gte=since, day__lt=until).exclude(state=BillState.MATCHED)
    waiting = set(rows.values_list("gateway_id", "day"))
    untold = {(each.gateway.id, day) for each in accounts for day in each.uncompared_days}
    return len(waiting | untold)


def count_open_cases_between(since: dt.date, *, until: dt.date) -> int:
    """Return how many differences of the days in between are open."""
    rows = Case.objects.filter(bill__day__gte=since, bill__day__lt=until)
    return int(rows.filter(state=CaseState.OPEN).count())


def find_bill(gateway_id: int, *, day: dt.date) -> Bill | None:
    """Return the bill of a gateway's day in the site in force, or None."""
    return Bill.objects.filter(gateway_id=gateway_id, day=day).first()


def today_there() -> dt.date:
    """Return today's day of bills: that of Beijing."""
    return rules.day_of(clock.now())


def has_bill_day(day: dt.date) -> bool:
    """Tell whether a day is over and not too long ago to be compared."""
    return rules.is_billable_day(day, now=clock.now())


def suggest_correction(case: Case) -> str:
    """Return what usually settles a case: query, book or note. A person decides."""
    return str(
        rules.suggest(
            case.kind,
            line_kind=case.line_kind,
            is_gone=case.gone_at is not None,
            is_found=case.found_day is not None,
            is_booked=case.booked_amount is not None,
        )
    )


def may_be_booked(case: Case) -> bool:
    """Tell whether the difference of a case can be written into the ledger, now."""
    return (
        case.state == CaseState.OPEN
        and case.kind in rules.BOOK_KINDS
        and bool(case.stake_amount)
        and case.gone_at is None
        and case.booked_amount is None
    )
