"""A thousand transfers each way between the same wallets, at once: no circle, exact sums."""

import psycopg.errors

from kameng.ledger.accounts import Code, Reference, wallet_of
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.services import Posting, post_transfers
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import MEET_TWO, meetings, without_guard
from tests.concurrency.shop import count, make_buyers
from tests.parallel import run_together

PAIRS = 1000
TOGETHER = 20
FUNDS = 10_000_000


def _cross(site: Site, debtor: int, creditor: int, *, amount: int) -> None:
    with site_scope(site.id):
        post_transfers(
            [
                Posting(
                    site_id=site.id,
                    debit=wallet_of(debtor),
                    credit=wallet_of(creditor),
                    amount=amount,
                    code=Code.ADJUST_UP,
                    reference_kind=Reference.ADJUSTMENT,
                    reference_id=debtor,
                )
            ]
        )


def test_a_thousand_crossed_transfers_end_exact_and_nobody_waits_in_a_circle(
    wrecked_db: None, site_a: Site
) -> None:
    """The retry budget is none at all. A code of its own would be a business that is not there."""
    mei, tom = make_buyers(site_a, 2, amount=FUNDS)

    def move(index: int) -> None:
        for step in range(PAIRS // (TOGETHER // 2)):
            there, back = (mei.id, tom.id) if index % 2 else (tom.id, mei.id)
            _cross(site_a, there, back, amount=1 + step % 7)

    outcomes = run_together(TOGETHER, move)

    assert outcomes == [None] * TOGETHER
    with site_scope(site_a.id):
        assert (wallet_amount(mei.id), wallet_amount(tom.id)) == (FUNDS, FUNDS)
    assert count("select count(*) from ledger_transfer where code = 60") == 2 * PAIRS


def test_control_without_one_order_of_the_wallets_two_transfers_circle(
    wrecked_db: None, site_a: Site
) -> None:
    mei, tom = make_buyers(site_a, 2, amount=FUNDS)
    unordered = ("perform ledger_lock_wallets(p_debit || p_credit);", "null;")
    meet = ("    if not 0 > any (p_debit) then", f"{MEET_TWO}    if not 0 > any (p_debit) then")

    with meetings(), without_guard("ledger_apply", unordered, meet):
        outcomes = run_together(
            2,
            lambda index: _cross(
                site_a, *((mei.id, tom.id) if index else (tom.id, mei.id)), amount=5
            ),
        )

    circled = [out for out in outcomes if isinstance(out, Exception)]
    assert circled
    assert any(
        isinstance(fault.__cause__ or fault, psycopg.errors.DeadlockDetected) for fault in circled
    ), circled
