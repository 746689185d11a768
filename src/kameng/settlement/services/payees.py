"""The lock under which a claim is taken from: one row for each owner of claims."""

from kameng.core.scope import require_site_id
from kameng.settlement.claims import Owner
from kameng.settlement.models import OwnerKind, Payee


def ensure_payee(owner: Owner) -> Payee:
    """Return the payee of an owner on the site in force, made when missing."""
    payee: Payee = Payee.objects.get_or_create(
        site_id=require_site_id(), owner_kind=owner.kind, owner_id=owner.owner_id
    )[0]
    return payee


def lock_payee(owner: Owner) -> Payee:
    """Lock the payee of an owner, in a transaction: who takes from a claim decides under it.

    Taken by withdrawals and by splits of the site, after splits and before ledger balances.
    """
    payee = ensure_payee(owner)
    locked: Payee = Payee.objects.select_for_update(no_key=True).get(id=payee.id)
    return locked


def lock_site_payees(site_ids: set[int]) -> None:
    """Lock the payees of several sites, by id; call inside a platform scope and a transaction."""
    for site_id in sorted(site_ids):
        Payee.unscoped.get_or_create(site_id=site_id, owner_kind=OwnerKind.SITE, owner_id=site_id)
    rows = Payee.unscoped.select_for_update(no_key=True).filter(
        site_id__in=site_ids, owner_kind=OwnerKind.SITE
    )
    list(rows.order_by("id"))
