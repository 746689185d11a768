"""What stands behind a transfer: the printed number of its order, top-up or case, on its site."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kameng.core.scope import open_scope
from kameng.ledger.accounts import Reference
from kameng.orders.selectors import list_order_nos
from kameng.payments.selectors import list_top_up_nos
from kameng.tenancy.selectors import get_site_view, scope_of

Key = tuple[int, int, int]  # site, kind of reference, id


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A printed number and where it is found."""

    kind: int
    number: str
    site_slug: str


def name_references(keys: Iterable[Key]) -> dict[Key, Behind]:
    """Return the numbers behind transfers, each read in the scope of its own site."""
    wanted: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for site_id, kind, reference_id in keys:
        wanted[site_id][kind].add(reference_id)
    found: dict[Key, Behind] = {}
    for site_id, kinds in wanted.items():
        site = get_site_view(site_id)
        with open_scope(scope_of(site)):
            numbers = {
                Reference.ORDER: list_order_nos(kinds.get(Reference.ORDER, set())),
                Reference.TOP_UP: list_top_up_nos(kinds.get(Reference.TOP_UP, set())),
                Reference.CASE: {each: f"C{each:08d}" for each in kinds.get(Reference.CASE, set())},
            }
        for kind, named in numbers.items():
            for reference_id, number in named.items():
                found[site_id, kind, reference_id] = Behind(
                    kind=kind, number=number, site_slug=site.slug
                )
    return found
