"""Transfers by month: a partitioned table takes the place of the plain one, rows and all.

Months are those of Beijing time. The rows move in one transaction, under the lock that the renaming
takes: about a minute for ten million. Months ahead are made by `ledger_make_months`
(sql/months.sql), which does not exist yet while migrations run: here is the same, once.
"""

from django.db import migrations

PARTITION = """
alter table ledger_transfer rename to ledger_transfer_plain;
alter table ledger_transfer_plain no force row level security;  -- or its owner sees no row
alter table ledger_transfer_plain alter column id drop identity if exists;
drop sequence if exists ledger_transfer_id_seq;
create sequence ledger_transfer_id_seq;
create table ledger_transfer (
    id bigint not null default nextval('ledger_transfer_id_seq'),
    xid xid8 not null default pg_current_xact_id(),
    debit_account bigint not null,
    credit_account bigint not null,
    amount bigint not null,
    code smallint not null,
    reference_kind smallint not null,
    reference_id bigint not null,
    created_at timestamptz not null default transaction_timestamp(),
    site_id bigint not null,
    constraint ledger_transfer_month_pkey primary key (id, created_at)
) partition by range (created_at);
alter sequence ledger_transfer_id_seq owned by ledger_transfer.id;
create table ledger_transfer_default partition of ledger_transfer default;
alter table ledger_transfer_default enable row level security;
alter table ledger_transfer_default force row level security;

do $$
declare
    month date;
    name text;
begin
    for month in
        select distinct date_trunc('month', m at time zone 'Asia/Shanghai')::date
          from (select created_at as m from ledger_transfer_plain
                union all select now() union all select now() + interval '1 month'
                union all select now() + interval '2 months') x
         order by 1
    loop
        name := 'ledger_transfer_' || to_char(month, 'YYYY_MM');
        execute format('create table %I partition of ledger_transfer for values from (%L) to (%L)',
            name, month::text || ' 00:00:00+08',
            (month + interval '1 month')::date::text || ' 00:00:00+08');
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
    end loop;
end $$;

insert into ledger_transfer (id, xid, debit_account, credit_account, amount, code, reference_kind,
                             reference_id, created_at, site_id)
select id, xid, debit_account, credit_account, amount, code, reference_kind, reference_id,
       created_at, site_id
  from ledger_transfer_plain order by id;
select setval('ledger_transfer_id_seq', greatest((select coalesce(max(id), 0) from ledger_transfer), 1),
              exists (select 1 from ledger_transfer));
drop table ledger_transfer_plain;

alter table ledger_transfer add constraint ledger_transfer_positive check (amount > 0);
alter table ledger_transfer add constraint ledger_transfer_two_sides
    check (not (debit_account = credit_account));
create index ledger_by_reference on ledger_transfer (reference_kind, reference_id);
create index ledger_commit_order on ledger_transfer (xid, id);
create index ledger_wallet_debits on ledger_transfer (debit_account, id desc) where debit_account < 0;
create index ledger_wallet_credits on ledger_transfer (credit_account, id desc)
    where credit_account < 0;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_create")]

    operations = [migrations.RunSQL(PARTITION, migrations.RunSQL.noop)]
