"""Reads of stock: counts for pages, batches and masked keys for those who keep it.

Counts are kept in the process for at most two seconds, so a page of goods costs one round trip now
and then. Keys leave here masked; in clear only through `services.revealing`, audited.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count

from kameng.core.crypto import blind_digest, decrypt_text
from kameng.core.scope import require_site_id
from kameng.inventory import store
from kameng.inventory.errors import BatchNotFound, KeyNotFound
from kameng.inventory.keytext import mask_key
from kameng.inventory.models import CardBatch, CardKey, KeyState, StockLevel
from kameng.inventory.parsing import ParsedKey, normal_form_of, parse_keys
from kameng.inventory.sealing import digest_domain, key_place

STOCK_LIMIT: Final = 1000  # beyond it a page says 999+
PAGE_STOCK_LIMIT: Final = 100  # for whole pages of goods: 99+
FEW_VARIANTS: Final = 8
KEPT_NS: Final = 2_000_000_000
KEPT_COUNTS: Final = 50_000
PAGE_LIMIT: Final = 200
MAX_SOUGHT_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """How much there is; `has_more` says that counting stopped at `count`.

    What is not counted is not limited.
    """

    count: int
    is_counted: bool
    has_more: bool

    @property
    def is_available(self) -> bool:
        """Tell whether one piece can be sold."""
        return not self.is_counted or self.count > 0

    @property
    def text(self) -> str:
        """The count as shown: 999+ when there are more; empty when it is not counted."""
        if not self.is_counted:
            return ""
        return f"{self.count}+" if self.has_more else str(self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """A batch with the number of its keys by state."""

    batch: CardBatch
    unsold_count: int
    reserved_count: int
    sold_count: int
    withdrawn_count: int
    faulty_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key as lists show it: never in clear."""

    key_id: int
    variant_id: int
    batch_id: int
    state: KeyState
    order_id: int | None
    masked: str
    sold_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """Which keys to list; nothing given lists all of the site."""

    variant_id: int | None = None
    batch_id: int | None = None
    state: KeyState | None = None


_counts: dict[tuple[int, int], tuple[Stock, int]] = {}


def stock_of(variant_ids: Iterable[int]) -> dict[int, Stock]:
    """Return the stock of each variant, at most two seconds old, counted up to a bound."""
    wanted = list(dict.fromkeys(variant_ids))
    limit = STOCK_LIMIT if len(wanted) <= FEW_VARIANTS else PAGE_STOCK_LIMIT
    moment = time.monotonic_ns()
    found: dict[int, Stock] = {}
    missing = []
    for variant_id in wanted:
        known = _counts.get((variant_id, limit))
        if known is not None and known[1] > moment:
            found[variant_id] = known[0]
        else:
            missing.append(variant_id)
    if missing:
        if len(_counts) + len(missing) > KEPT_COUNTS:
            _counts.clear()
        for variant_id, is_counted, count in store.count_stock(missing, limit=limit):
            has_more = is_counted and count >= limit
            shown = limit - 1 if has_more else count
            stock = Stock(count=shown, is_counted=is_counted, has_more=has_more)
            found[variant_id] = stock
            _counts[variant_id, limit] = (stock, moment + KEPT_NS)
    return found


def forget_stock() -> None:
    """Empty this process's counts (after stock was changed here)."""
    _counts.clear()


def find_level(variant_id: int) -> int | None:
    """Return the counted stock of a service of the site in force; None when not limited."""
    level: int | None = (
        StockLevel.objects.filter(variant_id=variant_id)
        .values_list("available_count", flat=True)
        .first()
    )
    return level


def list_batches(
    variant_id: int | None = None, *, before_id: int | None = None, limit: int = 20
) -> list[BatchRow]:
    """Return batches newest first, by key set, with the state of their keys."""
    rows = CardBatch.objects.all()
    if variant_id is not None:
        rows = rows.filter(variant_id=variant_id)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return _batch_rows(list(rows.order_by("-id")[: min(max(limit, 1), PAGE_LIMIT)]))


def get_batch(batch_id: int) -> BatchRow:
    """Return one batch; raise `BatchNotFound`."""
    batch = CardBatch.objects.filter(id=batch_id).first()
    if batch is None:
        raise BatchNotFound
    return _batch_rows([batch])[0]


def list_keys(filters: KeyFilter, *, before_id: int | None = None, limit: int = 50) -> list[KeyRow]:
    """Return keys newest first, by key set, masked."""
    rows = CardKey.objects.all()
    if filters.variant_id is not None:
        rows = rows.filter(variant_id=filters.variant_id)
    if filters.batch_id is not None:
        rows = rows.filter(batch_id=filters.batch_id)
    if filters.state is not None:
        rows = rows.filter(state=filters.state)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return [_key_row(key) for key in rows.order_by("-id")[: min(max(limit, 1), PAGE_LIMIT)]]


def find_key(text: str) -> KeyRow | None:
    """Return the own key that reads like `text`, as it was imported or with its parts cut.

    Looked up by keyed digest: no key is decrypted but the one that is found.
    """
    forms = _forms_of(text[:MAX_SOUGHT_CHARS])
    domain = digest_domain(require_site_id())
    digests = [blind_digest(form, domain=domain) for form in forms]
    key = CardKey.objects.filter(digest__in=digests).order_by("id").first() if digests else None
    return None if key is None else _key_row(key)


def get_key(key_id: int) -> KeyRow:
    """Return one key, masked; raise `KeyNotFound`."""
    key = CardKey.objects.filter(id=key_id).first()
    if key is None:
        raise KeyNotFound
    return _key_row(key)


def _forms_of(text: str) -> list[bytes]:
    line = " ".join(text.split("\n"))
    records = list(parse_keys(line + "\n"))
    forms = [record.normal_form for record in records if isinstance(record, ParsedKey)]
    if text.strip():
        forms.append(normal_form_of("", line.strip()))
    return list(dict.fromkeys(forms))


def _batch_rows(batches: Sequence[CardBatch]) -> list[BatchRow]:
    rows = CardKey.objects.filter(batch_id__in=[batch.id for batch in batches])
    counted = rows.values_list("batch_id", "state").annotate(count=Count("id")).order_by()
    counts = {(batch_id, state): count for batch_id, state, count in counted}
    return [
        BatchRow(
            batch=batch,
            unsold_count=counts.get((batch.id, KeyState.UNSOLD), 0),
            reserved_count=counts.get((batch.id, KeyState.RESERVED), 0),
            sold_count=counts.get((batch.id, KeyState.SOLD), 0),
            withdrawn_count=counts.get((batch.id, KeyState.WITHDRAWN), 0),
            faulty_count=counts.get((batch.id, KeyState.FAULTY), 0),
        )
        for batch in batches
    ]


def _key_row(key: CardKey) -> KeyRow:
    return KeyRow(
        key_id=key.id,
        variant_id=key.variant_id,
        batch_id=key.batch_id,
        state=KeyState(key.state),
        order_id=key.order_id,
        masked=mask_key(decrypt_text(bytes(key.secret), key_place(key.site_id, key.id))),
        sold_at=key.sold_at,
    )
