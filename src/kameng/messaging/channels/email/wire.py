"""An e-mail as bytes on the wire: pure, so that odd names and texts are tested without a server."""

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from kameng.core import clock
from kameng.messaging.channels.email.markup import LOGO_CID
from kameng.messaging.rules import clean_body, clean_header


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """One e-mail. `repr` shows neither address nor text."""

    to: str = field(repr=False)
    sender: str
    sender_name: str
    subject: str = field(repr=False)
    body: str = field(repr=False)
    reference: str = ""  # the same for every attempt, so that a doubled one can be told
    html: str = field(default="", repr=False)  # the same words in the look of the shop
    logo: bytes = field(default=b"", repr=False)  # a PNG that the HTML names by `LOGO_CID`


def build_message(mail: OutgoingMail) -> EmailMessage:
    """Build the message. Raises ValueError when an address is none."""
    message = EmailMessage()
    message["Subject"] = clean_header(mail.subject)
    message["From"] = Address(clean_header(mail.sender_name, limit=60), addr_spec=mail.sender)
    message["To"] = Address(addr_spec=mail.to)
    message["Date"] = format_datetime(clock.now())
    domain = mail.sender.rpartition("@")[2] or "localhost"
    message["Message-ID"] = (
        f"<{mail.reference}@{domain}>" if mail.reference else make_msgid(domain=domain)
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(clean_body(mail.body), cte="base64")
    if mail.html:
        message.add_alternative(clean_body(mail.html), subtype="html", cte="base64")
    if mail.html and mail.logo:
        _text, html = message.iter_parts()
        html.add_related(
            mail.logo,
            "image",
            "png",
            cid=f"<{LOGO_CID}>",
            disposition="inline",
            filename="logo.png",
        )
    return message
