"""What a gateway's form may hold: addresses and secrets that are worth the name.

Pure but for the translated sentences. Promises that an empty, default-looking or too simple key
is refused with the reason: a gateway with a guessable key delivers goods for nothing.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from kameng.core.http import is_loopback_name
from kameng.payments.providers.port import Field

MIN_SECRET_LENGTH: Final = 16
MIN_DISTINCT_SIGNS: Final = 8

_WIDTHLESS = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_PLACEHOLDER = re.compile(
    r"key|secret|password|passwd|test|demo|example|sample|changeme|default|your|admin|merchant"
)
_RUNS = "01234567890123456789abcdefghijklmnopqrstuvwxyzabcdef qwertyuiopasdfghjklzxcvbnm"


def read_fields(form: Mapping[str, str], fields: tuple[Field, ...]) -> dict[str, str]:
    """Return every known field, trimmed, with defaults for those left empty; drop the rest.

    Signs without width come along when a key is copied from a chat or a document.
    """
    given = {f.name: str(form.get(f.name, "")).translate(_WIDTHLESS).strip() for f in fields}
    return {f.name: given[f.name] or f.default for f in fields}


def find_secret_problem(secret: str) -> str:
    """Say why a shared secret cannot be taken, or return an empty text."""
    if not secret:
        return _("请填写密钥，不能为空。")
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        return _("密钥只能包含半角字母、数字和符号，请检查是否多复制了空格或中文。")
    if len(secret) < MIN_SECRET_LENGTH:
        return _("密钥太短，请从支付平台的商户后台完整复制（至少 16 位）。")
    if _looks_default(secret.lower()):
        return _("这像是示例或默认密钥，任何人都能伪造付款通知，请填写真实的商户密钥。")
    return ""


def _looks_default(secret: str) -> bool:
    if len(set(secret)) < MIN_DISTINCT_SIGNS:
        return True
    letters = "".join(c for c in secret if c.isalnum())
    # A run such as 0123456789abcdef or qwertyuiop that makes up half of the key.
    runs = sum(letters[i : i + 4] in _RUNS for i in range(len(letters) - 3))
    if 2 * runs >= len(letters) - 3:
        return True
    without_words = _PLACEHOLDER.sub("", letters)
    return len(without_words) < MIN_SECRET_LENGTH and without_words != letters


def find_address_problem(address: str) -> str:
    """Say why a gateway's address cannot be taken, or return an empty text."""
    if not address:
        return _("请填写网关地址。")
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port_is_odd = parts.port == 0
    except ValueError:
        return _("网关地址格式不正确，例如 https://pay.example.com/")
    odd = any(c.isspace() or ord(c) < 33 for c in address) or "\\" in address or port_is_odd
    if odd or not host or len(address) > 200 or parts.username is not None:
        return _("网关地址格式不正确，例如 https://pay.example.com/")
    if parts.query or parts.fragment:
        return _("网关地址不要带问号或井号后面的内容。")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback_name(host)):
        return ""
    return _("网关地址必须以 https:// 开头，明文地址会泄露密钥。")
