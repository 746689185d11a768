"""Payout accounts: entered under a confirmed session, replaced and never changed, cooling off."""

import datetime as dt
import re
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_number
from kameng.core.scope import require_site_id
from kameng.settlement import errors
from kameng.settlement.claims import Owner, find_terms
from kameng.settlement.models import AccountKind, PayoutAccount
from kameng.settlement.sealing import ACCOUNT, digest_account, seal
from kameng.settlement.services.payees import ensure_payee
from kameng.tenancy.selectors import get_site_view

EMAIL_OR_PHONE = re.compile(r"[^@\s]{1,60}@[^@\s]{3,60}|1[3-9][0-9]{9}|2088[0-9]{12}")
OPENID = re.compile(r"[0-9A-Za-z_-]{20,64}")
CARD = re.compile(r"[0-9]{8,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWish:
    """A payout account as it was typed; `repr` shows nothing of it."""

    kind: AccountKind
    account: str
    name: str
    bank_name: str = ""

    def __repr__(self) -> str:
        return f"AccountWish(kind={self.kind})"


def add_payout_account(*, owner: Owner, wish: AccountWish, actor: Actor) -> PayoutAccount:
    """Add an account that payouts of an owner may go to, after its cooling-off time.

    The caller has the session confirmed. Raises `AccountInvalid`, `AccountKnown`. Audited.
    """
    account = wish.account.replace(" ", "").strip()
    _check_account(wish, account)
    site_id = require_site_id()
    terms = find_terms(get_site_view(site_id))
    now, number = clock.now(), new_number(clock.now())
    sealed = seal(ACCOUNT, site_id=site_id, number=number, account=account, name=wish.name)
    payee = ensure_payee(owner)
    try:
        with transaction.atomic():
            made: PayoutAccount = PayoutAccount.objects.create(
                site_id=site_id,
                payee_id=payee.id,
                account_no=number,
                kind=wish.kind,
                account_cipher=sealed.account_cipher,
                name_cipher=sealed.name_cipher,
                digest=digest_account(wish.kind, account),
                bank_name=wish.bank_name[:60],
                hint=sealed.hint,
                added_by=actor.name[:64],
                usable_at=now + dt.timedelta(hours=terms.cooling_hours),
            )
            record(
                "settlement.account.added",
                actor=actor,
                site_id=site_id,
                subject=("payout_account", made.id),
                detail={"kind": str(wish.kind), "account": sealed.hint},
            )
    except IntegrityError as fault:
        raise errors.AccountKnown from fault
    return made


def _check_account(wish: AccountWish, account: str) -> None:
    """Raise `AccountInvalid` for what cannot be an account of its kind."""
    shapes = {
        AccountKind.ALIPAY: (
            EMAIL_OR_PHONE,
            _("请填写支付宝登录的手机号、邮箱，或 2088 开头的编号。"),
        ),
        AccountKind.WECHAT: (OPENID, _("请填写收款人在商户公众号下的 OpenID。")),
        AccountKind.BANK: (CARD, _("银行卡号是 8 到 30 位数字。")),
    }
    shape, why = shapes[wish.kind]
    if shape.fullmatch(account) is None:
        raise errors.AccountInvalid(why=why)
    if wish.kind == AccountKind.BANK and not wish.bank_name.strip():
        raise errors.AccountInvalid(why=_("请填写开户银行。"))
    if len(wish.name.strip()) < 2:
        raise errors.AccountInvalid(why=_("请填写收款人的真实姓名或公司全称。"))


def remove_payout_account(*, owner: Owner, account_id: int, actor: Actor) -> PayoutAccount:
    """Take an account away; what is on its way to it still arrives. Raises `AccountNotFound`."""
    with transaction.atomic():
        rows = PayoutAccount.objects.filter(
            id=account_id,
            payee__owner_kind=owner.kind,
            payee__owner_id=owner.owner_id,
            removed_at__isnull=True,
        )
        account: PayoutAccount | None = rows.first()
        if account is None or not PayoutAccount.objects.filter(
            id=account.id, removed_at__isnull=True
        ).update(removed_at=clock.now()):
            raise errors.AccountNotFound
        record(
            "settlement.account.removed",
            actor=actor,
            site_id=account.site_id,
            subject=("payout_account", account.id),
            detail={"kind": account.kind, "account": account.hint},
        )
    return account
