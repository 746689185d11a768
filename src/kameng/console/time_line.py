"""Time lines: what happened to a payment or a withdrawal, when and by whom.

Made of what is stored anyway: the moments of their rows, refunds, disputes, and the audit log. Who
did something at the main site is a name there and "the main site" to its sub-sites.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from kameng.accounts.models import Approval, ApprovalState
from kameng.accounts.selectors import list_every_approval_about
from kameng.console.audit_words import describe_action, describe_actor
from kameng.console.gateway_words import explain_said
from kameng.console.settlement_words import say_reason
from kameng.core.audit import list_entries_about
from kameng.core.scope import platform_scope
from kameng.payments.models import (
    Dispute,
    DisputeState,
    GatewayRefund,
    Payment,
    PaymentState,
    Proof,
    RefundState,
    Shortfall,
    ShortfallState,
)
from kameng.payments.services.second_person import PAYMENT_ACTS
from kameng.settlement.models import Approval as WithdrawalApproval
from kameng.settlement.models import Withdrawal, WithdrawalState
from kameng.web.templatetags.kameng import money

Text = str | Promise
REVIEW: Final = "a reviewer reads what was done about a withdrawal"

# how an act of the audit log is drawn; every other one is a person's, without a tone
LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "payment.queried": ("search", ""),
    "payment.vouched": ("user-check", "ok"),
    "payment.rest_asked": ("coin", "warn"),
    "payment.mismatch_returned": ("receipt-refund", "warn"),
    "payment.returned_by_hand": ("coin", "warn"),
    "payment.surplus_source": ("receipt-refund", ""),
    "payment.surplus_wallet": ("wallet", ""),
    "payment.surplus_hand": ("coin", ""),
    "payment.refund_hurried": ("refresh", ""),
    "dispute.won": ("circle-check", "ok"),
    "dispute.lost": ("alert-circle", "bad"),
    "settlement.withdrawal.refused": ("circle-x", "bad"),
    "settlement.withdrawal.taken_back": ("arrow-back-up", ""),
    "settlement.withdrawal.reopened": ("alert-triangle", "warn"),
    "settlement.payout.started": ("send", ""),
    "settlement.payout.returned": ("arrow-back-up", "bad"),
}
PROOFS: Final[Mapping[str, Text]] = {
    "callback": gettext_lazy("通道通知，签名正确"),
    "query": gettext_lazy("主动查询所得"),
    "staff": gettext_lazy("员工凭证据确认"),
}
SHORTFALL_ENDS: Final[Mapping[int, tuple[str, str, Text]]] = {
    ShortfallState.PAID: ("circle-check", "ok", gettext_lazy("买家补齐了差价")),
    ShortfallState.EXPIRED: ("clock", "warn", gettext_lazy("买家没有补差价，已付的退回")),
    ShortfallState.ENDED: ("circle-x", "", gettext_lazy("补差价已另行处理")),
}
APPROVAL_ENDS: Final[Mapping[int, tuple[str, str, str]]] = {
    ApprovalState.APPROVED: ("checks", "ok", "approval.given"),
    ApprovalState.REFUSED: ("circle-x", "bad", "approval.refused"),
    ApprovalState.WITHDRAWN: ("arrow-back-up", "", "approval.withdrawn"),
}
# state of an ended withdrawal → icon, tone, words, and the act that says the same with a name
WITHDRAWAL_ENDS: Final[Mapping[int, tuple[str, str, Text, str]]] = {
    WithdrawalState.PAID: ("circle-check", "ok", pgettext_lazy("act", "已打款"), ""),
    WithdrawalState.RETURNED: ("circle-check", "ok", pgettext_lazy("act", "已打款"), ""),
    WithdrawalState.FAILED: ("alert-circle", "bad", pgettext_lazy("act", "打款失败"), ""),
    WithdrawalState.REFUSED: (
        "circle-x",
        "bad",
        pgettext_lazy("act", "驳回提现"),
        "settlement.withdrawal.refused",
    ),
    WithdrawalState.TAKEN_BACK: (
        "arrow-back-up",
        "",
        pgettext_lazy("act", "撤回提现"),
        "settlement.withdrawal.taken_back",
    ),
}
# told by the rows themselves
TOLD: Final = frozenset({"settlement.withdrawal.requested", "settlement.withdrawal.approved"})
OWN_ACTS: Final = frozenset({"settlement.withdrawal.taken_back"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One moment as a time line shows it."""

    at: Any
    icon: str
    tone: str
    title: Text
    text: Text = ""
    actor: str = ""


def _newest_first(lines: Sequence[Line]) -> list[Line]:
    dated = [line for line in lines if line.at is not None]
    return sorted(dated, key=lambda line: line.at)[::-1]


def _joined(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)


def _acts(subjects: Sequence[tuple[str, str]], *, site_id: int) -> list[tuple[str, Line]]:
    """Return the acts of the audit log about these things, each with its code."""
    lines = []
    for entry in list_entries_about(subjects, site_id=site_id):
        icon, tone = LOOKS.get(entry.action, ("user-check", ""))
        amount = entry.detail.get("amount")
        line = Line(
            at=entry.created_at,
            icon=icon,
            tone=tone,
            title=describe_action(entry.action),
            text=_joined(
                money(amount) if isinstance(amount, int) else "", entry.detail.get("reason", "")
            ),
            actor="" if entry.actor_kind == "system" else _actor(entry),
        )
        lines.append((entry.action, line))
    return lines


def _actor(entry: Any) -> str:
    return describe_actor(entry.actor_kind, entry.actor_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPast:
    """What is known of a payment's past beside the audit log."""

    payment: Payment
    proof: Proof | None
    refunds: Sequence[GatewayRefund]
    disputes: Sequence[Dispute]
    shortfall: Shortfall | None


def payment_lines(past: PaymentPast) -> list[Line]:
    """Return what happened to a payment of the site in force, newest first."""
    payment = past.payment
    subjects = [("payment", payment.payment_no), ("payment", str(payment.id))]
    subjects += [("refund", each.refund_no) for each in past.refunds]
    subjects += [("dispute", each.dispute_no) for each in past.disputes]
    acts = _acts(subjects, site_id=payment.site_id)
    told = {action for action, _line in acts}
    opened = pgettext_lazy("act", "发起支付")
    lines = [Line(at=payment.created_at, icon="credit-card", tone="", title=opened)]
    lines += [line for _action, line in acts]
    lines.append(_received(payment, past.proof))
    closed = pgettext_lazy("act", "支付关闭")
    lines.append(Line(at=payment.closed_at, icon="circle-x", tone="", title=closed))
    for refund in past.refunds:
        lines += _refund_lines(refund)
    for dispute in past.disputes:
        lines += _dispute_lines(dispute, told)
    if past.shortfall is not None and past.shortfall.state in SHORTFALL_ENDS:
        icon, tone, title = SHORTFALL_ENDS[past.shortfall.state]
        lines.append(Line(at=past.shortfall.closed_at, icon=icon, tone=tone, title=title))
    for approval in list_every_approval_about(PAYMENT_ACTS, about_id=payment.id):
        lines += _approval_lines(approval)
    return _newest_first(lines)


def _received(payment: Payment, proof: Proof | None) -> Line:
    is_odd = payment.state == PaymentState.MISMATCHED
    odd = pgettext("act", "重复收款") if payment.is_second else pgettext("act", "收到的金额不符")
    return Line(
        at=payment.confirmed_at,
        icon="alert-triangle" if is_odd else "circle-check",
        tone="warn" if is_odd else "ok",
        title=odd if is_odd else pgettext("act", "确认收款"),
        text=_joined(
            money(payment.received_amount or 0), PROOFS.get(proof.source, "") if proof else ""
        ),
    )


def _refund_lines(refund: GatewayRefund) -> list[Line]:
    is_refused = refund.state == RefundState.REFUSED
    return [
        Line(
            at=refund.created_at,
            icon="receipt-refund",
            tone="bad" if is_refused else "warn",
            title=pgettext("act", "请支付通道退款"),
            text=_joined(
                money(refund.amount),
                refund.reason,
                _("通道拒绝：") + explain_said(refund.last_error) if is_refused else "",
            ),
        ),
        Line(
            at=refund.done_at,
            icon="receipt-refund",
            tone="ok",
            title=pgettext("act", "退款完成"),
            text=money(refund.amount),
        ),
    ]


def _dispute_lines(dispute: Dispute, told: set[str]) -> list[Line]:
    lines = []
    if "dispute.opened" not in told:
        title = pgettext("act", "付款人提出争议")
        text = _joined(money(dispute.amount), dispute.reason)
        lines.append(
            Line(at=dispute.created_at, icon="alert-triangle", tone="bad", title=title, text=text)
        )
    end = "dispute.lost" if dispute.state == DisputeState.LOST else "dispute.won"
    if dispute.state != DisputeState.OPEN and end not in told:
        icon, tone = LOOKS[end]
        lines.append(Line(at=dispute.closed_at, icon=icon, tone=tone, title=describe_action(end)))
    return lines


def _approval_lines(approval: Approval) -> list[Line]:
    lines = [
        Line(
            at=approval.created_at,
            icon="user-check",
            tone="warn",
            title=describe_action("approval.asked"),
            text=_joined(money(approval.amount), approval.reason),
            actor=approval.asked_by,
        )
    ]
    if approval.state in APPROVAL_ENDS:
        icon, tone, action = APPROVAL_ENDS[ApprovalState(approval.state)]
        lines.append(
            Line(
                at=approval.decided_at,
                icon=icon,
                tone=tone,
                title=describe_action(action),
                text=approval.decision_note,
                actor=approval.decided_by,
            )
        )
    return lines


def withdrawal_lines(
    row: Withdrawal, *, approvals: Sequence[WithdrawalApproval], is_reviewer: bool
) -> list[Line]:
    """Return what happened to a withdrawal, newest first.

    For a reviewer in the scope of the main site, with names; else of the site that asked, where
    what the main site did carries no name.
    """
    about = [("withdrawal", row.withdrawal_no)]
    with platform_scope(REVIEW) if is_reviewer else nullcontext():  # acts belong to who asked
        acts = _acts(about, site_id=row.site_id)
    told = {action for action, _line in acts}
    title = describe_action("settlement.withdrawal.requested")
    lines = [
        Line(
            at=row.created_at,
            icon="plus",
            tone="",
            title=title,
            text=money(row.amount),
            actor=row.asked_by,
        )
    ]
    main = "" if is_reviewer else _("主站")
    for each in approvals:
        title = describe_action("settlement.withdrawal.approved")
        by = main or each.user_name
        lines.append(Line(at=each.created_at, icon="check", tone="ok", title=title, actor=by))
    for action, line in acts:
        if action not in TOLD:
            lines.append(line if is_reviewer or action in OWN_ACTS else _unnamed(line, main))
    if is_reviewer and row.batch is not None:
        title, text = describe_action("settlement.batch.made"), row.batch.batch_no
        at, by = row.batch.created_at, row.batch.made_by
        lines.append(Line(at=at, icon="file-text", tone="", title=title, text=text, actor=by))
    return _newest_first([*lines, *_withdrawal_ends(row, told)])


def _unnamed(line: Line, name: str) -> Line:
    return Line(
        at=line.at,
        icon=line.icon,
        tone=line.tone,
        title=line.title,
        text=line.text,
        actor=name if line.actor else "",
    )


def _withdrawal_ends(row: Withdrawal, told: set[str]) -> list[Line]:
    lines = []
    if row.state in WITHDRAWAL_ENDS:
        icon, tone, title, action = WITHDRAWAL_ENDS[WithdrawalState(row.state)]
        is_paid = row.state in {WithdrawalState.PAID, WithdrawalState.RETURNED}
        text = _joined(money(row.payout_amount), row.external_no) if is_paid else say_reason(row)
        if action not in told:
            lines.append(Line(at=row.ended_at, icon=icon, tone=tone, title=title, text=text))
    if "settlement.payout.returned" not in told:
        title = pgettext("act", "打款被退回")
        lines.append(
            Line(
                at=row.returned_at,
                icon="arrow-back-up",
                tone="bad",
                title=title,
                text=say_reason(row),
            )
        )
    return lines
