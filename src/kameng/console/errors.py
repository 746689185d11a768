"""Refusals of the back office itself."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, Refusal


class SignInNeeded(Refusal):
    code = "sign_in_needed"
    status = 401
    message = _("请先登录后台。")


class PermissionMissing(Refusal):
    code = "permission_missing"
    status = 403
    message = _("您的角色没有这项权限。需要的话，请本站站长在“员工与权限”里为您调整。")


class ExportTooLarge(Refusal):
    code = "export_too_large"
    message = _("符合条件的记录超过 %(limit)s 条，一次导不完。请按日期分几次导出。")


class AlreadyDone(Conflict):
    code = "already_done"
    message = _("这次提交刚才已经处理过，没有重复执行。请看下面的最新记录。")


class SecondFactorNeeded(Refusal):
    code = "second_factor_needed"
    status = 403
    message = _("您的角色要求两步验证，请先在“登录与安全”里设置。")


class OneselfReset(Refusal):
    code = "oneself_reset"
    message = _("自己的两步验证请在“登录与安全”里更改。")


class PasswordNeeded(Refusal):
    code = "password_needed"
    status = 403
    message = _("这是重要操作，请再输入一次您的密码。")
