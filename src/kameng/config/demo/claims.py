"""The demo's settlement: operators with payout accounts, withdrawals at every step of the way.

Through the services that the console uses, after the history was dated: only what is settled by
then can be asked for. The simulator runs: one withdrawal is paid through a gateway.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kameng.config.demo.dating import date_accounts, date_claims
from kameng.config.demo.shops import Shop
from kameng.core import clock
from kameng.pricing.money import SCALE
from kameng.settlement.claims import find_terms, read_claim, site_owner
from kameng.settlement.models import AccountKind, PayoutAccount, Source, Withdrawal
from kameng.settlement.services.accounts import AccountWish, add_payout_account
from kameng.settlement.services.batching import import_result, make_batch
from kameng.settlement.services.paying_out import (
    list_payout_gateways,
    send_due_payouts,
    start_payout,
)
from kameng.settlement.services.requesting import (
    WithdrawalWish,
    request_withdrawal,
    take_back_withdrawal,
)
from kameng.settlement.services.reviewing import approve_withdrawal, refuse_withdrawal
from kameng.tenancy.selectors import site_scope

ACCOUNTS = (  # each in the name of its operator
    AccountWish(
        kind=AccountKind.BANK,
        account="6222021001122334455",
        name="",
        bank_name="中国工商银行杭州分行",
    ),
    AccountWish(kind=AccountKind.ALIPAY, account="13800138000", name=""),
)
ADDED_BEFORE = dt.timedelta(days=30)
PARTS = 5  # of what is settled an operator asks for a fifth each time
LEAST = 50 * SCALE
LATER = dt.timedelta(hours=3)  # until the main site has looked at it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimant:
    """An operator with an account, and the main site that decides."""

    shop: Shop
    main: Shop
    account: PayoutAccount


Fate = Callable[[_Claimant, Withdrawal], None]


def tell_claims(shops: Sequence[Shop]) -> int:
    """Let operators ask and the main site decide; return how many withdrawals there are."""
    main = shops[0]
    claimants = [
        _Claimant(shop=shop, main=main, account=_add_account(shop, wish))
        for shop, wish in zip(shops[1:], ACCOUNTS, strict=False)
    ]
    date_accounts([each.account.id for each in claimants], by=ADDED_BEFORE)
    asked: dict[int, dt.datetime] = {}
    for claimant, story in zip(claimants, STORIES, strict=True):
        for days, fate in story:
            at = clock.now() - dt.timedelta(days=days, minutes=47)
            with clock.standing_at(at):
                row = _ask(claimant, key=f"demo-{days}")
            if row is not None:
                with clock.standing_at(at + LATER if days else at):
                    fate(claimant, row)
                asked[row.id] = at
    while send_due_payouts():
        pass
    date_claims(asked)
    return len(asked)


def _add_account(shop: Shop, wish: AccountWish) -> PayoutAccount:
    with site_scope(shop.site_id), clock.standing_at(clock.now() - ADDED_BEFORE):
        return add_payout_account(
            owner=site_owner(), wish=replace(wish, name=shop.owner.name), actor=shop.owner
        )


def _ask(claimant: _Claimant, *, key: str) -> Withdrawal | None:
    with site_scope(claimant.shop.site_id) as view:
        claim = read_claim(site_owner(), Source.MARGIN, terms=find_terms(view))
        amount = claim.available_amount // PARTS // SCALE * SCALE
        if amount < LEAST:
            return None
        return request_withdrawal(
            owner=site_owner(),
            wish=WithdrawalWish(
                source=Source.MARGIN,
                amount=amount,
                account_id=claimant.account.id,
                idempotency_key=key,
            ),
            actor=claimant.shop.owner,
        )


def _wait(_claimant: _Claimant, _row: Withdrawal) -> None:
    """Leave it to be looked at."""


def _approve(claimant: _Claimant, row: Withdrawal) -> None:
    with site_scope(claimant.main.site_id):
        approve_withdrawal(
            withdrawal_no=row.withdrawal_no, risks_read=row.risk_codes, actor=claimant.main.owner
        )


def _send_to_bank(claimant: _Claimant, row: Withdrawal) -> str:
    _approve(claimant, row)
    with site_scope(claimant.main.site_id):
        batch = make_batch(withdrawal_nos=[row.withdrawal_no], actor=claimant.main.owner)
    return str(batch.batch_no)


def _leave_at_bank(claimant: _Claimant, row: Withdrawal) -> None:
    _send_to_bank(claimant, row)


def _pay_by_bank(claimant: _Claimant, row: Withdrawal) -> None:
    batch_no = _send_to_bank(claimant, row)
    yuan, rest = divmod(row.payout_amount, SCALE)
    line = f"{row.payout_no},{yuan}.{rest:04d},成功,{clock.now():%Y%m%d}00881"
    text = f"打款编号,金额,结果,银行流水号\n{line}\n"
    with site_scope(claimant.main.site_id):
        import_result(
            batch_no=batch_no,
            data=text.encode(),
            filename="result.csv",
            actor=claimant.main.owner,
        )


def _pay_by_gateway(claimant: _Claimant, row: Withdrawal) -> None:
    """Let it be paid; the gateway is asked with the others that are due."""
    _approve(claimant, row)
    with site_scope(claimant.main.site_id):
        gateway = list_payout_gateways(AccountKind.ALIPAY)[0]
        start_payout(
            withdrawal_no=row.withdrawal_no,
            gateway_id=gateway.gateway_id,
            actor=claimant.main.owner,
        )


def _refuse(claimant: _Claimant, row: Withdrawal) -> None:
    with site_scope(claimant.main.site_id):
        refuse_withdrawal(
            withdrawal_no=row.withdrawal_no,
            reason="收款账户与营业执照不一致，请补传授权书后重新申请",
            actor=claimant.main.owner,
        )


def _take_back(claimant: _Claimant, row: Withdrawal) -> None:
    with site_scope(claimant.shop.site_id):
        take_back_withdrawal(
            owner=site_owner(), withdrawal_no=row.withdrawal_no, actor=claimant.shop.owner
        )


# How many days ago each was asked for, and what became of it.
STORIES: tuple[tuple[tuple[int, Fate], ...], ...] = (
    ((20, _pay_by_bank), (9, _leave_at_bank), (2, _approve), (0, _wait)),
    ((15, _pay_by_gateway), (7, _refuse), (5, _take_back), (0, _wait)),
)
