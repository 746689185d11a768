"""Fail-closed access to tenant-owned rows.

Every tenant-owned model extends `TenantModel`: its default manager filters by the scope in force
and raises without one. The way out is `Model.unscoped` inside `platform_scope("reason")`.
"""

from typing import Any, ClassVar, Self

from django.db import models

from kameng.core.scope import ScopeMissing, current_scope, platform_scope

__all__ = ["ScopeMissing", "SharedDownModel", "TenantModel", "platform_scope"]


class ScopedManager(models.Manager[Any]):
    """Rows of the site in force. Raises `ScopeMissing` without a site scope."""

    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet[Any]:
        scope = current_scope()
        if scope.site_id is None:
            raise ScopeMissing(f"{self.model.__name__} was queried outside a site scope")
        return super().get_queryset().filter(site_id=scope.site_id)


class SharedDownManager(models.Manager[Any]):
    """Rows of the site in force and of the sites above it (the main site's goods)."""

    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet[Any]:
        scope = current_scope()
        if scope.site_id is None:
            raise ScopeMissing(f"{self.model.__name__} was queried outside a site scope")
        return super().get_queryset().filter(site_id__in=scope.reads or (scope.site_id,))


class UnscopedManager(models.Manager[Any]):
    """Rows of every site; only inside `platform_scope("reason")`."""

    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet[Any]:
        if not current_scope().is_platform:
            raise ScopeMissing(f"{self.model.__name__}.unscoped was used outside a platform scope")
        return super().get_queryset()


class TenantModel(models.Model):
    """A row that belongs to one site.

    `site_id` carries no database constraint: its check would take a key-share lock on one row per
    site for every order. Sites are never deleted, and `kameng audit` proves that each id exists.
    """

    site = models.ForeignKey(
        "tenancy.Site",
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )

    objects: ClassVar[ScopedManager] = ScopedManager()
    unscoped: ClassVar[UnscopedManager] = UnscopedManager()

    class Meta:
        abstract = True
        base_manager_name = "_all"

    _all: ClassVar[models.Manager[Any]] = models.Manager()  # Django's own needs: related fetches

    @classmethod
    def in_site(cls) -> models.QuerySet[Self]:
        """Return the rows of the site in force."""
        return cls.objects.get_queryset()


class SharedDownModel(TenantModel):
    """A row of one site that the sites below it may read, never write."""

    objects: ClassVar[SharedDownManager] = SharedDownManager()  # type: ignore[assignment]
    unscoped: ClassVar[UnscopedManager] = UnscopedManager()

    class Meta:
        abstract = True
        base_manager_name = "_all"
