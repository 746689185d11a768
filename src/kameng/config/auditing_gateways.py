"""The check of `kameng audit` over merchant accounts: whose they are, and what their caps hold."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows


def accounts() -> Iterator[str]:
    """I15: money goes to accounts of the shop or its main site; ways are whole; caps add up."""
    for row in read_rows(
        """
        select p.payment_no, p.gateway_id, g.site_id from payments_payment p
          join payments_gateway g on g.id = p.gateway_id
          join tenancy_site s on s.id = p.site_id
         where g.site_id not in (s.id, coalesce(s.parent_id, s.id))
        """
    ):
        yield f"payment {row[0]}: at gateway {row[1]}, which belongs to site {row[2]}"
    for row in read_rows(
        """
        select g.id, g.way_id from payments_gateway g join payments_gateway w on w.id = g.way_id
         where w.way_id is not null or w.site_id <> g.site_id
        """
    ):
        yield f"gateway {row[0]}: stands behind {row[1]}, which is no way of its site"
    for row in read_rows(
        """
        select coalesce(d.gateway_id, p.gateway_id), coalesce(d.day, p.cap_day),
               coalesce(d.opened_amount, 0), coalesce(p.amount, 0),
               coalesce(d.opened_count, 0), coalesce(p.count, 0)
          from payments_gatewayday d
          full join (select gateway_id, cap_day, sum(amount) amount, count(*) count
                       from payments_payment where cap_day is not null group by 1, 2) p
            on p.gateway_id = d.gateway_id and p.cap_day = d.day
         where (coalesce(d.opened_amount, 0), coalesce(d.opened_count, 0))
               is distinct from (coalesce(p.amount, 0), coalesce(p.count, 0))
        """
    ):
        gateway, day, counted, held, counted_payments, payments = row
        yield (
            f"gateway {gateway} on {day}: {counted} opened by {counted_payments} payments counted,"
            f" {held} by {payments} held"
        )
