"""The command line: quick to answer, one clear line for every failure, no secret in it."""

import errno
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kameng.config.cli import WORDS, main
from kameng.config.launch import commands
from kameng.config.launch.databases import check_database
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import (
    Home,
    find_home,
    find_supervisor,
    prepare_home,
    prepare_secrets,
    repository,
)
from kameng.config.launch.options import NAMES, find_strange, read_options


def kameng(
    *words: str, home: Path, timeout: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("KAMENG_")}
    return subprocess.run(
        [sys.executable, "-m", "kameng.config.cli", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**clean, "KAMENG_HOME": str(home), **environment},
    )


def test_help_names_every_command_and_loads_no_program(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom kameng.config.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'django', 'psycopg', 'granian', 'kameng.config.launch.commands'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "loaded: []" in done.stdout
    shown = [name for name, word in WORDS.items() if not word.is_hidden]
    assert all(f"  {name} " in done.stdout for name in shown)


def test_every_command_has_its_function() -> None:
    for word in WORDS.values():
        assert callable(getattr(commands, word.function))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("up", "extra"),
        ("migrate", "--fast"),
        ("audit", "--quite"),
        ("rotate-keys", "--keepold"),
        ("rotate-keys", "--keep"),
        ("rotate-keys", "now"),
        ("open-shop", "--password", "secret"),
        ("set-password",),
    ],
)
def test_wrong_words_are_refused_with_the_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = kameng(*words, home=tmp_path)

    assert done.returncode == 2
    assert "kameng" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(WORDS.keys() - {"bench", "manage", "psql", "simulate"}))
def test_asking_for_help_does_nothing_else(tmp_path: Path, name: str) -> None:
    done = kameng(name, "--help", home=tmp_path)

    assert done.returncode == 0
    assert f"kameng {name}" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["0", "-1", "eighty", "65534", "８０００", "80.5"])
def test_wrong_port_is_one_line_with_name_and_range(tmp_path: Path, value: str) -> None:
    done = kameng("up", home=tmp_path, KAMENG_PORT=value)

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "KAMENG_PORT" in done.stderr
    assert "1 to 65533" in done.stderr


def test_database_that_does_not_answer_is_one_line_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://shop:topsecret@127.0.0.1:1/shop"

    done = kameng("migrate", home=tmp_path, KAMENG_DATABASE_URL=url)

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "KAMENG_DATABASE_URL" in done.stderr
    assert "topsecret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "mysql://shop:topsecret@127.0.0.1/shop",
        "host=127.0.0.1 password=topsecret",
        "topsecret",
        "postgresql://shop:topsecret@127.0.0.1:1/",
        "postgresql://shop:top@topsecret@127.0.0.1:1/shop",
        "postgresql://shop:top/topsecret@127.0.0.1:1/shop",
    ],
)
def test_address_of_a_wrong_form_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(LaunchFailed, match=r"postgresql://owner:password@host") as told:
        check_database(url)

    assert "KAMENG_DATABASE_URL" in str(told.value)
    assert "topsecret" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        ("postgresql://a:p%40ss@h:5/d?x=1", "postgresql://a@h:5/d?x=1", "p@ss"),
        ("postgresql://a@h/d", "postgresql://a@h/d", ""),
        ("postgresql:///d?host=/run", "postgresql:///d?host=/run", ""),
    ],
)
def test_password_is_taken_out_of_an_address(url: str, address: str, password: str) -> None:
    assert commands.split_password(url) == (address, password)


def test_debug_shows_where_it_happened(tmp_path: Path) -> None:
    done = kameng("up", home=tmp_path, KAMENG_PORT="x", KAMENG_DEBUG="1")

    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = kameng("up", home=tmp_path / "file" / "home")

    assert done.returncode == 1
    assert str(tmp_path / "file" / "home") in done.stderr
    assert "KAMENG_HOME" in done.stderr


def test_stop_of_nothing_says_so(tmp_path: Path) -> None:
    done = kameng("stop", home=tmp_path)

    assert (done.returncode, done.stdout.strip()) == (0, "Nothing was running.")


@pytest.mark.parametrize(("version", "is_known"), [(150000, True), (180006, True), (140012, False)])
def test_server_older_than_15_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: int, is_known: bool
) -> None:
    class Connection:
        def __init__(self) -> None:
            self.info = self
            self.server_version = version

        def __enter__(self) -> "Connection":
            return self

        def __exit__(self, *words: object) -> None:
            return None

    def connect(url: str, **options: Any) -> Connection:
        return Connection()

    monkeypatch.setattr("psycopg.connect", connect)

    if is_known:
        check_database("postgresql://x/y")
    else:
        with pytest.raises(LaunchFailed, match=r"PostgreSQL 14\. .*15 or newer"):
            check_database("postgresql://x/y")


def test_home_is_named_or_lies_in_the_source_tree(tmp_path: Path) -> None:
    root = repository()

    assert find_home({"KAMENG_HOME": str(tmp_path)}) == Home(tmp_path)
    assert root is not None
    assert find_home({}) == Home(root / "var")
    assert find_home({"KAMENG_HOME": "  "}) == Home(root / "var")


def test_secrets_are_made_once_and_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAMENG_KEYRING", raising=False)
    home = prepare_home(Home(tmp_path / "home"))
    prepare_secrets(home, has_data=False)
    texts = [home.keyring.read_text(), home.django_key.read_text()]

    prepare_secrets(home, has_data=True)

    assert [home.keyring.read_text(), home.django_key.read_text()] == texts
    assert len(texts[1].strip()) >= 64
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (home.keyring, home.django_key)]
    assert modes == [0o600, 0o600]
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700


def test_home_and_secrets_are_made_once_by_commands_at_once(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from kameng.config.launch.home import Home, prepare_home, prepare_secrets\n"
        f"home = prepare_home(Home(Path({str(tmp_path / 'home')!r})))\n"
        "prepare_secrets(home, has_data=False)\n"
        "print(home.keyring.read_text() + home.django_key.read_text())"
    )
    clean = {key: value for key, value in os.environ.items() if key != "KAMENG_KEYRING"}
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=clean
        )
        for _ in range(6)
    ]

    texts = {maker.communicate(timeout=300)[0] for maker in makers}

    assert len(texts) == 1
    assert all(maker.returncode == 0 for maker in makers)


def test_lost_key_file_is_never_replaced_when_there_is_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAMENG_KEYRING", raising=False)
    home = prepare_home(Home(tmp_path / "home"))

    with pytest.raises(LaunchFailed, match=r"keyring\.json is missing.*backup"):
        prepare_secrets(home, has_data=True)

    assert not home.keyring.exists()


@pytest.mark.parametrize("content", ["", '{"current": "1", "keys": {"1"', "\x00\x00", "[]"])
def test_damaged_key_file_stops_every_start_and_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.delenv("KAMENG_KEYRING", raising=False)
    home = prepare_home(Home(tmp_path / "home"))
    home.keyring.write_text(content)

    with pytest.raises(LaunchFailed, match=r"keyring\.json is damaged.*backup") as told:
        prepare_secrets(home, has_data=False)

    assert str(told.value).startswith("The key file ")
    assert home.keyring.read_text() == content


def test_empty_key_of_cookies_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAMENG_KEYRING", raising=False)
    home = prepare_home(Home(tmp_path / "home"))
    home.django_key.write_text("")

    prepare_secrets(home, has_data=False)

    assert len(home.django_key.read_text()) > 60


def test_options_have_defaults_and_neighbouring_ports() -> None:
    options = read_options({})

    assert (options.host, options.port, options.web_workers) == ("127.0.0.1", 8000, 2)
    assert (options.simulator_port, options.mail_port) == (8001, 8002)
    assert read_options({"KAMENG_HOST": "0.0.0.0"}).probe_host == "127.0.0.1"


def test_supervisor_of_another_user_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_words: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(LaunchFailed, match="belongs to another user"):
        find_supervisor(Home(tmp_path))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/web.log"),
            "may not use /x/web.log",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full. Make room"),
    ],
)
def test_what_the_machine_refuses_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: OSError,
    words: str,
) -> None:
    def fail(_arguments: object) -> int:
        raise fault

    monkeypatch.delenv("KAMENG_DEBUG", raising=False)
    monkeypatch.setattr(commands, "stop", fail)

    assert main(["stop"]) == 1

    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1


def test_settings_that_are_known_are_those_of_the_document() -> None:
    root = repository()
    assert root is not None
    text = (root / "docs" / "settings.md").read_text()

    assert set(re.findall(r"^\| `KAMENG_([A-Z_]+)`", text, re.MULTILINE)) == NAMES


def test_slip_of_the_pen_in_a_name_is_found() -> None:
    environ = {"KAMENG_PORT": "1", "KAMENG_PROT": "1", "PATH": "", "KAMENG_": "", "XKAMENG_A": ""}

    assert find_strange(environ) == ["KAMENG_", "KAMENG_PROT"]


def test_interrupt_is_no_failure_report(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom kameng.config import cli\n"
        "from kameng.config.launch import commands\n"
        # A shell in the background starts its children deaf to the signal.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"commands.stop = lambda words: os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "sys.exit(cli.main(['stop']))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (130, "Stopped.\n")
