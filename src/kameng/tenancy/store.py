"""The hand-written SQL of this app: what every request asks, without the ORM's cost."""

import datetime as dt
from typing import Any

from kameng.core.arrays import array_of_numbers
from kameng.core.database import fetch, fetch_one
from kameng.core.lanes import RareLane

Row = tuple[Any, ...]


def find_way(host: str) -> tuple[int, str | None] | None:
    """Return the site of a host and the host that visitors are sent on to, if any.

    Between two addresses that the platform gave nobody is sent on. Unique indexes; no locks.
    """
    row = fetch_one(
        "select d.site_id, case when p.host <> d.host and (p.is_own or d.is_own) then p.host end"
        " from tenancy_domain d left join tenancy_domain p"
        " on p.site_id = d.site_id and p.is_primary where d.host = %s",
        (host,),
    )
    return (row[0], row[1]) if row else None


def is_served(host: str) -> bool:
    """Tell whether a host leads to a site. Unique index; no locks."""
    return fetch_one("select 1 from tenancy_domain where host = %s", (host,)) is not None


def take_host(host: str, *, site_id: int) -> bool:
    """Let a free host lead to a site; False when it leads to one already.

    The unique key decides between two who take it at once. Locks the new row.
    """
    row = fetch_one(
        "insert into tenancy_domain (host, site_id, is_primary, is_own)"
        " values (%s, %s, false, true)"
        " on conflict (host) do nothing returning id",
        (host, site_id),
    )
    return row is not None


def move_host(host: str, *, site_id: int) -> bool:
    """Lead a host that another site proved to this one; never one that the platform gave.

    Locks the row: who moves it at the same moment waits and moves what it finds.
    """
    row = fetch_one(
        "update tenancy_domain set site_id = %s, is_primary = false"
        " where host = %s and is_own and site_id <> %s returning id",
        (site_id, host, site_id),
    )
    return row is not None


def lease_claims(*, now: dt.datetime, until: dt.datetime, limit: int) -> list[tuple[int, int]]:
    """Take the claims whose look is due until a moment; (site, claim). Skips locked ones.

    Index tenancy_claim_due.
    """
    rows = fetch(
        "update tenancy_domainclaim c set next_check_at = %s from (select id from"
        " tenancy_domainclaim where next_check_at <= %s order by next_check_at limit %s"
        " for no key update skip locked) due where c.id = due.id returning c.site_id, c.id",
        (until, now, limit),
    )
    return [(row[0], row[1]) for row in rows]


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
        "select host from tenancy_domain where site_id = %s"
        " order by is_primary desc, is_own, id limit 1",
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
