"""Any number that is printed anywhere: what carries it, on the site in force."""

from dataclasses import dataclass

from django.db.models import Q

from kameng.insight.order_search import find_order_by_number
from kameng.payments.models import Gateway, GatewayRefund, Payment, TopUp
from kameng.reconciliation.selectors import CaseFilter, list_cases

LEAST, MOST = 4, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A thing with a number: `kind` is order, payment, refund, top_up, case.

    `opens` is what its page is found by: the number of the order or payment, the customer's or the
    case's id.
    """

    kind: str
    number: str
    opens: str


def find_carriers(text: str, *, limit: int = 5) -> list[Carrier]:
    """Return what carries a whole number of any kind, on the site in force."""
    text = text.strip()
    if not LEAST <= len(text) <= MOST:
        return []
    found: list[Carrier] = []
    order = find_order_by_number(text)
    if order is not None:
        found.append(Carrier(kind="order", number=order.order_no, opens=order.order_no))
    gateways = list(Gateway.objects.values_list("id", flat=True))  # leads the index of external_no
    named = Q(payment_no=text) | Q(gateway_id__in=gateways, external_no=text)
    for payment in Payment.objects.filter(named)[:limit]:
        no = str(payment.payment_no)
        found.append(Carrier(kind="payment", number=no, opens=no))
    for refund in GatewayRefund.objects.filter(refund_no=text).select_related("payment")[:1]:
        payment_no = str(refund.payment.payment_no)
        found.append(Carrier(kind="refund", number=str(refund.refund_no), opens=payment_no))
    for top_up in TopUp.objects.filter(top_up_no=text)[:1]:
        opens = str(top_up.customer_id)
        found.append(Carrier(kind="top_up", number=str(top_up.top_up_no), opens=opens))
    for case in list_cases(CaseFilter(text=text), limit=limit):
        found.append(Carrier(kind="case", number=case.case_no, opens=str(case.id)))
    return found[: 2 * limit]
