"""The checks of `kameng audit` about withdrawals and splits: each state has its postings."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows

WITHDRAWALS = """
with sides as (
    select w.id, w.withdrawal_no, w.state, w.amount, w.payout_amount payout,
           w.fee_amount fee, w.tax_amount tax, w.site_id * 100 + 80 held,
           coalesce(s.parent_id, s.id) * 100 main,
           case w.source when 1 then p.owner_id * 100 + 50
                         when 2 then -(p.owner_id * 100 + 11)
                         else -(p.owner_id * 100 + 10) end source,
           case when w.gateway_id is null then coalesce(s.parent_id, s.id) * 100 + 81
                else w.gateway_id * 100 + 20 end payer
      from settlement_withdrawal w join settlement_payee p on p.id = w.payee_id
      join tenancy_site s on s.id = w.site_id),
moved as (
    select s.id,
           coalesce(sum(t.amount) filter (where t.code = 70 and t.debit_account = s.source
               and t.credit_account = s.held), 0) held,
           coalesce(sum(t.amount) filter (where t.code = 71 and t.debit_account = s.held
               and t.credit_account = s.source), 0) released,
           coalesce(sum(t.amount) filter (where t.code = 72 and t.debit_account = s.held
               and t.credit_account = s.payer), 0) paid,
           coalesce(sum(t.amount) filter (where t.code = 73 and t.debit_account = s.held
               and t.credit_account = s.main + 40), 0) fee,
           coalesce(sum(t.amount) filter (where t.code = 74 and t.debit_account = s.held
               and t.credit_account = s.main + 86), 0) tax,
           coalesce(sum(t.amount) filter (where t.code = 75
               and t.credit_account = s.source
               and t.debit_account in (s.payer, s.main + 40, s.main + 86)), 0) returned,
           coalesce(sum(t.amount) filter (where t.code = 75
               and t.debit_account = s.payer), 0) payout_returned,
           coalesce(sum(t.amount), 0) whole
      from sides s left join ledger_transfer t
        on t.reference_kind = 6 and t.reference_id = s.id
     group by s.id)
select s.withdrawal_no, s.state, s.amount, m.held, m.released, m.paid
  from sides s join moved m on m.id = s.id
 where (m.held, m.released, m.paid, m.fee, m.tax, m.returned, m.payout_returned, m.whole)
       is distinct from
       (s.amount,
        case when s.state in (6, 7, 8) then s.amount else 0 end,
        case when s.state in (5, 9) then s.payout else 0 end,
        case when s.state in (5, 9) then s.fee else 0 end,
        case when s.state in (5, 9) then s.tax else 0 end,
        case when s.state = 9 then s.amount else 0 end,
        case when s.state = 9 then s.payout else 0 end,
        case s.state when 9 then 3 * s.amount when 5 then 2 * s.amount
                     when 6 then 2 * s.amount when 7 then 2 * s.amount
                     when 8 then 2 * s.amount else s.amount end)
"""


def withdrawals() -> Iterator[str]:
    """I19: a withdrawal holds, pays or gives back its money once, to the right accounts.

    One that was paid and came back did both.

    Approved by as many people as it needs, never by who asked for it.
    """
    for row in read_rows(WITHDRAWALS):
        number, state, amount, held, released, paid = row
        yield (
            f"withdrawal {number} in state {state}: {amount} asked for, {held} held, {released}"
            f" given back, {paid} paid, or a part went to another account"
        )
    yield from _decided()


def _decided() -> Iterator[str]:
    """Who said yes, and that what is under way goes on."""
    for row in read_rows(
        """
        select w.withdrawal_no, w.state, w.approvals_needed, count(a.id)
          from settlement_withdrawal w left join settlement_approval a on a.withdrawal_id = w.id
         group by w.id
        having w.state in (2, 3, 4, 5, 7, 9) and count(a.id) < w.approvals_needed
            or bool_or(a.user_id = w.asked_by_id)
        """
    ):
        yield f"withdrawal {row[0]} in state {row[1]}: {row[3]} of {row[2]} approvals, or its own"
    for row in read_rows(
        """
        select withdrawal_no, state from settlement_withdrawal
         where (state = 3) <> (next_attempt_at is not null)
            or (gateway_id is null and batch_id is null) and state in (3, 4, 5, 7, 9)
            or (ended_at is null) <> (state in (1, 2, 3, 4))
            or (returned_at is null) <> (state <> 9) or recheck_at is not null and state <> 5
        """
    ):
        yield f"withdrawal {row[0]} in state {row[1]}: will not be asked about, or was paid nowhere"


def splits() -> Iterator[str]:
    """I20: a share lies in between while it is asked for, is posted once, and within its margin."""
    for row in read_rows(
        """
        with moved as (
            select s.id,
                   coalesce(sum(t.amount) filter (where t.code = 80
                       and t.debit_account = s.site_id * 100 + 50
                       and t.credit_account = s.gateway_id * 100 + 82), 0) asked,
                   coalesce(sum(t.amount) filter (where t.code = 81
                       and t.debit_account = s.gateway_id * 100 + 82
                       and t.credit_account = s.gateway_id * 100 + 20), 0) done,
                   coalesce(sum(t.amount) filter (where t.code = 82
                       and t.debit_account = s.gateway_id * 100 + 82
                       and t.credit_account = s.site_id * 100 + 50), 0) refused,
                   coalesce(sum(t.amount) filter (where t.code = 83
                       and t.debit_account = s.gateway_id * 100 + 20
                       and t.credit_account = s.site_id * 100 + 50), 0) returned,
                   coalesce(sum(t.amount), 0) whole
              from settlement_split s left join ledger_transfer t
                on t.reference_kind = 5 and t.reference_id = s.id
             group by s.id),
        back as (
            select split_id, sum(amount) amount from settlement_splitreturn where state = 2
             group by split_id)
        select s.split_no, s.state, s.amount, m.asked, m.done, m.refused, m.returned
          from settlement_split s join moved m on m.id = s.id left join back b on b.split_id = s.id
         where m.asked - m.done - m.refused <> case s.state when 2 then s.amount else 0 end
            or m.done <> case s.state when 3 then s.amount else 0 end
            or m.returned <> coalesce(b.amount, 0) or s.returned_amount <> coalesce(b.amount, 0)
            or m.whole <> m.asked + m.done + m.refused + m.returned
        """
    ):
        number, state, amount, asked, done, refused, returned = row
        yield (
            f"split {number} in state {state} of {amount}: {asked} asked for, {done} handed over,"
            f" {refused} refused, {returned} returned, or a part went to another account"
        )
    yield from _within()


def _within() -> Iterator[str]:
    """No share is above its margin or its payment, and each open one will be asked about."""
    for row in read_rows(
        """
        select s.split_no, s.amount, coalesce(sum(t.amount), 0), p.received_amount
          from settlement_split s left join payments_payment p on p.id = s.payment_id
          left join ledger_transfer t on t.reference_kind = 1 and t.reference_id = s.order_id
               and t.code = 31 and t.credit_account = s.site_id * 100 + 50
         where s.state in (2, 3) group by s.id, p.id
        having s.amount > coalesce(sum(t.amount), 0)
            or s.amount > coalesce(p.received_amount, 0)
            or (p.site_id, p.gateway_id) is distinct from (s.site_id, s.gateway_id)
            or s.receiver_id is null
        """
    ):
        yield f"split {row[0]}: {row[1]} of a margin of {row[2]} and a payment of {row[3]}"
    for row in read_rows(
        """
        select 'split ' || split_no, state from settlement_split
         where (state in (1, 2, 5)) <> (next_attempt_at is not null)
        union all
        select 'return of a share ' || return_no, state from settlement_splitreturn
         where (state = 1) <> (next_attempt_at is not null)
        """
    ):
        yield f"{row[0]} in state {row[1]}: will never be asked about, or after its end"


# The same of the upline's part of a child site's sale.
UPLINE_TAKEN = """
with lost as (
    select o.id, o.upline_site_id, o.site_id, o.total_amount, sum(d.lost_amount) amount
      from payments_dispute d join payments_payment p on p.id = d.payment_id
      join orders_order o on o.id = p.subject_id and o.payment_id = p.id
     where p.purpose = 1 and o.upline_site_id is not null group by o.id),
moved as (
    select t.reference_id id, sum(t.amount) taken,
           bool_and(t.debit_account = l.upline_site_id * 100 + 50
               and t.credit_account = l.site_id * 100 + 84) is_right
      from ledger_transfer t left join lost l on l.id = t.reference_id
     where t.code = 94 and t.reference_kind = 1 group by 1),
due as (
    select l.id, count(*) filter (where t.code = 47) refunds,
           floor(coalesce(sum(case t.code when 38 then t.amount
                                          when 39 then -t.amount end), 0)::numeric
                 * least(l.amount, l.total_amount) / l.total_amount) amount
      from lost l left join ledger_transfer t
        on t.reference_kind = 1 and t.reference_id = l.id
     group by l.id, l.amount, l.total_amount)
select coalesce(d.id, m.id), coalesce(m.taken, 0), coalesce(d.amount, 0)
  from due d full join moved m on m.id = d.id
 where coalesce(m.taken, 0) not between coalesce(d.amount - d.refunds, 0) and coalesce(d.amount, 0)
    or not coalesce(m.is_right, m.id is null)
"""


def contested() -> Iterator[str]:
    """I28: a lost dispute took its part of the margin once; reviewers are told of open ones."""
    for row in read_rows(
        """
        with lost as (
            select o.id, o.order_no, o.site_id, o.total_amount, sum(d.lost_amount) amount
              from payments_dispute d join payments_payment p on p.id = d.payment_id
              join orders_order o on o.id = p.subject_id and o.payment_id = p.id
             where p.purpose = 1 group by o.id),
        moved as (
            select t.reference_id id, sum(t.amount) taken,
                   bool_and(mod(t.debit_account, 100) = 50 and mod(t.credit_account, 100) = 84
                       and t.debit_account / 100 = t.credit_account / 100) is_right
              from ledger_transfer t where t.code = 93 and t.reference_kind = 1 group by 1),
        sold as (
            select l.id, coalesce(sum(t.amount) filter (where t.code = 31), 0) margin,
                   count(*) filter (where t.code = 41) refunds
              from lost l join ledger_transfer t
                on t.reference_kind = 1 and t.reference_id = l.id group by l.id),
        due as (
            select l.id, l.order_no, l.site_id, s.refunds, floor(
                   s.margin::numeric * least(l.amount, l.total_amount) / l.total_amount) amount
              from lost l join sold s on s.id = l.id)
        select coalesce(d.order_no, m.id::text), coalesce(m.taken, 0), coalesce(d.amount, 0)
          from due d full join moved m on m.id = d.id
         where coalesce(m.taken, 0) not between coalesce(d.amount - d.refunds, 0)
               and coalesce(d.amount, 0)
            or not coalesce(m.is_right, true)
        """
    ):
        # A refund before it is rounded too, so each may leave one unit less to take.
        yield f"order {row[0]}: {row[1]} of the margin taken by disputes, {row[2]} is due"
    for row in read_rows(UPLINE_TAKEN):
        yield f"order {row[0]}: {row[1]} of its upline's part taken by disputes, {row[2]} is due"
    for row in read_rows(
        """
        select w.withdrawal_no, orders_disputed_margin(w.site_id)
          from settlement_withdrawal w join tenancy_site s on s.id = w.site_id
          join settlement_payee p on p.id = w.payee_id
         where w.state = 1 and w.source = 1 and p.owner_kind = 1 and s.parent_id is not null
           and (orders_disputed_margin(w.site_id) > 0) <> ('open_dispute' = any (w.risk_codes))
        """
    ):
        yield f"withdrawal {row[0]}: its review is not told that {row[1]} is disputed"


def between() -> Iterator[str]:
    """I21: what lies between the accounts is what withdrawals and splits under way say."""
    for row in read_rows(
        """
        with held as (
            select account, sum(delta)::bigint amount from (
                select credit_account account, amount delta from ledger_transfer
                union all
                select debit_account, -amount from ledger_transfer) t
             where account > 0 and mod(account, 100) in (80, 82) group by 1),
        due as (
            select site_id * 100 + 80 account, sum(amount)::bigint amount
              from settlement_withdrawal where state in (1, 2, 3, 4) group by 1
            union all
            select gateway_id * 100 + 82, sum(amount)::bigint
              from settlement_split where state = 2 group by 1)
        select coalesce(h.account, d.account), coalesce(h.amount, 0), coalesce(d.amount, 0)
          from held h full join due d on d.account = h.account
         where coalesce(h.amount, 0) <> coalesce(d.amount, 0)
        """
    ):
        yield f"account {row[0]}: {row[1]} lies there, {row[2]} is under way"
