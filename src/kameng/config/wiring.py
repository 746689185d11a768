"""Every event and who hears it, on one page."""

from collections.abc import Mapping
from typing import Any

from kameng.core.events import BatchHandler, Event

SAME_TRANSACTION: Mapping[type[Event], tuple[Any, ...]] = {}
AFTER_COMMIT: Mapping[str, tuple[tuple[type[Event], ...], BatchHandler]] = {}
