"""Which keys may have signed for Alipay: the one entered, and those of certificates fetched since.

Alipay changes its certificate without asking. A fetched one is kept in this process only after it
proved itself by the chain to the configured root and by its owner; a process forgets at its end and
fetches again. Promises that neither a callback nor a stranger's certificate causes a call.
"""

import base64
import binascii
import datetime as dt
import re
import threading
from collections import OrderedDict
from typing import Final

from kameng.payments.providers.alipay import certificates
from kameng.payments.providers.alipay.config import Config

KEPT: Final = 64
PAUSE: Final = dt.timedelta(minutes=1)
MAX_CONTENT: Final = 32 * 1024

_SN = re.compile(r"[0-9a-f]{32}")
_lock = threading.Lock()
_fetched: OrderedDict[tuple[str, str], str] = OrderedDict()
_tried: OrderedDict[tuple[str, str], dt.datetime] = OrderedDict()


def list_keys(config: Config, sn: str) -> list[str]:
    """Return the keys that may have signed what names the certificate `sn`; empty: not at hand.

    What names none (callbacks) may have been signed by any that is at hand.
    """
    if not config.has_certificates:
        return [config.alipay_key]
    if sn:
        if sn == config.alipay_cert_sn:
            return [config.alipay_key]
        kept = _fetched.get((config.alipay_cert, sn))
        return [kept] if kept else []
    with _lock:
        others = [key for (owner, _), key in _fetched.items() if owner == config.alipay_cert]
    return [config.alipay_key, *others]


def may_fetch(config: Config, sn: str, *, moment: dt.datetime) -> bool:
    """Tell whether a certificate may be asked for now; one that failed rests for a minute."""
    if not config.has_certificates or not _SN.fullmatch(sn):
        return False
    with _lock:
        last = _tried.get((config.alipay_cert, sn))
        if last is not None and moment - last < PAUSE:
            return False
        _tried[config.alipay_cert, sn] = moment
        while len(_tried) > KEPT:
            _tried.popitem(last=False)
    return True


def read_certificate(config: Config, sn: str, content: str, *, moment: dt.datetime) -> str:
    """Return the key of a certificate that was fetched; raise ValueError unless it proves itself.

    `content` is base64 of its PEM file, with those that issued it.
    """
    if len(content) > MAX_CONTENT:
        raise ValueError("too large")
    try:
        text = base64.b64decode(content, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("no base64") from None
    chain = certificates.read_certificates(text)
    entered = certificates.read_certificates(config.alipay_cert)
    roots = certificates.read_certificates(config.alipay_root_cert)
    if certificates.number_certificate(chain[0]) != sn:
        raise ValueError("other certificate")
    if not certificates.is_valid_at(chain[0], moment):
        raise ValueError("not valid now")
    if not certificates.is_trusted([*chain, *entered[1:]], roots=roots):
        raise ValueError("no chain to the root")
    if not certificates.is_same_owner(chain[0], entered[0]):
        raise ValueError("other owner")
    return certificates.publish_key(chain[0])


def keep_key(config: Config, sn: str, key: str) -> None:
    """Remember the key of a certificate that proved itself."""
    with _lock:
        _fetched[config.alipay_cert, sn] = key
        while len(_fetched) > KEPT:
            _fetched.popitem(last=False)
