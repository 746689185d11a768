"""Column types that Django does not bring."""

from typing import Any

from django.db import models


class Xid8Field(models.Field):  # type: ignore[type-arg]  # not subscriptable when it runs
    """A 64-bit transaction id of PostgreSQL; read as text."""

    def db_type(self, connection: Any) -> str:
        """Return the type of the column."""
        return "xid8"


class AmountField(models.BigIntegerField):  # type: ignore[type-arg]  # as above
    """Money as an integer of 1/10000 yuan (`pricing.money.Amount`)."""

    def deconstruct(self) -> Any:
        """Stand in migrations as what it is in the database."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BigIntegerField", args, kwargs


class CurrentTransaction(models.Func):
    """`pg_current_xact_id()`, as a database default."""

    function = "pg_current_xact_id"
    output_field = Xid8Field()
