"""The hand-written SQL of this app: what every request asks, without the ORM's cost."""

import datetime as dt
from typing import Any

from kameng.core.arrays import array_of_numbers
from kameng.core.database import fetch_one
from kameng.core.lanes import RareLane

Row = tuple[Any, ...]


def find_site_of_host(host: str) -> int | None:
    """Return the site of a host. Unique index on the host; no locks."""
    row = fetch_one("select site_id from tenancy_domain where host = %s", (host,))
    return row[0] if row else None


def has_host() -> bool:
    """Tell whether there is any host. One row; no locks."""
    row = fetch_one("select exists (select 1 from tenancy_domain)")
    return bool(row and row[0])


def find_site_row(site_id: int) -> Row | None:
    """Return the row of sql/sites.sql: a site with its main site's version. Primary keys."""
    return fetch_one("select * from tenancy_site_row(%s)", (site_id,))


def find_primary_host(site_id: int) -> str | None:
    """Return the host that links are written with; the oldest one where none is marked."""
    row = fetch_one(
        "select host from tenancy_domain where site_id = %s order by is_primary desc, id limit 1",
        (site_id,),
    )
    return row[0] if row else None


def hold_state(site_id: int) -> int | None:
    """Share the selling of a site (sql/selling.sql) and return its state, None without it.

    Holds the advisory lock, shared, until the end of the transaction.
    """
    row = fetch_one("select tenancy_hold_state(%s)", (site_id,))
    return row[0] if row else None


def seal_selling(site_id: int) -> None:
    """Take the selling of a site alone until the end of the transaction (sql/selling.sql)."""
    fetch_one("select tenancy_seal_selling(%s)", (site_id,))


def hold_slug(slug: str, *, holder: str, until: dt.datetime) -> bool:
    """Hold an address unless somebody else does; false then. Unique index on the slug.

    Locks the reservation's row: who comes second waits for the first to commit.
    """
    row = fetch_one(
        "insert into tenancy_slugreservation as r (slug, holder, expires_at) values (%s, %s, %s)"
        " on conflict (slug) do update"
        " set holder = excluded.holder, expires_at = excluded.expires_at"
        " where r.holder = excluded.holder or r.expires_at <= now() returning r.id",
        (slug, holder, until),
    )
    return row is not None


# Asked once for each change of a site.
stamped_sites: RareLane[int, Row] = RareLane(
    "select s.* from unnest(%s::bigint[]) with ordinality as u(id, k)"
    " left join lateral tenancy_stamped_site(u.id) s on true order by u.k",
    columns=lambda batch: [array_of_numbers(batch)],
    read=lambda rows, _batch: rows,
)
