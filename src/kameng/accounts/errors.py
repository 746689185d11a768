"""Refusals of this app. Sign-in and codes answer in one way, whatever was wrong."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class LoginInvalid(Refusal):
    code = "login_invalid"
    message = _("请填写正确的邮箱或 11 位手机号。")


class LoginTaken(Conflict):
    code = "login_taken"
    message = _("这个账号已经注册，请直接登录。")


class StaffLoginInvalid(Refusal):
    code = "staff_login_invalid"
    message = _("登录名只能用小写字母、数字和 . _ - @ +，2 到 64 个字符。")


class StaffLoginTaken(Conflict):
    code = "staff_login_taken"
    message = _("这个登录名已被使用，请换一个。")


class NicknameInvalid(Refusal):
    code = "nickname_invalid"
    message = _("请填写 1 到 20 个字的名字。")


class PasswordTooShort(Refusal):
    code = "password_too_short"
    message = _("密码至少 8 个字符。")


class PasswordTooLong(Refusal):
    code = "password_too_long"
    message = _("密码最多 128 个字符。")


class PasswordOdd(Refusal):
    code = "password_odd_character"
    message = _("密码的首尾不能是空格，也不能含有不可见字符。")


class PasswordWornOut(Refusal):
    code = "password_worn_out"
    message = _("这个密码太常见，请换一个不容易猜到的。")


class PasswordSameAsLogin(Refusal):
    code = "password_same_as_login"
    message = _("密码不能和账号相同。")


class SignInRefused(Refusal):
    code = "sign_in_refused"
    message = _("账号或密码不正确。")


class PasswordWrong(Refusal):
    code = "password_wrong"
    message = _("原密码不正确。")


class CodeRefused(Refusal):
    code = "code_refused"
    message = _("验证码不正确或已失效，请重新获取。")


class CustomerNotFound(NotFound):
    code = "customer_not_found"
    message = _("没有这个客户。")


class UserNotFound(NotFound):
    code = "user_not_found"
    message = _("没有这个员工。")


class SessionNotFound(NotFound):
    code = "session_not_found"
    message = _("这个登录已经结束。")


class RoleUnknown(Refusal):
    code = "role_unknown"
    message = _("没有这个角色。")


class LastOwner(Conflict):
    code = "last_owner"
    message = _("每个站点至少要有一位站长，请先把站长交给别人。")


class LastPlatformUser(Conflict):
    code = "last_platform_user"
    message = _("至少要有一位平台管理员。")


class PlanMissing(Refusal):
    code = "plan_missing"
    message = _("请为分站选择一个套餐。")


class MainSiteExists(Conflict):
    code = "main_site_exists"
    message = _("主站已经开通。")


class StaffOfOthers(Refusal):
    code = "staff_of_others"
    status = 403
    message = _("这位员工还管理其他站点，密码只能由本人或平台管理员修改。")


class ApprovalNotFound(NotFound):
    code = "approval_not_found"
    message = _("没有这条待复核的操作。")


class ApprovalOver(Conflict):
    code = "approval_over"
    message = _("这条操作已经处理过或已过期，请刷新页面。")


class ApprovalByOneself(Refusal):
    code = "approval_by_oneself"
    status = 403
    message = _("不能复核自己提出的操作，请让另一位有权限的同事来复核。")


class ApprovalNotYours(Refusal):
    code = "approval_not_yours"
    status = 403
    message = _("只有提出的人可以撤回。")


class ApprovalWaiting(Conflict):
    code = "approval_waiting"
    message = _("同样的操作已经有一条在等复核，请先处理那一条。")


class ApprovalNeedsStaff(Refusal):
    code = "approval_needs_staff"
    status = 403
    message = _("只有员工可以提出或复核。")


class OfferGone(Conflict):
    code = "offer_gone"
    message = _("这个转让链接已经用过、撤回或过期，请联系原站长重新发起。")


class OfferForAnother(Refusal):
    code = "offer_for_another"
    status = 403
    message = _("这家店是转让给另一个登录名的，请用收到链接的账号登录。")


class OfferToOwner(Conflict):
    code = "offer_to_owner"
    message = _("这个人已经是这家店的站长。")


class MainSiteOffered(Conflict):
    code = "main_site_offered"
    message = _("主站不能转让。")
