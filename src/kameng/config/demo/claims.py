"""The demo's settlement: two operators with payout accounts, withdrawals at every step of the way.

Through the services that the console uses, after the history was dated: only what is settled by
then can be asked for.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from kameng.config.demo.shops import Shop
from kameng.core import clock
from kameng.pricing.money import SCALE
from kameng.settlement.claims import find_terms, read_claim, site_owner
from kameng.settlement.models import AccountKind, PayoutAccount, Source, Withdrawal
from kameng.settlement.services.accounts import AccountWish, add_payout_account
from kameng.settlement.services.batching import import_result, make_batch
from kameng.settlement.services.requesting import WithdrawalWish, request_withdrawal
from kameng.settlement.services.reviewing import approve_withdrawal
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


def tell_claims(shops: Sequence[Shop]) -> int:
    """Let operators ask and the main site decide; return how many withdrawals there are."""
    main, asked = shops[0], []
    for shop, wish in zip(shops[1:], ACCOUNTS, strict=False):
        asked.append(_ask(shop, wish))
    if not asked or not asked[0]:
        return sum(map(len, asked))
    with site_scope(main.site_id):
        for row in asked[0][:2]:
            approve_withdrawal(
                withdrawal_no=row.withdrawal_no, risks_read=row.risk_codes, actor=main.owner
            )
        paid = asked[0][0]
        batch = make_batch(withdrawal_nos=[paid.withdrawal_no], actor=main.owner)
        yuan, rest = divmod(paid.payout_amount, SCALE)
        line = f"{paid.payout_no},{yuan}.{rest:04d},成功,2026112700881"
        text = f"打款编号,金额,结果,银行流水号\n{line}\n"
        import_result(
            batch_no=batch.batch_no, data=text.encode(), filename="result.csv", actor=main.owner
        )
    return sum(map(len, asked))


def _ask(shop: Shop, wish: AccountWish) -> list[Withdrawal]:
    with site_scope(shop.site_id) as view:
        with clock.standing_at(clock.now() - ADDED_BEFORE):
            account: PayoutAccount = add_payout_account(
                owner=site_owner(),
                wish=replace(wish, name=shop.owner.name),
                actor=shop.owner,
            )
        claim = read_claim(site_owner(), Source.MARGIN, terms=find_terms(view))
        amount = claim.available_amount // PARTS // SCALE * SCALE
        if amount < LEAST:
            return []
        return [
            request_withdrawal(
                owner=site_owner(),
                wish=WithdrawalWish(
                    source=Source.MARGIN,
                    amount=amount,
                    account_id=account.id,
                    idempotency_key=f"demo-{number}",
                ),
                actor=shop.owner,
            )
            for number in range(3)
        ]
