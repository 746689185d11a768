"""Who pays, by the gateway's own id of that person: asked over the buyer's browser."""

from kameng.payments import errors
from kameng.payments.choosing import find_known_gateway, is_offered
from kameng.payments.models import Gateway
from kameng.payments.providers.abilities import PayerFinder
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.services.gateways import config_of, provider_of
from kameng.tenancy.selectors import SiteView

PAYER_ID_CHARS = 128


def payer_page(*, view: SiteView, gateway_id: int, return_url: str, state: str) -> str:
    """Return where the browser goes to say who pays. Raises `GatewayNotUsable`."""
    gateway, finder = _finder(view, gateway_id)
    return finder.authorize_url(config_of(gateway), return_url=return_url, state=state)


def find_payer(*, view: SiteView, gateway_id: int, code: str) -> str:
    """Return the gateway's id of who came back with this code. Calls out.

    Raises `GatewayNotUsable` where it refuses the code, `GatewayAway` when it does not answer.
    """
    gateway, finder = _finder(view, gateway_id)
    try:
        payer_id = finder.read_payer_id(config_of(gateway), code)
    except ProviderRefused as fault:
        raise errors.PayerUnknown from fault
    except ProviderUncertain as fault:
        raise errors.GatewayAway from fault
    if not payer_id or len(payer_id) > PAYER_ID_CHARS:
        raise errors.PayerUnknown
    return payer_id


def _finder(view: SiteView, gateway_id: int) -> tuple[Gateway, PayerFinder]:
    gateway = find_known_gateway(view, gateway_id=gateway_id)
    if gateway is None or not is_offered(gateway):
        raise errors.GatewayNotUsable
    provider = provider_of(gateway)
    if not isinstance(provider, PayerFinder):
        raise errors.GatewayNotUsable
    return gateway, provider
