"""The demo's operator who takes the buyers' money himself: wholesale is paid in ahead as it sells.

The first time by bank transfer, which the main site books; then through a gateway of the main site,
whenever little is left. The last days only a little at a time, so that the balance has run low.
"""

import datetime as dt
import secrets

from kameng.config.demo.shops import Shop
from kameng.ledger.selectors import prepaid_balance
from kameng.payments.models import Payment, PrepaidIn
from kameng.payments.selectors import PayChoice, list_pay_choices
from kameng.payments.services.prepaying import book_prepaid, start_prepaid
from kameng.payments.services.watching import watch_prepaid
from kameng.pricing.money import SCALE
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.services import change_settings

FIRST_AMOUNT = 20_000 * SCALE
NEXT_AMOUNT, NEXT_BELOW = 12_000 * SCALE, 6_000 * SCALE
LAST_AMOUNT, LAST_BELOW = 2_500 * SCALE, 1_800 * SCALE
LEAST_LEFT = 2_000 * SCALE
LAST_DAYS = dt.timedelta(days=6)  # of the history: little at a time
STEP = 500 * SCALE  # operators watch round amounts


def book_first(shop: Shop, *, main: Shop) -> PrepaidIn:
    """Let the main site book the transfer with which an operator began; in the operator's scope."""
    return book_prepaid(
        site_id=shop.site_id,
        amount=FIRST_AMOUNT,
        reason="首次预存，对公转账回单 20260826-017",
        idempotency_key="demo-first",
        actor=main.owner,
    )


def pay_in(shop: Shop, *, main: Shop, is_late: bool) -> tuple[PrepaidIn, Payment, PayChoice] | None:
    """Begin a payment into the balance of the site in force if little is left, else None."""
    amount, below = (LAST_AMOUNT, LAST_BELOW) if is_late else (NEXT_AMOUNT, NEXT_BELOW)
    if prepaid_balance(shop.site_id).usable_amount >= below:
        return None
    choices = list_pay_choices(get_site_view(main.site_id))
    choice = next(each for each in choices if (each.kind, each.method) == ("alipay", "qr"))
    paid_in, payment = start_prepaid(
        site_id=shop.site_id,
        amount=amount,
        choice=choice,
        idempotency_key=secrets.token_hex(12),
        actor=shop.owner,
    )
    return paid_in, payment, choice


def watch_closely(shop: Shop, *, main: Shop) -> None:
    """Let the operator watch for an amount that the balance is below now, and be told of it.

    Enough is left, by a last transfer if need be, that whoever looks at the shop can buy in it.
    """
    with site_scope(shop.site_id):
        if prepaid_balance(shop.site_id).usable_amount < LEAST_LEFT:
            book_prepaid(
                site_id=shop.site_id,
                amount=LEAST_LEFT,
                reason="对公转账回单 20261127-052",
                idempotency_key="demo-last",
                actor=main.owner,
            )
        left = max(prepaid_balance(shop.site_id).usable_amount, 0)
        alert = (left // STEP + 2) * STEP
        change_settings(
            site_id=shop.site_id, changes={"prepaid_alert_amount": alert}, actor=shop.owner
        )
    watch_prepaid()
