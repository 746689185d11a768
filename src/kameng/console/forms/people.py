"""Forms about people: signing in, one's own password, customers."""

from django import forms
from django.utils.translation import gettext_lazy as _

PASSWORD_MAX = 128


class SignInForm(forms.Form):
    """What a member of staff types to come in."""

    login = forms.CharField(
        label=_("账号"),
        max_length=64,
        error_messages={"required": _("请填写账号。")},
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("密码"),
        max_length=PASSWORD_MAX,
        strip=False,
        error_messages={"required": _("请填写密码。")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordForm(forms.Form):
    """One's own new password, proved by the old one."""

    old_password = forms.CharField(
        label=_("原密码"),
        max_length=PASSWORD_MAX,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new_password = forms.CharField(
        label=_("新密码"),
        max_length=PASSWORD_MAX,
        strip=False,
        help_text=_("至少 8 个字符。改好后，其他设备上的登录会全部退出。"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class CodeForm(forms.Form):
    """A code of the second factor; empty where a passkey is sent instead."""

    confirm_code = forms.CharField(
        label=_("验证码"),
        max_length=40,
        required=False,
        help_text=_("验证器里的 6 位数字，或一个恢复码。"),
        error_messages={"required": _("请填写验证码。")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "text",
                "autocapitalize": "none",
                "autofocus": True,
            }
        ),
    )

    def clean(self) -> dict[str, str]:
        """Require one of the two."""
        values = super().clean() or {}
        if not values.get("confirm_code") and not self.data.get("passkey"):
            self.add_error("confirm_code", _("请填写验证码。"))
        return values


class ConfirmForm(forms.Form):
    """One's password once more, before an act of consequence."""

    confirm_password = forms.CharField(
        label=_("密码"),
        max_length=PASSWORD_MAX,
        strip=False,
        error_messages={"required": _("请填写密码。")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class JoinForm(forms.Form):
    """Who was offered a shop makes the account for it."""

    display_name = forms.CharField(
        label=_("称呼"), max_length=20, error_messages={"required": _("请填写称呼。")}
    )
    password = forms.CharField(
        label=_("设置密码"),
        max_length=PASSWORD_MAX,
        strip=False,
        help_text=_("至少 8 个字符。"),
        error_messages={"required": _("请填写密码。")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class AcceptForm(forms.Form):
    """Taking a shop over, with one's password."""

    keeps_manager = forms.BooleanField(label=_("让原站长留下来做管理员"), required=False)
    password = forms.CharField(
        label=_("您的登录密码"),
        max_length=PASSWORD_MAX,
        strip=False,
        error_messages={"required": _("请填写密码。")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
