"""A customer who fills the wallet, and a gateway that gives money back as a test wants it."""

from dataclasses import dataclass, field
from typing import Any

from kameng.accounts.models import Customer
from kameng.core.audit import Actor
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.store import balance_of
from kameng.payments.models import GatewayRefund, Payment, TopUp
from kameng.payments.providers.port import (
    Confirmation,
    PaidStatus,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.services.bonuses import BonusTerms, add_bonus_rule
from kameng.payments.services.confirming import confirm_payment
from kameng.payments.services.paying import start_top_up
from kameng.payments.services.refunding import ask_refund
from kameng.payments.services.returning import Returnable, list_returnable
from kameng.payments.store import Confirmed
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import get_site_view, scope_of, site_scope
from kameng.tenancy.services import change_settings
from tests.concurrency.shop import STAFF, Shop
from tests.factories import next_number

BO = Actor(kind="user", actor_id=2, name="Bo")
YUAN = 10_000


@dataclass
class RefundDesk:
    """A gateway that answers refunds as told; `asked` are the numbers that it was asked for."""

    status: RefundStatus = RefundStatus.DONE
    reason: str = ""
    supports_refund: bool = True
    supports_partial_refund: bool = True
    asked: list[str] = field(default_factory=list)

    def refund(self, _config: object, request: RefundRequest) -> RefundOutcome:
        self.asked.append(request.refund_no)
        return RefundOutcome(status=self.status, reason=self.reason)

    def query_refund(self, config: object, request: RefundRequest) -> RefundOutcome:
        return self.refund(config, request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """One customer of the shop's site with his wallet."""

    shop: Shop
    customer: Customer

    @property
    def held(self) -> int:
        with site_scope(self.shop.site.id):
            return wallet_amount(self.customer.id)

    def begin(self, amount: int, *, key: str = "") -> tuple[TopUp, Payment]:
        with site_scope(self.shop.site.id):
            return start_top_up(
                customer_id=self.customer.id,
                amount=amount,
                choice=self.shop.choice,
                idempotency_key=key or f"fill-{next_number():08d}",
            )

    def fill(self, amount: int) -> TopUp:
        """Put money in and pay it at once; return the top-up as it stands."""
        top_up, payment = self.begin(amount)
        pay(payment)
        return self.fresh(top_up)

    def fresh(self, top_up: TopUp) -> TopUp:
        with site_scope(self.shop.site.id):
            found: TopUp = TopUp.objects.get(id=top_up.id)
        return found

    def returnable(self) -> list[Returnable]:
        with site_scope(self.shop.site.id):
            return list_returnable(self.customer.id)


def pay(payment: Payment, *, amount: int | None = None, external_no: str = "") -> Confirmed:
    """Confirm a payment as its gateway's answer to a query does."""
    return confirm_payment(
        Confirmation(
            payment_no=payment.payment_no,
            external_no=external_no or f"EXT{payment.payment_no}",
            amount=Amount(payment.amount if amount is None else amount),
            status=PaidStatus.PAID,
            paid_at=None,
            payer="",
            raw_digest="00" * 32,
        ),
        gateway_id=payment.gateway_id,
        source="query",
        scope=scope_of(get_site_view(payment.site_id)),
    )


def set_rules(shop: Shop, **changes: object) -> None:
    """Change settings of the shop's site."""
    with site_scope(shop.site.id):
        change_settings(site_id=shop.site.id, changes=changes, actor=STAFF)


def give(shop: Shop, **terms: Any) -> int:
    """Let the shop give a bonus; return the rule's id."""
    values: dict[str, Any] = {"bonus_amount": 0, "bonus_bps": 0, "is_once": False}
    with site_scope(shop.site.id):
        return int(add_bonus_rule(BonusTerms(**{**values, **terms}), actor=STAFF).id)


def ask_gateways(shop: Shop) -> None:
    """Ask the gateway for every refund of the shop's site that waits."""
    with site_scope(shop.site.id):
        for refund_id in list(GatewayRefund.objects.filter(state=1).values_list("id", flat=True)):
            ask_refund(refund_id)


def balance(kind: AccountKind, owner_id: int) -> int:
    """Return credits minus debits of an account."""
    return balance_of(account_id(kind, owner_id))
