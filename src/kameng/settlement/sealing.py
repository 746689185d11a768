"""What identifies a person's account, sealed: encrypted, bound to its row, shown masked."""

from dataclasses import dataclass

from kameng.core.crypto import binding, blind_digest, decrypt_text, encrypt_text
from kameng.settlement.models import PayoutAccount, SplitReceiver

ACCOUNT, RECEIVER = "payout_account", "split_receiver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The ciphers of an account and its holder's name, and what may be shown."""

    account_cipher: bytes
    name_cipher: bytes
    hint: str


def seal(table: str, *, site_id: int, number: str, account: str, name: str) -> Sealed:
    """Encrypt an account and a name for the row `number` of a table."""
    return Sealed(
        account_cipher=encrypt_text(account, binding(site_id, table, number)),
        name_cipher=encrypt_text(name, binding(site_id, f"{table}_name", number)),
        hint=mask_account(account),
    )


def open_account(row: PayoutAccount) -> tuple[str, str]:
    """Return account and name in clear: for a payout or a bank file, never for a page."""
    return _open(row, ACCOUNT, row.account_no)


def open_receiver(row: SplitReceiver) -> tuple[str, str]:
    """Return account and name of a receiver in clear: for its gateway only."""
    return _open(row, RECEIVER, row.receiver_no)


def _open(row: PayoutAccount | SplitReceiver, table: str, number: str) -> tuple[str, str]:
    account = decrypt_text(bytes(row.account_cipher), binding(row.site_id, table, number))
    name = decrypt_text(bytes(row.name_cipher), binding(row.site_id, f"{table}_name", number))
    return account, name


def digest_account(kind: str, account: str) -> bytes:
    """Return the keyed digest by which the same account is known again, on any site."""
    return blind_digest(f"{kind}\x00{account}".encode(), domain="payout_account")


def mask_account(text: str) -> str:
    """Return enough of an account for its owner to recognise it."""
    name, at, host = text.partition("@")
    if at:
        return f"{name[:2]}***@{host}"[:64]
    if len(text) < 8:
        return f"{text[:1]}***"
    return f"{text[:3]}****{text[-4:]}"
