"""The command `kameng`: one word for each thing that an operator or developer asks of the program.

Owns the words and their help; what they do stands in `launch.commands`. Any failure ends as one
line: what happened, why, what to do. KAMENG_DEBUG=1 shows the traceback.
"""

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TextIO

NO_FLAGS: Mapping[str, str] = MappingProxyType({})


class Word(NamedTuple):
    """One sub-command: the function in `launch.commands`, its help, and who sees it.

    `takes_arguments`: another program reads them (and knows `--help`). `flags` are read here, so
    that one that is not known changes nothing.
    """

    function: str
    help: str
    takes_arguments: bool = False
    flags: Mapping[str, str] = NO_FLAGS
    is_hidden: bool = False


WORDS = {
    "up": Word("up", "run everything: database, web server, worker"),
    "demo": Word("demo", "the same with demo shops and the gateway simulator"),
    "stop": Word("stop", "stop what runs for this home"),
    "migrate": Word("migrate", "bring the database up to date"),
    "open-shop": Word(
        "open_shop", "open the main site and its owner's account, once", takes_arguments=True
    ),
    "set-password": Word(
        "set_password", "give a member of staff a new password", takes_arguments=True
    ),
    "web": Word("serve_web", "run the web server alone"),
    "worker": Word("worker", "run scheduled and slow work alone"),
    "simulate": Word("simulate", "run the gateway simulator alone", takes_arguments=True),
    "caddyfile": Word(
        "caddyfile", "print the configuration of Caddy, which ends TLS", takes_arguments=True
    ),
    "audit": Word(
        "audit",
        "check every invariant over the database",
        flags={"--quiet": "print only what does not hold"},
    ),
    "bench": Word("bench", "measure (in a clone)", takes_arguments=True),
    "rotate-keys": Word(
        "rotate_keys",
        "encrypt with a fresh key",
        flags={
            "--continue": "go on with a rotation that was cut off; make no new key",
            "--keep-old": "leave the old keys in the key file (for older backups)",
        },
    ),
    "manage": Word("manage", "a management command of Django", takes_arguments=True),
    "psql": Word("psql", "open PostgreSQL's client", takes_arguments=True),
    "load-demo": Word("load_demo", "load the demo's data", is_hidden=True),
}

EPILOG = """\
environment:
  KAMENG_HOME          where data, keys and logs lie (default: var)
  KAMENG_PORT          port of the web server (default: 8000; the simulator takes the next)
  KAMENG_HOST          address to listen at (default: 127.0.0.1)
  KAMENG_DATABASE_URL  a PostgreSQL 15 or newer of your own (default: the embedded one)
  KAMENG_DEBUG         1 shows a traceback with every failure
"""


def _parser() -> argparse.ArgumentParser:
    shown = {name: word for name, word in WORDS.items() if not word.is_hidden}
    width = max(map(len, shown))
    lines = [f"  {name.ljust(width)}  {word.help}" for name, word in shown.items()]
    parser = argparse.ArgumentParser(
        prog="kameng",
        description="Kameng: a main site sells digital goods, sub-sites resell them.\n\ncommands:\n"
        + "\n".join(lines),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="kameng COMMAND [ARGUMENTS]",
        add_help=True,
    )
    parser.add_argument("command", choices=list(WORDS), metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _read_arguments(name: str, word: Word, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a command; end with its help, or with what is wrong in them."""
    if word.takes_arguments:
        return list(arguments)
    parser = argparse.ArgumentParser(
        prog=f"kameng {name}", description=f"{word.help}.", allow_abbrev=False
    )
    for flag, meaning in word.flags.items():
        parser.add_argument(flag, action="store_true", help=meaning)
    parser.parse_args(arguments)
    return list(arguments)


def _keep_printing(stream: TextIO) -> None:
    """A terminal that lacks a character shows a question mark, and the program goes on."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def _fail(fault: BaseException) -> int:
    """Print one line about a failure and return the exit code."""
    if os.environ.get("KAMENG_DEBUG", "").strip() in {"1", "true", "yes", "on"}:
        raise fault
    from kameng.config.launch.failure import LaunchFailed

    if isinstance(fault, LaunchFailed):
        line = str(fault)
    elif isinstance(fault, OSError) and fault.errno == errno.ENOSPC:
        line = "The disk is full. Make room and start again: nothing that was saved is lost."
    elif isinstance(fault, PermissionError) and fault.filename:
        line = (
            f"This user may not use {fault.filename}. Did another one, root perhaps, start Kameng"
            " here? Give the home folder back to one user (chown -R), its postgres folder excepted."
        )
    else:
        reason = " ".join(str(fault).split()) or "no reason given"
        line = f"{type(fault).__name__}: {reason} (KAMENG_DEBUG=1 shows where)"
    print(f"kameng: {line}", file=sys.stderr, flush=True)
    return 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        _keep_printing(stream)
    parser = _parser()
    given = parser.parse_args(sys.argv[1:] if argv is None else argv)
    word = WORDS[given.command]
    arguments = _read_arguments(given.command, word, given.arguments)
    try:
        commands = importlib.import_module("kameng.config.launch.commands")
        code: int = getattr(commands, word.function)(arguments)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception as fault:  # the edge of the program: a person reads what comes out here
        return _fail(fault)
    return code


if __name__ == "__main__":
    sys.exit(main())
