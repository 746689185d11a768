"""The program as a person runs it: start, kill, start again, stop; mail; memory."""

import ast
import json
import pathlib
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import kameng_simulator
from tests.ports import free_port
from tests.providers.world import wait_until
from tests.simulator.calls import call


def is_up(port: int) -> bool:
    try:
        return call(f"http://127.0.0.1:{port}/healthz")[0] == 200
    except OSError:
        return False


@contextmanager
def program(home: pathlib.Path, *, port: int, smtp_port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "kameng_simulator", "--port", str(port)]
    command += ["--home", str(home), "--smtp-port", str(smtp_port), "--speed", "50"]
    source = pathlib.Path(kameng_simulator.__file__).parent.parent
    process = subprocess.Popen(
        command, cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=60)


def test_state_survives_a_kill_and_a_stop_is_clean(tmp_path: pathlib.Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with program(tmp_path, port=port, smtp_port=0) as process:
        wait_until(lambda: is_up(port))
        before = call(f"{address}/credentials")[1]
        process.kill()
    with program(tmp_path, port=port, smtp_port=0) as process:
        wait_until(lambda: is_up(port))
        assert call(f"{address}/credentials")[1] == before
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_mail_is_shown_newest_first_and_memory_stays_small(tmp_path: pathlib.Path) -> None:
    port, smtp_port = free_port(), free_port()
    with program(tmp_path, port=port, smtp_port=smtp_port) as process:
        wait_until(lambda: is_up(port))
        for code in ("111111", "382910"):
            mail = EmailMessage()
            mail["Subject"], mail["From"], mail["To"] = "验证码", "a@example.com", "mei@example.com"
            mail.set_content(f"您的验证码是 {code}。<b>")
            mail.add_alternative(f"<p>您的验证码是 <b>{code}</b></p>", subtype="html")
            with smtplib.SMTP("127.0.0.1", smtp_port, timeout=60) as sink:
                sink.send_message(mail)

        mails = json.loads(call(f"http://127.0.0.1:{port}/control/mail")[1])
        page = call(f"http://127.0.0.1:{port}/mail")[1]

        assert [mail["text"] for mail in mails] == [
            "您的验证码是 382910。<b>",
            "您的验证码是 111111。<b>",
        ]
        assert mails[0]["to"] == "mei@example.com"
        assert page.index("382910") < page.index("111111")
        assert "&lt;b&gt;" in page
        rollup = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        sizes = [line.split() for line in rollup.splitlines() if line.startswith("Pss:")]
        assert int(sizes[0][1]) <= 45 * 1024


def test_taken_port_is_named(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        with program(tmp_path, port=port, smtp_port=0) as process:
            output, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert str(port) in output
    assert "Traceback" not in output


def test_simulator_shares_no_code_with_the_shop() -> None:
    for path in pathlib.Path(kameng_simulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            assert not [name for name in names if name.split(".")[0] == "kameng"], path
