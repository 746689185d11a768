"""The settings of one site as one typed value, stored as JSON, with defaults.

Unknown keys are kept out, wrong types fall back to the default: a site always opens.
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from kameng.tenancy.rules import clean_host, is_openable

PALETTES = ("indigo", "teal", "vermilion", "ink")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """How one shop presents itself and behaves."""

    palette: str = "indigo"
    slogan: str = ""
    notice: str = ""  # one line above the goods
    banner_title: str = ""
    banner_text: str = ""
    contact_text: str = ""  # how to reach the operator
    licence_no: str = ""  # 营业执照 / ICP, shown in the footer
    icp_no: str = ""
    timezone: str = "Asia/Shanghai"
    order_hold_seconds: int = 900  # how long an unpaid order keeps its keys
    open_orders_limit: int = 5  # unpaid orders one person may hold
    reserve_share_bps: int = 5000  # of a product's stock one person may reserve unpaid
    wallet_enabled: bool = True
    guest_checkout: bool = True
    mail_from: str = ""
    prepaid_alert_amount: int = 1_000_000  # below this the operator is told: ¥100
    hidden_gateway_ids: tuple[int, ...] = ()  # ways of the main site this shop does not offer
    pay_order: tuple[int, ...] = ()  # ways in this shop's order; the others follow in the owner's
    # (way, least, most) inside the owner's bounds, 1/10000 yuan; most 0: the owner's
    pay_limits: tuple[tuple[int, int, int], ...] = ()
    named_cap_amount: int = 50_000_000  # what a wallet may hold, of a customer known by name
    unnamed_cap_amount: int = 10_000_000  # and of any other; the law's bounds, to be lowered only
    # Roles that must have a second factor, from a day on (ISO; empty: at once); the main site's
    # may hold for every site. How long a browser may leave the second step out.
    second_factor_roles: tuple[str, ...] = ()
    second_factor_from: str = ""
    second_factor_everywhere: bool = False
    remember_device_days: int = 30
    child_sites_allowed: bool = False  # of the main site: whether its sub-sites may have children
    hidden_steps: str = ""  # of the checklist of a new shop, put away: codes with commas
    branch_suffix: str = ""  # of the addresses of new sub-sites; empty: the main site's own host
    two_person_amount: int = 20_000_000  # acts on money above it need a second member of staff
    # The main site's: where own domains of sub-sites lead; addresses apart by commas.
    domain_target: str = ""
    domain_addresses: str = ""
    # Who runs the shop, (name, text), as the main site verified it: tenancy.licensing writes it.
    legal: tuple[tuple[str, str], ...] = ()
    # Set on the main site, it counts for each of its sub-sites (sql/sites.sql).
    licence_required: bool = False  # without verified details only its operator sees a shop
    closed_keep_days: int = 180  # so long a closed site keeps its address and can be opened again

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone in which this site's times are shown."""
        return ZoneInfo(self.timezone)

    @property
    def legal_facts(self) -> dict[str, str]:
        """Return the verified details of who runs the shop, by name; empty without any."""
        return dict(self.legal)


LIMIT_PARTS = 3
TEXT_LISTS = frozenset({"second_factor_roles"})
FACT_PARTS = 2
SUFFIX = 200  # a slug before it still fits a host
BOUNDS = {
    "order_hold_seconds": (60, 86_400),
    "open_orders_limit": (1, 100),
    "reserve_share_bps": (1, 10_000),
    "prepaid_alert_amount": (0, 10_000_000_000),
    "named_cap_amount": (10_000, 50_000_000),
    "unnamed_cap_amount": (10_000, 10_000_000),
    "two_person_amount": (0, 10_000_000_000),
    "remember_device_days": (0, 30),
    "closed_keep_days": (30, 3650),
}


def parse_settings(stored: Mapping[str, Any]) -> SiteSettings:
    """Return the typed settings of what is stored, defaults where a value is absent or unusable."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(SiteSettings):
        if field.name in stored:
            value = _read_value(field.name, stored[field.name], default=field.default)
            if value is not None:
                values[field.name] = value
    for name, (low, high) in BOUNDS.items():
        if name in values and not low <= values[name] <= high:
            del values[name]
    _drop_odd_words(values)
    return SiteSettings(**values)


def _drop_odd_words(values: dict[str, Any]) -> None:
    if not _is_day(values.get("second_factor_from", "")):
        del values["second_factor_from"]
    if values.get("palette", "indigo") not in PALETTES:
        del values["palette"]
    if not _is_suffix(values.get("branch_suffix", "")):
        del values["branch_suffix"]
    try:
        ZoneInfo(values.get("timezone", "Asia/Shanghai"))
    except (KeyError, ValueError, OSError):
        del values["timezone"]


def _is_suffix(text: str) -> bool:
    return text == "" or (clean_host(text) == text and is_openable(text) and len(text) <= SUFFIX)


def _read_value(name: str, value: object, *, default: object) -> Any:
    """Return a stored value in its type, or None when it is of another."""
    if not isinstance(default, tuple):
        return value if type(value) is type(default) else None
    if not isinstance(value, list):
        return None
    if name in ROWS:
        return tuple(tuple(item) for item in value) if all(map(ROWS[name], value)) else None
    wanted = str if name in TEXT_LISTS else int
    return tuple(value) if all(type(item) is wanted for item in value) else None


def _is_day(text: str) -> bool:
    try:
        return not text or bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _is_limit(item: object) -> bool:
    if not isinstance(item, list) or len(item) != LIMIT_PARTS:
        return False
    return all(type(part) is int and part >= 0 for part in item)


def _is_fact(item: object) -> bool:
    if not isinstance(item, list) or len(item) != FACT_PARTS:
        return False
    return all(isinstance(part, str) for part in item)


ROWS = {"pay_limits": _is_limit, "legal": _is_fact}


def settings_json(settings: SiteSettings) -> dict[str, Any]:
    """Return the JSON form of `settings`."""
    return {
        name: [list(item) if isinstance(item, tuple) else item for item in value]
        if isinstance(value, tuple)
        else value
        for name, value in dataclasses.asdict(settings).items()
    }
