"""The receiver's link to a payout that waits for them: a 192-bit token only this server can make.

HMAC-SHA256 over site and payout number with the index key of the key ring, as the links of orders:
it is stored nowhere, and a dump of the database opens no payout.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from kameng.core import crypto
from kameng.tenancy.addresses import site_url

TOKEN_BYTES = 24


def payout_token(site_id: int, payout_no: str) -> str:
    """Return the token of a payout."""
    key, text = crypto.ring().index_key, f"payout|{site_id}|{payout_no}"
    mac = hmac.new(key, text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()[:TOKEN_BYTES]).decode()


def opens(token: str, *, site_id: int, payout_no: str) -> bool:
    """Tell whether a token opens a payout; constant time."""
    given = token.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, payout_token(site_id, payout_no).encode())


def receive_url(site_id: int, *, withdrawal_no: str, payout_no: str) -> str:
    """Return the whole address of the page on which a payout's receiver confirms it."""
    query = urlencode({"t": payout_token(site_id, payout_no)})
    return f"{site_url(site_id)}/receive/{withdrawal_no}/?{query}"
