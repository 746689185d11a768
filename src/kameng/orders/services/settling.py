"""Changing how a sub-site's sales are settled: only when nobody's money would change its keeper."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from kameng.core.audit import Actor
from kameng.ledger.selectors import wallets_total
from kameng.orders.models import Order
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.errors import SettlementWayInvalid
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.services import lock_site, set_settlement_way


def switch_settlement(*, site_id: int, way: SettlementWay, reason: str, actor: Actor) -> None:
    """Change the way of settling of the sub-site in force; audited.

    Orders that stand already keep theirs. To or from prepaid wholesale only while no customer holds
    a balance (whose money would lie with another from then on) and no paid order waits for the
    prepaid balance. Raises `SettlementWayInvalid`. Locks the site.
    """
    with transaction.atomic():
        site = lock_site(site_id)
        if site.is_main:
            raise SettlementWayInvalid(why=_("主站没有结算方式。"))
        if site.settlement_way == way:
            return
        if SettlementWay.PREPAID in {way, site.settlement_way}:
            _check_nobody_is_owed()
        set_settlement_way(site_id=site_id, way=way, reason=reason, actor=actor)


def _check_nobody_is_owed() -> None:
    held = wallets_total()
    if held:
        text = _("客户余额里还有 ¥%(amount)s，换人收款后这笔钱不在新的收款人手里。请先退回或用完。")
        raise SettlementWayInvalid(why=text % {"amount": format_yuan(Amount(held))})
    if Order.objects.filter(state=1, wallet_amount__gt=0).exists():
        raise SettlementWayInvalid(why=_("还有未付款订单预扣着余额，请等它们付款或取消。"))
    if Order.objects.filter(awaits_prepaid=True, state=2).exists():
        raise SettlementWayInvalid(why=_("还有已付款订单在等预存款，请先预存或退款。"))
