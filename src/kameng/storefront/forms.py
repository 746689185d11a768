"""Reading what browsers and programs send to the shop: strict, bounded, and kept for another try.

Numbers are ASCII digits within bounds, texts are printable and short; what cannot be meant is
refused with the name of the field, never guessed.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.catalog.errors import InputInvalid, InputMissing
from kameng.catalog.inputs import InputField, InputKind, clean_answer
from kameng.orders.errors import ContactInvalid
from kameng.pricing.money import MoneyInvalid, parse_fen_yuan
from kameng.storefront.errors import FormInvalid
from kameng.web.forms import parse_whole
from kameng.web.slots import FIELD_PREFIX

KEY: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
ORDER_NO: Final = re.compile(r"[0-9]{6,32}")
MAX_ID: Final = 10**18 - 1
CONTACT_CHARS: Final = 120
CODE_CHARS: Final = 24  # with everything that is no digit
TYPED_CHARS: Final = 400  # what is shown again after a refusal
# Translated when somebody reads them: at each checkout that would be a twentieth of its Python.
VARIANT_LABEL: Final = gettext_lazy("规格")
QUANTITY_LABEL: Final = gettext_lazy("数量")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutForm:
    """What a checkout sends, read but not yet judged; `raw` texts are kept for another try."""

    variant_id: int
    quantity: int
    pay: str
    contact_raw: str
    idempotency_key: str
    shown_raw: str
    is_agreed: bool
    answers: Mapping[str, str]

    @property
    def shown_amount(self) -> int | None:
        """The total that the buyer saw; none when the caller does not say."""
        if not self.shown_raw:
            return None
        try:
            return parse_fen_yuan(self.shown_raw)
        except MoneyInvalid:
            raise FormInvalid(label=_("应付金额")) from None


def read_checkout(data: QueryDict) -> CheckoutForm:
    """Read a checkout; raise `FormInvalid` when it names no variant or quantity."""
    return CheckoutForm(
        variant_id=read_number(data, "variant", label=VARIANT_LABEL),
        quantity=read_number(data, "quantity", label=QUANTITY_LABEL, default="1"),
        pay=read_text(data, "pay", limit=20),
        contact_raw=read_text(data, "contact", limit=TYPED_CHARS),
        idempotency_key=read_text(data, "idempotency_key", limit=TYPED_CHARS),
        shown_raw=read_text(data, "shown_total", limit=20),
        is_agreed=data.get("agree") == "1",
        answers={
            name.removeprefix(FIELD_PREFIX): str(data[name])[:TYPED_CHARS]
            for name in data
            if name.startswith(FIELD_PREFIX)
        },
    )


def read_number(data: QueryDict, name: str, *, label: str | Promise, default: str = "") -> int:
    """Return a whole number in ASCII digits; raise `FormInvalid`."""
    number = parse_whole(str(data.get(name, default)).strip(), low=0, high=MAX_ID)
    if number is None:
        raise FormInvalid(label=label)
    return number


def read_text(data: QueryDict, name: str, *, limit: int) -> str:
    """Return a text without white space around it, cut at `limit`."""
    return str(data.get(name, "")).strip()[:limit]


def read_secret(data: QueryDict, name: str) -> str:
    """Return a password as typed, cut far above its longest length."""
    return str(data.get(name, ""))[:TYPED_CHARS]


def read_code(data: QueryDict) -> str:
    """Return a one-time code as it was meant: mails and keyboards put spaces and wide digits in."""
    return "".join(unicodedata.normalize("NFKC", read_text(data, "code", limit=CODE_CHARS)).split())


def is_key(text: str) -> bool:
    """Tell whether a text may be an idempotency key."""
    return KEY.fullmatch(text) is not None


def clean_contact(raw: str, *, is_required: bool) -> str:
    """Return an e-mail address or phone number in its stored form; raise `ContactInvalid`."""
    text = unicodedata.normalize("NFKC", raw).strip().lower()
    if not text and not is_required:
        return ""
    kind = InputKind.EMAIL if "@" in text else InputKind.PHONE
    if kind is InputKind.PHONE:
        text = re.sub(r"^(?:\+|00)?86(?=1[3-9][0-9]{9}$)", "", re.sub(r"[ -]", "", text))
    try:
        if len(text) > CONTACT_CHARS:
            raise ContactInvalid
        return clean_answer(InputField(name="contact", label="", kind=kind), text)
    except (InputInvalid, InputMissing):
        raise ContactInvalid from None
