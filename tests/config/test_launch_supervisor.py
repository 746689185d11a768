"""The supervisor: what dies comes back, what is killed leaves nothing, what fails says why."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from kameng.config.launch import supervisor
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import Home, claim, find_supervisor, prepare_home
from kameng.config.launch.logs import rotate, tail
from kameng.config.launch.options import SUPERVISED, read_options
from kameng.config.launch.ports import find_port_fault
from kameng.config.launch.postgres import find_server
from kameng.config.launch.processes import (
    end_processes,
    list_marked,
    read_process,
    wait_until,
)
from kameng.config.launch.report import recorded
from kameng.config.launch.signals import Signals
from kameng.config.launch.supervisor import Child, Supervisor, describe_code
from kameng.config.launch.up import read_processes
from tests.ports import free_port

WEB = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"well")
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""
IDLE = "import time; print('worker here', flush=True); time.sleep(600)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
LATE = "import time; time.sleep(600)"  # has not tried to listen yet
BROKEN = "raise SystemExit('the reason of it all')"

DRIVER = """
import json, os, sys
from pathlib import Path
from kameng.config.launch import supervisor as module
from kameng.config.launch.failure import LaunchFailed, StopRequested
from kameng.config.launch.home import Home, claim, prepare_home
from kameng.config.launch.options import SUPERVISED, read_options
from kameng.config.launch.postgres import ensure_server
from kameng.config.launch.report import say
from kameng.config.launch.signals import Signals

order = json.loads(sys.argv[1])
module.GRACE_SECONDS = order["grace_seconds"]
home = prepare_home(Home(Path(order["home"])))
with claim(home), Signals() as signals:
    one = module.Supervisor(
        home=home, options=read_options(), signals=signals, report=say,
        environment={**os.environ, SUPERVISED: order["home"]},
        children=[
            module.Child(name=name, command=[sys.executable, "-c", *words])
            for name, words in order["children"].items()
        ],
    )
    if order["with_server"]:
        one.server = ensure_server(home, report=say, pause=signals.pause)
    try:
        one.start()
        say("ready")
        one.watch()
    except (LaunchFailed, StopRequested) as end:
        say(f"end: {end}")
    finally:
        one.stop()
"""


@pytest.fixture
def home() -> Iterator[Home]:
    """A home that the database server's user can enter, empty of processes at the end."""
    path = Path(tempfile.mkdtemp(prefix="kameng-launch-"))
    path.chmod(0o755)
    yield Home(path)
    end_processes(list_marked(SUPERVISED, str(path)), grace_seconds=5.0)
    assert wait_until(lambda: find_server(Home(path)) is None, seconds=60)
    shutil.rmtree(path)


Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def supervise(home: Home) -> Iterator[Run]:
    """Start a supervisor of small programs in a process of its own."""
    started: list[subprocess.Popen[str]] = []
    free = free_port()

    def start(
        *,
        port: int = free,
        web: str = WEB,
        worker: str = IDLE,
        with_server: bool = False,
        grace_seconds: float = 15.0,
    ) -> subprocess.Popen[str]:
        order = {
            "home": str(home.path),
            "children": {"web": [web, str(port)], "worker": [worker]},
            "with_server": with_server,
            "grace_seconds": grace_seconds,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps(order)],
            env={**os.environ, "KAMENG_PORT": str(port), "KAMENG_HOST": "127.0.0.1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_ready(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.strip() == "ready":
            return lines
    raise AssertionError(lines)


def wait_deaf(home: Home) -> None:
    """Wait until the stubborn worker refuses the signal."""
    assert wait_until(lambda: "deaf" in tail(home.log("worker")), seconds=60)


def is_gone(pid: int) -> bool:
    facts = read_process(pid)
    return facts is None or not facts.is_alive


@pytest.mark.parametrize("name", ["web", "worker"])
def test_killed_child_comes_back(home: Home, supervise: Run, name: str) -> None:
    supervisor = supervise()
    wait_ready(supervisor)
    before = read_processes(home)

    os.kill(before[name], signal.SIGKILL)

    assert wait_until(lambda: read_processes(home)[name] != before[name], seconds=60)
    others = {key: pid for key, pid in before.items() if key != name}
    assert {key: read_processes(home)[key] for key in others} == others


def test_killed_database_comes_back_and_the_others_stay(home: Home, supervise: Run) -> None:
    supervisor = supervise(with_server=True)
    wait_ready(supervisor)
    before = read_processes(home)

    os.kill(before["postgres"], signal.SIGKILL)

    assert wait_until(lambda: read_processes(home)["postgres"] != before["postgres"], seconds=60)
    assert read_processes(home)["web"] == before["web"]
    supervisor.send_signal(signal.SIGTERM)
    said = supervisor.communicate(timeout=120)[0]
    assert "The database server runs again." in said


def test_kill_9_of_the_supervisor_leaves_nothing(home: Home, supervise: Run) -> None:
    supervisor = supervise(with_server=True)
    wait_ready(supervisor)
    pids = read_processes(home)

    supervisor.kill()

    assert wait_until(lambda: all(map(is_gone, pids.values())), seconds=60)
    assert find_supervisor(home) is None
    again = supervise(with_server=True)
    wait_ready(again)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_everything_in_order(
    home: Home, supervise: Run, number: signal.Signals
) -> None:
    supervisor = supervise()
    wait_ready(supervisor)
    pids = read_processes(home)
    assert find_supervisor(home) == supervisor.pid

    supervisor.send_signal(number)

    assert supervisor.wait(timeout=120) == 0
    assert all(map(is_gone, pids.values()))
    assert read_processes(home) == {}


def test_child_that_does_not_listen_is_ended_after_its_grace(home: Home, supervise: Run) -> None:
    supervisor = supervise(worker=STUBBORN, grace_seconds=1.0)
    wait_ready(supervisor)
    wait_deaf(home)
    worker = read_processes(home)["worker"]

    supervisor.send_signal(signal.SIGTERM)

    assert supervisor.wait(timeout=120) == 0
    assert is_gone(worker)


def test_second_request_does_not_wait_for_the_grace(home: Home, supervise: Run) -> None:
    supervisor = supervise(worker=STUBBORN, grace_seconds=3600.0)
    wait_ready(supervisor)
    wait_deaf(home)
    web = read_processes(home)["web"]

    supervisor.send_signal(signal.SIGINT)
    assert wait_until(lambda: is_gone(web), seconds=60)  # the first request has been heard
    assert supervisor.poll() is None
    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(timeout=120) == 0


def test_web_server_that_dies_at_once_ends_the_start_with_its_last_words(supervise: Run) -> None:
    supervisor = supervise(web=BROKEN)

    said = supervisor.communicate(timeout=120)[0]

    assert "web: the reason of it all" in said
    assert "end: The web process ends as soon as it is started." in said


def test_worker_that_dies_at_once_is_shown_and_tried_again(supervise: Run) -> None:
    supervisor = supervise(worker=BROKEN)
    wait_ready(supervisor)
    assert supervisor.stdout is not None

    assert any("worker: the reason of it all" in line for line in supervisor.stdout)
    assert supervisor.poll() is None


def test_second_supervisor_of_a_home_is_refused(home: Home) -> None:
    prepare_home(home)
    with ExitStack() as stack:
        stack.enter_context(claim(home))
        with pytest.raises(LaunchFailed, match=f"already runs .*process {os.getpid()}"):
            stack.enter_context(claim(home))
        assert find_supervisor(home) == os.getpid()

    assert find_supervisor(home) is None


def test_child_answers_where_it_was_told_to(home: Home, supervise: Run) -> None:
    supervisor = supervise()
    wait_ready(supervisor)
    environment = Path(f"/proc/{supervisor.pid}/environ").read_bytes().split(b"\0")
    port = next(line for line in environment if line.startswith(b"KAMENG_PORT="))[12:].decode()

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        assert answer.read() == b"well"


def test_port_in_use_is_named_with_the_setting() -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()

        fault = find_port_fault("127.0.0.1", port)

    assert fault is not None
    assert f"Port {port} is in use by" in str(fault)
    assert f"(process {os.getpid()})" in str(fault)
    assert "KAMENG_PORT" in str(fault)
    assert find_port_fault("127.0.0.1", port) is None


def test_port_that_another_shop_answers_at_is_refused_and_not_welcomed(supervise: Run) -> None:
    """It answers well, so that asking alone would take it for our own."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", WEB, str(port)]) as other:
        try:
            assert wait_until(lambda: find_port_fault("127.0.0.1", port) is not None, seconds=30)
            output = supervise(port=port, web=LATE).communicate(timeout=60)[0]
        finally:
            other.kill()

    assert "ready" not in output.split()
    assert f"end: Port {port} is in use by " in output
    assert f"(process {other.pid})" in output
    assert "KAMENG_PORT" in output


def test_port_taken_by_what_does_not_answer_ends_the_start(supervise: Run) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as other:
        other.listen()
        threading.Thread(target=hang_up, args=(other,), daemon=True).start()
        output = supervise(port=port).communicate(timeout=60)[0]
        other.shutdown(socket.SHUT_RDWR)

    assert f"end: Port {port} is in use by " in output
    assert f"(process {os.getpid()})" in output


def hang_up(server: socket.socket) -> None:
    """Take every call and say nothing."""
    with suppress(OSError):  # it is shut when the test ends
        while True:
            server.accept()[0].close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_wrong_host_is_named_with_the_setting(host: str) -> None:
    assert "KAMENG_HOST" in str(find_port_fault(host, 8000))


def test_full_disk_does_not_end_the_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    said: list[str] = []
    home = prepare_home(Home(tmp_path / "home"))
    home.log("web").write_text("a line")
    child = Child(name="worker", command=["/nonexistent/program"])
    with Signals() as signals:
        one = Supervisor(
            home=home,
            options=read_options({}),
            environment={},
            children=[child],
            signals=signals,
            report=recorded(tmp_path / "no such folder" / "kameng.log", aloud=said.append),
        )
        for name in ("write_whole", "rotate", "open_log"):
            monkeypatch.setattr(supervisor, name, refuse)

        one._note_processes()
        one.tend()
        one.tend()

    assert said == ["The worker process cannot be started: [Errno 28] No space left on device."]
    assert child.process is None
    assert child.start_again_at > time.monotonic()


def test_full_log_moves_and_the_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as writer:
        for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
            writer.write(line)
            assert rotate(log, limit_bytes=4, kept_count=3)
        writer.write(b"new")

    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert texts == {
        "web.log": "new",
        "web.log.1": "four\n",
        "web.log.2": "three\n",
        "web.log.3": "two\n",
    }
    assert not rotate(log, limit_bytes=4)
    assert not rotate(tmp_path / "none.log", limit_bytes=4)


def test_words_of_the_web_server_itself_are_json_too(tmp_path: Path) -> None:
    script = (
        "from granian.log import LogLevels, configure_logging, logger\n"
        "from kameng.config.launch.web import LOGGING\n"
        "from kameng.web import logs\n"
        "logs.configure()\n"
        "configure_logging(LogLevels.info, LOGGING)\n"
        "logger.info('Started worker-1')"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kameng.config.settings",
        "KAMENG_HOME": str(tmp_path),
        "KAMENG_SECRET_KEY": "x" * 40,
    }

    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )

    assert done.stdout == ""
    line = json.loads(done.stderr)
    assert (line["event"], line["level"], line["logger"]) == (
        "Started worker-1",
        "info",
        "_granian",
    )


def test_tail_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("".join(f"{n}\n" for n in range(5000)))

    assert tail(log, line_count=2) == ["4998", "4999"]
    assert tail(tmp_path / "none.log") == []


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (-9, "SIGKILL"), (-99, "signal 99")]
)
def test_end_of_a_process_is_told_in_words(code: int, words: str) -> None:
    assert describe_code(code) == words
