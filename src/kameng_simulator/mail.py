"""A mail sink: takes every mail on this machine's port and shows it instead of sending it."""

import email
import email.policy
import html
import re
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from kameng_simulator.store import Store

MAX_MAIL_BYTES = 1024 * 1024


class _Sink:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        self._store.add_mail(", ".join(envelope.rcpt_tos)[:500], raw)
        return "250 OK"


def make_sink(store: Store, *, host: str, port: int) -> Controller:
    """Return the sink, not yet started."""
    return Controller(
        _Sink(store), hostname=host, port=port, data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True
    )


def read_mail(raw: bytes) -> dict[str, str]:
    """Return subject, sender and readable text of a mail."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return {
        "subject": str(message.get("Subject", "（无主题）")),
        "from": str(message.get("From", "")),
        "text": _read_text(message),
    }


def _read_text(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except (LookupError, UnicodeError):
        text = bytes(part.get_payload(decode=True) or b"").decode(errors="replace")
    if part.get_content_subtype() == "html":
        text = re.sub(r"(?is)<(style|script).*?</\1>", "", text)
        text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?i)<br\s*/?>|</p>", "\n", text)))
    return text.strip()
