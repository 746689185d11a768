-- One sealer of the audit chain at a time (key 1 of the registry in core/locks.py).
create or replace function core_lock_audit_chain()
returns void language sql as $$ select pg_advisory_xact_lock(7001, 1); $$;

-- Write the seal of a row; the only update that the audit table knows.
create or replace function core_seal_entry(p_id bigint, p_seal bigint, p_hash bytea)
returns void language sql security definer set search_path = public, pg_temp as $$
    update core_auditentry set seal_no = p_seal, sealed_hash = p_hash
     where id = p_id and sealed_hash is null;
$$;
