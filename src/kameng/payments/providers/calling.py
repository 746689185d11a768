"""How a provider calls out: one bounded request, its failures told in the port's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from kameng.core.http import AddressRefused, HttpClient, HttpError, HttpRequest
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain


def call(client: HttpClient, request: HttpRequest) -> bytes:
    """Return the reply's body; raise ProviderUncertain, or ProviderRefused if not allowed out."""
    try:
        return client.send(request)
    except AddressRefused:
        raise ProviderRefused("address_refused") from None
    except HttpError as problem:
        raise ProviderUncertain(problem.code) from None


@contextmanager
def question() -> Iterator[None]:
    """Turn a refused question into an unanswered one: it tells nothing of what was asked about."""
    try:
        yield
    except ProviderRefused as refusal:
        raise ProviderUncertain(refusal.code) from None
