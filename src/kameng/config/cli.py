"""The command `kameng`: one word for each thing that an operator or developer asks of the program.

Owns the words and their help; what they do stands in `launch.commands`. Any failure ends as one
line: what happened, why, what to do. KAMENG_DEBUG=1 shows the traceback.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, TextIO


class Word(NamedTuple):
    """One sub-command: the function in `launch.commands`, its help, and who sees it."""

    function: str
    help: str
    takes_arguments: bool = False
    is_hidden: bool = False


WORDS = {
    "up": Word("up", "run everything: database, web server, worker"),
    "demo": Word("demo", "the same with demo shops and the gateway simulator"),
    "stop": Word("stop", "stop what runs for this home"),
    "migrate": Word("migrate", "bring the database up to date"),
    "web": Word("serve_web", "run the web server alone"),
    "worker": Word("worker", "run scheduled and slow work alone"),
    "simulate": Word("simulate", "run the gateway simulator alone", takes_arguments=True),
    "audit": Word("audit", "check every invariant over the database", takes_arguments=True),
    "bench": Word("bench", "measure (in a clone)", takes_arguments=True),
    "rotate-keys": Word("rotate_keys", "encrypt with a fresh key", takes_arguments=True),
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
    if given.arguments and not word.takes_arguments:
        if given.arguments[0] in {"-h", "--help"}:
            print(f"kameng {given.command}: {word.help}")
            return 0
        parser.error(f"`kameng {given.command}` takes no arguments: {' '.join(given.arguments)}")
    try:
        commands = importlib.import_module("kameng.config.launch.commands")
        code: int = getattr(commands, word.function)(given.arguments)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception as fault:  # the edge of the program: a person reads what comes out here
        return _fail(fault)
    return code


if __name__ == "__main__":
    sys.exit(main())
