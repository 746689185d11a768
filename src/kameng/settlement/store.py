"""The hand-written SQL of this app: one function per SQL function in sql/payouts.sql.

By hand for SKIP LOCKED in one statement: workers share a queue and none waits for another. Called
inside a platform scope: row-level security holds for the caller.
"""

from kameng.core.database import fetch


def claim_payouts(limit: int) -> list[tuple[int, int]]:
    """Take (withdrawal, site) pairs whose gateway should be asked now. By settlement_payout_due."""
    return [
        (row[0], row[1]) for row in fetch("select * from settlement_claim_payouts(%s)", (limit,))
    ]


def claim_rechecks(limit: int) -> list[tuple[int, int]]:
    """Take (withdrawal, site) pairs that may have come back. By settlement_payout_recheck."""
    return [
        (row[0], row[1]) for row in fetch("select * from settlement_claim_rechecks(%s)", (limit,))
    ]


def claim_forgets(limit: int) -> list[int]:
    """Take removed receivers that their gateways shall forget. By settlement_receiver_forget."""
    return [row[0] for row in fetch("select * from settlement_claim_forgets(%s)", (limit,))]


def claim_splits(state: int, limit: int) -> list[int]:
    """Take splits in a state that are due: their row locks last until the caller's commit."""
    rows = fetch("select * from settlement_claim_splits(%s::smallint, %s)", (state, limit))
    return [row[0] for row in rows]


def claim_returns(limit: int) -> list[int]:
    """Take returns of shares that are due. By settlement_return_due."""
    return [row[0] for row in fetch("select * from settlement_claim_returns(%s)", (limit,))]
