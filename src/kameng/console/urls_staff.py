"""Addresses of staff, roles, invitations, and of one's own account."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import account, invitations, members, roles, security, staff

urlpatterns: list[URLPattern | URLResolver] = [
    path("account/", account.account, name="account"),
    path("account/password/", account.change_password, name="change_password"),
    path("account/end-session/", account.end_session, name="end_session"),
    path("account/app/", security.totp, name="totp"),
    path("account/app/remove/", security.remove_totp, name="remove_totp"),
    path("account/passkeys/new/", security.new_passkey, name="new_passkey"),
    path("account/passkeys/<int:passkey_id>/", security.change_passkey, name="change_passkey"),
    path("account/recovery-codes/", security.recovery_codes, name="recovery_codes"),
    path("account/devices/forget/", security.forget_trust, name="forget_trust"),
    path("staff/", staff.staff, name="staff"),
    path("staff/roles/", roles.roles, name="roles"),
    path("staff/roles/new/", roles.new_role, name="new_role"),
    path("staff/roles/<int:role_id>/", roles.role, name="role"),
    path("staff/roles/<int:role_id>/delete/", roles.remove_role, name="remove_role"),
    path("staff/invitations/", invitations.invitations, name="invitations"),
    path(
        "staff/invitations/<int:invitation_id>/",
        invitations.change_invitation,
        name="change_invitation",
    ),
    path("staff/sign-in-rule/", roles.sign_in_rule, name="sign_in_rule"),
    path("staff/<int:user_id>/", members.member, name="member"),
    path("staff/<int:user_id>/role/", staff.set_role, name="set_role"),
    path("staff/<int:user_id>/suspend/", staff.suspend, name="suspend_member"),
    path("staff/<int:user_id>/password/", staff.renew_password, name="renew_password"),
    path("staff/<int:user_id>/factor/", staff.reset_factor, name="reset_factor"),
    path("staff/<int:user_id>/sessions/", members.end_member_sessions, name="end_member_sessions"),
    path("staff/<int:user_id>/active/", staff.set_active, name="set_active"),
]
