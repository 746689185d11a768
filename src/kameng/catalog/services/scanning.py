"""Own goods of sub-sites are looked through for refused words: nightly, and when the words change.

What is found goes off sale at once and waits for a person of the platform (`Product.scan_word`);
only what is on sale is looked at, so each is found and told of once. Cut off anywhere, the next
run goes on with what is still on sale.
"""

import hashlib
import json
from collections import defaultdict
from typing import Final

from django.db import transaction
from django.utils.translation import gettext, override

from kameng.catalog import refused_words
from kameng.catalog.models import Product, WordScan
from kameng.catalog.services.judging import find_words, lock_judged_goods, take_off_sale
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.tenancy.errors import SiteNotFound
from kameng.tenancy.selectors import get_main_site

BATCH: Final = 200
LANGUAGE: Final = "zh-hans"
REASON: Final = "own goods are looked through for refused words"


def scan_if_words_changed() -> int:
    """Scan when no scan with today's words was finished; return how many went off sale."""
    if WordScan.objects.filter(digest=words_digest()).exists():
        return 0
    return scan_own_goods()


def scan_own_goods() -> int:
    """Take own goods off sale whose texts name a refused word; return how many.

    One transaction a batch. Locks as `services.judging`.
    """
    digest = words_digest()
    try:
        main_id = get_main_site().id
    except SiteNotFound:
        return 0
    looked_count = taken_count = after_id = 0
    with platform_scope(REASON):
        rows = Product.unscoped.filter(is_listed=True).exclude(site_id=main_id).order_by("id")
        while page := list(rows.filter(id__gt=after_id)[:BATCH]):
            after_id = page[-1].id
            looked_count += len(page)
            suspect_ids = list(find_words(page))
            if suspect_ids:
                taken_count += _take_off(suspect_ids, main_id=main_id)
        WordScan.objects.update_or_create(
            digest=digest,
            defaults={
                "finished_at": clock.now(),
                "looked_count": looked_count,
                "taken_count": taken_count,
            },
        )
    return taken_count


def words_digest() -> str:
    """Return what tells one table of refused words from another."""
    table = sorted((group, sorted(words)) for group, words in refused_words.REFUSED_WORDS.items())
    return hashlib.sha256(json.dumps(table).encode()).hexdigest()


def _take_off(product_ids: list[int], *, main_id: int) -> int:
    """Look again under the lock, since the operator may have changed the text meanwhile."""
    with transaction.atomic(), override(LANGUAGE):
        locked = [row for row in lock_judged_goods(product_ids, main_id=main_id) if row.is_listed]
        words = find_words(locked)
        by_reason: dict[str, list[Product]] = defaultdict(list)
        for row in locked:
            if row.id in words:
                word = words[row.id]
                text = gettext("含有不允许销售的内容“%(word)s”（%(group)s）。改名后请联系主站。")
                values = {"word": word.word, "group": gettext(word.group)}
                by_reason[text % values].append(row)
        for reason, rows in sorted(by_reason.items()):
            take_off_sale(rows, reason=reason[:200], actor=SYSTEM, main_id=main_id, words=words)
    return len(words)
