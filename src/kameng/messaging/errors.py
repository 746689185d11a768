"""Refusals of this app, and what a channel says about a message that it could not send."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import NotFound


class EmailNotFound(NotFound):
    code = "email_not_found"
    message = _("没有这封待发的邮件。")


class SendFailed(Exception):
    """A message was not sent; `is_final` when trying again cannot help. `code` holds no address."""

    def __init__(self, code: str, *, is_final: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.is_final = is_final
