"""The repairs that operators ask for on one order: each a post, by right, with a reason, audited.

A refusal shows the order again with the dialog open and what was typed kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from kameng.accounts.models import Approval
from kameng.console.answers import done, run_form, status_of
from kameng.console.errors import PermissionMissing
from kameng.console.forms import orders as order_forms
from kameng.console.order_page import order_context
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.console.views.orders import get_order_of_page
from kameng.core.audit import Actor
from kameng.orders.models import Order, OrderRefundState, RefundTo
from kameng.orders.services.approving import refund_or_ask, settle_or_ask
from kameng.orders.services.closing import cancel_order
from kameng.orders.services.delivering import (
    deliver_by_hand,
    deliver_from_stock,
    replace_cards,
    resend_goods,
    write_note,
)
from kameng.orders.services.opening import carry_out
from kameng.orders.services.refunding import RefundWish
from kameng.orders.services.showing import reveal_contact, reveal_goods
from kameng.payments.errors import PaymentNotFound
from kameng.payments.models import Purpose
from kameng.payments.providers.port import PaidStatus
from kameng.payments.selectors import get_payment
from kameng.payments.services.confirming import confirm_by_staff
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.selectors import SiteView

Values = Mapping[str, Any]
Said = str | Promise
WAITING: Final[Said] = _("金额超过门槛，已提交复核，等另一位同事处理。")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One act: who may, what is asked, what is done. `run` returns what to say afterwards."""

    permission: str
    form: type[forms.Form]
    run: Callable[[Order, Values, Actor], Said]


def _resend(order: Order, values: Values, actor: Actor) -> Said:
    resend_goods(order_id=order.id, actor=actor)
    return _("已重发通知：站内信马上可见，有邮箱的买家会再收到一封邮件。")


def _replace(order: Order, values: Values, actor: Actor) -> Said:
    replace_cards(order_id=order.id, key_id=values["key_id"], reason=values["reason"], actor=actor)
    return _("已换一张新卡密并通知买家，旧的作废。")


def _deliver(order: Order, values: Values, actor: Actor) -> Said:
    deliver_by_hand(order_id=order.id, content=values["content"], actor=actor)
    return _("已发货并通知买家。")


def _stock(order: Order, values: Values, actor: Actor) -> Said:
    deliver_from_stock(order_id=order.id, actor=actor)
    return _("已从库存发货并通知买家。")


def _open(order: Order, values: Values, actor: Actor) -> Said:
    done = carry_out(order.id)
    write_note(order_id=order.id, text=_now("再试开通"), actor=actor)
    if done.done_at is None:
        return _("还是没能自动办好，原因见订单经过。可以请买家换个网址，或退款。")
    return _("已办好并通知买家。")


def _cancel(order: Order, values: Values, actor: Actor) -> Said:
    cancel_order(order=order, actor=actor)
    write_note(order_id=order.id, text=values["reason"], actor=actor)
    return _("订单已取消，占用的库存已放回。")


def _refund(order: Order, values: Values, actor: Actor) -> Said:
    refund = refund_or_ask(
        order_id=order.id,
        wish=RefundWish(
            amount=values["amount"],
            refund_to=RefundTo(int(values["refund_to"])),
            reason=values["reason"],
            idempotency_key=values["idempotency_key"],
        ),
        actor=actor,
    )
    if isinstance(refund, Approval):
        return WAITING
    said = {"amount": format_yuan(Amount(refund.whole_amount))}
    if refund.refund_to == RefundTo.HAND:
        return _now("已记下线下退款 ¥%(amount)s。") % said
    if refund.state == OrderRefundState.DONE:
        return _now("已退 ¥%(amount)s 到客户余额。") % said
    return _now("已请支付通道退回 ¥%(amount)s，到账后这里会更新。") % said


def _settle(order: Order, values: Values, actor: Actor) -> Said:
    settled = settle_or_ask(
        refund_id=values["refund_id"], way=values["way"], reason=values["reason"], actor=actor
    )
    if isinstance(settled, Approval):
        return WAITING
    return _("退款已按您的选择处理。")


def _note(order: Order, values: Values, actor: Actor) -> Said:
    write_note(order_id=order.id, text=values["text"], actor=actor)
    return _("备注已记下。")


def _query(order: Order, values: Values, actor: Actor) -> Said:
    payment = get_payment(values["payment_id"])
    if payment.purpose != Purpose.ORDER or payment.subject_id != order.id:
        raise PaymentNotFound
    return ANSWERS[confirm_by_staff(payment_id=payment.id, actor=actor)]


ANSWERS: Final[Mapping[PaidStatus, Said]] = {
    PaidStatus.PAID: _("支付通道说已收款，付款已确认，订单已更新。"),
    PaidStatus.PENDING: _("支付通道说买家还没有付款，订单没有变化。"),
    PaidStatus.CLOSED: _("支付通道说这笔支付已关闭，订单没有变化。"),
    PaidStatus.NOT_FOUND: _("支付通道没有这笔支付的记录，买家多半没有打开付款页。"),
}

REPAIRS: Final[Mapping[str, Repair]] = {
    "resend": Repair(permission="orders.repair", form=order_forms.EmptyForm, run=_resend),
    "replace": Repair(permission="orders.repair", form=order_forms.ReplaceForm, run=_replace),
    "deliver": Repair(permission="orders.repair", form=order_forms.HandForm, run=_deliver),
    "stock": Repair(permission="orders.repair", form=order_forms.EmptyForm, run=_stock),
    "open": Repair(permission="orders.repair", form=order_forms.EmptyForm, run=_open),
    "cancel": Repair(permission="orders.repair", form=order_forms.CancelForm, run=_cancel),
    "query": Repair(permission="orders.repair", form=order_forms.QueryPaymentForm, run=_query),
    "note": Repair(permission="orders.repair", form=order_forms.NoteForm, run=_note),
    "refund": Repair(permission="orders.refund", form=order_forms.RefundForm, run=_refund),
    "settle": Repair(permission="orders.refund", form=order_forms.SettleForm, run=_settle),
}


@console_page("orders.view")
def repair(request: ConsoleRequest, site: SiteView, order_no: str, act: str) -> HttpResponse:
    """Do one act on an order, or show the order again with why it was refused."""
    wanted = REPAIRS.get(act)
    if wanted is None:
        raise Http404
    order_url = reverse("console:order", args=[site.slug, order_no])
    if request.method != "POST":
        return HttpResponseRedirect(order_url)
    if not request.person.can(wanted.permission, site.site_id):
        raise PermissionMissing
    order = get_order_of_page(order_no)
    form = wanted.form(request.POST)
    said = run_form(form, lambda: wanted.run(order, form.cleaned_data, actor_of(request)))
    if said is None:
        context = order_context(get_order_of_page(order_no), site=site, bound={act: form})
        return show(request, "console/orders/detail.html", context, status=status_of(form))
    return done(request, str(said), to=order_url)


@console_page("keys.reveal")
def reveal(request: ConsoleRequest, site: SiteView, order_no: str) -> HttpResponse:
    """Show the goods of an order in clear, once, on record."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("console:order", args=[site.slug, order_no]))
    order = get_order_of_page(order_no)
    goods = reveal_goods(order_id=order.id, actor=actor_of(request))
    return _secret_page(request, order_context(order, site=site, clear_goods=goods))


@console_page("customers.edit")
def reveal_buyer(request: ConsoleRequest, site: SiteView, order_no: str) -> HttpResponse:
    """Show the contact of an order in clear, once, on record."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("console:order", args=[site.slug, order_no]))
    order = get_order_of_page(order_no)
    contact = reveal_contact(order_id=order.id, actor=actor_of(request))
    return _secret_page(request, order_context(order, site=site, clear_contact=contact))


def _secret_page(request: ConsoleRequest, context: dict[str, Any]) -> HttpResponse:
    response = show(request, "console/orders/detail.html", context)
    response["Cache-Control"] = "no-store"
    return response
