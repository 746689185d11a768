"""What each sub-command of `kameng` does, short of what the program's own modules do.

Every function takes the arguments left over and returns an exit code; the program is imported
only inside the commands that need it, so that `kameng --help` answers at once.
"""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from kameng.config.launch.binaries import choose_binaries
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import (
    find_home,
    find_supervisor,
    repository,
    write_whole,
)
from kameng.config.launch.options import read_options
from kameng.config.launch.postgres import DATABASE, SUPERUSER, find_server
from kameng.config.launch.processes import send, wait_until
from kameng.config.launch.report import say
from kameng.config.launch.session import database_session, prepare
from kameng.config.launch.up import SHOPS, WELCOME, run_up

T = TypeVar("T")

STOP_SECONDS = 180.0


def _program(name: str) -> Any:
    """Import one of the program's own modules, with Django ready."""
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as fault:
        raise LaunchFailed(f"{fault}.", remedy="docs/settings.md has every setting.") from fault
    return importlib.import_module(f"kameng.config.{name}")


def up(arguments: Sequence[str]) -> int:
    """Run everything."""
    return run_up(find_home(), with_demo=False)


def demo(arguments: Sequence[str]) -> int:
    """Run everything, with the demo's shops and the gateway simulator."""
    return run_up(find_home(), with_demo=True)


def migrate(arguments: Sequence[str]) -> int:
    """Bring roles, tables and functions of the database up to date."""
    home = find_home()
    with database_session(home):
        _program("migrate").run()
        text = _program("opening").tell_shops()
    write_whole(home.run / SHOPS, f"{text}\n", mode=0o640)
    return 0


def open_shop(arguments: Sequence[str]) -> int:
    """Open the main site and its owner's account."""
    from kameng.config import opening

    wish = _heard(opening.read_shop, arguments)
    with database_session(find_home(), needs_schema=True):
        say(_granted(_program("opening").open_shop, wish))
    return 0


def set_password(arguments: Sequence[str]) -> int:
    """Give a member of staff a new password."""
    from kameng.config import opening

    login, password = _heard(opening.read_login, arguments)
    with database_session(find_home(), needs_schema=True):
        say(_granted(_program("opening").set_password, login, password))
    return 0


def _heard(read: Callable[[Sequence[str]], T], arguments: Sequence[str]) -> T:
    """Ask a person, and turn what is missing into the failure of the command."""
    from kameng.config.opening import EntryMissing

    try:
        return read(arguments)
    except EntryMissing as fault:
        raise LaunchFailed(str(fault), remedy="--help shows what can be given.") from fault


def _granted(act: Callable[..., str], *words: object) -> str:
    """Do what the program may refuse, and turn its refusal into the failure of the command."""
    from django.utils import translation

    from kameng.core.errors import Refusal

    with translation.override("en"):
        try:
            return act(*words)
        except Refusal as fault:
            raise LaunchFailed(fault.text(), remedy="Nothing was changed.") from fault


def load_demo(arguments: Sequence[str]) -> int:
    """Load the demo into an empty database; keep what it has to say for the end of the start."""
    home = find_home()
    with database_session(home, needs_schema=True):
        text = _program("demo").load()
    write_whole(home.run / WELCOME, f"{text or ''}\n", mode=0o640)
    return 0


def worker(arguments: Sequence[str]) -> int:
    """Run scheduled and slow work."""
    _leave_out_rich()
    with database_session(find_home(), needs_schema=True):
        _program("worker").run()
    return 0


def serve_web(arguments: Sequence[str]) -> int:
    """Run the web server alone."""
    _leave_out_rich()
    from kameng.config.launch import web  # too large for the supervisor to carry

    with database_session(find_home(), needs_schema=True):
        web.serve(read_options())
    return 0


def _leave_out_rich() -> None:
    """Let structlog do without rich, which a developer's tools bring: 3 MB a process for nothing.

    It draws tracebacks for a terminal; these processes log JSON.
    """
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]


def simulate(arguments: Sequence[str]) -> int:
    """Run the gateway simulator, on the port after the web server's."""
    options = read_options()
    home = prepare(find_home())
    given = list(arguments)
    for name, value in (
        ("--port", str(options.simulator_port)),
        ("--smtp-port", str(options.mail_port)),
        ("--home", str(home.path / "simulator")),
    ):
        if not any(word == name or word.startswith(f"{name}=") for word in given):
            given += [name, value]
    result = importlib.import_module("kameng_simulator.app").main(given)
    return int(result or 0)


def caddyfile(arguments: Sequence[str]) -> int:
    """Print the configuration of Caddy that fits this installation."""
    from kameng.config.launch import caddy

    sys.stdout.write(caddy.render(caddy.read_wish(arguments), read_options()))
    return 0


def audit(arguments: Sequence[str]) -> int:
    """Check every invariant over the whole database."""
    with database_session(find_home(), needs_schema=True):
        return int(_program("audit").run(list(arguments)))


def rotate_keys(arguments: Sequence[str]) -> int:
    """Encrypt everything with a fresh key."""
    with database_session(find_home(), needs_schema=True):
        return int(_program("rotation").run(list(arguments)))


def manage(arguments: Sequence[str]) -> int:
    """Run one of Django's own management commands."""
    from django.core.management import execute_from_command_line

    with database_session(find_home()):
        execute_from_command_line(["kameng manage", *arguments])
    return 0


def bench(arguments: Sequence[str]) -> int:
    """Run the measurements of the source tree."""
    root = repository()
    script = root / "bench" / "__main__.py" if root else Path("bench/__main__.py")
    if root is None or not script.is_file():
        raise LaunchFailed(
            "The measurements are part of the source tree, which is not here.",
            remedy="Run `kameng bench` from a clone.",
        )
    import runpy  # needed here alone

    sys.argv = ["kameng bench", *arguments]
    sys.path.insert(0, str(root))
    runpy.run_module("bench", run_name="__main__", alter_sys=True)
    return 0


def psql(arguments: Sequence[str]) -> int:
    """Open PostgreSQL's own client on the database."""
    home = find_home()
    options = read_options()
    if options.database_url:
        address, password = split_password(options.database_url)
        if password:
            os.environ["PGPASSWORD"] = password
        command = [choose_binaries(None).program("psql"), address, *arguments]
        os.execv(command[0], command)  # noqa: S606  no shell is the point
    with database_session(home):
        server = find_server(home)
        if server is None:
            raise LaunchFailed("The database server has ended.", remedy="Try again.")
        program = choose_binaries(server.binaries.major).program("psql")
        address = server.dsn(SUPERUSER, DATABASE)
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is psql's own
        try:
            status = subprocess.call([program, address, *arguments])
        finally:
            signal.signal(signal.SIGINT, old)
    return status


def split_password(url: str) -> tuple[str, str]:
    """Return an address without its password, and the password: arguments are seen by everyone."""
    netloc = urlsplit(url).netloc
    person, _, place = netloc.rpartition("@")
    name, _, password = person.partition(":")
    if not password:
        return url, ""
    return url.replace(netloc, f"{name}@{place}", 1), unquote(password)


def stop(arguments: Sequence[str]) -> int:
    """Stop what runs for this home: the supervisor and all its processes, or the server alone."""
    home = find_home()
    supervisor = find_supervisor(home)
    if supervisor is not None:
        if supervisor == 0 or not send(supervisor, signal.SIGTERM):
            raise LaunchFailed("Kameng is just starting or stopping.", remedy="Try again.")
        say(f"Stopping Kameng (process {supervisor}) …")
        if not wait_until(lambda: find_supervisor(home) is None, seconds=STOP_SECONDS):
            raise LaunchFailed(
                f"Process {supervisor} has not stopped for {STOP_SECONDS:.0f} s.",
                remedy=f"Its log is {home.log('kameng')}; `kill -9 {supervisor}` loses no data.",
            )
    server = find_server(home)
    if server is not None:
        say(f"Stopping the database server (process {server.pid}) …")
        server.stop()
    say("Stopped." if supervisor is not None or server is not None else "Nothing was running.")
    return 0
