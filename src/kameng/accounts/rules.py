"""Pure decisions about people: what a login is, what a password must be, who may do what.

The table of roles is the only place that says what a role may do. Permissions are names; a face
asks for one by name and gets yes or no.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

EMAIL = re.compile(
    r"(?=.{6,120}$)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
PHONE = re.compile(r"1[3-9][0-9]{9}")
PHONE_PREFIX = re.compile(r"(?:\+|00)?86(?=1[3-9][0-9]{9}$)")
STAFF_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,63}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
PASSWORD_MIN, PASSWORD_MAX = 8, 128
NICKNAME_MAX = 20
CODE_DIGITS = 6
CODE_SECONDS = 600
CODE_ATTEMPTS = 5
STAFF_SESSION_SECONDS = 12 * 3600
OFFER_DAYS = 7  # so long the offer of a site stands

# Passwords that lead every list of leaked ones and pass the length rule.
WORN_OUT = frozenset(
    {
        *("12345678", "123456789", "1234567890", "11223344", "12341234", "123123123"),
        *("87654321", "147258369", "5201314520", "password", "password1", "password123"),
        *("qwertyui", "qwerty123", "1qaz2wsx", "1q2w3e4r", "q1w2e3r4", "qazwsxedc"),
        *("abc12345", "abcd1234", "asdf1234", "asdfghjkl", "zxcvbnm1", "a1234567", "a12345678"),
        *("aa123456", "iloveyou", "woaini1314", "woaini520", "admin123", "admin888"),
    }
)


@dataclass(frozen=True, slots=True)
class Login:
    """A customer's login in the one form in which it is stored and looked up."""

    text: str
    kind: str  # email, phone

    @property
    def hint(self) -> str:
        """Return the masked form that may be shown."""
        return mask_contact(self.text)


def clean_login(raw: str) -> Login | None:
    """Return the login that a person typed (an e-mail or a mainland phone number), or None."""
    text = raw.strip().lower()
    if "@" in text:
        return Login(text, "email") if EMAIL.fullmatch(text) else None
    digits = PHONE_PREFIX.sub("", text.replace(" ", "").replace("-", ""))
    return Login(digits, "phone") if PHONE.fullmatch(digits) else None


def clean_staff_login(raw: str) -> str | None:
    """Return the login of a member of staff in its stored form, or None."""
    text = raw.strip().lower()
    return text if STAFF_LOGIN.fullmatch(text) else None


def clean_nickname(raw: str) -> str:
    """Return a name that can be shown: no control characters, single spaces, bounded."""
    return " ".join(CONTROL.sub(" ", raw).split())[:NICKNAME_MAX]


def mask_contact(text: str) -> str:
    """Return 138****8000 or m***@example.com: enough for its owner to recognise."""
    name, at, host = text.partition("@")
    if at:
        return f"{name[:1]}***@{host}"[:64]
    return f"{text[:3]}****{text[-4:]}" if len(text) >= 8 else f"{text[:1]}***"


def find_password_fault(password: str, *, login: str = "") -> str | None:
    """Return the code of what is wrong with a new password, or None when it will do."""
    if len(password) < PASSWORD_MIN:
        return "too_short"
    if len(password) > PASSWORD_MAX:
        return "too_long"
    if CONTROL.search(password) or password != password.strip():
        return "odd_character"
    lowered = password.lower()
    if lowered in WORN_OUT or len(set(lowered)) < 4:
        return "worn_out"
    if login and lowered in {login, login.partition("@")[0]}:
        return "same_as_login"
    return None


PERMISSIONS = frozenset(
    {
        "overview.view",
        "orders.view",
        "orders.repair",  # resend, swap a key, deliver by hand, confirm after a query
        "orders.refund",
        "goods.view",
        "goods.edit",
        "goods.oversee",  # look at sub-sites' own goods, take them off sale
        "prices.edit",
        "keys.import",
        "keys.reveal",
        "design.edit",  # pages, look, pictures of the shop
        "customers.view",
        "customers.edit",
        "customers.adjust",  # move a wallet by hand
        "payments.confirm",  # take a payment for made, on evidence
        "money.view",
        "money.reconcile",  # bills of gateways, and what differs
        "money.close",  # a month, for good
        "gateways.edit",
        "staff.manage",
        "settings.edit",
        "audit.view",
        "data.export",  # take a list away as a file
        "settlement.request",  # ask for a withdrawal, choose where it goes
        "settlement.accounts",  # enter payout accounts and receivers of shares
        "settlement.review",  # decide about withdrawals of sub-sites, pay them out
        "site.leave",  # take everything along as one file, hand the site over, close it
        "children.manage",  # child sites: open, price, stop
        "sites.manage",
        "plan.view",  # the shop's own plan, what is used of it, when it ends
        "plan.buy",  # more time, or another plan, on the main site
    }
)
PLATFORM_ONLY = frozenset({"sites.manage"})
_VIEWER = frozenset({"overview.view", "orders.view", "goods.view", "customers.view"})
_OWNER = PERMISSIONS - PLATFORM_ONLY

ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    "owner": _OWNER,
    "manager": _OWNER
    - {"staff.manage", "gateways.edit", "customers.adjust", "payments.confirm", "money.close"}
    - {"settlement.request", "settlement.accounts", "settlement.review", "site.leave"}
    - {"children.manage", "plan.buy"},
    "goods": frozenset({"overview.view", "goods.view", "goods.edit", "prices.edit", "keys.import"}),
    "service": _VIEWER | {"orders.repair", "keys.reveal", "customers.edit"},
    "finance": _VIEWER
    | {"orders.refund", "customers.adjust", "money.view", "gateways.edit", "audit.view"}
    | {"data.export", "payments.confirm", "money.reconcile", "money.close"}
    | {"settlement.request", "settlement.review", "plan.view", "plan.buy"},
    "viewer": _VIEWER,
    "custom": frozenset(),  # what the site's own role says, see `permissions_of`
}
GIVABLE = _OWNER  # what a role of a site may ever hold
CUSTOM_NAME_MAX, CUSTOM_NOTE_MAX, CUSTOM_MOST = 20, 80, 30
INVITATION_DAYS = (1, 3, 7, 14)
OPEN_INVITATIONS_MOST = 50
PLATFORM_ROLE = "platform"  # stands for the administrators where roles are chosen
DEVICE_DAYS = (0, 7, 14, 30)  # how long a device may be remembered; 0: never
STEP_SECONDS = 600
RECOVERY_CODES = 10
PASSKEYS_MOST = 10


def permissions_of(role: str, *, custom: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return what a role gives on its site; `custom` is what the site's own role names.

    The one place that decides: a name that no longer exists, or is the platform's alone, gives
    nothing.
    """
    if role == "custom":
        return custom & GIVABLE
    return ROLE_PERMISSIONS.get(role, frozenset())


def role_allows(role: str, *, permission: str, custom: frozenset[str] = frozenset()) -> bool:
    """Tell whether a role on one site gives a permission there."""
    if permission not in PERMISSIONS:
        raise ValueError(f"unknown permission {permission!r}")
    return permission in permissions_of(role, custom=custom)


def needs_second_factor(role: str, *, is_platform: bool, required: Collection[str]) -> bool:
    """Tell whether a rule that names these roles (and `PLATFORM_ROLE`) asks a person for more."""
    return role in required or (is_platform and PLATFORM_ROLE in required)


def may_give(holder: frozenset[str], *, wanted: frozenset[str]) -> bool:
    """Tell whether who holds these permissions may give, change or take those of another."""
    return wanted <= holder
