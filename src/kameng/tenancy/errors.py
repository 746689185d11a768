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


class PlanNotSold(Conflict):
    code = "plan_not_sold"
    message = _("这个套餐现在不出售，请换一个。")


class NothingToProlong(Conflict):
    code = "nothing_to_prolong"
    message = _("这个店铺没有到期时间，不用续期。")


class TermTooFar(Conflict):
    code = "term_too_far"
    message = _("这个店铺已经买到 %(until)s，不能再往后续了。")


class SiteClosed(Conflict):
    code = "site_closed"
    message = _("这个店铺已经关闭，不能续期或换套餐。")


class TermEndInvalid(Refusal):
    code = "term_end_invalid"
    message = _("到期时间要在今天之后，最长十年。")


class SettingInvalid(Refusal):
    code = "setting_invalid"
    message = _("设置“%(name)s”的值不正确。")


class SiteSuspended(Refusal):
    code = "site_suspended"
    status = 403
    message = _("本站暂停营业：%(reason)s")


class ChildrenForbidden(Conflict):
    code = "children_forbidden"
    message = _("平台没有开放下级站点。")


class UplineNotOpen(Conflict):
    code = "upline_not_open"
    message = _("上级店铺现在没有营业，恢复营业后才能开下级站点。")


class ChildrenFull(Conflict):
    code = "children_full"
    message = _("下级站点已达上限（%(most)s 个），请升级套餐或联系主站。")


class ChildOfChild(Conflict):
    code = "child_of_child"
    message = _("下级站点只能有一层：上级必须是主站下的分站，自己也不能再有下级。")


class ChildTermsInvalid(Refusal):
    code = "child_terms_invalid"
    message = _("加价比例要在 0 到 1000% 之间，最低差价不能小于 0。")


CHILD_CLAIMS_ONLY = _("下级站点只支持记账提现，由主站统一收款")


class ChildInvitationNotFound(NotFound):
    code = "child_invitation_not_found"
    message = _("这个开店链接无效，可能已被撤回、用过或过期。请让邀请您的人重新发一个。")


class ChildStateMoved(Conflict):
    code = "child_state_moved"
    message = _("这个下级站点的状态已经变了：只能暂停营业中的，也只能恢复由您暂停的。")


class SiteLapsed(Refusal):
    code = "site_lapsed"
    status = 403
    message = _("本店暂时休息，正在办理续期。已经买到的东西，照常可以在“查订单”里查看和领取。")


class SettlementWayInvalid(Conflict):
    code = "settlement_way_invalid"
    message = _("现在不能这样切换：%(why)s")


class OwnHostInvalid(Refusal):
    code = "own_host_invalid"
    message = _("这不像一个域名。请填您买的域名，例如 shop.com 或 www.shop.com。")


class OwnHostIsAddress(Refusal):
    code = "own_host_is_address"
    message = _("这是 IP 地址，不是域名。请填您买的域名，例如 shop.com。")


class OwnHostHasPort(Refusal):
    code = "own_host_has_port"
    message = _("域名后面不要带端口（冒号和数字）。")


class OwnHostIsSpecial(Refusal):
    code = "own_host_is_special"
    message = _("这个名字不能在公网上使用。请填在注册商买的域名，例如 shop.com。")


class OwnHostIsSuffix(Refusal):
    code = "own_host_is_suffix"
    message = _("这是大家共用的后缀，不是一个域名。请填完整，例如 myshop.com.cn。")


class OwnHostIsPlatforms(Refusal):
    code = "own_host_is_platforms"
    message = _("这是平台自己的域名，不能绑定。平台给您的网址一直可用，不用另外绑定。")


class DomainsMost(Conflict):
    code = "domains_most"
    message = _("您的套餐最多绑定 %(most)s 个域名（带 www 和不带 www 的算一个）。")


class DomainsNotAllowed(Refusal):
    code = "domains_not_allowed"
    status = 403
    message = _("您的套餐不包含自有域名，换套餐后可以绑定。")


class ClaimNotFound(NotFound):
    code = "claim_not_found"
    message = _("没有这个域名，可能已被移除。")


class DomainNotLive(Conflict):
    code = "domain_not_live"
    message = _("这个域名还没有上线，上线后才能设为主网址。")


class AskedTooOften(Refusal):
    code = "asked_too_often"
    status = 429
    message = _("问得太频繁，请稍后再试。")


class ShopClosing(Refusal):
    code = "shop_closing"
    status = 403
    message = _("本店正在关店，不再接受新订单和充值：%(reason)s")


class ShopClosed(Refusal):
    code = "shop_closed"
    status = 410
    message = _("本店已关闭。买过的东西仍可以在这里查到。")


class SitePreparing(Refusal):
    code = "site_preparing"
    status = 403
    message = _("本店正在准备开张，请过些时候再来。")


class ClosingStateWrong(Conflict):
    code = "closing_state_wrong"
    message = _("店铺的状态刚刚变了，请刷新后再看。")


class SiteLeaving(Conflict):
    code = "site_leaving"
    message = _("这家店正在关店或已关店，请在“关店”页处理。")


class MainSiteStays(Conflict):
    code = "main_site_stays"
    message = _("主站不能转让或关店。")


class AddressKept(Conflict):
    code = "address_kept"
    message = _("关店后的网址保留到 %(until)s，之后才能移除。")


class TooLateToReopen(Conflict):
    code = "too_late_to_reopen"
    message = _("关店已超过 %(days)s 天，不能再恢复，请重新开通。")


class LicenceInvalid(Refusal):
    code = "licence_invalid"
    message = _("%(why)s")


class LicenceNotFound(NotFound):
    code = "licence_not_found"
    message = _("没有这份主体信息，可能已经处理过。")
