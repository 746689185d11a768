"""The database wrapper: keeps PostgreSQL's idea of the scope equal to Python's."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from kameng.core.scope import NO_SCOPE, Scope, current_scope

SEND_SCOPE = (
    "select set_config('app.site', %s, false), set_config('app.reads', %s, false),"
    " set_config('app.platform', %s, false)"
)


def scope_settings(scope: Scope) -> tuple[str, str, str]:
    """Return the three settings that row-level security reads, as text."""
    return (
        "" if scope.site_id is None else str(scope.site_id),
        "{" + ",".join(map(str, scope.reads)) + "}",
        "on" if scope.is_platform else "",
    )


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL with the scope repeated to the server whenever it differs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent: Scope | None = NO_SCOPE
        self.execute_wrappers.append(self._with_scope)

    def _with_scope(
        self, execute: Any, sql: Any, params: Any, many: Any, context: Any
    ) -> Any:  # the shape Django gives to execute wrappers
        scope = current_scope()
        if scope is not self._sent and scope != self._sent and not self._is_broken():
            self.send_scope(scope)
        return execute(sql, params, many, context)

    def _is_broken(self) -> bool:
        """Tell a failed transaction: it takes nothing but its own rollback."""
        return bool(self.connection.info.transaction_status == TransactionStatus.INERROR)

    def send_scope(self, scope: Scope) -> None:
        """Tell the server which scope the next statements run under."""
        with self.connection.cursor() as cursor:
            cursor.execute(SEND_SCOPE, scope_settings(scope))
        self._sent = scope

    def connect(self) -> None:
        """Open a session, which begins without any scope."""
        super().connect()
        self._sent = NO_SCOPE  # a new session has no settings: nothing is visible

    # A setting made inside a transaction is undone by its rollback: forget what was sent.
    def _rollback(self) -> Any:
        self._sent = None
        return super()._rollback()  # type: ignore[misc]  # the stubs leave it out

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # the stubs leave it out
        self._sent = None
