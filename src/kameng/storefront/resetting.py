"""A forgotten password: a code to the e-mail of the account, then a new password.

The answer is the same whether the account exists; only its owner learns more, by mail.
"""

from kameng.accounts.errors import CodeRefused
from kameng.accounts.selectors import find_customer_by_login
from kameng.accounts.services.codes import PASSWORD_RESET, issue_code, redeem_code
from kameng.accounts.services.passwords import hash_new_password
from kameng.accounts.services.registering import reset_customer_password
from kameng.core.ids import new_token
from kameng.core.scope import require_site_id
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email, write_off_email
from kameng.risk.services import admit_code, admit_code_try, pardon_account
from kameng.tenancy.addresses import site_url
from kameng.tenancy.selectors import SiteView


def send_reset_code(view: SiteView, *, contact: str, ip: str) -> None:
    """Send a code where an account with this e-mail exists; otherwise do as much and send nothing.

    Raises `TooManyAttempts` over the limits by contact and address.
    """
    admit_code(site_id=view.site_id, contact=contact, ip=ip)
    customer = find_customer_by_login(contact)
    code = issue_code(purpose=PASSWORD_RESET, target=contact)
    mail = render_mail(
        "one_time_code",
        {"site_name": view.name, "code": code, "site_url": site_url(view.site_id)},
    )
    draft = EmailDraft(
        site_id=view.site_id,
        to=contact,
        subject=mail.subject,
        body=mail.body,
        dedupe_key=f"code:{new_token()}",
    )
    if customer is None or not customer.is_active:
        write_off_email(draft)
    else:
        send_email([draft])


def reset_password(*, contact: str, code: str, new_password: str, ip: str) -> None:
    """Set a new password for the account whose code is right; every session of it ends.

    Raises `CodeRefused`, `TooManyAttempts`, or the refusal of the new password.
    """
    admit_code_try(ip=ip)
    hash_new_password(new_password, login=contact)  # a poor password must not use the code up
    redeem_code(purpose=PASSWORD_RESET, target=contact, code=code)
    customer = find_customer_by_login(contact)
    if customer is None or not customer.is_active:
        raise CodeRefused
    reset_customer_password(customer.id, new_password=new_password)
    pardon_account(site_id=require_site_id(), login=contact)
