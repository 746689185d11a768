"""The buyer's link to an order: a 192-bit token that only this server can make.

HMAC-SHA256 over site and order number with the index key of the key ring: it need not be stored, a
mail sent later can carry it, and a dump of the database opens no order.
"""

import base64
import hashlib
import hmac

from kameng.core import crypto

TOKEN_BYTES = 24


def order_token(site_id: int, order_no: str) -> str:
    """Return the token of an order."""
    mac = hmac.new(crypto.ring().index_key, f"order|{site_id}|{order_no}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()[:TOKEN_BYTES]).decode()


def opens(token: str, *, site_id: int, order_no: str) -> bool:
    """Tell whether a token opens an order; constant time."""
    given = token.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, order_token(site_id, order_no).encode())


def site_token(site_id: int, *, user_id: int, until: int) -> str:
    """Return the token by which a person of staff buys for a site; `until`: seconds since 1970."""
    said = f"{site_id}|{user_id}|{until}"
    mac = hmac.new(crypto.ring().index_key, f"site-plan|{said}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()[:TOKEN_BYTES]).decode()


def opens_site(token: str, *, site_id: int, user_id: int, until: int) -> bool:
    """Tell whether a token lets this person buy for this site; constant time; `until` unread."""
    given = token.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, site_token(site_id, user_id=user_id, until=until).encode())


def contact_digest(site_id: int, contact: str) -> bytes:
    """Return the blind digest by which orders of a contact are found on one site."""
    return crypto.blind_digest(contact.strip().lower().encode(), domain=f"contact:{site_id}")
