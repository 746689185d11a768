"""Who must have a second factor, and from which day: the site's rule and the main site's.

The main site's rule is kept in this process for half a minute, so that no page asks for it anew;
a change of it holds on the hosts of sub-sites as late as that.
"""

import datetime as dt
import time
from typing import Any, Final

from kameng.accounts.people import StaffPerson
from kameng.accounts.selectors import needs_second_factor
from kameng.core import clock
from kameng.tenancy.selectors import SiteView, get_site_view
from kameng.tenancy.settings import SiteSettings

KEPT_SECONDS: Final = 30
AT_ONCE: Final = dt.date.min
_kept: dict[int, tuple[int, SiteSettings]] = {}


def find_due(request: Any, site: SiteView) -> dt.date | None:
    """Return the day from which the person must have a second factor, while it is missing.

    None: nothing is asked, or all is set up. `AT_ONCE` is the earliest of days.
    """
    person = request.person
    if not isinstance(person, StaffPerson) or person.has_second_factor:
        return None
    role = person.roles.get(site.site_id, "")
    days = [
        _day(rule)
        for rule in _rules(request, site)
        if needs_second_factor(
            role, is_platform=person.is_platform, required=rule.second_factor_roles
        )
    ]
    return min(days, default=None)


def is_needed(request: Any, site: SiteView) -> bool:
    """Tell whether the person's last factor must stay, whatever the day."""
    person = request.person
    if not isinstance(person, StaffPerson):
        return False
    role = person.roles.get(site.site_id, "")
    return any(
        needs_second_factor(role, is_platform=person.is_platform, required=rule.second_factor_roles)
        for rule in _rules(request, site)
    )


def is_overdue(due: dt.date | None, site: SiteView) -> bool:
    """Tell whether the grace is over, by the calendar of the site."""
    return due is not None and due <= clock.now().astimezone(site.settings.zone).date()


def forget_rules() -> None:
    """Read the main site's rule anew."""
    _kept.clear()


def _day(rule: SiteSettings) -> dt.date:
    return dt.date.fromisoformat(rule.second_factor_from) if rule.second_factor_from else AT_ONCE


def _rules(request: Any, site: SiteView) -> list[SiteSettings]:
    if site.is_main:
        return [site.settings]
    main = _main_settings(request, site.main_id)
    person = request.person
    holds = main.second_factor_everywhere or person.is_platform
    return [site.settings, main] if holds else [site.settings]


def _main_settings(request: Any, main_id: int) -> SiteSettings:
    if request.site.site_id == main_id:
        found: SiteSettings = request.site.settings
        return found
    until, kept = _kept.get(main_id, (0, None))
    if kept is None or until < time.monotonic():
        kept = get_site_view(main_id).settings
        _kept[main_id] = (int(time.monotonic()) + KEPT_SECONDS, kept)
    return kept
