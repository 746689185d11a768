"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Conflict, NotFound, Refusal


class SiteNotFound(NotFound):
    code = "site_not_found"
    message = _("没有这个站点。")


class HostUnknown(NotFound):
    code = "host_unknown"
    message = _("这个网址没有对应的站点，请检查网址是否正确。")


class HostTaken(Conflict):
    code = "host_taken"
    message = _("这个网址已被其他站点使用，请换一个。")


class SlugTaken(Conflict):
    code = "slug_taken"
    message = _("这个站点标识已被使用，请换一个。")


class HostInvalid(Refusal):
    code = "host_invalid"
    message = _("网址不正确，例如 shop.example.com（不含 http:// 和端口）。")


class SlugInvalid(Refusal):
    code = "slug_invalid"
    message = _("站点标识只能用小写字母、数字和连字符，2 到 32 个字符，以字母开头。")


class PlanNotFound(NotFound):
    code = "plan_not_found"
    message = _("没有这个套餐。")


class PlanNameTaken(Conflict):
    code = "plan_name_taken"
    message = _("已经有同名的套餐，请换一个名称。")


class SettingInvalid(Refusal):
    code = "setting_invalid"
    message = _("设置“%(name)s”的值不正确。")


class SiteSuspended(Refusal):
    code = "site_suspended"
    status = 403
    message = _("本站暂停营业：%(reason)s")


class SettlementWayInvalid(Conflict):
    code = "settlement_way_invalid"
    message = _("现在不能这样切换：%(why)s")


class OwnGoodsTermsInvalid(Refusal):
    code = "own_goods_terms_invalid"
    message = _("自营商品数应在 0 到 1000000 之间（留空不限），平台分成应在 0% 到 100% 之间。")
