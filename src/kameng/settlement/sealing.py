"""What identifies a person's account, sealed: encrypted, bound to its row, shown masked."""

from dataclasses import dataclass

from kameng.core.crypto import binding, blind_digest, decrypt_text, encrypt_text
from kameng.settlement.models import PayoutAccount, SplitReceiver, Withdrawal

ACCOUNT, RECEIVER = "payout_account", "split_receiver"
CONFIRMATION = "payout_confirmation"


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


def seal_confirmation(row: Withdrawal, text: str) -> bytes:
    """Encrypt what the app of a payout's receiver needs to show it."""
    return encrypt_text(text, binding(row.site_id, CONFIRMATION, row.payout_no))


def open_confirmation(row: Withdrawal) -> str:
    """Return that in clear, empty when there is none: for the receiver's own page only."""
    if row.confirm_cipher is None:
        return ""
    aad = binding(row.site_id, CONFIRMATION, row.payout_no)
    return decrypt_text(bytes(row.confirm_cipher), aad)


def mask_payee(row: PayoutAccount) -> str:
    """Return the holder's name of an account so that they know themselves: "林**"."""
    name = _open(row, ACCOUNT, row.account_no)[1].strip()
    return f"{name[:1]}**" if name else ""


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
