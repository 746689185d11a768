"""Who pays, as gateways know them: asked over the browser, kept in a sealed cookie of this site.

The state that goes out is sealed into a cookie beside it, bound to the browser's session, the
gateway and the page to come back to, and dies with its first use or after ten minutes.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from kameng.core import clock
from kameng.core.crypto import CipherBroken, binding, blind_digest, decrypt_text, encrypt_text
from kameng.core.errors import Refusal
from kameng.payments.errors import PayerUnknown
from kameng.payments.services.payers import find_payer, payer_page
from kameng.storefront.errors import PayerStateInvalid
from kameng.storefront.frame import absolute_url, keep_private
from kameng.web.cookies import session_token
from kameng.web.requests import KamengRequest

STATE_COOKIE: Final = "kameng_payer_state"
PAYER_COOKIE: Final = "kameng_payer"
STATE_SECONDS: Final = 600
KEPT_GATEWAYS: Final = 8
COOKIE_CHARS: Final = 3000
CODE_CHARS: Final = 200


def read_payer_ids(request: KamengRequest) -> Mapping[int, str]:
    """Return gateway to its id of this browser's buyer, as far as they were asked."""
    kept = _open(request, PAYER_COOKIE)
    return {int(key): str(value) for key, value in kept.items() if key.isdigit()}


def ask_payer(request: KamengRequest, *, gateway_id: int, back: str) -> HttpResponse:
    """Send the browser to a gateway that must know who pays; it comes back to `back` of this shop.

    Raises `GatewayNotUsable`.
    """
    until = int(clock.now().timestamp()) + STATE_SECONDS
    kept = {"n": secrets.token_hex(16), "g": gateway_id, "b": back, "u": until}
    url = payer_page(
        view=request.site,
        gateway_id=gateway_id,
        return_url=absolute_url(request, reverse("storefront:payer")),
        state=_state(request, kept),
    )
    response = HttpResponseRedirect(url)
    _keep(request, response, STATE_COOKIE, kept, seconds=STATE_SECONDS)
    return keep_private(response)


def take_payer(request: KamengRequest) -> tuple[str, Mapping[int, str]]:
    """Return where the browser goes on and what is known of its buyer now. Calls the gateway.

    Where the gateway told nothing, the page is asked to say so instead of sending him again.
    Raises `PayerStateInvalid` for a state that is not this browser's, was used, or is too old.
    """
    kept = _open(request, STATE_COOKIE)
    given = request.GET.get("state", "")
    if not kept or not secrets.compare_digest(given.encode(), _state(request, kept).encode()):
        raise PayerStateInvalid
    if int(kept["u"]) < int(clock.now().timestamp()):
        raise PayerStateInvalid
    code, back = request.GET.get("code", ""), str(kept["b"])
    known = {**read_payer_ids(request)}
    known.pop(int(kept["g"]), None)
    try:
        if not code or len(code) > CODE_CHARS:
            raise PayerUnknown
        payer_id = find_payer(view=request.site, gateway_id=int(kept["g"]), code=code)
    except Refusal:
        return f"{back}{'&' if '?' in back else '?'}payer=0", known
    return back, {**known, int(kept["g"]): payer_id}


def keep_payers(request: KamengRequest, response: HttpResponse, found: Mapping[int, str]) -> None:
    """Keep what is known of the buyer while the browser is open; the used state is forgotten."""
    response.delete_cookie(STATE_COOKIE)
    newest = dict(list(found.items())[-KEPT_GATEWAYS:])
    if newest:
        _keep(request, response, PAYER_COOKIE, {str(key): each for key, each in newest.items()})


def _state(request: KamengRequest, kept: Mapping[str, Any]) -> str:
    """Return the state for what is kept: letters and digits alone, as gateways want it."""
    parts = (kept["n"], kept["g"], kept["b"], kept["u"], session_token(request))
    plain = json.dumps([request.site.site_id, *parts]).encode()
    return f"{kept['n']}{blind_digest(plain, domain='payer_state').hex()}"


def _place(request: KamengRequest, name: str) -> bytes:
    return binding(request.site.site_id, "cookie", name)


def _keep(
    request: KamengRequest,
    response: HttpResponse,
    name: str,
    values: Mapping[str, object],
    *,
    seconds: int | None = None,
) -> None:
    sealed = encrypt_text(json.dumps(values), _place(request, name))
    response.set_cookie(
        name,
        base64.urlsafe_b64encode(sealed).decode(),
        max_age=seconds,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
    )


def _open(request: KamengRequest, name: str) -> dict[str, Any]:
    value = request.COOKIES.get(name, "")
    if not value or len(value) > COOKIE_CHARS or not value.isascii():
        return {}
    try:
        plain = decrypt_text(base64.urlsafe_b64decode(value), _place(request, name))
        kept = json.loads(plain)
    except (CipherBroken, binascii.Error, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
