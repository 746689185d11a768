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


class PassRefused(NotFound):
    code = "pass_refused"
    message = _("这个链接已经用过或已过期，请回后台再点一次“看我的店”。")


class CustomerNotFound(NotFound):
    code = "customer_not_found"
    message = _("没有这个客户。")


class UserNotFound(NotFound):
    code = "user_not_found"
    message = _("没有这个员工。")


class DeviceNotFound(NotFound):
    code = "device_not_found"
    message = _("没有这台设备，可能已经移除。")


class SecondStepNeeded(Refusal):
    """The password was right; `step_token` lets the browser go on to the second step."""

    code = "second_step_needed"
    status = 401
    message = _("请完成第二步验证。")

    def __init__(self, step_token: str) -> None:
        super().__init__()
        self.step_token = step_token


class StepOver(Refusal):
    code = "step_over"
    message = _("这一步已经过期或用过了，请重新开始。")


class SecondFactorWrong(Refusal):
    code = "second_factor_wrong"
    message = _("验证码不正确或已经用过。请输入验证器现在显示的 6 位数字。")


class PasskeyWrong(Refusal):
    code = "passkey_wrong"
    message = _("通行密钥没有通过验证，请再试一次，或换一种方式。")


class PasskeyNotFound(NotFound):
    code = "passkey_not_found"
    message = _("没有这个通行密钥，可能已经移除。")


class PasskeyTaken(Conflict):
    code = "passkey_taken"
    message = _("这个通行密钥已经添加过了。")


class PasskeysFull(Conflict):
    code = "passkeys_full"
    message = _("最多可以有 %(most)s 个通行密钥，请先移除不用的。")


class TotpOn(Conflict):
    code = "totp_on"
    message = _("验证器已经启用。要换手机，请先停用再重新设置。")


class TotpMissing(Refusal):
    code = "totp_missing"
    message = _("还没有开始设置验证器，请重新打开页面。")


class SecondFactorKept(Conflict):
    code = "second_factor_kept"
    message = _("您的角色必须有两步验证。请先添加另一种方式，再移除这一种。")


class CustomRoleNotFound(NotFound):
    code = "custom_role_not_found"
    message = _("没有这个角色，可能已被删除。")


class CustomRoleNameTaken(Conflict):
    code = "custom_role_name_taken"
    message = _("已经有叫这个名字的角色，请换一个名字。")


class CustomRoleInUse(Conflict):
    code = "custom_role_in_use"
    message = _("还有人在用这个角色：%(who)s。请先给他们换一个角色，再删除。")


class CustomRolesFull(Conflict):
    code = "custom_roles_full"
    message = _("最多可以有 %(most)s 个自定义角色。")


class CustomRoleEmpty(Refusal):
    code = "custom_role_empty"
    message = _("请至少勾选一项权限。")


class RoleBeyond(Refusal):
    code = "role_beyond"
    status = 403
    message = _("不能给出您自己没有的权限。")


class MemberBeyond(Refusal):
    code = "member_beyond"
    status = 403
    message = _("这位员工的权限比您大，只有站长能改动。")


class MemberExists(Conflict):
    code = "member_exists"
    message = _("这个账号已经是本站员工。")


class OneselfSuspended(Refusal):
    code = "oneself_suspended"
    message = _("不能停用自己，请让另一位管理员工的同事来做。")


class StaffFull(Conflict):
    code = "staff_full"
    message = _(
        "当前套餐最多 %(most)s 位员工（站长之外），已经用完。可以移除不再需要的员工，或升级套餐。"
    )


class InvitationNotFound(NotFound):
    code = "invitation_not_found"
    message = _("这个邀请链接无效，可能已被撤回、用过或过期。请让邀请您的人重新发一个。")


class InvitationsFull(Conflict):
    code = "invitations_full"
    message = _("还有太多没用的邀请，请先撤回一些。")


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
