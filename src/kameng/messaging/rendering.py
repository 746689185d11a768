"""The words of e-mails: plain-text templates, the first line of each is its subject.

One file a kind of message under templates/messaging/mail/, so that the words can be changed
without code. What a template is given is text; nothing is escaped, because nothing is markup.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import translation

from kameng.messaging.rules import clean_header


@dataclass(frozen=True, slots=True)
class MailText:
    """Subject and body of one e-mail."""

    subject: str
    body: str


def render_mail(name: str, context: Mapping[str, object], *, language: str = "") -> MailText:
    """Write the e-mail `name` in a language (default: the one in force)."""
    with translation.override(language or translation.get_language()):
        text = render_to_string(f"messaging/mail/{name}.txt", dict(context))
    subject, _, body = text.strip().partition("\n")
    return MailText(clean_header(subject), body.strip() + "\n")
