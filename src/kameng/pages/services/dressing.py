"""Skins: put on between two moments, taken off at once."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.pages.errors import SkinInvalid
from kameng.pages.models import Skin
from kameng.pages.skins import SKINS
from kameng.tenancy.services import bump_catalogue_version, lock_site

LONGEST: Final = timedelta(days=62)
AHEAD_MOST: Final = timedelta(days=731)
SKINS_MOST: Final = 40


def plan_skin(kind: str, *, starts_at: datetime, ends_at: datetime, actor: Actor) -> Skin:
    """Let the site wear a skin between two moments. Raises `SkinInvalid`. Locks the site."""
    if kind not in SKINS:
        raise SkinInvalid(why=_("没有这种皮肤。"))
    span = ends_at - starts_at  # not a sum, which no calendar may hold
    if not clock.now() < ends_at or not timedelta(0) < span <= LONGEST:
        raise SkinInvalid(why=_("结束时间要晚于开始时间和现在，最长两个月。"))
    if ends_at - clock.now() > AHEAD_MOST:
        raise SkinInvalid(why=_("最多提前两年安排。"))
    site_id = require_site_id()
    with transaction.atomic():
        lock_site(site_id)  # or skins planned at one moment would pass the limit together
        if Skin.in_site().filter(ends_at__gt=clock.now()).count() >= SKINS_MOST:
            raise SkinInvalid(why=_("安排得太多了，请先取消一些。"))
        planned: Skin = Skin.objects.create(
            site_id=site_id,
            kind=kind,
            starts_at=starts_at,
            ends_at=ends_at,
            created_by=actor.name[:100],
        )
        bump_catalogue_version(site_id)
        record(
            "skin.planned",
            actor=actor,
            site_id=site_id,
            subject=("skin", planned.id),
            detail={"kind": kind, "from": starts_at.isoformat(), "until": ends_at.isoformat()},
        )
    return planned


def drop_skin(skin_id: int, *, actor: Actor) -> None:
    """Take a skin off, or off the plan. Raises `SkinInvalid` for one that is not there."""
    site_id = require_site_id()
    with transaction.atomic():
        gone, _rows = Skin.in_site().filter(id=skin_id).delete()
        if not gone:
            raise SkinInvalid(why=_("这个皮肤已经取消了。"))
        bump_catalogue_version(site_id)
        record("skin.dropped", actor=actor, site_id=site_id, subject=("skin", skin_id))
