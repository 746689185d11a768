"""Column types that Django does not bring."""

from typing import Any

from django.db import models


class Xid8Field(models.Field):
    """A 64-bit transaction id of PostgreSQL; read as text."""

    def db_type(self, connection: Any) -> str:
        return "xid8"


class AmountField(models.BigIntegerField):
    """Money as an integer of 1/10000 yuan (`pricing.money.Amount`)."""

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BigIntegerField", args, kwargs


class CurrentTransaction(models.Func):
    """`pg_current_xact_id()`, as a database default."""

    function = "pg_current_xact_id"
    output_field = Xid8Field()
