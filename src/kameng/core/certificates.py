"""Looking at the certificate that a host shows: one TLS handshake, checked as a browser checks it.

Never raises for what the network does: what went wrong is a stable word. Never called inside a
transaction. The handshake is also what makes a proxy with on-demand TLS fetch the certificate.
"""

import datetime as dt
import socket
import ssl
from dataclasses import dataclass

from kameng.core.database import in_transaction

CONNECT_SECONDS = 5
HANDSHAKE_SECONDS = 40  # the first one waits for the authority to issue


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a handshake showed: until when the certificate is good, or why there is none.

    `fault`: unreachable, refused (the server showed none), untrusted (no known authority),
    wrong_name, expired; empty when all is well.
    """

    ends_at: dt.datetime | None = None
    fault: str = ""


def look_at(host: str, *, address: str, port: int, ca_file: str = "") -> Shown:
    """Return what `address:port` shows for `host`. Must not be called inside a transaction."""
    if in_transaction():
        raise RuntimeError("no handshake inside a transaction")
    context = ssl.create_default_context(cafile=ca_file or None)
    try:
        with socket.create_connection((address, port), timeout=CONNECT_SECONDS) as plain:
            plain.settimeout(HANDSHAKE_SECONDS)
            with context.wrap_socket(plain, server_hostname=host) as secured:
                shown = secured.getpeercert()
    except ssl.SSLCertVerificationError as fault:
        return Shown(fault=_word_of(fault))
    except ssl.SSLError:
        return Shown(fault="refused")
    except ConnectionResetError:
        return Shown(fault="refused")
    except OSError:
        return Shown(fault="unreachable")
    if not shown:
        return Shown(fault="refused")
    seconds = ssl.cert_time_to_seconds(str(shown["notAfter"]))
    return Shown(ends_at=dt.datetime.fromtimestamp(seconds, dt.UTC))


def _word_of(fault: ssl.SSLCertVerificationError) -> str:
    text = (fault.verify_message or "").lower()
    if "expired" in text:
        return "expired"
    return "wrong_name" if "mismatch" in text else "untrusted"
