"""Comparing a stored bill with the books. A difference becomes a case; nothing is corrected."""

import datetime as dt

from django.db import transaction

from kameng.core import clock
from kameng.reconciliation import errors, rules, store
from kameng.reconciliation.books import told_kinds
from kameng.reconciliation.models import Bill, BillFile, BillState
from kameng.reconciliation.store import Matched, Window

ONE_DAY = dt.timedelta(days=1)


def match_bill(bill_id: int) -> Matched:
    """Compare a bill of the site in force with the books; again after something was put right.

    What was booked near midnight may stand on the neighbour's bill: it is asked of the later one,
    which is therefore compared again when it came first. Raises `BillNotFound`.
    """
    bill: Bill | None = Bill.objects.filter(id=bill_id).first()
    if bill is None or bill.fetched_at is None:
        raise errors.BillNotFound
    with transaction.atomic():
        matched = _match(bill)
        following = Bill.objects.filter(
            gateway_id=bill.gateway_id, day=bill.day + ONE_DAY, matched_at__isnull=False
        ).first()
        if following is not None:
            _match(following)
    return matched


def _match(bill: Bill) -> Matched:
    matched = store.match_lines(
        site_id=bill.site_id,
        bill_id=bill.id,
        gateway_id=bill.gateway_id,
        day=bill.day,
        window=_window_of(bill),
    )
    Bill.objects.filter(id=bill.id).update(
        state=BillState.MATCHED,
        matched_at=clock.now(),
        matched_count=matched.matched_count,
        carried_count=matched.carried_count,
        uncompared_count=matched.uncompared_count,
    )
    return matched


def _window_of(bill: Bill) -> Window:
    begin, end = rules.bounds_of(bill.day)
    is_continued = Bill.objects.filter(
        gateway_id=bill.gateway_id, day=bill.day - ONE_DAY, matched_at__isnull=False
    ).exists()
    files = BillFile.objects.filter(bill_id=bill.id)
    is_fetched = files.filter(received_by="").exists()
    tells_trades = files.filter(is_account=False).exists()
    edge = rules.TOLERANCE
    return Window(
        seen_from=begin - edge,
        seen_until=end,
        must_from=begin - edge if is_continued else begin + edge,
        must_until=end - edge,
        must_kinds=told_kinds(is_fetched=is_fetched) if tells_trades else [],
        near_bill_ids=list(
            Bill.objects.filter(
                gateway_id=bill.gateway_id,
                day__range=(bill.day - rules.NEAR, bill.day + rules.NEAR),
            )
            .exclude(id=bill.id)
            .values_list("id", flat=True)
        ),
    )
