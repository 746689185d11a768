"""The checks of `kameng audit` on the terms of sites, and on the orders that pay for them."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows


def purchases() -> Iterator[str]:
    """I30: a delivered order of a plan made one term and is done; no other term names an order."""
    for order_no, terms, done in read_rows(
        """
        select o.order_no, count(t.id), count(p.done_at) from orders_order o
          left join tenancy_siteterm t on t.order_id = o.id
          left join orders_sitepurchase p on p.order_id = o.id
         where o.delivery_kind = 4 and o.state = 3
         group by o.id having count(t.id) <> 1 or count(p.done_at) <> 1
        """
    ):
        yield f"order {order_no}: delivered, but {terms} terms and {done} purchases are of it"
    for term_id, order_id in read_rows(
        """
        select t.id, t.order_id from tenancy_siteterm t
          left join orders_order o on o.id = t.order_id
          left join orders_sitepurchase p on p.order_id = t.order_id
         where t.order_id is not null
           and (o.id is null or o.delivery_kind <> 4 or o.state not in (3, 6, 7)
                or p.done_at is null or p.target_id is distinct from t.site_id
                or p.plan_id <> t.plan_id)
        """
    ):
        yield f"term {term_id}: names order {order_id}, which did not pay for it"
    for term_id, order_no in read_rows(
        """
        select t.id, o.order_no from tenancy_siteterm t join orders_order o on o.id = t.order_id
         where (t.refunded_at is not null) <> (o.state in (6, 7))
        """
    ):
        yield f"term {term_id}: order {order_no} was refunded and its time was not, or the reverse"
    for (order_no,) in read_rows(
        """
        select o.order_no from orders_order o
          left join orders_sitepurchase p on p.order_id = o.id
         where (o.delivery_kind = 4) <> (p.id is not null)
        """
    ):
        yield f"order {order_no}: of a plan without saying for which site, or the other way round"


def terms() -> Iterator[str]:
    """I31: a site ends where its last standing term does, and sells on for its plan's grace."""
    for slug, stored, told in read_rows(
        """
        with standing as (
            select distinct on (site_id) site_id, plan_id, ends_at from tenancy_siteterm
             where replaced_at is null order by site_id, ends_at desc nulls first, id desc)
        select s.slug, s.expires_at, t.ends_at from tenancy_site s
          left join standing t on t.site_id = s.id
         where s.expires_at is distinct from t.ends_at
            or t.site_id is not null and t.plan_id <> s.plan_id
        """
    ):
        yield f"site {slug}: ends {stored}, its terms say {told}, or its plan is another"
    for slug, lapses, expires in read_rows(
        """
        select s.slug, s.lapses_at, s.expires_at from tenancy_site s
          join tenancy_plan p on p.id = s.plan_id
         where s.lapses_at is distinct from s.expires_at + make_interval(hours => p.grace_days * 24)
        """
    ):
        yield f"site {slug}: sells until {lapses}, which is not its end {expires} and the grace"
    for term_id, slug in read_rows(
        """
        select b.id, s.slug from tenancy_siteterm a
          join tenancy_siteterm b on b.site_id = a.site_id and b.id > a.id
          join tenancy_site s on s.id = b.site_id
         where a.replaced_at is null and b.replaced_at is null
           and (a.ends_at is null or b.starts_at < a.ends_at)
        """
    ):
        yield f"term {term_id}: of site {slug}, begins before the one before it ends"


def earnings() -> Iterator[str]:
    """I32: what is paid for plans is the main site's alone: no margin, no commission, no share."""
    for (order_no,) in read_rows(
        """
        select o.order_no from orders_order o
         where o.delivery_kind = 4
           and (o.site_id <> o.main_site_id or o.wholesale_amount <> o.total_amount
                or exists (select 1 from settlement_split s where s.order_id = o.id)
                or exists (select 1 from ledger_transfer t
                            where t.reference_kind = 1 and t.reference_id = o.id
                              and t.code in (31, 34, 35)))
        """
    ):
        yield f"order {order_no}: paid for a plan, and somebody else than the main site earns by it"
