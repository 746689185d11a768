"""The checks of `kameng audit`, one function an invariant, one sentence a breach.

Each is a set-based query over the whole database under a platform scope.
"""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows
from kameng.config.security import kameng_tables
from kameng.core.audit import verify_chain
from kameng.ledger.accounts import Code
from kameng.orders.rules import is_path

REFERENCES = {
    1: "order",
    2: "top-up",
    5: "split",
    6: "withdrawal",
    7: "dispute",
    8: "prepaid payment",
    9: "case",
}
STUCK_MINUTES = 30  # a paid order of keys that waits longer must carry a note that says why


def transfers() -> Iterator[str]:
    """I1: each transfer has two sides and a known code; rolled-up totals equal the transfers."""
    codes = [int(code) for code in Code]
    for row in read_rows(
        "select id, debit_account, credit_account, amount, code from ledger_transfer"
        " where amount <= 0 or debit_account = credit_account or not code = any (%s)",
        (codes,),
    ):
        number, debit, credit, amount, code = row
        yield f"ledger_transfer {number}: {debit} to {credit}, amount {amount}, code {code}"
    for row in read_rows(
        """
        with mark as (select coalesce(max(xid), '0'::xid8) xid, coalesce(max(transfer_id), 0) id
                        from ledger_rollupmark),
        truth as (
            select account, sum(debit)::bigint debit, sum(credit)::bigint credit from (
                select debit_account account, amount debit, 0::bigint credit, xid, id
                  from ledger_transfer
                union all
                select credit_account, 0, amount, xid, id from ledger_transfer) t, mark
             where (t.xid, t.id) <= (mark.xid, mark.id) group by account)
        select coalesce(r.account_id, t.account), r.debit_amount, t.debit, r.credit_amount, t.credit
          from ledger_rollup r full join truth t on t.account = r.account_id
         where (r.debit_amount, r.credit_amount) is distinct from (t.debit, t.credit)
        """
    ):
        account, debits, true_debits, credits_, true_credits = row
        yield (
            f"ledger_rollup {account}: debits {debits} should be {true_debits},"
            f" credits {credits_} should be {true_credits}"
        )


def balances() -> Iterator[str]:
    """I2: every stored balance equals credits minus debits, and keeps within its credit line.

    No wallet has such a line.
    """
    for row in read_rows(
        """
        with truth as (
            select account, sum(delta)::bigint as amount from (
                select debit_account account, -amount delta from ledger_transfer
                 where debit_account < 0
                union all
                select credit_account, amount from ledger_transfer where credit_account < 0) t
             group by account)
        select coalesce(b.account_id, t.account), coalesce(b.posted_amount, 0),
               coalesce(t.amount, 0)
          from ledger_balance b full join truth t on t.account = b.account_id
         where coalesce(b.posted_amount, 0) <> coalesce(t.amount, 0)
            or coalesce(b.posted_amount + b.credit_amount, 0) < 0
            or b.credit_amount <> 0 and mod(-b.account_id, 100) <> 11
        """
    ):
        yield f"ledger_balance {row[0]}: stored {row[1]}, transfers say {row[2]}"


def keys() -> Iterator[str]:
    """I3: sold keys belong to one delivered order of the same variant, as many as it bought."""
    for row in read_rows(
        """
        select o.order_no, o.quantity, count(k.id), o.state
          from orders_order o left join inventory_cardkey k on k.order_id = o.id and k.state = 2
         where o.delivery_kind = 1 and o.state = 3
           and not exists (select 1 from orders_delivery d where d.order_id = o.id)
         group by o.id having count(k.id) <> o.quantity
        """
    ):
        yield f"order {row[0]}: bought {row[1]}, holds {row[2]} keys in state {row[3]}"
    for row in read_rows(
        """
        select k.id, k.order_id, o.order_no, o.state from inventory_cardkey k
          left join orders_order o on o.id = k.order_id
         where k.state = 2 and (o.id is null or o.state <> 3 or o.variant_id <> k.variant_id)
        """
    ):
        yield f"inventory_cardkey {row[0]}: sold to order {row[2] or row[1]} in state {row[3]}"
    for row in read_rows(
        """
        select o.order_no from orders_order o where o.state = 3 and o.delivery_kind <> 1
           and not exists (select 1 from orders_delivery d where d.order_id = o.id)
        """
    ):
        yield f"order {row[0]}: delivered, but nothing was written for the buyer"
    for row in read_rows(
        "select site_id, encode(digest, 'hex'), count(*) from inventory_cardkey"
        " group by site_id, digest having count(*) > 1"
    ):
        yield f"site {row[0]}: {row[2]} keys with the digest {row[1]}"


def orders() -> Iterator[str]:
    """I4: no paid order of keys waits for long while keys are there; refunds move."""
    for row in read_rows(
        """
        select o.order_no, o.paid_at from orders_order o
         where o.state = 2 and o.delivery_kind = 1 and o.paid_at < now() - make_interval(mins => %s)
           and not exists (select 1 from orders_note n where n.order_id = o.id)
        """,
        (STUCK_MINUTES,),
    ):
        yield f"order {row[0]}: paid at {row[1]:%Y-%m-%d %H:%M}, neither delivered nor explained"
    for row in read_rows(
        """
        select o.order_no from orders_order o
         where (o.state = 7) <> (o.refunded_amount = o.total_amount and not exists (
                 select 1 from orders_orderrefund r where r.order_id = o.id and r.state <> 2))
           and o.state in (3, 6, 7) and o.state <> 6
        """
    ):
        yield f"order {row[0]}: its state and its refunds disagree"
    for row in read_rows(
        """
        select o.order_no from orders_order o where o.state = 6
           and not exists (select 1 from orders_orderrefund r
                            where r.order_id = o.id and r.state in (1, 3))
        """
    ):
        yield f"order {row[0]}: refunding, but no refund is on its way"
    for row in read_rows(
        "select refund_no from payments_gatewayrefund where state = 1 and next_attempt_at is null"
    ):
        yield f"refund {row[0]}: on its way, but its gateway will never be asked"
    for row in read_rows(
        """
        select order_no, state from orders_order
         where (paid_at is not null) <> (state in (2, 3, 6, 7))
            or (paid_by <> 0) <> (state in (2, 3, 6, 7))
        """
    ):
        yield f"order {row[0]}: state {row[1]} does not fit its payment"


def refunds() -> Iterator[str]:
    """I5: refunds of an order add up to what it counts, and never exceed what was paid."""
    for row in read_rows(
        """
        select o.order_no, o.refunded_amount, coalesce(sum(r.amount), 0), o.total_amount
          from orders_order o left join orders_orderrefund r on r.order_id = o.id
         group by o.id
        having o.refunded_amount <> coalesce(sum(r.amount), 0) or o.refunded_amount > o.total_amount
        """
    ):
        yield f"order {row[0]}: counts {row[1]} refunded, refunds say {row[2]} of {row[3]}"
    for row in read_rows(
        """
        select p.payment_no, p.refunded_amount, sum(g.amount) from payments_payment p
          join payments_gatewayrefund g on g.payment_id = p.id and g.state <> 3
         group by p.id having sum(g.amount) > coalesce(p.received_amount, 0)
                           or sum(g.amount) > p.refunded_amount
        """
    ):
        yield f"payment {row[0]}: {row[2]} refunded by the gateway, {row[1]} accounted for"
    for row in read_rows(
        """
        select o.order_no, r.refund_no, r.state, g.state
          from orders_orderrefund r join orders_order o on o.id = r.order_id
          left join payments_gatewayrefund g on g.refund_no = r.refund_no
         where r.refund_to = 2
               and (g.state, g.amount, g.payment_id)
                   is distinct from
                   (r.state, r.amount + r.surcharge_amount - r.wallet_amount,
                    coalesce(r.payment_id, o.payment_id))
            or r.payment_id is not null and r.payment_id is distinct from o.first_payment_id
            or r.refund_to <> 2 and r.state <> 2
            or r.refund_to = 1 and r.wallet_amount <> r.amount + r.surcharge_amount
            -- By hand at once gives the wallet nothing; what a gateway refused has its part there.
            or r.refund_to = 3 and r.wallet_amount <> 0
               and (g.state, g.amount)
                   is distinct from (3, r.amount + r.surcharge_amount - r.wallet_amount)
        """
    ):
        number, refund, state, at_gateway = row
        yield (
            f"order {number}: refund {refund} in state {state},"
            f" that of its gateway in state {at_gateway}, or of something else"
        )
    yield from _returned()


def _returned() -> Iterator[str]:
    """What came back to the buyer of an order went to the right place, as much as was decided."""
    for row in read_rows(
        """
        with moved as (
            select o.id, o.order_no,
                   coalesce(sum(t.amount) filter (where t.code in (50, 53)), 0) outside,
                   coalesce(sum(t.amount) filter (where t.code = 51), 0) gateway,
                   count(*) filter (where t.credit_account is distinct from case t.code
                       when 50 then -(o.customer_id * 100 + 10)
                       when 53 then o.site_id * 100 + 70 else t.credit_account end) astray
              from ledger_transfer t join orders_order o on o.id = t.reference_id
             where t.reference_kind = 1 and t.code in (50, 51, 53) group by o.id),
        at_gateways as (
            select p.subject_id id, p.id payment_id, p.refunded_amount counted,
                   coalesce(sum(g.amount) filter (where g.state <> 3), 0) asked,
                   coalesce(sum(g.amount) filter (where g.state = 2), 0) done
              from payments_payment p left join payments_gatewayrefund g on g.payment_id = p.id
             where p.purpose = 1 and p.refunded_amount > 0 group by p.id),
        due as (
            select id, sum(outside)::bigint outside, sum(gateway)::bigint gateway from (
                select order_id id, case refund_to when 2 then wallet_amount
                                    else amount + surcharge_amount end outside, 0::bigint gateway
                  from orders_orderrefund where refund_to = 2 or state = 2
                union all
                select a.id, a.counted - a.asked, a.done from at_gateways a) d group by id)
        select coalesce(m.order_no, d.id::text), coalesce(m.outside, 0), coalesce(d.outside, 0),
               coalesce(m.gateway, 0), coalesce(d.gateway, 0), coalesce(m.astray, 0)
          from moved m full join due d on d.id = m.id
         where (coalesce(m.outside, 0), coalesce(m.gateway, 0), coalesce(m.astray, 0))
               is distinct from (coalesce(d.outside, 0), coalesce(d.gateway, 0), 0::bigint)
        """
    ):
        number, outside, outside_due, gateway, gateway_due, astray = row
        yield (
            f"order {number}: {outside} of {outside_due} went to wallet or hand, {gateway} of"
            f" {gateway_due} to gateways, {astray} times to another account"
        )


def payments() -> Iterator[str]:
    """I6: one proof for each paid payment, none for others, no gateway number twice."""
    for row in read_rows(
        """
        select p.payment_no, p.state, f.payment_id is not null
          from payments_payment p left join payments_proof f on f.payment_id = p.id
         where (p.state in (2, 4)) <> (f.payment_id is not null)
            or (p.state = 2
                and p.received_amount + p.difference_amount + p.completed_amount
                    is distinct from p.amount)
            or p.completed_amount > 0 and p.state <> 2
            or (p.state in (2, 4) and (p.external_no is null or p.received_amount is null))
        """
    ):
        yield f"payment {row[0]}: state {row[1]}, proof {row[2]}"
    for row in read_rows(
        """
        select o.order_no, o.payment_id from orders_order o
          left join payments_payment p on p.id = o.payment_id
         where (o.paid_by = 2) <> (o.payment_id is not null)
            or o.payment_id is not null
               and (p.purpose, p.subject_id, p.site_id, p.state, p.amount - p.completed_amount)
                   is distinct from
                   (1::smallint, o.id, o.site_id, 2::smallint,
                    o.total_amount - o.wallet_amount + o.surcharge_amount - o.first_amount)
            or o.payment_id is not null
               and (case when p.completed_amount = 0 then p.surcharge_amount else 0 end,
                    p.fee_amount) is distinct from
                   (o.surcharge_amount, o.fee_amount + o.surcharge_fee_amount - o.first_fee_amount)
        """
    ):
        yield f"order {row[0]}: payment {row[1]} is not one that paid it"
    yield from _joined()
    for row in read_rows(
        "select gateway_id, external_no, count(*) from payments_payment"
        " where external_no is not null group by 1, 2 having count(*) > 1"
    ):
        yield f"gateway {row[0]}: number {row[1]} paid {row[2]} payments"
    for row in read_rows(
        """
        select t.top_up_no from payments_topup t
         where (t.credited_at is not null) <> exists (
                select 1 from payments_payment p where p.purpose = 2 and p.subject_id = t.id
                   and p.state = 2 and p.amount = t.amount)
            or (t.credited_at is not null) <> exists (
                select 1 from ledger_transfer l where l.reference_kind = 2 and l.code = 10
                   and l.reference_id = t.id and l.amount = t.amount
                   and l.credit_account = -(t.customer_id * 100 + 10))
        """
    ):
        yield f"top-up {row[0]}: credit and payment disagree"


def _joined() -> Iterator[str]:
    """A short payment and the one that completed it paid one order together; nobody is asked for
    the rest of a payment that does not wait."""
    for row in read_rows(
        """
        select o.order_no, o.first_payment_id from orders_order o
          left join payments_payment p on p.id = o.payment_id
          left join payments_payment f on f.id = o.first_payment_id
         where o.first_payment_id is not null
               and (f.purpose, f.subject_id, f.site_id, f.state, f.received_amount, f.fee_amount,
                    f.completed_amount, p.completes_id) is distinct from
                   (1::smallint, o.id, o.site_id, 2::smallint, o.first_amount,
                    o.first_fee_amount, f.amount - f.received_amount, f.id)
            or o.first_payment_id is null and p.completes_id is not null
        """
    ):
        yield f"order {row[0]}: payment {row[1]} is not the first of two that paid it"
    for row in read_rows(
        """
        select p.payment_no, s.state, p.state from payments_shortfall s
          join payments_payment p on p.id = s.payment_id
         where (s.state = 1) <> (s.closed_at is null)
            or s.state = 1 and (p.state <> 4 or p.refunded_amount <> 0)
            or s.state = 2 and (p.state <> 2 or p.completed_amount = 0)
        """
    ):
        yield f"payment {row[0]} in state {row[2]}: the wish for its rest is in state {row[1]}"

    for row in read_rows(
        """
        select o.order_no, g.refund_no from payments_gatewayrefund g
          join payments_payment p on p.id = g.payment_id
          join orders_order o on o.id = p.subject_id and p.id in (o.payment_id, o.first_payment_id)
         where p.purpose = 1 and g.state <> 3 and not g.is_surplus and not exists (
               select 1 from orders_orderrefund r where r.refund_no = g.refund_no)
        """
    ):
        yield f"order {row[0]}: refund {row[1]} gives back what paid it, and is none of its own"


def histories() -> Iterator[str]:
    """I7: the path of every order is a path in the declared graph and ends in its state."""
    for path, count, example, state in read_rows(
        "select path, count(*), min(order_no), state from orders_order group by path, state"
    ):
        if not is_path(list(path)) or path[-1] != state:
            yield f"order {example} (and {count - 1} more): history {path} in state {state}"


def chain() -> Iterator[str]:
    """I8: the sealed part of the audit log is unbroken."""
    yield from verify_chain()


def isolation() -> Iterator[str]:
    """I9: every tenant table has row-level security enabled and forced, with its policy."""
    state = {
        row[0]: (row[1], row[2], row[3])
        for row in read_rows(
            "select c.relname, c.relrowsecurity, c.relforcerowsecurity,"
            " exists (select 1 from pg_policy p"
            " where p.polrelid = c.oid and p.polname = 'own_site')"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p')"
        )
    }
    for table, has_site, _shared in kameng_tables():
        if has_site and state.get(table) != (True, True, True):
            yield f"{table}: row-level security is {state.get(table)}"


def references() -> Iterator[str]:
    """I11: ids without a database constraint (the hot tables) point at rows that exist."""
    pairs = [
        (table, "site_id", "tenancy_site", "id")
        for table, has_site, _shared in kameng_tables()
        if has_site
    ]
    pairs += [
        ("orders_order", "customer_id", "accounts_customer", "id"),
        ("orders_order", "variant_id", "catalog_variant", "id"),
        ("orders_order", "payment_id", "payments_payment", "id"),
        ("orders_order", "first_payment_id", "payments_payment", "id"),
        ("orders_orderrefund", "payment_id", "payments_payment", "id"),
        ("payments_shortfall", "payment_id", "payments_payment", "id"),
        ("payments_payment", "gateway_id", "payments_gateway", "id"),
        ("inventory_cardkey", "variant_id", "catalog_variant", "id"),
        ("inventory_cardkey", "batch_id", "inventory_cardbatch", "id"),
        ("orders_delivery", "order_id", "orders_order", "id"),
        ("orders_orderrefund", "order_id", "orders_order", "id"),
        ("payments_gatewayrefund", "payment_id", "payments_payment", "id"),
        ("payments_topup", "customer_id", "accounts_customer", "id"),
        ("payments_topup", "bonus_rule_id", "payments_bonusrule", "id"),
        ("payments_bonus", "rule_id", "payments_bonusrule", "id"),
        ("payments_bonus", "customer_id", "accounts_customer", "id"),
        ("payments_dispute", "gateway_id", "payments_gateway", "id"),
        ("settlement_split", "order_id", "orders_order", "id"),
        ("settlement_split", "payment_id", "payments_payment", "id"),
        ("settlement_split", "gateway_id", "payments_gateway", "id"),
        ("settlement_splitreceiver", "gateway_id", "payments_gateway", "id"),
        ("settlement_splitreturn", "refund_id", "orders_orderrefund", "id"),
        ("settlement_withdrawal", "gateway_id", "payments_gateway", "id"),
    ]
    for table, column, target, key in pairs:
        for row in read_rows(
            f"select distinct a.{column} from {table} a where a.{column} is not null"  # noqa: S608
            f" and not exists (select 1 from {target} b where b.{key} = a.{column}) limit 20"
        ):
            yield f"{table}.{column} {row[0]}: no such row in {target}"
    yield from _named_by_kind()


def _named_by_kind() -> Iterator[str]:
    """What payments and transfers are for exists, in the table that its kind tells."""
    for row in read_rows(
        """
        select 'payments_payment', p.payment_no, p.purpose, p.subject_id from payments_payment p
         where not case p.purpose
               when 1 then exists (select 1 from orders_order o where o.id = p.subject_id)
               when 8 then exists (select 1 from payments_prepaidin i where i.id = p.subject_id)
               else exists (select 1 from payments_topup t where t.id = p.subject_id) end
        union all
        select 'ledger_transfer', l.id::text, l.reference_kind, l.reference_id
          from ledger_transfer l
         where l.reference_kind = 1
               and not exists (select 1 from orders_order o where o.id = l.reference_id)
            or l.reference_kind = 2
               and not exists (select 1 from payments_topup t where t.id = l.reference_id)
            or l.reference_kind = 5
               and not exists (select 1 from settlement_split s where s.id = l.reference_id)
            or l.reference_kind = 6
               and not exists (select 1 from settlement_withdrawal w where w.id = l.reference_id)
            or l.reference_kind = 7
               and not exists (select 1 from payments_dispute d where d.id = l.reference_id)
            or l.reference_kind = 9
               and not exists (select 1 from reconciliation_case c where c.id = l.reference_id)
            or l.reference_kind = 8
               and not exists (select 1 from payments_prepaidin i where i.id = l.reference_id)
        """
    ):
        yield f"{row[0]} {row[1]}: no such {REFERENCES[row[2]]} as {row[3]}"


def reservations() -> Iterator[str]:
    """I12: nothing is reserved but for orders that wait for a payment, or for prepaid wholesale."""
    for row in read_rows(
        """
        select k.id, o.order_no, o.state from inventory_cardkey k
          left join orders_order o on o.id = k.order_id
         where k.state = 1 and (o.id is null
                or not (o.state = 1 or o.state = 2 and o.awaits_prepaid) or not exists (
                select 1 from inventory_reservation r where r.order_id = k.order_id))
        """
    ):
        yield f"inventory_cardkey {row[0]}: reserved for order {row[1]} in state {row[2]}"
    for row in read_rows(
        """
        select r.order_id, o.state from inventory_reservation r
          left join orders_order o on o.id = r.order_id
         where o.id is null or not (o.state = 1 or o.state = 2 and o.awaits_prepaid)
        """
    ):
        yield f"inventory_reservation {row[0]}: its order is in state {row[1]}"
    for row in read_rows(
        """
        select r.order_id, r.count, count(k.id) from inventory_reservation r
          left join inventory_cardkey k on k.order_id = r.order_id and k.state = 1
         where r.holds_keys group by r.order_id having count(k.id) <> r.count
        """
    ):
        yield f"inventory_reservation {row[0]}: holds {row[2]} of {row[1]} keys"


def suspense() -> Iterator[str]:
    """I13: what lies between the accounts of a site is what somebody still waits for.

    Wrong amounts and second payments until they went back, refunds until they arrived, the wallets'
    parts of unpaid orders; no more.
    """
    for row in read_rows(
        """
        with held as (
            select account / 100 as site_id, sum(delta)::bigint as amount from (
                select credit_account as account, amount as delta from ledger_transfer
                union all
                select debit_account, -amount from ledger_transfer) t
             where account > 0 and mod(account, 100) = 30 group by 1),
        due as (
            select site_id, sum(amount)::bigint as amount from (
                select p.site_id, p.received_amount - p.refunded_amount + coalesce((
                        select sum(g.amount) from payments_gatewayrefund g
                         where g.payment_id = p.id and g.state = 1), 0) as amount
                  from payments_payment p
                 where p.state = 4 or p.state = 2 and p.purpose = 1 and not exists (
                        select 1 from orders_order o
                         where o.id = p.subject_id and p.id in (o.payment_id, o.first_payment_id))
                union all
                select p.site_id, p.surplus_left_amount from payments_payment p
                 where p.state = 2 and (p.purpose <> 1 or exists (
                        select 1 from orders_order o
                         where o.id = p.subject_id and o.payment_id = p.id))
                union all
                select r.site_id, r.amount from payments_topupreturn r where r.state in (1, 3)
                union all
                select r.site_id, r.amount + r.surcharge_amount - r.wallet_amount
                  from orders_orderrefund r where r.state <> 2
                union all
                select o.site_id, o.wallet_amount from orders_order o where o.state = 1) d
             group by site_id)
        select coalesce(h.site_id, d.site_id), coalesce(h.amount, 0), coalesce(d.amount, 0)
          from held h full join due d on d.site_id = h.site_id
         where coalesce(h.amount, 0) <> coalesce(d.amount, 0)
        """
    ):
        yield f"site {row[0]}: {row[1]} lies between accounts, {row[2]} is waited for"


def counted_stock() -> Iterator[str]:
    """I14: counted stock and what orders took of it add up to what was supplied.

    What an order took is there while it waits and after it was delivered, and else went back.
    """
    for row in read_rows(
        """
        select l.variant_id, l.available_count, coalesce(sum(k.count), 0), l.supplied_count
          from inventory_stocklevel l
          left join inventory_countedclaim k on k.variant_id = l.variant_id
         group by l.variant_id
        having l.supplied_count <> l.available_count + coalesce(sum(k.count), 0)
        """
    ):
        yield f"variant {row[0]}: {row[1]} left and {row[2]} taken of {row[3]} supplied"
    for row in read_rows(
        """
        select k.order_id, o.order_no, o.state, k.count, o.quantity
          from inventory_countedclaim k left join orders_order o on o.id = k.order_id
         where o.id is null or o.variant_id <> k.variant_id or o.quantity <> k.count
            or o.delivery_kind = 1 or not (o.state in (1, 2) or 3 = any (o.path))
        """
    ):
        number, state, taken, quantity = row[1] or row[0], *row[2:]
        yield f"order {number} in state {state}: took {taken} of counted stock, bought {quantity}"
