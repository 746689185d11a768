"""Gateways: their credentials, switches, and the proof that they work.

Credentials are encrypted and never shown again; empty, default or malformed ones are refused with
the reason; a gateway is enabled only after its credentials were proved by a real query.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.crypto import binding, decrypt_text, encrypt_text
from kameng.core.scope import platform_scope, require_site_id
from kameng.payments import errors
from kameng.payments.models import FeeBearer, Gateway, Payment
from kameng.payments.providers.port import (
    ConfigInvalid,
    Provider,
    ProviderRefused,
    ProviderUncertain,
)
from kameng.payments.providers.registry import PROVIDERS, get_provider
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import get_site_view
from kameng.tenancy.services import bump_catalogue_version

CONFIG_CACHE_SIZE = 256
AT_WORK: Mapping[str, Any] = {"fault_count": 0, "rest_count": 0, "rests_until": None}
_configs: dict[bytes, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTerms:
    """What the owner decides about a gateway besides its credentials."""

    name: str
    method: str
    fee_bps: int
    min_amount: int
    max_amount: int
    position: int = 0
    way_id: int | None = None  # the gateway behind whose way this account stands; None: its own
    label: str = ""
    weight: int = 100
    daily_cap_amount: int | None = None
    devices: tuple[str, ...] = ()  # narrower than the method's own; empty: all of those
    fee_bearer: int = FeeBearer.SITE


def provider_of(gateway: Gateway) -> Provider[Any]:
    """Return the provider that speaks a gateway's protocol."""
    return get_provider(gateway.kind, allow_plain=settings.ALLOW_LOOPBACK_GATEWAYS)


def config_of(gateway: Gateway) -> Any:
    """Return a gateway's parsed credentials; parsed once per process and value."""
    cipher = bytes(gateway.config_cipher)
    key = hashlib.sha256(cipher).digest()
    config = _configs.get(key)
    if config is None:
        plain = decrypt_text(cipher, binding(gateway.site_id, "gateway", gateway.id))
        config = provider_of(gateway).config_from_json(json.loads(plain))
        if len(_configs) >= CONFIG_CACHE_SIZE:
            _configs.clear()
        _configs[key] = config
    return config


def create_gateway(
    *, kind: str, form: Mapping[str, str], terms: GatewayTerms, actor: Actor
) -> Gateway:
    """Add a gateway to the site in force, switched off. Raises `GatewayConfigInvalid`."""
    site_id = require_site_id()
    check_own_account(site_id)
    config = _read_form(kind, form)
    with transaction.atomic():
        _check_way(terms, gateway_id=None)
        gateway: Gateway = Gateway.objects.create(
            site_id=site_id, kind=kind, config_cipher=b"", **_terms(terms)
        )
        _store_config(gateway, config)
        bump_catalogue_version(site_id)
        record("gateway.created", actor=actor, site_id=site_id, subject=("gateway", gateway.id))
    return gateway


def change_gateway(
    *, gateway_id: int, form: Mapping[str, str] | None, terms: GatewayTerms, actor: Actor
) -> Gateway:
    """Change terms and, with a form, the credentials; new credentials switch it off until proved.

    Secrets left empty in the form keep their value. Raises `GatewayConfigInvalid`, also for another
    merchant account where there are payments: they are asked about, and given back, at theirs.
    """
    site_id = require_site_id()
    with transaction.atomic():
        _check_way(terms, gateway_id=gateway_id)  # locks in the order of ids
        gateway = lock_gateway(gateway_id)
        Gateway.objects.filter(id=gateway_id).update(**_terms(terms))
        if form is not None:
            stored = _stored(gateway)
            merged = {**stored, **{k: v for k, v in form.items() if v.strip()}}
            config = _read_form(gateway.kind, merged)
            _check_account(gateway, before=stored, after=config.to_json())
            _store_config(gateway, config)
            Gateway.objects.filter(id=gateway_id).update(
                is_enabled=False, is_frozen=False, checked_at=None, **AT_WORK
            )
        bump_catalogue_version(gateway.site_id)
        record(
            "gateway.changed",
            actor=actor,
            site_id=site_id,
            subject=("gateway", gateway_id),
            detail={"credentials": form is not None, "fee_bps": terms.fee_bps},
        )
    changed: Gateway = Gateway.objects.get(id=gateway_id)
    return changed


def test_gateway(*, gateway_id: int, actor: Actor) -> None:
    """Prove a gateway's credentials by a real query; raises `GatewayCheckFailed` with the reason.

    Calls out: never inside a transaction.
    """
    gateway = get_own_gateway(gateway_id)
    try:
        provider_of(gateway).check(config_of(gateway))
    except ProviderRefused as fault:
        raise errors.GatewayCheckFailed(why=f"{fault.code} {fault.message}".strip()) from None
    except ProviderUncertain as fault:
        raise errors.GatewayCheckFailed(why=fault.code) from None
    with transaction.atomic():
        Gateway.objects.filter(id=gateway_id).update(
            checked_at=clock.now(), is_frozen=False, **AT_WORK
        )
        bump_catalogue_version(gateway.site_id)
        record(
            "gateway.tested",
            actor=actor,
            site_id=gateway.site_id,
            subject=("gateway", gateway_id),
        )


def switch_gateway(*, gateway_id: int, is_enabled: bool, actor: Actor) -> None:
    """Offer a gateway to buyers or not. Switching on needs proved credentials."""
    gateway = get_own_gateway(gateway_id)
    if is_enabled and gateway.checked_at is None:
        raise errors.GatewayCheckFailed(why="unproved")
    if is_enabled:
        check_own_account(gateway.site_id)
    with transaction.atomic():
        Gateway.objects.filter(id=gateway_id).update(is_enabled=is_enabled)
        bump_catalogue_version(gateway.site_id)
        record(
            "gateway.switched",
            actor=actor,
            site_id=gateway.site_id,
            subject=("gateway", gateway_id),
            detail={"enabled": is_enabled},
        )


def wake_gateway(*, gateway_id: int, actor: Actor) -> None:
    """Offer a resting gateway again at once, on a person's word; audited."""
    gateway = get_own_gateway(gateway_id)
    with transaction.atomic():
        Gateway.objects.filter(id=gateway_id).update(**AT_WORK)
        bump_catalogue_version(gateway.site_id)
        record(
            "gateway.woken",
            actor=actor,
            site_id=gateway.site_id,
            subject=("gateway", gateway_id),
            detail={"why": gateway.fault_code, "rests": gateway.rest_count},
        )


def move_way(*, gateway_id: int, is_up: bool, actor: Actor) -> None:
    """Move a way one place up or down among the site's own; all places are written anew."""
    gateway = get_own_gateway(gateway_id)
    with transaction.atomic():
        rows = lock_ways()
        ids = [row.id for row in rows]
        if gateway.way_key not in ids:
            raise errors.GatewayNotFound
        here = ids.index(gateway.way_key)
        there = here - 1 if is_up else here + 1
        if not 0 <= there < len(ids):
            return
        ids[here], ids[there] = ids[there], ids[here]
        for position, row_id in enumerate(ids):
            Gateway.objects.filter(id=row_id).update(position=position)
        bump_catalogue_version(gateway.site_id)
        record(
            "gateway.moved",
            actor=actor,
            site_id=gateway.site_id,
            subject=("gateway", gateway.way_key),
            detail={"place": there},
        )


def lock_ways() -> list[Gateway]:
    """Lock the ways that the site in force owns, by id; return them in the owner's order."""
    rows = Gateway.objects.filter(site_id=require_site_id(), way__isnull=True)
    locked = list(rows.select_for_update().order_by("id"))
    return sorted(locked, key=lambda row: (row.position, row.id))


def freeze_gateway(*, gateway: Gateway, why: str, actor: Actor) -> None:
    """Stop a gateway whose signed word its own query contradicts: its key may have leaked."""
    with transaction.atomic():
        Gateway.objects.filter(id=gateway.id).update(is_frozen=True)
        bump_catalogue_version(gateway.site_id)
        record(
            "gateway.frozen",
            actor=actor,
            site_id=gateway.site_id,
            subject=("gateway", gateway.id),
            detail={"why": why},
        )


def get_own_gateway(gateway_id: int) -> Gateway:
    """Return a gateway that the site in force owns; raises `GatewayNotFound`."""
    rows = Gateway.objects.filter(id=gateway_id, site_id=require_site_id())
    gateway: Gateway | None = rows.first()
    if gateway is None:
        raise errors.GatewayNotFound
    return gateway


def lock_gateway(gateway_id: int) -> Gateway:
    """Lock a gateway that the site in force owns; raises `GatewayNotFound`.

    `rotating.lock_gateways` takes the same lock on all of them.
    """
    rows = Gateway.objects.filter(id=gateway_id, site_id=require_site_id())
    gateway: Gateway | None = rows.select_for_update().first()
    if gateway is None:
        raise errors.GatewayNotFound
    return gateway


def lock_own_gateways(gateway_ids: set[int]) -> dict[int, Gateway]:
    """Lock those gateways that the site in force owns, by id; as `lock_gateway` locks one."""
    rows = Gateway.objects.filter(id__in=gateway_ids, site_id=require_site_id())
    return {row.id: row for row in rows.select_for_update().order_by("id")}


def _terms(terms: GatewayTerms) -> dict[str, Any]:
    return {
        "name": terms.name,
        "method": terms.method,
        "fee_bps": terms.fee_bps,
        "min_amount": terms.min_amount,
        "max_amount": terms.max_amount,
        "position": terms.position,
        "way_id": terms.way_id,
        "label": terms.label,
        "weight": terms.weight,
        "daily_cap_amount": terms.daily_cap_amount,
        "devices": list(terms.devices),
        "fee_bearer": terms.fee_bearer,
    }


def terms_of(gateway: Gateway) -> GatewayTerms:
    """Return what is decided about a gateway now, to change a part of it."""
    names = [field.name for field in dataclasses.fields(GatewayTerms)]
    values = {name: getattr(gateway, name) for name in names}
    return GatewayTerms(**{**values, "devices": tuple(gateway.devices)})


def check_own_account(site_id: int) -> None:
    """Raise `OwnGatewaysOff` unless a site takes money by merchant accounts of its own."""
    view = get_site_view(site_id)
    if not view.is_main and view.settlement_way != SettlementWay.PREPAID:
        raise errors.OwnGatewaysOff


def _check_way(terms: GatewayTerms, *, gateway_id: int | None) -> None:
    """Raise `WayInvalid` unless an account joins a way of its own site that stands by itself.

    Takes the locks: two accounts that join one another at the same time would hide both.
    """
    if terms.way_id is None:
        return
    found = lock_own_gateways({terms.way_id} | ({gateway_id} if gateway_id else set()))
    leader = found.get(terms.way_id)
    if leader is None or leader.way_id is not None or terms.way_id == gateway_id:
        raise errors.WayInvalid
    if gateway_id and Gateway.objects.filter(way_id=gateway_id).exists():
        raise errors.WayInvalid


def _read_form(kind: str, form: Mapping[str, str]) -> Any:
    if kind not in PROVIDERS:
        raise errors.GatewayNotFound
    provider = get_provider(kind, allow_plain=settings.ALLOW_LOOPBACK_GATEWAYS)
    try:
        return provider.config_from_form(form)
    except ConfigInvalid as fault:
        raise errors.GatewayConfigInvalid({k: str(v) for k, v in fault.problems.items()}) from None


def _check_account(
    gateway: Gateway, *, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    names = [field.name for field in provider_of(gateway).fields if field.names_account]
    other = [name for name in names if before.get(name) != after[name]]
    if other and _has_payments(gateway.id):
        text = _("这个通道已经有支付记录，查询和退款都要用原来的商户号。换商户号请新建一个通道。")
        raise errors.GatewayConfigInvalid(dict.fromkeys(other, text))


def _has_payments(gateway_id: int) -> bool:
    """Tell whether a payment of any site was made, or may still be made, at a gateway."""
    with platform_scope("payments at a gateway"):
        rows = Payment.unscoped.filter(gateway_id=gateway_id)
        return bool(
            rows.filter(external_no__isnull=False).exists()
            or rows.filter(next_query_at__isnull=False).exists()
        )


def _stored(gateway: Gateway) -> dict[str, str]:
    plain = decrypt_text(
        bytes(gateway.config_cipher), binding(gateway.site_id, "gateway", gateway.id)
    )
    stored: dict[str, str] = json.loads(plain)
    return stored


def _store_config(gateway: Gateway, config: Any) -> None:
    cipher = encrypt_text(
        json.dumps(config.to_json()), binding(gateway.site_id, "gateway", gateway.id)
    )
    Gateway.objects.filter(id=gateway.id).update(config_cipher=cipher)
