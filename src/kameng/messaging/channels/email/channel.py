"""Sending by SMTP: one connection for a batch, every wait bounded, no address in any error."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from django.conf import settings

from kameng.messaging.channels.email.wire import OutgoingMail, build_message
from kameng.messaging.errors import SendFailed

TIMEOUT_SECONDS = 15
IMPLICIT_TLS_PORT = 465
FINAL_CODES = range(500, 600)


def is_configured() -> bool:
    """Tell whether a mail server is named; without one e-mails wait and the operator is told."""
    return bool(settings.MAIL_HOST)


@dataclass(slots=True)
class MailChannel:
    """An open connection to the mail server."""

    server: smtplib.SMTP

    def send(self, mail: OutgoingMail) -> None:
        """Send one e-mail. Raises `SendFailed`, final when the server will never take it."""
        try:
            message = build_message(mail)
        except ValueError:
            raise SendFailed("address_invalid", is_final=True) from None
        try:
            self.server.send_message(message)
        except smtplib.SMTPRecipientsRefused as fault:
            codes = [reply[0] for reply in fault.recipients.values()]
            is_final = all(code in FINAL_CODES for code in codes)
            raise SendFailed(f"recipient_refused {codes[0]}", is_final=is_final) from None
        except smtplib.SMTPResponseException as fault:
            with suppress(smtplib.SMTPException, OSError):
                self.server.rset()
            is_final = fault.smtp_code in FINAL_CODES
            raise SendFailed(f"refused {fault.smtp_code}", is_final=is_final) from None
        except (smtplib.SMTPException, OSError, ValueError) as fault:
            raise SendFailed(f"connection {type(fault).__name__}") from None


@contextmanager
def open_channel() -> Iterator[MailChannel]:
    """Connect, secure and sign in. Raises `SendFailed` when the server cannot be used now."""
    try:
        server = _connect()
    except (smtplib.SMTPException, OSError, ValueError) as fault:
        raise SendFailed(f"connection {type(fault).__name__}") from None
    try:
        yield MailChannel(server)
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()


def _connect() -> smtplib.SMTP:
    host, port = settings.MAIL_HOST, settings.MAIL_PORT
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.MAIL_TLS and port == IMPLICIT_TLS_PORT:
        server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        if settings.MAIL_TLS:
            server.starttls(context=context)
    if settings.MAIL_USER:
        server.login(settings.MAIL_USER, settings.MAIL_PASSWORD)
    return server
