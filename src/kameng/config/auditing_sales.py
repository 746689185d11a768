"""The checks of `kameng audit` on the money of sales: postings, mixed payments, prepaid ones."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows

# What must stand in the ledger, from the rows of orders and refunds, against what does.
POSTINGS = """
with sales as (
    select o.*, o.main_site_id * 100 + 40 main, o.site_id * 100 + 50 margin_account,
           coalesce(p.gateway_id, 0) * 100 + 60 fees, o.site_id * 100 + 30 suspense,
           o.site_id * 100 + 51 takings, -(o.site_id * 100 + 11) prepaid,
           case o.settlement_way when 2 then o.site_id * 100 + 51
                                 else o.main_site_id * 100 + 40 end taker,
           o.settlement_way = 2 is_prepaid,
           case o.paid_by when 1 then -(o.customer_id * 100 + 10)
                          else o.site_id * 100 + 30 end payer,
           least(o.fee_amount, o.total_amount - o.wholesale_amount - coalesce(o.upline_amount, 0))
               by_site,
           coalesce(o.upline_amount, 0) above, o.upline_site_id * 100 + 50 upline,
           o.upline_site_id is not null is_child,
           coalesce(f.gateway_id, 0) * 100 + 60 first_fees
      from orders_order o left join payments_payment p on p.id = o.payment_id
      left join payments_payment f on f.id = o.first_payment_id),
sides as (
    select *, least(fee_amount - by_site, wholesale_amount) by_main from sales),
backs as (
    select order_id, sum(own_amount) own, sum(margin_amount) margin, sum(fee_amount) fee,
           sum(upline_amount) upline_back,
           sum(surcharge_amount) surcharge
      from orders_orderrefund group by order_id),
rows as (
    select s.id, v.code, v.debit, v.credit, v.amount from sides s, lateral (values
        (30, payer, main, case when is_prepaid or is_child then 0
                               else wholesale_amount - by_main end),
        (31, payer, margin_account, case when is_prepaid then 0
             else total_amount - wholesale_amount - above - by_site end),
        (38, payer, upline, case when is_child
             then wholesale_amount + above - (fee_amount - by_site) else 0 end),
        (39, upline, main, case when is_child then wholesale_amount - by_main else 0 end),
        (32, payer, fees, fee_amount - first_fee_amount),
        (32, payer, first_fees, first_fee_amount),
        (33, payer, fees, surcharge_fee_amount),
        (33, payer, taker, surcharge_amount - surcharge_fee_amount),
        (34, prepaid, main, case when is_prepaid and not awaits_prepaid
                                 then wholesale_amount else 0 end),
        (35, payer, takings, case when is_prepaid then total_amount - fee_amount
                                  else 0 end))
        v(code, debit, credit, amount)
     where s.paid_by <> 0
    union all
    select s.id, v.code, v.debit, v.credit, v.amount
      from sides s join backs b on b.order_id = s.id,
      lateral (select case when s.surcharge_amount = 0 then 0 else div(
          b.surcharge * s.surcharge_fee_amount, s.surcharge_amount) end as by_fee,
          case when s.first_fee_amount = 0 then 0 else div(
          b.fee * s.first_fee_amount, s.fee_amount) end as by_first) f,
      lateral (values
        (40, main, suspense, case when is_prepaid or is_child then 0 else b.own end),
        (41, margin_account, suspense, case when is_prepaid then 0 else b.margin end),
        (47, s.upline, suspense, case when is_child then b.own + b.upline_back else 0 end),
        (48, main, s.upline, case when is_child then b.own else 0 end),
        (42, fees, suspense, b.fee - f.by_first),
        (42, first_fees, suspense, f.by_first),
        (44, main, prepaid, case when is_prepaid then b.own else 0 end),
        (45, takings, suspense, case when is_prepaid then b.own + b.margin else 0 end),
        (46, fees, suspense, f.by_fee),
        (46, taker, suspense, b.surcharge - f.by_fee)) v(code, debit, credit, amount)),
wanted as (  -- both payments may have come through one gateway
    select id, code, debit, credit, sum(amount) amount from rows group by 1, 2, 3, 4),
posted as (
    select reference_id id, code::int code, debit_account debit, credit_account credit,
           sum(amount) amount
      from ledger_transfer
     where reference_kind = 1 and code in (30, 31, 32, 33, 34, 35, 38, 39, 40, 41, 42, 44, 45, 46,
                                             47, 48)
     group by 1, 2, 3, 4)
select id, code, debit, credit, coalesce(w.amount, 0), coalesce(p.amount, 0)
  from (select * from wanted where amount <> 0) w
  full join posted p using (id, code, debit, credit)
 where w.amount is distinct from p.amount order by id, code
"""


def postings() -> Iterator[str]:
    """I10: a paid order's sale is posted once, to each side its own part; so are its refunds.

    What must stand in the ledger is computed from the rows of orders and refunds, account by
    account, and compared with what does.
    """
    for row in read_rows(POSTINGS):
        number, code, debit, credit, wanted, posted = row
        yield (
            f"order {number}: {posted} posted with code {code} from {debit} to {credit},"
            f" {wanted} should be"
        )
    yield from _received()


def _received() -> Iterator[str]:
    """What a gateway received is posted."""
    for row in read_rows(
        """
        select p.payment_no, p.received_amount, coalesce(sum(l.amount), 0)
          from payments_payment p left join ledger_transfer l
            on l.code = 20 and l.reference_kind = p.purpose and l.reference_id = p.subject_id
           and l.debit_account = p.gateway_id * 100 + 20
         where p.state in (2, 4)
         group by p.id having coalesce(sum(l.amount), 0) < p.received_amount
        """
    ):
        yield f"payment {row[0]}: received {row[1]}, posted {row[2]}"


def parts() -> Iterator[str]:
    """I26: what wallets pay beside gateways is held or spent as the orders say; surcharges go back
    in proportion."""
    for row in read_rows(
        """
        with moved as (
            select o.id, sum(case t.code when 36 then t.amount else -t.amount end) amount,
                   count(*) filter (where (t.debit_account, t.credit_account) is distinct from
                       case t.code when 36 then (-(o.customer_id * 100 + 10), o.site_id * 100 + 30)
                            else (o.site_id * 100 + 30, -(o.customer_id * 100 + 10)) end) astray
              from ledger_transfer t join orders_order o on o.id = t.reference_id
             where t.reference_kind = 1 and t.code in (36, 37) group by o.id)
        select o.order_no, o.state, o.wallet_amount, coalesce(m.amount, 0), coalesce(m.astray, 0)
          from orders_order o left join moved m on m.id = o.id
         where o.wallet_amount <> coalesce(m.amount, 0) or m.astray > 0
            or o.wallet_amount > 0 and (o.state in (4, 5) or o.paid_by = 1)
        """
    ):
        number, state, counted, moved, astray = row
        yield (
            f"order {number} in state {state}: {counted} of the wallet counted, {moved} moved,"
            f" {astray} times elsewhere"
        )
    for row in read_rows(
        """
        select o.order_no, o.surcharge_amount, o.refunded_amount, o.total_amount,
               sum(r.surcharge_amount)
          from orders_order o join orders_orderrefund r on r.order_id = o.id
         group by o.id
        having sum(r.surcharge_amount) <> case when o.refunded_amount = o.total_amount
               then o.surcharge_amount
               else o.surcharge_amount * o.refunded_amount / o.total_amount / 100 * 100 end
        """
    ):
        number, surcharge, refunded, total, back = row
        yield f"order {number}: {back} of surcharge {surcharge} back for {refunded} of {total}"


def prepaid() -> Iterator[str]:
    """I27: a payment into a prepaid balance is credited once, for a confirmed payment or a booked
    transfer; orders wait for the balance only while they are paid and not delivered."""
    for row in read_rows(
        """
        select i.prepaid_no, i.credited_at is not null, i.amount, coalesce(sum(t.amount), 0)
          from payments_prepaidin i join tenancy_site s on s.id = i.site_id
          left join ledger_transfer t
            on t.reference_kind = 8 and t.reference_id = i.id and t.code = 95
         group by i.id, s.parent_id
        having coalesce(sum(t.amount), 0) <>
               case when i.credited_at is null then 0 else i.amount end
            or count(t.id) > 1
            or bool_or((t.debit_account, t.credit_account) is distinct from
                (case i.source when 1 then i.site_id * 100 + 30 else s.parent_id * 100 + 81 end,
                 -(i.site_id * 100 + 11))) filter (where t.id is not null)
            or i.source = 1 and (i.credited_at is not null) <> exists (
                select 1 from payments_payment p where p.purpose = 8 and p.subject_id = i.id
                   and p.state = 2 and p.amount = i.amount)
        """
    ):
        yield f"prepaid payment {row[0]}: credited {row[1]}, amount {row[2]}, posted {row[3]}"
    for row in read_rows(
        "select order_no, state from orders_order where awaits_prepaid and state not in (2, 6, 7)"
    ):
        yield f"order {row[0]}: waits for the prepaid balance in state {row[1]}"


def uplines() -> Iterator[str]:
    """I29: a child buys through one sub-site of its main site, on that one's plan; what its orders
    and refunds say of their upline is one, and the upline's own legs are of no other site."""
    for row in read_rows(
        """
        select c.id, u.id from tenancy_site c left join tenancy_site u on u.id = c.upline_id
         where c.upline_id is not null
           and (u.kind <> 2 or u.upline_id is not null or c.kind <> 2
                or u.parent_id is distinct from c.parent_id or u.plan_id is distinct from c.plan_id)
        """
    ):
        yield f"site {row[0]}: {row[1]} cannot be its upline, or has another plan"
    for row in read_rows(
        """
        select o.order_no, 'a refund of it' from orders_orderrefund r
          join orders_order o on o.id = r.order_id
         where r.upline_site_id is distinct from o.upline_site_id
            or (r.upline_amount is null) <> (o.upline_site_id is null)
        union all
        select o.order_no, 'its upline' from orders_order o
          left join tenancy_site u on u.id = o.upline_site_id
         where o.upline_site_id is not null
           and u.parent_id is distinct from o.main_site_id
        union all
        select coalesce(o.order_no, t.reference_id::text), 'transfer ' || t.id
          from ledger_transfer t left join orders_order o on o.id = t.reference_id
         where t.code in (39, 48)
           and (t.reference_kind, t.site_id) is distinct from (1, o.upline_site_id)
        """
    ):
        yield f"order {row[0]}: {row[1]} names another upline"
