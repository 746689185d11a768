"""Finding one's orders again as a guest: a contact, proved by a one-time code sent to it.

Never by contact alone, and never telling whether a contact has orders.
"""

from kameng.accounts.services.codes import ORDER_LOOKUP, issue_code, redeem_code
from kameng.core.ids import new_token
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.orders.models import Order
from kameng.orders.selectors import list_contact_orders
from kameng.risk.services import admit_code, admit_code_try
from kameng.tenancy.addresses import site_url
from kameng.tenancy.selectors import SiteView


def send_lookup_code(*, view: SiteView, contact: str, ip: str) -> None:
    """Send a code to an e-mail address, whether or not it has orders (the answer is the same).

    `contact` is cleaned already. Raises TooManyAttempts over the limits by contact and address.
    """
    admit_code(site_id=view.site_id, contact=contact, ip=ip)
    code = issue_code(purpose=ORDER_LOOKUP, target=contact)
    if "@" not in contact:
        return  # no short messages yet: phones look orders up by their link
    mail = render_mail(
        "one_time_code",
        {"site_name": view.name, "code": code, "site_url": site_url(view.site_id)},
    )
    send_email(
        [
            EmailDraft(
                site_id=view.site_id,
                to=contact,
                subject=mail.subject,
                body=mail.body,
                dedupe_key=f"code:{new_token()}",
            )
        ]
    )


def find_orders_of_contact(*, view: SiteView, contact: str, code: str, ip: str) -> list[Order]:
    """Return the orders of a contact whose code is right, newest first; uses the code up.

    Raises CodeRefused, the same for a wrong, used, foreign or ended code; TooManyAttempts.
    """
    admit_code_try(ip=ip)
    redeem_code(purpose=ORDER_LOOKUP, target=contact, code=code)
    return list_contact_orders(site_id=view.site_id, contact=contact)
