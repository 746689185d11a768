"""What stands behind a transfer: the printed number of its order, top-up, withdrawal, case ….

Read on the site that it belongs to. A share stands for its order.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kameng.core.scope import open_scope
from kameng.ledger.accounts import Reference
from kameng.orders.selectors import list_order_nos, list_orders_of_children
from kameng.payments.selectors import list_dispute_nos, list_prepaid_nos, list_top_up_nos
from kameng.settlement.selectors import list_split_order_nos, list_withdrawal_nos
from kameng.tenancy.selectors import get_site_view, list_sites_by_id, scope_of

Key = tuple[int, int, int]  # site, kind of reference, id


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A printed number and where it is found."""

    kind: int
    number: str
    site_slug: str
    reference_id: int
    site_id: int


def name_references(keys: Iterable[Key]) -> dict[Key, Behind]:
    """Return the numbers behind transfers, each read in the scope of its own site."""
    wanted: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for site_id, kind, reference_id in keys:
        wanted[site_id][kind].add(reference_id)
    found: dict[Key, Behind] = {}
    for site_id, kinds in wanted.items():
        site = get_site_view(site_id)
        with open_scope(scope_of(site)):
            numbers = _read_numbers(kinds)
        for kind, named in numbers.items():
            shown_as = Reference.ORDER if kind == Reference.SPLIT else kind
            for reference_id, number in named.items():
                found[site_id, kind, reference_id] = Behind(
                    kind=shown_as,
                    number=number,
                    site_slug=site.slug,
                    reference_id=reference_id,
                    site_id=site_id,
                )
        found |= _name_below(
            site_id, kinds[Reference.ORDER] - set(numbers.get(Reference.ORDER, ()))
        )
    return found


def _name_below(site_id: int, order_ids: set[int]) -> dict[Key, Behind]:
    """Name orders of a site's children: what it passed on of them stands on its own statement."""
    if not order_ids:
        return {}
    orders = list_orders_of_children(order_ids, upline_id=site_id)
    sites = {row.id: row.slug for row in list_sites_by_id([each for each, _no in orders.values()])}
    return {
        (site_id, int(Reference.ORDER), order_id): Behind(
            kind=Reference.ORDER,
            number=order_no,
            site_slug=sites[child_id],
            reference_id=order_id,
            site_id=child_id,
        )
        for order_id, (child_id, order_no) in orders.items()
    }


def _read_numbers(kinds: Mapping[int, set[int]]) -> dict[Reference, dict[int, str]]:
    """Return the numbers of the site in force by kind and id; a query for each kind that is."""
    readers: dict[Reference, Callable[[set[int]], dict[int, str]]] = {
        Reference.ORDER: list_order_nos,
        Reference.TOP_UP: list_top_up_nos,
        Reference.SPLIT: list_split_order_nos,
        Reference.WITHDRAWAL: list_withdrawal_nos,
        Reference.DISPUTE: list_dispute_nos,
        Reference.PREPAID: list_prepaid_nos,
        Reference.CASE: lambda ids: {each: f"C{each:08d}" for each in ids},
    }
    return {kind: read(kinds[kind]) for kind, read in readers.items() if kinds.get(kind)}
