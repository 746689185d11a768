"""The platform's certificates: fetched, opened with the API v3 key, kept by serial in this process.

Promises that none is kept before it was opened with our key and its list was verified, that old and
new are accepted side by side until each ends, and that the platform is asked at a bounded rate,
however many callbacks name a serial that nobody knows.
"""

import datetime as dt
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import load_pem_x509_certificate

from kameng.core import clock
from kameng.core.http import HttpReply
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.providers.wechat import signing
from kameng.payments.providers.wechat.config import Config
from kameng.payments.providers.wechat.signing import PlatformKey, SignatureFault
from kameng.payments.providers.wechat.wire import ALGORITHM, Keys, member, read_json, read_time

ACCOUNTS = 64
KEPT_KEYS = 8
# An answer to our own call may name a new serial soon after the last look; a callback comes from
# anybody, and makes us look once a minute at most.
CALL_WAIT = dt.timedelta(seconds=5)
CALLBACK_WAIT = dt.timedelta(seconds=60)
FRESH = dt.timedelta(hours=10)


def read_certificates(
    config: Config, reply: HttpReply, *, known: Keys, now: dt.datetime
) -> dict[str, PlatformKey]:
    """Return the keys of a list of certificates; raise ProviderUncertain unless all is verified.

    The first list is proved by the cipher (nobody else has the API v3 key) and by its own signature
    under one of the keys that it holds or that were known.
    """
    try:
        rows = read_json(reply.body).get("data")
        found = {
            key.serial: key
            for key in (_open_certificate(config, row) for row in rows or ())
            if key.is_valid(now)
        }
    except (ValueError, TypeError, AttributeError):
        raise ProviderUncertain("bad_certificates") from None
    try:
        signed = signing.read_headers(reply.headers)
        signing.verify_signed(signed, reply.body, keys={**known, **found}, now=now)
    except SignatureFault as fault:
        raise ProviderUncertain(fault.code) from None
    return found


def _open_certificate(config: Config, row: Mapping[str, object]) -> PlatformKey:
    sealed = member(row, "encrypt_certificate")
    if sealed.get("algorithm") != ALGORITHM:
        raise ValueError("algorithm")
    pem = signing.open_sealed(
        config.api_v3_key,
        nonce=str(sealed.get("nonce", "")),
        associated=str(sealed.get("associated_data") or ""),
        ciphertext=str(sealed.get("ciphertext", "")),
    )
    certificate = load_pem_x509_certificate(pem)
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < signing.MIN_KEY_BITS:
        raise ValueError("no RSA key of 2048 bits")
    serial = f"{certificate.serial_number:X}"
    if str(row.get("serial_no", "")).upper().lstrip("0") != serial:
        raise ValueError("serial")
    ends = [certificate.not_valid_after_utc, read_time(row.get("expire_time"))]
    return PlatformKey(
        serial=str(row.get("serial_no")),
        key=key,
        valid_from=certificate.not_valid_before_utc,
        valid_until=min(end for end in ends if end is not None),
    )


@dataclass(slots=True)
class _Account:
    keys: dict[str, PlatformKey] = field(default_factory=dict)
    asked_at: dt.datetime | None = None
    fetched_at: dt.datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class CertificateStore:
    """What this process knows of each account's certificates: 64 accounts, a few keys each."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[bytes, _Account] = OrderedDict()
        self._lock = threading.Lock()

    def list_keys(self, config: Config) -> Keys:
        """Return the keys of an account that count now."""
        now = clock.now()
        return {s: key for s, key in self._account(config).keys.items() if key.is_valid(now)}

    def is_stale(self, config: Config) -> bool:
        """Tell whether the list is missing, or so old that a change may be near."""
        fetched_at = self._account(config).fetched_at
        return fetched_at is None or clock.now() - fetched_at > FRESH

    def refresh(
        self,
        config: Config,
        fetch: Callable[[Keys], dict[str, PlatformKey]],
        *,
        wait: dt.timedelta,
        blocks: bool,
    ) -> bool:
        """Fetch the list again unless that was done less than `wait` ago; true for a new key.

        One caller fetches at a time; who does not block goes away without. Calls out by `fetch`;
        raises what that raises.
        """
        account = self._account(config)
        known = set(account.keys)
        if not account.lock.acquire(blocking=blocks):
            return False
        try:
            now = clock.now()
            if account.asked_at is not None and now - account.asked_at < wait:
                return not known >= set(account.keys)
            account.asked_at = now
            found = fetch(self.list_keys(config))
            account.fetched_at = now
            kept = {s: key for s, key in account.keys.items() if key.is_valid(now)}
            newest_last = sorted({**kept, **found}.values(), key=end_of)
            account.keys = {key.serial: key for key in newest_last[-KEPT_KEYS:]}
            return not known >= set(account.keys)
        finally:
            account.lock.release()

    def _account(self, config: Config) -> _Account:
        named = "\n".join((config.gateway_url, config.mchid, config.api_v3_key))
        name = hashlib.sha256(named.encode()).digest()
        with self._lock:
            account = self._accounts.setdefault(name, _Account())
            self._accounts.move_to_end(name)
            while len(self._accounts) > ACCOUNTS:
                self._accounts.popitem(last=False)
            return account


def end_of(key: PlatformKey) -> dt.datetime:
    """Return when a certificate's key ends."""
    assert key.valid_until is not None  # noqa: S101 - every certificate ends
    return key.valid_until


def is_no_list(fault: ProviderRefused) -> bool:
    """Tell whether the platform has no certificates for this merchant (a new one has none)."""
    return fault.code in {"RESOURCE_NOT_EXISTS", "NO_AUTH", "NOT_FOUND"}
