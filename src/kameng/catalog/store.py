"""The hand-written SQL of the catalogue."""

from kameng.core.database import fetch


def lock_own_goods(site_id: int) -> None:
    """Stand in line for the places of a site's own goods, until the end of the transaction.

    An advisory lock: there is no row that stands for "how many are on sale", and the row of the
    site is taken last by every edit of goods.
    """
    fetch("select catalog_lock_own_goods(%s)", (site_id,))
