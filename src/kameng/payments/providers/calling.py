"""How a provider calls out: one bounded request, its failures told in the port's words."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kameng.core.http import (
    AddressRefused,
    HttpClient,
    HttpError,
    HttpLimits,
    HttpReply,
    HttpRequest,
)
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain

# A process has eight threads for pages: a gateway that hangs may keep five of them waiting, and the
# shop goes on in the others. Who finds all five taken hears soon that the gateway does not answer.
CALLS_AT_ONCE = 5
PATIENCE_SECONDS = 2
_calls = threading.BoundedSemaphore(CALLS_AT_ONCE)


def call(client: HttpClient, request: HttpRequest) -> bytes:
    """Return the reply's body; raise ProviderUncertain, or ProviderRefused if not allowed out.

    No more than CALLS_AT_ONCE at the same time in one process; one too many is not sent.
    """
    with _place():
        return client.send(request)


def exchange(
    client: HttpClient, request: HttpRequest, *, limits: HttpLimits | None = None
) -> HttpReply:
    """Return the reply whatever its status; otherwise as `call`."""
    with _place():
        return client.exchange(request, limits=limits)


@contextmanager
def _place() -> Iterator[None]:
    if not _calls.acquire(timeout=PATIENCE_SECONDS):
        raise ProviderUncertain("busy")
    try:
        yield
    except AddressRefused:
        raise ProviderRefused("address_refused") from None
    except HttpError as problem:
        raise ProviderUncertain(problem.code) from None
    finally:
        _calls.release()


@contextmanager
def question() -> Iterator[None]:
    """Turn a refused question into an unanswered one: it tells nothing of what was asked about."""
    try:
        yield
    except ProviderRefused as refusal:
        raise ProviderUncertain(refusal.code) from None
