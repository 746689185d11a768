"""What a log line must never hold."""

import json
import logging

import pytest
import structlog

from kameng.web import logs


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key KDS4E-VGWVF-B7B9V-92YWX sold", "KDS4E"),
        ("mail to mei.li@example.com failed", "mei.li"),
        ("phone 13800138000", "13800138000"),
        ("postgresql://owner:hunter2@db/kameng", "hunter2"),
        ("GET /pay?sign=abcdef&x=1", "abcdef"),
        ("/order/123?t=abcdefabcdef", "abcdefabcdef"),
        ("token is aZ09_-aZ09_-aZ09_-aZ09_-aZ09_-aZ", "aZ09_-aZ09"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "MIIE"),
    ],
)
def test_what_looks_like_a_secret_is_blanked(text: str, hidden: str) -> None:
    assert hidden not in logs.redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "order 261122123456789012 paid",
        "2026-11-22T14:11:33.238878Z",
        "accounts_open_request took 12 ms",
        "/console/site-a/orders",
        "192.0.2.10",
    ],
)
def test_what_is_no_secret_is_kept(text: str) -> None:
    assert logs.redact(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("password", "old_password", "app_secret", "token", "access_token", "Authorization"),
        *("cookie", "private_key", "sign", "login_cipher", "contact", "to", "mch_key"),
    ],
)
def test_a_value_under_a_secret_name_is_blanked(name: str) -> None:
    assert logs.redact({name: "x", "inner": {name: ["x"]}}) == {
        name: "***",
        "inner": {name: "***"},
    }


@pytest.mark.parametrize("name", ["view", "code", "site_id", "order_no", "keys_count", "method"])
def test_a_value_under_a_plain_name_is_kept(name: str) -> None:
    assert logs.redact({name: "x"}) == {name: "x"}


def test_odd_values_are_bounded_and_do_not_break_the_line() -> None:
    deep: list[object] = []
    for _ in range(50):
        deep = [deep]

    assert logs.redact(b"secret bytes") == "<12 bytes>"
    assert "***" in json.dumps(logs.redact(deep))
    assert len(logs.redact("x" * 99_999)) <= logs.TEXT_MAX
    assert logs.redact([1, None, True, 0.5]) == [1, None, True, 0.5]


def test_a_line_is_json_with_the_id_of_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    (handler,) = [
        each
        for each in logging.getLogger().handlers
        if isinstance(each.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    lines: list[str] = []
    handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
    token = logs.request_id.set("abc123")
    try:
        structlog.get_logger("kameng.test").warning("happened", password="x", phone="13800138000")
        logging.getLogger("other").warning("mail %s", "mei@example.com")
        try:
            hidden_local = "hunter2"
            raise ValueError(f"wrong {hidden_local[:0]}value")
        except ValueError:
            structlog.get_logger("kameng.test").exception("failed")
    finally:
        logs.request_id.reset(token)
        del handler.emit

    first, second, third = map(json.loads, lines)
    assert (first["event"], first["password"], first["phone"]) == ("happened", "***", "138****8000")
    assert first["request_id"] == second["request_id"] == "abc123"
    assert second["event"] == "mail m***@example.com"
    assert "ValueError: wrong value" in third["exception"]
    assert "hunter2'" not in third["exception"].replace('hidden_local = "hunter2"', "")
