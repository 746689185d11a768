"""The web server's processes: Django under granian, one parent and a few workers.

The program is imported in the parent and shared by its forked workers, which halves their memory;
therefore importing `kameng.config.wsgi` must neither start a thread nor keep a connection. A
worker that dies is replaced by the parent, workers end with the parent, and the parent with the
supervisor.
"""

import gc
import importlib
import multiprocessing
import signal
from collections.abc import Callable
from typing import Any

from kameng.config.launch.options import Options
from kameng.config.launch.processes import die_with_parent

TARGET = "kameng.config.server"
DRAIN_SECONDS = 10
CONNECTIONS_A_WORKER = 1024
# The server's own words go the way of all others: one JSON object a line (kameng.web.logs).
_PASSED_ON: dict[str, Any] = {"handlers": [], "level": "INFO", "propagate": True}
LOGGING = {"loggers": {"_granian": _PASSED_ON, "granian.access": _PASSED_ON}}


class _Loader:
    """Gives a worker its application, and binds its life to its parent's."""

    def __init__(self, *, threads: int) -> None:
        self.threads = threads
        self.bind_to_parent = die_with_parent(signal.SIGTERM)

    def __call__(self) -> Callable[..., Any]:
        self.bind_to_parent()
        server: Callable[..., Any] = importlib.import_module(TARGET).make_server(self.threads)
        return server


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is in flight, at most ten seconds."""
    from granian.constants import HTTPModes, Interfaces, Loops, TaskImpl
    from granian.server import Server

    multiprocessing.set_start_method("fork", force=True)
    importlib.import_module(TARGET)
    _close_connections()
    gc.collect()
    gc.freeze()  # else the collector's marks would unshare the memory, page by page
    server = Server(
        TARGET,
        address=options.host,
        port=options.port,
        interface=Interfaces.RSGI,
        task_impl=TaskImpl.asyncio,  # a context for each request
        loop=Loops.uvloop,
        workers=options.web_workers,
        backpressure=CONNECTIONS_A_WORKER,
        http=HTTPModes.http1,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_SECONDS,
        log_dictconfig=LOGGING,
    )
    server.serve(target_loader=_Loader(threads=options.web_threads), wrap_loader=False)


def _close_connections() -> None:
    """A connection shared by two processes would mix their answers."""
    from django.db import connections

    connections.close_all()
