"""What waits about money, in words and with its address: disputes, approvals, returns."""

from collections.abc import Callable, Mapping
from typing import Final

from django.urls import reverse
from django.utils.translation import ngettext

from kameng.insight.attention import Matter

# code → the sentence for so many, the address of one, the address of several
TITLES: Final[Mapping[str, Callable[[int], str]]] = {
    "dispute_due": lambda n: ngettext("%(count)s 条争议快到期", "%(count)s 条争议快到期", n),
    "dispute_open": lambda n: ngettext("%(count)s 条争议处理中", "%(count)s 条争议处理中", n),
    "approval": lambda n: ngettext("%(count)s 条操作待复核", "%(count)s 条操作待复核", n),
    "return_refused": lambda n: ngettext("%(count)s 笔充值没退成", "%(count)s 笔充值没退成", n),
    "surplus": lambda n: ngettext("%(count)s 笔多付的钱没退", "%(count)s 笔多付的钱没退", n),
}
PAGES: Final[Mapping[str, tuple[str, str]]] = {
    "dispute_due": ("dispute", "disputes"),
    "dispute_open": ("dispute", "disputes"),
    "approval": ("", "approvals"),
    "return_refused": ("top_up", "top_ups"),
    "surplus": ("payment", "odd_payments"),
}


def say_matter(matter: Matter) -> str:
    """Return the sentence for a matter of money; empty for another."""
    title = TITLES.get(matter.code)
    return title(matter.count) % {"count": matter.count} if title else ""


def find_page(matter: Matter, *, slug: str) -> str:
    """Return where a matter of money is dealt with; empty for another."""
    if matter.code not in PAGES:
        return ""
    one, several = PAGES[matter.code]
    if one and matter.subject:
        return reverse(f"console:{one}", args=[slug, matter.subject])
    return reverse(f"console:{several}", args=[slug])
