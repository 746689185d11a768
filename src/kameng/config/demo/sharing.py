"""The demo's splits: the operator's accounts at the gateways, and the shares that fell due.

Through the services that the worker uses, against the running simulator, after the history was
dated.
"""

from collections.abc import Sequence

from kameng.config.demo.dating import date_receivers, date_shares
from kameng.config.demo.diary import Diary
from kameng.config.demo.shops import Shop
from kameng.settlement.models import Terms
from kameng.settlement.services.receivers import ReceiverWish, add_split_receiver, list_splitters
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.settlement.services.splitting import ask_due_splits, free_due_payments
from kameng.tenancy.selectors import site_scope

# By the gateway's name: kind of account and account. The gateway that is left out has none yet, so
# its shares wait.
RECEIVERS = {
    "微信支付": ("MERCHANT_ID", "1610000088"),
    "支付宝": ("userId", "2088123412341234"),
    "支付宝网页": ("userId", "2088123412341234"),
}


def share_out_margins(shops: Sequence[Shop], diary: Diary) -> int:
    """Enter receivers of who is settled by splits, hand over what is due; return how many."""
    for shop in shops:
        if "split_days" in shop.plan:
            _enter_receivers(shop)
    date_receivers(diary)
    looked_at = 0
    for step in (reserve_due_splits, ask_due_splits, free_due_payments):
        while count := step():
            looked_at += count
    date_shares(hold_hours=Terms().hold_hours)
    return looked_at


def _enter_receivers(shop: Shop) -> None:
    with site_scope(shop.site_id):
        for gateway in list_splitters():
            if gateway.name in RECEIVERS:
                kind, account = RECEIVERS[gateway.name]
                wish = ReceiverWish(
                    gateway_id=gateway.gateway_id, kind=kind, account=account, name=shop.owner.name
                )
                add_split_receiver(wish=wish, actor=shop.owner)
