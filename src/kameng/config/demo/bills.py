"""Bills of the demo's last days, as the gateways would give them, with believable differences.

The bills are taken in as a person uploads them, and the differences settled by the real services:
one closed with its grounds, one booked, the rest open.
"""

import datetime as dt
from dataclasses import dataclass

from kameng.config.demo.shops import Shop
from kameng.core.scope import platform_scope
from kameng.payments.models import Gateway, GatewayRefund, Payment, PaymentState, RefundState
from kameng.payments.selectors import list_own_gateways
from kameng.pricing.money import Amount, format_yuan
from kameng.reconciliation.models import CaseKind, CaseState
from kameng.reconciliation.rules import BEIJING, bounds_of, day_of
from kameng.reconciliation.selectors import CaseFilter, list_cases
from kameng.reconciliation.services.deciding import assign_case, book_case, close_case, note_case
from kameng.reconciliation.services.fetching import upload_bill
from kameng.tenancy.selectors import site_scope

DAYS = 9
HEADING = "商户订单号,交易流水号,业务类型,订单金额,手续费,完成时间"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One line of a bill before it is written."""

    number: str
    external_no: str
    kind: str
    amount: int
    fee_amount: int
    at: dt.datetime

    def text(self, *, fee_more: int = 0) -> str:
        """Return the line as the gateway's page exports it."""
        return ",".join(
            (
                self.number,
                self.external_no,
                self.kind,
                format_yuan(Amount(self.amount)),
                format_yuan(Amount(self.fee_amount + fee_more)),
                f"{self.at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}",
            )
        )


def bring_bills(shop: Shop, *, now: dt.datetime) -> None:
    """Take in the bills of the last days of a shop's own gateways, settle some of what differs."""
    with site_scope(shop.site_id):
        gateways = list_own_gateways()
    today = day_of(now)
    for number, gateway in enumerate(gateways):
        for back in range(DAYS, 0, -1):
            _bring(shop, gateway, today - dt.timedelta(days=back), is_odd=(back + number) % 4 == 2)
    _settle(shop)


def _bring(shop: Shop, gateway: Gateway, day: dt.date, *, is_odd: bool) -> None:
    lines = [entry.text() for entry in _entries(gateway, day)]
    entries = _entries(gateway, day)
    if is_odd and len(entries) >= 4:
        lines[1] = entries[1].text(fee_more=1_200)  # a dearer way to pay than agreed
        del lines[-1]  # on no bill
        lines.append(f"9{day:%y%m%d}0001,T{day:%Y%m%d}7719,收款码,18.80,0.11,{day} 15:21:07")
    data = "\n".join((HEADING, *lines, "")).encode("gb18030")
    with site_scope(shop.site_id):
        upload_bill(
            gateway_id=gateway.id,
            day=day,
            data=data,
            name=f"{gateway.kind}-{day:%Y%m%d}.csv",
            actor=shop.owner,
        )


def _entries(gateway: Gateway, day: dt.date) -> list[_Entry]:
    since, until = bounds_of(day)
    with platform_scope("bills of the demo"):
        payments = Payment.unscoped.filter(
            gateway_id=gateway.id,
            state__in=(PaymentState.CONFIRMED, PaymentState.MISMATCHED),
            confirmed_at__gte=since,
            confirmed_at__lt=until,
        )
        refunds = GatewayRefund.unscoped.filter(
            payment__gateway_id=gateway.id,
            state=RefundState.DONE,
            done_at__gte=since,
            done_at__lt=until,
        )
        found = [
            _Entry(
                number=each.payment_no,
                external_no=each.external_no or "",
                kind="支付",
                amount=each.received_amount or each.amount,
                fee_amount=each.fee_amount,
                at=each.confirmed_at or since,
            )
            for each in payments
        ]
        found += [
            _Entry(
                number=each.refund_no,
                external_no="",
                kind="退款",
                amount=each.amount,
                fee_amount=0,
                at=each.done_at or since,
            )
            for each in refunds
        ]
    return sorted(found, key=lambda entry: (entry.at, entry.number))


def _settle(shop: Shop) -> None:
    """Deal with the older differences as staff would, and leave the newest open."""
    actor = shop.owner
    with site_scope(shop.site_id):
        waiting = list_cases(CaseFilter(state=CaseState.OPEN), limit=200)
        by_kind = {kind: [each for each in waiting if each.kind == kind] for kind in CaseKind}
        for case in by_kind[CaseKind.MISSING_HERE][1:]:
            close_case(case_id=case.id, reason="店里的收款码，不经过网店，已登记", actor=actor)
        for case in by_kind[CaseKind.FEE_DIFFERS][1:]:
            book_case(case_id=case.id, reason="信用卡付款费率 0.8%，通道已确认", actor=actor)
        for case in by_kind[CaseKind.MISSING_THERE][:1]:
            assign_case(
                case_id=case.id,
                assignee_id=int(actor.actor_id or 0),
                assignee_name=actor.name,
                actor=actor,
            )
            note_case(case_id=case.id, text="已向通道提交工单，等答复", actor=actor)
