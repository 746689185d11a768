"""What members of staff are told about their own sign-in: e-mails, each once by its event.

Who signs in without an address is not mailed; their page of security shows the same list.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from kameng.accounts.selectors import list_staff_logins
from kameng.core.events import LoggedEvent
from kameng.messaging.models import Audience
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.tenancy.addresses import Letterhead, list_letterheads

LANGUAGE = "zh-hans"
WORDS: Final = {
    "device_new": _("您的账号在一台新设备上登录"),
    "password": _("您的登录密码已修改"),
    "totp_on": _("您的账号启用了验证器"),
    "totp_off": _("您的账号停用了验证器"),
    "passkey_on": _("您的账号添加了通行密钥"),
    "passkey_off": _("您的账号移除了通行密钥"),
    "codes_new": _("您的账号生成了新的恢复码"),
    "code_used": _("您的账号用掉了一个恢复码"),
    "reset": _("管理员重置了您的两步验证"),
}


def send_security_notices(events: Sequence[LoggedEvent]) -> None:
    """Write the e-mails; call inside the consumer's transaction and platform scope."""
    logins = list_staff_logins({event.subject_id for event in events})
    heads = list_letterheads({event.site_id for event in events})
    with override(LANGUAGE):
        send_email(list(_write(events, logins, heads)))


def _write(
    events: Sequence[LoggedEvent], logins: Mapping[int, str], heads: Mapping[int, Letterhead]
) -> Iterator[EmailDraft]:
    for event in events:
        login = logins.get(event.subject_id, "")
        words = WORDS.get(str(event.payload.get("what", "")))
        if "@" not in login or words is None or event.site_id not in heads:
            continue
        head = heads[event.site_id]
        text = render_mail(
            "security_changed",
            {
                "site_name": head.name,
                "what": str(words),
                "ip": event.payload.get("ip", ""),
                "agent": event.payload.get("agent", ""),
                "link": f"{head.url}/console/",
            },
        )
        yield EmailDraft(
            site_id=event.site_id,
            to=login,
            subject=text.subject,
            body=text.body,
            dedupe_key=f"security:{event.event_id}",
            audience=Audience.STAFF,
            language=LANGUAGE,
        )
