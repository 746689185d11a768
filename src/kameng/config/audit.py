"""`kameng audit`: every invariant over the whole database, and the row that breaks one.

Reads only. The names are those of docs/architecture.md; each check yields one sentence for each
breach. Runs after every concurrency test, after the benchmark, and whenever an owner wants to know.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence

SHOWN = 20  # breaches named for each check

Check = Callable[[], Iterator[str]]


def run(argv: Sequence[str] = ()) -> int:
    """Print what was checked and what was found; 0 when everything holds."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    quiet = "--quiet" in argv
    bad = 0
    for name, title, check in checks():
        started = time.perf_counter()
        found = list(check())
        bad += len(found)
        if not quiet or found:
            took = (time.perf_counter() - started) * 1000
            print(f"{'ok ' if not found else 'BAD'} {name:<4} {title}  ({took:.0f} ms)")
        for line in found[:SHOWN]:
            print(f"      {line}")
        if len(found) > SHOWN:
            print(f"      … and {len(found) - SHOWN} more")
    print("every invariant holds" if not bad else f"{bad} breaches")
    return 1 if bad else 0


def find_breaches() -> list[str]:
    """Return one sentence for each breach of any invariant; empty when all hold."""
    return [f"{name}: {line}" for name, _title, check in checks() for line in check()]


def checks() -> list[tuple[str, str, Check]]:
    """Return (name, what it proves, check) in order."""
    from kameng.config import auditing as a
    from kameng.config import auditing_books as b
    from kameng.config import auditing_gateways, auditing_insight, auditing_sales
    from kameng.config import auditing_settlement as s
    from kameng.config import auditing_top_ups as t

    return [
        ("I1", "transfers are whole: two sides, positive, known codes, roll-up equal", a.transfers),
        ("I2", "stored balances equal their transfers; no wallet below zero", a.balances),
        ("I3", "a key is sold to exactly one order; counts fit quantities", a.keys),
        ("I4", "every paid order is delivered, refunded, or on a screen; none stuck", a.orders),
        ("I5", "refunds stay within payments; parts add up; margins reversed", a.refunds),
        ("I6", "a gateway's number pays once; every paid row has its proof", a.payments),
        ("I7", "order histories follow the declared arrows", a.histories),
        ("I8", "the audit log's hash chain verifies", a.chain),
        ("I9", "row-level security is forced on every tenant table", a.isolation),
        ("I10", "the money of each order is posted exactly once", auditing_sales.postings),
        ("I11", "rows point at sites, orders, payments and products that exist", a.references),
        ("I12", "reservations and reserved keys belong to unpaid orders", a.reservations),
        ("I13", "what lies between accounts is what somebody waits for", a.suspense),
        ("I14", "counted stock and what orders took of it add up", a.counted_stock),
        ("I15", "money goes to the shop's accounts; caps add up", auditing_gateways.accounts),
        ("I16", "bonuses and returns of top-ups are posted as they stand", t.top_ups),
        ("I17", "disputes are posted as they stand; payments count them", t.disputes),
        ("I18", "what two persons must decide was decided by two", t.approvals),
        ("I19", "a withdrawal holds, pays or gives back its money once", s.withdrawals),
        ("I20", "a share is posted once, within its margin; returns add up", s.splits),
        ("I21", "what lies in between is what is being paid out or split", s.between),
        ("I22", "the ledger's hash chain verifies", b.ledger_chain),
        ("I23", "every transfer lies in the partition of its month", b.months),
        ("I24", "a booked difference is one transfer of its case", b.differences),
        ("I25", "closed months are as their seals say", b.closed_months),
        (
            "I26",
            "wallets' parts and surcharges are held, spent and given back as counted",
            auditing_sales.parts,
        ),
        ("I27", "orders wait only for prepaid balances that were paid in", auditing_sales.prepaid),
        ("I28", "lost disputes took their margin; reviews know of open ones", s.contested),
        (
            "I29",
            "a child buys through one sub-site, on its plan; orders keep to theirs",
            auditing_sales.uplines,
        ),
        *_checks_of_sites(),
        *auditing_insight.CHECKS,
    ]


def _checks_of_sites() -> list[tuple[str, str, Check]]:
    """Return those of the life of sub-sites."""
    from kameng.config import auditing_domains, auditing_pages, auditing_staff, auditing_terms
    from kameng.config import auditing_goods as g
    from kameng.config import auditing_leaving as leaving

    return [
        ("I30", "a delivered order of a plan made exactly one term", auditing_terms.purchases),
        ("I31", "a site ends where the chain of its terms does", auditing_terms.terms),
        ("I32", "nobody but the main site earns by an opening", auditing_terms.earnings),
        ("I33", "a closed site has no open order and owed nobody anything", leaving.closed_sites),
        ("I34", "a site has an owner, and who took one over is its only one", leaving.owners),
        ("I35", "shops show who runs them as it was verified", leaving.shown_licences),
        ("I36", "a site's own domain leads to whom it was proved by", auditing_domains.domains),
        ("I41", "pages show revisions of their own; plans are kept", auditing_pages.publications),
        ("I42", "pictures on pages are the site's own and whole", auditing_pages.pictures),
        ("I43", "own goods are sold by their site alone, for a share", g.own_goods),
        ("I44", "roles give what a site may give; its owner can act", auditing_staff.roles),
        ("I45", "an invitation was used once, by who got its place", auditing_staff.invitations),
        (
            "I46",
            "second factors keep to their bounds, codes count once",
            auditing_staff.second_factors,
        ),
    ]
