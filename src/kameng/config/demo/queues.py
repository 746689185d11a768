"""What waits for a person at the end of the demo: one of each case, by the services of the shop.

Odd payments, a dispute, a wish for a second person, a top-up on its way back, and rules of
bonuses. The simulator does not know of the odd ones: whoever returns them sees a gateway refuse.
"""

import datetime as dt
import secrets

from kameng.accounts.models import Customer, Role, SiteRole
from kameng.accounts.rules import permissions_of
from kameng.accounts.services.custom_roles import RoleWish, make_custom_role
from kameng.accounts.services.joining import InvitationWish, make_invitation
from kameng.accounts.services.marking import mark_named
from kameng.config.demo.shops import Shop
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.ledger.selectors import wallet_amounts
from kameng.orders.models import Order, OrderState
from kameng.payments.models import Payment
from kameng.payments.providers.port import Confirmation, PaidStatus
from kameng.payments.selectors import PayChoice, list_pay_choices
from kameng.payments.services.adjusting import Adjustment, adjust_or_ask
from kameng.payments.services.bonuses import BonusTerms, add_bonus_rule
from kameng.payments.services.confirming import confirm_payment
from kameng.payments.services.disputing import Complaint, file_dispute
from kameng.payments.services.paying import start_top_up
from kameng.payments.services.returning import ReturnWish, list_returnable, return_top_up
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import get_site_view, scope_of, site_scope

YUAN = 10_000


def fill_queues(shop: Shop) -> None:
    """Leave one of each case waiting on a shop's screens."""
    view = get_site_view(shop.site_id)
    with site_scope(shop.site_id):
        choice = next(each for each in list_pay_choices(view) if each.kind == "epay")
        give_bonuses(shop)
        show_staff(shop)
        first, second, third = _choose_customers()
        mark_named(third.id, is_named=True, reason="线下看过身份证原件", actor=shop.owner)
        _fill(first, choice, 30 * YUAN, paid=35 * YUAN)
        _fill(second, choice, 50 * YUAN, paid=49 * YUAN + 9_900)
        _fill(third, choice, 100 * YUAN, paid=100 * YUAN)
        unused = next(each for each in list_returnable(third.id) if each.amount >= 100 * YUAN)
        return_top_up(
            top_up_id=unused.top_up.id,
            wish=ReturnWish(
                amount=None, reason="客户申请退回", idempotency_key=secrets.token_hex(8)
            ),
            actor=shop.service,
        )
        _dispute(shop)
        large = Adjustment(
            customer_id=third.id, amount=2600 * YUAN, reason="线下对公转账充值，流水号 8841"
        )
        adjust_or_ask(large, actor=_finance_of(shop))


def _finance_of(shop: Shop) -> Actor:
    """Return who keeps the shop's money; the owner decides about what he asks for."""
    role = SiteRole.objects.select_related("user").filter(role=Role.FINANCE).first()
    if role is None:
        return shop.owner
    return Actor(kind="user", actor_id=role.user_id, name=role.user.display_name)


def show_staff(shop: Shop) -> None:
    """Let a shop have a role of its own and an invitation that waits."""
    holder = permissions_of(Role.OWNER)
    night = make_custom_role(
        RoleWish(
            name="夜班客服",
            note="晚上看订单、补发，看不到卡密。",
            permissions=frozenset(
                {"overview.view", "orders.view", "orders.repair", "goods.view", "customers.view"}
            ),
        ),
        holder=holder,
        actor=shop.owner,
    )
    make_invitation(
        InvitationWish(
            role=Role.CUSTOM, custom_role_id=night.id, login="xiaozhou@example.com", name="小周"
        ),
        holder=holder,
        actor=shop.owner,
    )


def _choose_customers() -> list[Customer]:
    """Return the three newest customers whose wallets have room."""
    newest = list(Customer.objects.order_by("-id")[:40])
    held = wallet_amounts([each.id for each in newest])
    return [each for each in newest if held[each.id] < 500 * YUAN][:3]


def give_bonuses(shop: Shop) -> None:
    """Let a shop give three bonuses, one of them for the first time only."""
    for terms in (
        BonusTerms(min_amount=50 * YUAN, bonus_amount=5 * YUAN, bonus_bps=0, is_once=True),
        BonusTerms(min_amount=100 * YUAN, bonus_amount=3 * YUAN, bonus_bps=0, is_once=False),
        BonusTerms(min_amount=500 * YUAN, bonus_amount=0, bonus_bps=500, is_once=False),
    ):
        add_bonus_rule(terms, actor=shop.owner)


def _fill(customer: Customer, choice: PayChoice, amount: int, *, paid: int) -> Payment:
    """Begin a top-up and let another amount, or the right one, arrive for it."""
    _top_up, payment = start_top_up(
        customer_id=customer.id,
        amount=amount,
        choice=choice,
        idempotency_key=f"demo-{secrets.token_hex(8)}",
    )
    external_no = f"{clock.now():%Y%m%d%H%M%S}{secrets.randbelow(10**10):010d}"
    confirm_payment(
        Confirmation(
            payment_no=payment.payment_no,
            external_no=external_no,
            amount=Amount(paid),
            status=PaidStatus.PAID,
            paid_at=clock.now(),
            payer="",
            raw_digest=secrets.token_hex(32),
        ),
        gateway_id=choice.gateway_id,
        source="callback",
        scope=scope_of(get_site_view(customer.site_id)),
    )
    return payment


def _dispute(shop: Shop) -> None:
    """The buyer of the newest delivered order that was paid online complains."""
    order = (
        Order.objects.filter(
            state=OrderState.DELIVERED, payment_id__isnull=False, refunded_amount=0
        )
        .order_by("-id")
        .first()
    )
    if order is None or order.payment_id is None:
        return
    complaint = Complaint(
        dispute_no=f"{clock.now():%Y%m%d}8841{secrets.randbelow(10**6):06d}",
        amount=order.total_amount,
        held_amount=0,
        reason="买家说没有收到卡密，要求退款",
        answer_by=clock.now() + dt.timedelta(days=1, hours=6),
    )
    file_dispute(payment_id=order.payment_id, complaint=complaint, actor=shop.owner)
