"""The base of every refusal that a person may read.

An app's `errors.py` subclasses `Refusal` with a stable `code`, an HTTP `status` and a
Chinese sentence that says what to do. The web layer turns them into answers in one place.
"""

from typing import ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

WHOLE_MINUTES_FROM = 120


class Refusal(Exception):
    """A request that the rules refuse: nothing was changed, the text is for the person."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    message = _("请求无法完成，请检查后重试。")

    def __init__(self, **params: object) -> None:
        super().__init__(self.code)
        self.params = params

    def text(self) -> str:
        """Return the sentence for the person, in the language in force."""
        return str(self.message) % self.params if self.params else str(self.message)


class NotFound(Refusal):
    """The thing asked for does not exist here (or belongs to another site)."""

    code = "not_found"
    status = 404
    message = _("没有找到您要的内容，可能已被移除。")


class Conflict(Refusal):
    """Someone else changed the thing first, or a repeated key came with another content."""

    code = "conflict"
    status = 409
    message = _("内容刚刚发生了变化，请刷新后重试。")


class TooMany(Refusal):
    """A limit on the rate was reached; `retry_after_seconds` says when to come back."""

    code = "too_many"
    status = 429
    message = _("操作太频繁，请在 %(wait)s后再试。")

    def text(self) -> str:
        """Return the sentence with the time to wait in words: nobody counts 3600 seconds."""
        return str(self.message) % {**self.params, "wait": self._wait()}

    def _wait(self) -> str:
        seconds = int(str(self.params.get("retry_after_seconds", 60)))
        if seconds < WHOLE_MINUTES_FROM:
            return gettext("%(count)s 秒") % {"count": seconds}
        return gettext("%(count)s 分钟") % {"count": -(-seconds // 60)}
