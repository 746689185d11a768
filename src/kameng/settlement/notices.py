"""What operators are told about their withdrawals: e-mails, each once, to who asked for it."""

import datetime as dt
from collections.abc import Iterator, Sequence

from django.utils.translation import override

from kameng.accounts.selectors import list_staff_logins
from kameng.core.events import LoggedEvent
from kameng.messaging.models import Audience
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.pricing.money import Amount, format_yuan
from kameng.settlement.links import receive_url
from kameng.settlement.models import Withdrawal
from kameng.settlement.rules import State
from kameng.tenancy.addresses import Letterhead, list_letterheads
from kameng.tenancy.selectors import get_site_view

LANGUAGE = "zh-hans"
TOLD = frozenset(
    {State.PAID, State.REFUSED, State.FAILED, State.RETURNED}
)  # who took it back knows


def send_results(events: Sequence[LoggedEvent]) -> None:
    """Write the e-mails; call inside the consumer's transaction and platform scope."""
    ids = {event.subject_id for event in events}
    rows = Withdrawal.unscoped.filter(id__in=ids, state__in=TOLD).select_related("account")
    found = list(rows.order_by("id"))
    logins = list_staff_logins({row.asked_by_id for row in found if row.asked_by_id})
    heads = list_letterheads({row.site_id for row in found})
    with override(LANGUAGE):
        send_email(list(_write(found, logins, heads)))


def _write(
    rows: Sequence[Withdrawal], logins: dict[int, str], heads: dict[int, Letterhead]
) -> Iterator[EmailDraft]:
    for row in rows:
        login = logins.get(row.asked_by_id or 0, "")
        if "@" not in login:
            continue  # who signs in without an address looks at the page
        text = render_mail(
            "withdrawal_result",
            {
                "site_name": heads[row.site_id].name,
                "is_paid": row.state == State.PAID,
                "is_refused": row.state == State.REFUSED,
                "is_returned": row.state == State.RETURNED,
                "withdrawal_no": row.withdrawal_no,
                "amount": format_yuan(Amount(row.amount)),
                "payout_amount": format_yuan(Amount(row.payout_amount)),
                "account": row.account.hint,
                "reason": row.reason,
            },
        )
        yield EmailDraft(
            site_id=row.site_id,
            to=login,
            subject=text.subject,
            body=text.body,
            dedupe_key=f"withdrawal:{row.id}:{row.state}",
            audience=Audience.STAFF,
            language=LANGUAGE,
        )


def send_receive_link(row: Withdrawal, *, until: dt.datetime) -> None:
    """Queue the link to the page on which a payout is confirmed, to who asked for it; once ever.

    `row` is of the site in force. Call inside the transaction that notes `until`. Who signs in
    without an address, or was switched off, gets none.
    """
    asked_by_id = row.asked_by_id or 0
    login = list_staff_logins({asked_by_id}).get(asked_by_id, "")
    if "@" not in login:
        return
    view = get_site_view(row.site_id)
    text = render_mail(
        "withdrawal_receive",
        {
            "site_name": view.name,
            "withdrawal_no": row.withdrawal_no,
            "payout_amount": format_yuan(Amount(row.payout_amount)),
            "account": row.account.hint,
            "until": f"{until.astimezone(view.settings.zone):%Y-%m-%d %H:%M}",
            "link": receive_url(
                row.site_id, withdrawal_no=row.withdrawal_no, payout_no=row.payout_no
            ),
        },
        language=LANGUAGE,
    )
    send_email(
        [
            EmailDraft(
                site_id=row.site_id,
                to=login,
                subject=text.subject,
                body=text.body,
                dedupe_key=f"withdrawal:{row.id}:receive",
                audience=Audience.STAFF,
                language=LANGUAGE,
            )
        ]
    )
