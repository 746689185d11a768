"""Checks of `kameng audit` about money that customers put in, disputes and the two-person rule."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows


def top_ups() -> Iterator[str]:
    """Bonuses and returns of each top-up are posted as they stand written, to the right side."""
    for row in read_rows(
        """
        with moved as (
            select t.id,
                   coalesce(sum(l.amount) filter (where l.code = 12
                       and l.debit_account = t.site_id * 100 + 71
                       and l.credit_account = -(t.customer_id * 100 + 10)), 0)
                 - coalesce(sum(l.amount) filter (where l.code = 13
                       and l.debit_account = -(t.customer_id * 100 + 10)
                       and l.credit_account = t.site_id * 100 + 71), 0) bonus,
                   coalesce(sum(l.amount) filter (where l.code = 52
                       and l.debit_account = -(t.customer_id * 100 + 10)
                       and l.credit_account = t.site_id * 100 + 30), 0) taken,
                   coalesce(sum(l.amount) filter (where l.code in (12, 13)), 0) bonus_whole,
                   coalesce(sum(l.amount) filter (where l.code = 52), 0) taken_whole
              from payments_topup t join ledger_transfer l
                on l.reference_kind = 2 and l.reference_id = t.id
             group by t.id),
        gone as (
            select top_up_id id, sum(amount) amount,
                   coalesce(sum(amount) filter (where state <> 4), 0) kept
              from payments_topupreturn group by top_up_id),
        given as (select top_up_id id, amount - revoked_amount amount from payments_bonus)
        select t.top_up_no, coalesce(m.bonus, 0), coalesce(b.amount, 0), coalesce(m.taken, 0),
               coalesce(g.amount, 0), t.returned_amount, coalesce(g.kept, 0)
          from payments_topup t left join moved m on m.id = t.id
          left join gone g on g.id = t.id left join given b on b.id = t.id
         where coalesce(m.bonus, 0) <> coalesce(b.amount, 0)
            or coalesce(m.taken, 0) <> coalesce(g.amount, 0)
            or coalesce(m.taken_whole, 0) <> coalesce(m.taken, 0)
            or t.returned_amount <> coalesce(g.kept, 0)
            or t.credited_at is null and (g.id is not null or b.id is not null)
        """
    ):
        number, bonus, bonus_due, taken, taken_due, returned, kept = row
        yield (
            f"top-up {number}: bonus {bonus} posted of {bonus_due}, {taken} taken of {taken_due}"
            f" to go back, {returned} counted of {kept}"
        )
    yield from _returns()


def _returns() -> Iterator[str]:
    """A return and what its gateway was asked for agree, and it left the suspense account once."""
    for row in read_rows(
        """
        select r.return_no, r.state, g.state
          from payments_topupreturn r
          left join payments_gatewayrefund g on g.refund_no = r.return_no and g.amount = r.amount
           and g.purpose = 2 and g.subject_id = r.top_up_id
         where g.id is null
            or (r.state, g.state) not in ((1, 1), (2, 2), (3, 3), (4, 3), (5, 3))
        """
    ):
        yield f"top-up return {row[0]}: state {row[1]}, that of its gateway {row[2]}"
    for row in read_rows(
        """
        with out as (
            select l.reference_id id,
                   sum(l.amount) filter (where l.code = 50) wallet,
                   sum(l.amount) filter (where l.code = 53) hand
              from ledger_transfer l where l.reference_kind = 2 and l.code in (50, 53) group by 1),
        due as (
            select top_up_id id, sum(amount) filter (where state = 4) wallet,
                   sum(amount) filter (where state = 5) hand
              from payments_topupreturn group by 1),
        odd as (
            select p.subject_id id, sum(p.refunded_amount - coalesce((
                   select sum(g.amount) from payments_gatewayrefund g
                    where g.payment_id = p.id and g.state <> 3), 0)) amount
              from payments_payment p where p.purpose = 2 group by 1)
        select t.top_up_no, coalesce(o.wallet, 0) + coalesce(o.hand, 0),
               coalesce(d.wallet, 0) + coalesce(d.hand, 0) + coalesce(x.amount, 0)
          from payments_topup t left join out o on o.id = t.id left join due d on d.id = t.id
          left join odd x on x.id = t.id
         where coalesce(o.wallet, 0) + coalesce(o.hand, 0)
               <> coalesce(d.wallet, 0) + coalesce(d.hand, 0) + coalesce(x.amount, 0)
        """
    ):
        yield f"top-up {row[0]}: {row[1]} of {row[2]} went back by wallet or hand"


def disputes() -> Iterator[str]:
    """Each dispute is posted as it stands, and its payment counts the open ones and the lost."""
    for row in read_rows(
        """
        with moved as (
            select d.id,
                   coalesce(sum(l.amount) filter (where l.code = 90
                       and l.debit_account = d.gateway_id * 100 + 83
                       and l.credit_account = d.gateway_id * 100 + 20), 0) held,
                   coalesce(sum(l.amount) filter (where l.code = 91
                       and l.debit_account = d.gateway_id * 100 + 20
                       and l.credit_account = d.gateway_id * 100 + 83), 0) won,
                   coalesce(sum(l.amount) filter (where l.code = 92
                       and l.debit_account = d.site_id * 100 + 84
                       and l.credit_account = d.gateway_id * 100 + 83), 0) lost,
                   coalesce(sum(l.amount), 0) whole
              from payments_dispute d left join ledger_transfer l
                on l.reference_kind = 7 and l.reference_id = d.id
             group by d.id)
        select d.dispute_no, d.state, d.held_amount, m.held, m.won, d.lost_amount, m.lost
          from payments_dispute d join moved m on m.id = d.id
         where m.held <> d.held_amount or m.lost <> d.lost_amount
            or m.whole <> m.held + m.won + m.lost
            or m.won <> case d.state when 1 then 0 else d.held_amount - d.lost_amount end
            or d.state <> 3 and d.lost_amount <> 0
            or d.state = 3 and d.lost_amount = 0 and d.held_amount > 0
            or (d.state = 1) <> (d.closed_at is null)
        """
    ):
        number, state, due, held, won, lost_due, lost = row
        yield (
            f"dispute {number} in state {state}: held {held} of {due}, won {won},"
            f" lost {lost} of {lost_due}"
        )
    for row in read_rows(
        """
        select p.payment_no, p.open_disputes, coalesce(d.open, 0), p.disputed_amount,
               coalesce(d.amount, 0)
          from payments_payment p left join (
               select payment_id, count(*) filter (where state = 1) open,
                      sum(case state when 1 then held_amount else lost_amount end) amount
                 from payments_dispute group by payment_id) d on d.payment_id = p.id
         where (p.open_disputes, p.disputed_amount)
               is distinct from (coalesce(d.open, 0), coalesce(d.amount, 0))
        """
    ):
        number, counted, open_count, amount, due = row
        yield f"payment {number}: counts {counted} of {open_count} disputes, {amount} of {due}"


def approvals() -> Iterator[str]:
    """What was approved was approved by another than who asked, and stands in the audit log."""
    for row in read_rows(
        """
        select a.id, a.kind, a.asked_by_id, a.decided_by_id from accounts_approval a
         where a.state = 2 and (a.decided_by_id is null or a.decided_by_id = a.asked_by_id
            or not exists (select 1 from core_auditentry e where e.action = 'approval.given'
                  and e.subject_id = a.id::text and e.actor_id = a.decided_by_id))
        """
    ):
        yield f"approval {row[0]} ({row[1]}): asked by {row[2]}, approved by {row[3]}"
