"""Who runs a shop, as the law wants it shown: handed in, verified or refused, shown.

Promises that what a shop shows was verified by the main site, that it stays shown until other
details are verified, and that showing it costs no query: it lies in the site's settings.
"""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import current_scope, platform_scope, require_site_id
from kameng.tenancy import errors
from kameng.tenancy.models import Licence, LicenceKind, LicenceState, Site
from kameng.tenancy.rules import clean_credit_code, is_credit_code, is_phone
from kameng.tenancy.selectors import get_site
from kameng.tenancy.services import lock_site
from kameng.tenancy.settings import parse_settings, settings_json

REASON: Final = "the main site looks at who runs its sub-sites"
PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalDetails:
    """What is handed in. Which may stay empty depends on the kind: see `check_details`."""

    kind: int
    name: str
    credit_code: str = ""
    person: str = ""
    address: str = ""
    icp_no: str = ""
    police_no: str = ""
    telecom_no: str = ""
    other_no: str = ""
    phone: str = ""
    complaints: str = ""
    email: str = ""


FACTS: Final = tuple(name for name in LegalDetails.__dataclass_fields__ if name != "kind")


def check_details(details: LegalDetails) -> LegalDetails:
    """Return the details in their stored form. Raises `LicenceInvalid`."""
    code = clean_credit_code(details.credit_code)
    if details.kind not in LicenceKind.values:
        raise errors.LicenceInvalid(why=_("请选择主体类型。"))
    if details.kind != LicenceKind.EXEMPT and not is_credit_code(code):
        why = _("统一社会信用代码不正确：应为 18 位，最后一位校验不符，请对照营业执照检查。")
        raise errors.LicenceInvalid(why=why)
    if details.kind == LicenceKind.EXEMPT and code:
        raise errors.LicenceInvalid(why=_("无需登记的个人没有统一社会信用代码，请留空。"))
    if not (details.name and details.address and details.complaints):
        raise errors.LicenceInvalid(why=_("请填写名称、地址和投诉方式。"))
    if not is_phone(details.phone):
        raise errors.LicenceInvalid(why=_("请填写正确的联系电话。"))
    return LegalDetails(**{**asdict(details), "credit_code": code})


def submit_licence(details: LegalDetails, *, actor: Actor) -> Licence:
    """Hand in who runs the site in force; what waited before is taken back. Audited.

    The same details again give the ones that wait. What is shown does not change yet. Locks the
    site. Raises `LicenceInvalid`.
    """
    site_id = require_site_id()
    clean = check_details(details)
    with transaction.atomic():
        lock_site(site_id)
        waiting = find_licence(LicenceState.PENDING)
        if waiting is not None:
            if details_of(waiting) == clean:
                return waiting
            _decide(waiting, LicenceState.WITHDRAWN, actor=actor)
        made: Licence = Licence.objects.create(
            site_id=site_id, submitted_by=actor.name[:100], **asdict(clean)
        )
        _record("licence.submitted", made, actor)
    return made


def withdraw_licence(*, actor: Actor) -> None:
    """Take back the details of the site in force that wait. Raises `LicenceNotFound`."""
    with transaction.atomic():
        lock_site(require_site_id())
        waiting = find_licence(LicenceState.PENDING)
        if waiting is None:
            raise errors.LicenceNotFound
        _decide(waiting, LicenceState.WITHDRAWN, actor=actor)
        _record("licence.withdrawn", waiting, actor)


def verify_licence(licence_id: int, *, actor: Actor) -> Licence:
    """Show these details from now on: call as the main site, in a platform scope. Audited.

    The ones before become REPLACED. Locks the site. Raises `LicenceNotFound` unless they wait.
    """
    with transaction.atomic():
        licence = _lock_waiting(licence_id)
        Licence.unscoped.filter(site_id=licence.site_id, state=LicenceState.VERIFIED).update(
            state=LicenceState.REPLACED
        )
        _decide_any(licence, LicenceState.VERIFIED, actor=actor, note="")
        facts = [(name, getattr(licence, name)) for name in FACTS if getattr(licence, name)]
        _show(licence.site_id, [("kind", str(licence.kind)), *facts])
        _record("licence.verified", licence, actor)
    return licence


def refuse_licence(licence_id: int, *, note: str, actor: Actor) -> Licence:
    """Refuse details with a reason; what is shown stays. Raises `LicenceNotFound`. Audited."""
    with transaction.atomic():
        licence = _lock_waiting(licence_id)
        _decide_any(licence, LicenceState.REFUSED, actor=actor, note=note)
        _record("licence.refused", licence, actor, note=note)
    return licence


def take_down_licence(*, actor: Actor) -> None:
    """Show nothing of who ran the site in force: another does now. Call inside a transaction.

    Locks the site. Details that wait are taken back; nothing to take down is no fault.
    """
    site_id = require_site_id()
    lock_site(site_id)
    waiting, shown = find_licence(LicenceState.PENDING), find_licence(LicenceState.VERIFIED)
    if waiting is not None:
        _decide(waiting, LicenceState.WITHDRAWN, actor=actor)
    if shown is None:
        return
    Licence.objects.filter(id=shown.id).update(state=LicenceState.REPLACED)
    _show(site_id, [])
    _record("licence.taken_down", shown, actor)


def find_licence(state: LicenceState) -> Licence | None:
    """Return the newest details of the site in force in a state, or None."""
    found: Licence | None = Licence.objects.filter(state=state).order_by("-id").first()
    return found


def list_licences(limit: int = 10) -> list[Licence]:
    """Return what the site in force handed in, newest first."""
    return list(Licence.objects.order_by("-id")[:limit])


def list_waiting_licences() -> list[Licence]:
    """Return what waits for the main site, oldest first, at most a page; with their sites."""
    with platform_scope(REASON):
        rows = Licence.unscoped.filter(state=LicenceState.PENDING).select_related("site")
        return list(rows.order_by("id")[:PAGE])


def list_decided_licences(*, before_id: int | None = None, limit: int = PAGE) -> list[Licence]:
    """Return what was decided, newest first; keyset by id."""
    with platform_scope(REASON):
        rows = Licence.unscoped.exclude(state=LicenceState.PENDING).select_related("site")
        if before_id is not None:
            rows = rows.filter(id__lt=before_id)
        return list(rows.order_by("-id")[:limit])


def get_licence(licence_id: int) -> Licence:
    """Return details of any site, for the main site; raise `LicenceNotFound`."""
    with platform_scope(REASON):
        rows = Licence.unscoped.filter(id=licence_id).select_related("site")
        found: Licence | None = rows.first()
    if found is None:
        raise errors.LicenceNotFound
    return found


def find_verified_of(site_id: int) -> Licence | None:
    """Return what a site shows now, for the main site to compare with."""
    with platform_scope(REASON):
        found: Licence | None = Licence.unscoped.filter(
            site_id=site_id, state=LicenceState.VERIFIED
        ).first()
    return found


def count_waiting_licences() -> tuple[int, dt.datetime | None]:
    """Return how many wait for the main site, up to a page, and since when."""
    with platform_scope(REASON):
        rows = Licence.unscoped.filter(state=LicenceState.PENDING).order_by("id")
        moments = list(rows.values_list("created_at", flat=True)[:PAGE])
    return len(moments), moments[0] if moments else None


def details_of(licence: Licence) -> LegalDetails:
    """Return what was handed in."""
    values = {name: getattr(licence, name) for name in FACTS}
    return LegalDetails(kind=licence.kind, **values)


def _lock_waiting(licence_id: int) -> Licence:
    """Lock the site of waiting details, then read them again: they may have been decided."""
    if not current_scope().is_platform:
        raise PermissionError("who runs a shop is verified by the main site")
    found = Licence.unscoped.filter(id=licence_id).first()
    if found is None:
        raise errors.LicenceNotFound
    lock_site(found.site_id)
    waiting: Licence | None = Licence.unscoped.filter(
        id=licence_id, state=LicenceState.PENDING
    ).first()
    if waiting is None:
        raise errors.LicenceNotFound
    return waiting


def _decide(licence: Licence, state: LicenceState, *, actor: Actor) -> None:
    Licence.objects.filter(id=licence.id, state=LicenceState.PENDING).update(
        state=state, decided_by=actor.name[:100], decided_at=clock.now()
    )


def _decide_any(licence: Licence, state: LicenceState, *, actor: Actor, note: str) -> None:
    values = {"state": state, "decided_by": actor.name[:100], "decided_at": clock.now()}
    Licence.unscoped.filter(id=licence.id).update(note=note[:200], **values)
    licence.state, licence.note = state, note[:200]


def _show(site_id: int, facts: list[tuple[str, str]]) -> None:
    site = get_site(site_id)
    stored = settings_json(parse_settings(site.settings))
    stored["legal"] = [list(pair) for pair in facts]
    Site.objects.filter(id=site_id).update(
        settings=stored, catalogue_version=F("catalogue_version") + 1
    )


def _record(action: str, licence: Licence, actor: Actor, *, note: str = "") -> None:
    record(
        action,
        actor=actor,
        site_id=licence.site_id,
        subject=("licence", licence.id),
        detail={"name": licence.name, "credit_code": licence.credit_code}
        | ({"reason": note[:200]} if note else {}),
    )
