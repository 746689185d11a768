"""The words of e-mails: plain-text templates, the first line of each is its subject.

One file a kind of message under templates/messaging/mail/, so that the words can be changed
without code. What a template is given is text; nothing is escaped, because nothing is markup.
For mail by the hundred a template is rendered once with its values left open: see `mail_form`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

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


GAP = re.compile("\x00([a-z_]+)\x00")  # no template and no translation holds a NUL


@dataclass(frozen=True, slots=True)
class MailForm:
    """An e-mail in one language whose values are still open: words and names of values by turns."""

    subject: tuple[str, ...]
    body: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> MailText:
        """Write the e-mail with these values, each put in once and as it is.

        A value is never looked through for further gaps, and a line break in one cannot move the
        border between subject and text.
        """
        subject, body = _fill(self.subject, values), _fill(self.body, values)
        return MailText(clean_header(subject), body.strip() + "\n")


@cache
def mail_form(name: str, fields: tuple[str, ...], language: str) -> MailForm:
    """Prepare the e-mail `name` for values of these fields; kept as long as the process lives.

    Its template may place these values, not test or change them. Raises ValueError when it does.
    """
    with translation.override(language):
        text = render_to_string(
            f"messaging/mail/{name}.txt", {field: f"\x00{field}\x00" for field in fields}
        )
    subject, _, body = text.strip().partition("\n")
    form = MailForm(tuple(GAP.split(subject)), tuple(GAP.split(body)))
    named = {*form.subject[1::2], *form.body[1::2]}
    if not named <= set(fields) or "\x00" in "".join((*form.subject, *form.body)):
        raise ValueError(f"the template {name} changes a value that it may only place")
    return form


def _fill(parts: tuple[str, ...], values: Mapping[str, str]) -> str:
    filled = list(parts)
    filled[1::2] = [values[name] for name in parts[1::2]]
    return "".join(filled)
