"""A command's session: home, key files and database ready, and their names in the environment.

The database is the one that KAMENG_DATABASE_URL names, else the embedded server, which a command
that finds it stopped starts for itself alone and stops again.
"""

import contextlib
import os
from collections.abc import Iterator

from kameng.config.launch.cluster import find_cluster
from kameng.config.launch.databases import check_database, ensure_database, holds_sites
from kameng.config.launch.home import Home, prepare_home, prepare_secrets
from kameng.config.launch.options import read_options
from kameng.config.launch.postgres import app_dsn, ensure_server
from kameng.config.launch.report import Report, say_aside

SETTINGS_MODULE = "kameng.config.settings"


def prepare(home: Home) -> Home:
    """Make the home and its key files, and name them for everything that reads the environment."""
    prepare_home(home)
    prepare_secrets(home, has_data=not home.keyring.exists() and _has_data(home))
    os.environ["KAMENG_HOME"] = str(home.path)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    return home


def _has_data(home: Home) -> bool:
    """Tell whether there may be data that a key file of before is needed for."""
    url = read_options().database_url
    if url:
        return holds_sites(url)
    cluster = find_cluster(home)
    return cluster is not None and cluster.is_initialised


@contextlib.contextmanager
def database_session(
    home: Home, *, needs_schema: bool = False, report: Report = say_aside
) -> Iterator[str]:
    """Give the owner's address of the database to the block, also as KAMENG_DATABASE_URL.

    With `needs_schema` one that was never migrated is refused. Call from the main thread: a server
    that is started here ends with it.
    """
    prepare(home)
    options = read_options()
    if options.database_url:
        if not options.is_supervised:
            check_database(options.database_url, needs_schema=needs_schema)
            if options.app_database_url:
                check_database(options.app_database_url, setting="KAMENG_APP_DATABASE_URL")
        yield options.database_url
        return
    server = ensure_server(home, report=report)
    try:
        url = ensure_database(server)
        check_database(url, needs_schema=needs_schema)
        os.environ["KAMENG_DATABASE_URL"] = url
        os.environ["KAMENG_APP_DATABASE_URL"] = app_dsn(server)
        yield url
    finally:
        os.environ.pop("KAMENG_DATABASE_URL", None)
        os.environ.pop("KAMENG_APP_DATABASE_URL", None)
        if server.process is not None:
            server.stop()
