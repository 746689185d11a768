"""Structured logs: one JSON object a line, with the request's id, without secrets.

Keys that name a secret are blanked, and texts are searched for what looks like one: card keys,
e-mail addresses, phone numbers, tokens in addresses, PEM blocks, URLs with passwords.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from numbers import Real
from typing import Any

import structlog
from django.conf import settings

HIDDEN = "***"
SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|authorization|cookie|cipher|nonce|private|credential"
    r"|(^|_)(pwd|key|sign|signature|pem|code_text|body|contact|login|to)$",
    re.IGNORECASE,
)
PATTERNS = (
    (re.compile(r"-----BEGIN [^-]+-----.*?(-----END [^-]+-----|$)", re.DOTALL), HIDDEN),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@"), r"\1:***@"),
    (
        re.compile(r"(?i)\b((?:token|t|key|sign|password|secret|code|session)=)[^&\s\"']+"),
        r"\1***",
    ),
    (re.compile(r"(?<![\w-])[A-Za-z0-9]{4,8}(?:-[A-Za-z0-9]{4,8}){2,}(?![\w-])"), HIDDEN),
    (re.compile(r"\b([\w.+-])[\w.+-]*@((?:[\w-]+\.)+[A-Za-z]{2,})"), r"\1***@\2"),
    (re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)"), r"\1****\2"),
    (re.compile(r"(?<![\w-])[A-Za-z0-9_-]{32}(?![\w-])"), HIDDEN),
)
TEXT_MAX = 4000
LEVELS = logging.getLevelNamesMapping()
request_id: ContextVar[str] = ContextVar("kameng_request_id", default="")
_configured: list[bool] = []


def redact(value: Any, *, depth: int = 0) -> Any:
    """Return a value without what looks like a secret; containers are copied."""
    if isinstance(value, str):
        text = value[:TEXT_MAX]
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        return text
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth > 4:
        return HIDDEN
    if isinstance(value, dict):
        return {
            str(name): HIDDEN if SECRET_NAME.search(str(name)) else redact(item, depth=depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth=depth + 1) for item in value]
    return value if value is None or isinstance(value, Real) else redact(str(value))


def _redact_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in list(event):
        if name.startswith("_") or name in {"level", "timestamp", "logger", "request_id"}:
            continue
        event[name] = HIDDEN if SECRET_NAME.search(name) else redact(event[name])
    return event


def _add_request(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    number = request_id.get()
    if number:
        event.setdefault("request_id", number)
    return event


def configure() -> None:
    """Send structlog and the standard library's logging to standard error as JSON; once."""
    if _configured:
        return
    _configured.append(True)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request,
        structlog.processors.format_exc_info,  # the trace as text, without local variables
        _redact_event,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(LEVELS.get(str(settings.LOG_LEVEL).upper(), logging.INFO))
    for name in ("django.request", "django.security"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # web.errors says it, with an id
    for name in ("httpx", "httpcore", "procrastinate", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
