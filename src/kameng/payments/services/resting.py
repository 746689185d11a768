"""The health of merchant accounts: who fails in a row rests, and is asked before it works again.

Kept in the database, so that every process sees it with the next version of the catalogue, and
told to nobody by an extra query. A rest grows longer until a payment was opened there again.
"""

from django.db import transaction

from kameng.core.audit import SYSTEM, record
from kameng.core.scope import open_scope, platform_scope
from kameng.payments import store
from kameng.payments.models import Gateway
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.rules import NOT_OF_THE_ACCOUNT
from kameng.payments.services.gateways import config_of, provider_of
from kameng.tenancy.selectors import scope_of_site

BATCH = 20
_troubled: set[int] = set()  # failed in this process since they last answered


def note_fault(gateway: Gateway, *, code: str, is_probe: bool = False) -> None:
    """Count a failure of a gateway; from some in a row on it rests. Audited by the system."""
    if code in NOT_OF_THE_ACCOUNT:
        return
    _troubled.add(gateway.id)
    if not store.note_fault(gateway.id, code=code, is_probe=is_probe):
        return
    _write_down(gateway, "gateway.rested", {"why": code[:64]})


def note_answer(gateway: Gateway, *, opened: bool) -> None:
    """End a gateway's row of failures; asks the database only about one that has had any."""
    was_known = gateway.fault_count or gateway.rests_until or (opened and gateway.rest_count)
    if not was_known and gateway.id not in _troubled:
        return
    _troubled.discard(gateway.id)
    if store.note_answer(gateway.id, opened=opened):
        _write_down(gateway, "gateway.recovered", {})


def probe_resting_gateways() -> int:
    """Ask gateways whose rest is over whether they are well; return how many. Calls out."""
    with platform_scope("gateways whose rest is over"):
        due = store.claim_probes(BATCH)
    for gateway_id, site_id in due:
        with open_scope(scope_of_site(site_id, main_id=site_id)):
            _probe(gateway_id)
    return len(due)


def _probe(gateway_id: int) -> None:
    gateway = Gateway.objects.filter(id=gateway_id).first()
    if gateway is None:
        return
    try:
        provider_of(gateway).check(config_of(gateway))
    except (ProviderRefused, ProviderUncertain) as fault:
        note_fault(gateway, code=fault.code, is_probe=True)
    else:
        note_answer(gateway, opened=False)


def _write_down(gateway: Gateway, act: str, detail: dict[str, object]) -> None:
    scope = scope_of_site(gateway.site_id, main_id=gateway.site_id)
    with open_scope(scope), transaction.atomic():
        record(
            act,
            actor=SYSTEM,
            site_id=gateway.site_id,
            subject=("gateway", gateway.id),
            detail=detail,
        )


def forget_troubles() -> None:
    """Forget what this process remembers of failures."""
    _troubled.clear()
