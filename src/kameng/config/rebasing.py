"""Transaction ids after a restore from a dump: made to mean something again.

Events, transfers and audit rows are ordered by the id of their transaction. A dump restored into
another server keeps the old ids while the server counts from the beginning, so that what is written
next would sort before what was read long ago. Such ids lie in the server's future and are found by
that; the order that readers depend on is written down anew in small ids of the past.
"""

from typing import Any

# Every id is made from 3, the first that a server ever gives: all running ones are younger.
IS_RESTORED = """
    select exists (select 1 from core_event where xid >= pg_snapshot_xmax(pg_current_snapshot()))
        or exists (select 1 from core_auditentry
                    where xid >= pg_snapshot_xmax(pg_current_snapshot()))
        or exists (select 1 from ledger_transfer
                    where xid >= pg_snapshot_xmax(pg_current_snapshot()))
"""

# What a consumer has read and what not is all that its order has to keep: events are put into as
# many groups as there are positions between them.
EVENTS = """
    update core_event e set xid = (3 + (
        select count(*) from core_eventposition p where (p.xid, p.event_id) < (e.xid, e.id)
    ))::text::xid8
"""
POSITIONS = """
    with old as materialized (select consumer, xid, event_id from core_eventposition)
    update core_eventposition p
       set xid = (3 + (
               select count(*) from old o where (o.xid, o.event_id) < (p.xid, p.event_id)
           ))::text::xid8,
           event_id = (select coalesce(max(id), 0) from core_event)
"""
TRANSFERS = """
    update ledger_transfer t set xid = (3 + (
        select count(*) from ledger_rollupmark m where (m.xid, m.transfer_id) < (t.xid, t.id)
    ))::text::xid8
"""
MARK = """
    update ledger_rollupmark set xid = '3'::xid8,
           transfer_id = (select coalesce(max(id), 0) from ledger_transfer)
"""
AUDIT = "update core_auditentry set xid = '3'::xid8"


def rebase_transaction_ids(cursor: Any) -> bool:
    """Repair the ids of a restored database; return whether it was one.

    Call as the owner, in a transaction and a platform scope, while nothing else writes.
    """
    cursor.execute(IS_RESTORED)
    if not cursor.fetchone()[0]:
        return False
    cursor.execute(EVENTS)
    cursor.execute(POSITIONS)
    cursor.execute("alter table ledger_transfer disable trigger user")
    cursor.execute(TRANSFERS)
    cursor.execute("alter table ledger_transfer enable trigger user")
    cursor.execute(MARK)
    cursor.execute("update ledger_sealmark set pending_xid = null")
    cursor.execute(AUDIT)
    return True
