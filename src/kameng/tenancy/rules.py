"""Pure decisions about host names and site names."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

HOST = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
SLUG = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")


def clean_host(raw: str) -> str | None:
    """Return the host of a header or a form: lower-case, no port, IDNA; None when unusable."""
    text = raw.strip().lower()
    if text.startswith("["):
        return None
    host, _, port = text.partition(":")
    host = host.removesuffix(".")  # the root's own name, as some clients write it
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return host if HOST.fullmatch(host) else None


def is_openable(host: str) -> bool:
    """Tell whether browsers open a clean host: what ends in a number must be a whole address."""
    if not host.rpartition(".")[2].isdigit():
        return True
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)


# Addresses of the back office that stand where a site's name would.
RESERVED = frozenset(
    {
        *("sign-in", "sign-out", "language", "take-over", "join", "passkeys"),
        *("console", "static", "admin", "api", "www"),
    }
)
# Names that look like the platform's own: nobody takes them for a shop by himself.
HELD_BACK = frozenset(
    {
        *("mail", "smtp", "ftp", "ns1", "ns2", "main", "root", "help", "support", "pay", "open"),
        *("status", "account", "login", "register", "shop", "test", "demo", "cdn", "assets"),
        "kameng",
    }
)
SUGGESTIONS = 5


def is_slug(text: str) -> bool:
    """Tell whether `text` may name a site."""
    return SLUG.fullmatch(text) is not None and text not in RESERVED


def may_be_taken(slug: str) -> bool:
    """Tell whether anybody may open a shop under this address by himself."""
    return is_slug(slug) and slug not in HELD_BACK


def suggest_slugs(slug: str) -> Iterator[str]:
    """Name addresses near one that is taken, the plainest first."""
    base = re.sub(r"[^a-z0-9-]", "", slug.lower()).strip("-")[:26].strip("-")
    if not base[:1].isalpha():
        base = f"shop-{base}".strip("-")
    endings = ("-shop", "-store", "-hk", "888", "2", "3", "4", "5", "6", "7", "8", "9")
    found = (f"{base}{ending}" for ending in endings)
    return (each for each in found if may_be_taken(each))


# What a term is worth, and what of it is left. Times aware, amounts in 1/10000 yuan.

DAY = dt.timedelta(days=1)
MOST_DAYS = 36_500  # that a change of plan carries over: a bound for times, not a promise
NOTICE_DAYS = (14, 7, 3, 1, 0)  # how long before the end the operator is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A term as the arithmetic sees it."""

    starts_at: dt.datetime
    ends_at: dt.datetime | None
    value_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTerm:
    """The term that a purchase makes: when, worth what, and the days an earlier plan left over."""

    starts_at: dt.datetime
    ends_at: dt.datetime | None
    value_amount: int
    carried_days: int = 0


def rest_of(term: Stretch, *, now: dt.datetime) -> int:
    """Return what of a term's value is left at a moment, by the time that is left of it."""
    if term.ends_at is None or term.ends_at <= now:
        return 0
    whole = term.ends_at - term.starts_at
    left = term.ends_at - max(now, term.starts_at)
    return term.value_amount * int(left.total_seconds()) // max(int(whole.total_seconds()), 1)


def prolong(
    ends_at: dt.datetime | None, *, days: int | None, paid_amount: int, now: dt.datetime
) -> NewTerm:
    """Return the term of a renewal: from the end of what there is, from now when that is over."""
    start = now if ends_at is None else max(ends_at, now)
    end = None if days is None else start + days * DAY
    return NewTerm(starts_at=start, ends_at=end, value_amount=paid_amount)


def change_over(
    terms: list[Stretch], *, days: int | None, paid_amount: int, now: dt.datetime
) -> NewTerm:
    """Return the term of another plan: from now, longer by what the old one leaves over.

    What is left of the old terms is worth its share of what was paid; it buys days at the new
    plan's price of a day, rounded down to whole days.
    """
    left = sum(rest_of(each, now=now) for each in terms)
    if days is None:
        return NewTerm(starts_at=now, ends_at=None, value_amount=paid_amount + left)
    carried = min(left * days // paid_amount, MOST_DAYS) if paid_amount > 0 else 0
    return NewTerm(
        starts_at=now,
        ends_at=now + (days + carried) * DAY,
        value_amount=paid_amount + left,
        carried_days=carried,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a site has after a refund took time back: until when, worth what."""

    ends_at: dt.datetime
    value_amount: int


def take_back(
    terms: list[Stretch], *, ends_at: dt.datetime, length: dt.timedelta, now: dt.datetime
) -> Rest:
    """Return what is left when so much time is taken from the end of what there is.

    `terms` are those that were not refunded. The end never comes before now, nor after what it
    was. Their worth shrinks with them: time that was used up on what went back is paid by them.
    """
    end = min(ends_at, max(now, ends_at - length))
    left = max(end - now, dt.timedelta())
    own = sum(
        (
            each.ends_at - max(now, each.starts_at)
            for each in terms
            if each.ends_at is not None and each.ends_at > now
        ),
        dt.timedelta(),
    )
    value = sum(rest_of(each, now=now) for each in terms)
    if own > left:
        value = value * int(left.total_seconds()) // int(own.total_seconds())
    return Rest(ends_at=end, value_amount=value)


def share_of(time: dt.timedelta, *, amount: int, of_amount: int) -> dt.timedelta:
    """Return how much of a time that is worth `of_amount` an amount of it is, in whole seconds."""
    if of_amount <= 0 or amount <= 0:
        return dt.timedelta()
    seconds = int(time.total_seconds())
    return dt.timedelta(seconds=seconds * min(amount, of_amount) // of_amount)


def due_notice(ends_at: dt.datetime, *, now: dt.datetime) -> int | None:
    """Return the nearest distance at which the operator should have been told by now, or None."""
    left = ends_at - now
    reached = [days for days in NOTICE_DAYS if left <= days * DAY]
    return min(reached) if reached else None


# GB 32100-2015: digits and letters without I, O, S, V and Z; the last one proves the others.
CREDIT_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_CODE = re.compile(f"[{CREDIT_SIGNS}]{{2}}[0-9]{{6}}[{CREDIT_SIGNS}]{{10}}")
PHONE = re.compile(r"\+?[0-9][0-9 ()-]{4,28}")


def clean_credit_code(raw: str) -> str:
    """Return a unified social credit code in the one form in which it is compared."""
    return "".join(raw.split()).replace("-", "").upper()


def is_credit_code(code: str) -> bool:
    """Tell whether a clean code is well made: its form, and its check sign (GB 32100)."""
    if CREDIT_CODE.fullmatch(code) is None:
        return False
    total = sum(
        CREDIT_SIGNS.index(sign) * pow(3, place, 31) for place, sign in enumerate(code[:17])
    )
    return CREDIT_SIGNS[-total % 31] == code[17]


def is_phone(text: str) -> bool:
    """Tell whether a text may be a telephone number, 400 and fixed lines included."""
    return PHONE.fullmatch(text) is not None
