"""The check of `kameng audit` on own domains."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows


def domains() -> Iterator[str]:
    """I36: a host of an operator's own leads to the site that proved it, and no proof leads away.

    A primary host of his own is live.
    """
    for row in read_rows(
        """
        select coalesce(d.host, c.host), d.site_id, c.site_id, c.state
          from (select * from tenancy_domain where is_own) d
          full join (select * from tenancy_domainclaim where state in (2, 3, 4)) c
            on c.host = d.host and c.site_id = d.site_id
         where d.id is null or c.id is null or d.is_primary and c.state <> 3
         order by 1 limit 100
        """
    ):
        host, leads_to, proved_by, state = row
        yield f"{host}: leads to site {leads_to}, proved by site {proved_by}, state {state}"
