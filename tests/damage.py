"""Breaking rows on purpose, to see that the audit finds them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from kameng.core.scope import platform_scope


@contextmanager
def as_owner() -> Iterator[None]:
    """Act as the owner of the tables, who may what the application may not."""
    with platform_scope("a test breaks things"), connection.cursor() as cursor:
        cursor.execute("select session_user")
        (owner,) = cursor.fetchone()
        cursor.execute(f"set local role {owner}")
        cursor.execute("alter table ledger_transfer disable trigger user")
        yield
        cursor.execute("alter table ledger_transfer enable trigger user")
        cursor.execute("set local role kameng_app")
