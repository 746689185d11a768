"""How a provider calls out: one bounded request, its failures told in the port's words."""

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
