-- Transfers are immutable: not even the owner of the tables changes one by accident.
create or replace function ledger_refuse_change()
returns trigger language plpgsql as $$
begin
    raise exception 'ledger_transfer is append-only: correct a transfer by another one'
        using errcode = '42501';
end $$;
create or replace trigger ledger_transfer_guard before update or delete or truncate
    on ledger_transfer for each statement execute function ledger_refuse_change();
