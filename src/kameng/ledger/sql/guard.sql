-- Transfers are immutable: not even the owner of the tables changes one by accident.
create or replace function ledger_refuse_change()
returns trigger language plpgsql as $$
begin
    raise exception 'ledger_transfer is append-only: correct a transfer by another one'
        using errcode = '42501';
end $$;
create or replace trigger ledger_transfer_guard before update or delete or truncate
    on ledger_transfer for each statement execute function ledger_refuse_change();
-- The same on each month that is reached by its own name: a trigger of rows is copied to every partition.
create or replace trigger ledger_transfer_guard_row before update or delete
    on ledger_transfer for each row execute function ledger_refuse_change();

-- A transfer is dated when its transaction began, and no transaction writes one that began an hour ago: what
-- is an hour past can be closed. The condition costs a comparison; the function runs when it fails.
create or replace function ledger_refuse_date()
returns trigger language plpgsql as $$
begin
    raise exception 'ledger_transfer is dated by its transaction' using errcode = '42501';
end $$;
create or replace trigger ledger_transfer_dated before insert on ledger_transfer for each row
    when (new.created_at <> transaction_timestamp()
          or new.created_at < clock_timestamp() - interval '1 hour')
    execute function ledger_refuse_date();
