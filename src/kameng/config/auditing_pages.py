"""Checks of `kameng audit` about pages: what buyers see is on record, whole, and the site's own."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows

OVERDUE_MINUTES = 30  # a timed publication that waits longer was forgotten by every worker

PICTURES_SHOWN = """
    select distinct page.site_id, page.id page_id, (shown.value ->> 'id')::bigint picture_id
      from pages_page page join pages_revision r on r.id = page.revision_id
     cross join lateral jsonb_path_query(r.content, 'strict $.** ?
           (@.type() == "object" && exists (@.alt) && exists (@.x) && exists (@.y)
            && @.id.type() == "number")', silent => true) shown (value)
"""


def publications() -> Iterator[str]:
    """I41: a page shows a revision of its own; plans are its own and carried out in time."""
    for row in read_rows(
        """
        select p.id, p.site_id, r.page_id, r.site_id
          from pages_page p join pages_revision r on r.id = p.revision_id
         where r.page_id <> p.id or r.site_id <> p.site_id
        """
    ):
        yield f"page {row[0]} of site {row[1]} shows a revision of page {row[2]}, site {row[3]}"
    for row in read_rows(
        """
        select w.id, w.page_id, r.page_id from pages_publication w
          join pages_revision r on r.id = w.revision_id join pages_page p on p.id = w.page_id
         where r.page_id <> w.page_id or w.site_id <> p.site_id or r.site_id <> p.site_id
        """
    ):
        yield f"pages_publication {row[0]} of page {row[1]} plans a revision of page {row[2]}"
    for row in read_rows(
        """
        select id, page_id, publish_at from pages_publication
         where state = 0 and publish_at < now() - make_interval(mins => %s)
        """,
        (OVERDUE_MINUTES,),
    ):
        yield f"pages_publication {row[0]} of page {row[1]} was due at {row[2]} and waits"
    yield from _versions()
    yield from _shapes()


def _versions() -> Iterator[str]:
    """Each publication and each draft grew the page's version; revisions are numbered in a row."""
    for row in read_rows(
        """
        select p.id, p.draft_version, count(r.id) filter (where r.reason = 1),
               count(r.id), coalesce(max(r.number), 0), min(r.number), p.draft is not null
          from pages_page p left join pages_revision r on r.page_id = p.id
         group by p.id
        having p.draft_version < count(r.id) filter (where r.reason = 1)
            or p.draft is not null and p.draft_version = 0
            or coalesce(max(r.number), 0) <> count(r.id) or min(r.number) < 1
        """
    ):
        page, version, published, count, last, _first, _has_draft = row
        yield (
            f"page {page}: version {version} after {published} publications,"
            f" {count} revisions numbered up to {last}"
        )


def _shapes() -> Iterator[str]:
    """What buyers see is a content: fields, and sections each of an id of its own."""
    for row in read_rows(
        """
        select p.id, r.number from pages_page p join pages_revision r on r.id = p.revision_id
         where jsonb_typeof(r.content -> 'root') is distinct from 'object'
            or jsonb_typeof(r.content -> 'sections') is distinct from 'array'
            or (select count(*) <> count(distinct each ->> 'id') or
                       bool_or(jsonb_typeof(each -> 'props') is distinct from 'object')
                  from jsonb_array_elements(case jsonb_typeof(r.content -> 'sections')
                       when 'array' then r.content -> 'sections' else '[]' end) each)
        """
    ):
        yield f"page {row[0]}: revision {row[1]} is no content"
    for row in read_rows(
        """
        select d.id, d.site_id, before.key from pages_decoration d
         cross join lateral jsonb_each(d.before) before
          left join pages_page p on p.id = before.key::bigint and p.site_id = d.site_id
          left join pages_revision r
            on r.id = (before.value ->> 'revision_id')::bigint and r.page_id = p.id
         where d.undone_at is null and (p.id is null
            or before.value ->> 'revision_id' is not null and r.id is null)
        """
    ):
        yield f"pages_decoration {row[0]} of site {row[1]} cannot bring page {row[2]} back"


def pictures() -> Iterator[str]:
    """I42: pictures that buyers are shown are the site's own, and every picture has its files."""
    for row in read_rows(
        f"""
        select s.page_id, s.picture_id from ({PICTURES_SHOWN}) s
          left join pages_picture i on i.id = s.picture_id and i.site_id = s.site_id
         where i.id is null
        """  # noqa: S608 - no value from outside
    ):
        yield f"page {row[0]} shows picture {row[1]}, which its site has not"
    for row in read_rows(
        """
        select i.id, i.width, count(f.id) from pages_picture i
          left join pages_picturefile f on f.picture_id = i.id and f.site_id = i.site_id
         group by i.id having coalesce(max(f.width), 0) <> i.width or min(length(f.data)) < 1
        """
    ):
        yield f"pages_picture {row[0]} of width {row[1]} has {row[2]} files, none of its width"
