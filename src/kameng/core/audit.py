"""The audit log: every sensitive act, by whom and why, sealed into a hash chain.

`record` inserts in the transaction of the act. The worker seals rows in commit-safe order into a
chain (`sha256(previous | row)`): no lock at the moment of the act, and a row changed or removed
afterwards is named by `verify_chain`.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from kameng.core.database import fetch
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope

SEAL_BATCH = 1000
ABOUT_MAX = 200
GENESIS = b"\x00" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a staff user, a customer, or the system itself; `ip` as seen by the server."""

    kind: str
    actor_id: int | None = None
    name: str = ""
    ip: str = ""


SYSTEM = Actor(kind="system", name="system")


def record(
    action: str,
    *,
    actor: Actor,
    site_id: int | None,
    subject: tuple[str, object] = ("", ""),
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write one audit row; call inside the transaction of the act. `detail` holds no secrets."""
    AuditEntry.objects.create(
        site_id=site_id,
        actor_kind=actor.kind,
        actor_id=actor.actor_id,
        actor_name=actor.name[:100],
        action=action,
        subject_kind=subject[0],
        subject_id=str(subject[1]),
        detail=dict(detail or {}),
        ip=actor.ip[:45],
    )


def row_bytes(entry: AuditEntry) -> bytes:
    """Return the canonical form of a row, the part that the chain protects."""
    when: dt.datetime = entry.created_at
    return json.dumps(
        [
            entry.id,
            entry.site_id,
            entry.actor_kind,
            entry.actor_id,
            entry.actor_name,
            entry.action,
            entry.subject_kind,
            entry.subject_id,
            entry.detail,
            entry.ip,
            when.astimezone(dt.UTC).isoformat(),
        ],
        ensure_ascii=True,
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def chain_hash(previous: bytes, entry: AuditEntry) -> bytes:
    """Return the hash of `entry` in the chain behind `previous`."""
    return hashlib.sha256(previous + row_bytes(entry)).digest()


def seal_entries() -> int:
    """Seal rows that no running transaction can precede; return how many.

    Takes the advisory lock of the chain (`core.locks`): one sealer at a time.
    """
    with platform_scope("seal the audit log"), transaction.atomic():
        fetch("select core_lock_audit_chain()")
        last = AuditEntry.objects.filter(seal_no__isnull=False).order_by("-seal_no").first()
        previous, number = _seal_of(last) if last else (GENESIS, 0)
        ready = AuditEntry.objects.filter(sealed_hash__isnull=True).extra(
            where=["xid < pg_snapshot_xmin(pg_current_snapshot())"]
        )
        count = 0
        for entry in ready.order_by("xid", "id")[:SEAL_BATCH]:
            previous, number, count = chain_hash(previous, entry), number + 1, count + 1
            fetch("select core_seal_entry(%s, %s, %s)", (entry.id, number, previous))
        return count


def verify_chain() -> Iterator[str]:
    """Yield one sentence for each place where the chain does not hold."""
    with platform_scope("verify the audit log"):
        previous, expected = GENESIS, 1
        sealed = AuditEntry.objects.filter(seal_no__isnull=False).order_by("seal_no")
        for entry in sealed.iterator(chunk_size=2000):
            sealed_hash, number = _seal_of(entry)
            if number != expected:
                yield f"core_auditentry: seal {expected} is missing (next is {number})"
            if chain_hash(previous, entry) != sealed_hash:
                yield f"core_auditentry {entry.id}: content does not match its seal {number}"
            previous, expected = sealed_hash, number + 1


def _seal_of(entry: AuditEntry) -> tuple[bytes, int]:
    """The hash and the number under which a sealed row stands in the chain."""
    return bytes(entry.sealed_hash or b""), entry.seal_no or 0


def list_entries(*, site_id: int | None, before_id: int | None = None, **filters: Any) -> Any:
    """Return audit rows newest first, for one site or (None) for all; keyset by `before_id`."""
    rows = AuditEntry.objects.all()
    if site_id is not None:
        rows = rows.filter(site_id=site_id)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    text = filters.pop("text", "")
    if text:
        rows = rows.filter(
            Q(action__icontains=text) | Q(actor_name__icontains=text) | Q(subject_id=text)
        )
    return rows.filter(**filters).order_by("-id")


def list_entries_about(subjects: Sequence[tuple[str, str]], *, site_id: int) -> list[AuditEntry]:
    """Return what was done on a site to these things, as (kind, id), newest first; `ABOUT_MAX`."""
    about = Q()
    for kind, subject_id in subjects:
        about |= Q(subject_kind=kind, subject_id=subject_id)
    rows = (
        AuditEntry.objects.filter(about, site_id=site_id) if subjects else AuditEntry.objects.none()
    )
    return list(rows.order_by("-id")[:ABOUT_MAX])


__all__ = [
    "SYSTEM",
    "Actor",
    "list_entries",
    "list_entries_about",
    "record",
    "seal_entries",
    "verify_chain",
]
