"""The first page: the figures of a period, what needs attention, what to do next."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from kameng.console.answers import see_other
from kameng.console.dashboard_page import describe
from kameng.console.money_matters import find_page, say_matter
from kameng.console.operator_news import NEWS, list_news
from kameng.console.order_page import make_rows
from kameng.console.views.dashboard import page_of, read_screen
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core import clock
from kameng.insight.attention import Matter, list_matters, list_steps
from kameng.insight.order_search import list_last_sales
from kameng.messaging.operator_notices import see_notice
from kameng.pages.models import PageKind
from kameng.tenancy.addresses import site_url
from kameng.tenancy.selectors import SiteView
from kameng.web.requests import is_behind_stranger

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing that waits, with the button that deals with it."""

    icon: str
    tone: str
    title: str
    note: Text
    url: str
    button: Text
    since: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """One step of a new shop."""

    title: Text
    note: Text
    url: str
    is_done: bool
    code: str = ""
    is_hidden: bool = False


@console_page("overview.view")
def overview(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the site's day."""
    now = clock.now()
    steps = _steps(request, site)
    hidden = [step for step in steps if step.is_hidden and not step.is_done]
    steps = [step for step in steps if step not in hidden]
    done_count = sum(step.is_done for step in steps)
    steps = steps if done_count < len(steps) else []
    screen = read_screen(request, site, now=now)
    context = {
        **describe(screen),
        **page_of(screen, request),
        "greeting": _greeting(now.astimezone(site.settings.zone).hour),
        "now": now,
        "todos": _todos(request, site, now=now),
        "news": list_news(site, may=_leads(request, site)),
        "steps": steps,
        "hidden_steps": hidden,
        "shows_steps": bool(steps or hidden),
        "done_count": done_count,
        "is_new": any(step.code == "first_sale" and not step.is_done for step in steps),
        "rows": make_rows(list_last_sales()) if screen.sees_orders else [],
        "public_url": site_url(site.site_id),
    }
    return show(request, "console/overview.html", context)


def _leads(request: ConsoleRequest, site: SiteView) -> frozenset[str]:
    asked = {permission for *_rest, permission in NEWS.values() if permission}
    return frozenset(each for each in asked if request.person.can(each, site.site_id))


@require_POST
@console_page("settings.edit")
def see_news(request: ConsoleRequest, site: SiteView, notice_id: int) -> HttpResponse:
    """Take a notice of the main site off the page."""
    see_notice(notice_id, actor=actor_of(request))
    return see_other(reverse("console:overview", args=[site.slug]))


def _greeting(hour: int) -> str:
    if 5 <= hour < 11:
        return _now("早上好")
    if 11 <= hour < 13:
        return _now("中午好")
    if 13 <= hour < 18:
        return _now("下午好")
    return _now("晚上好")


# code → icon, tone, sentence about it, button
MATTERS: Final[Mapping[str, tuple[str, str, Text, Text]]] = {
    "refund_refused": (
        "receipt-refund",
        "bad",
        _("支付通道拒绝了退款，买家还没有拿到钱。"),
        _("去处理"),
    ),
    "stuck": ("alert-triangle", "bad", _("付款时库存不够，补货后发出，或退款。"), _("去发货")),
    "mismatched": (
        "alert-triangle",
        "bad",
        _("通道收到的钱和应收不一样，没有自动发货。"),
        _("去处理"),
    ),
    "dispute_due": (
        "clock",
        "bad",
        _("到期前没有答复，平台一般判买家赢。"),
        _("去答复"),
    ),
    "dispute_open": ("alert-triangle", "warn", _("处理期间这笔支付不能退款。"), _("看争议")),
    "approval": ("checks", "warn", _("大额操作要另一位同事点头才执行。"), _("去复核")),
    "return_refused": (
        "receipt-refund",
        "bad",
        _("通道拒绝了充值退回，客户还没有拿到钱。"),
        _("去处理"),
    ),
    "surplus": ("receipt-refund", "bad", _("已按应收发货，多付的部分还没退成。"), _("去处理")),
    "late_unrefundable": (
        "clock",
        "bad",
        _("超时才付款，没有货也退不回去，请联系买家。"),
        _("去处理"),
    ),
    "paid_twice": (
        "alert-triangle",
        "bad",
        _("同一单付了两次，多收的一笔要退给买家。"),
        _("去处理"),
    ),
    "gateway_resting": (
        "clock",
        "warn",
        _("连续出错，已自动换用别的账户，过一会儿自动再试。"),
        _("看原因"),
    ),
    "gateway_frozen": (
        "lock",
        "bad",
        _("它的查询与通知矛盾，密钥可能已泄露，已停止收款。"),
        _("看通道"),
    ),
    "unbooked": (
        "alert-triangle",
        "warn",
        _("通知的签名正确，但账里对不上，请到支付平台核对。"),
        _("看通知"),
    ),
    "awaits_prepaid": (
        "clock",
        "bad",
        _("买家已付款，预存款够了会按付款先后自动发货；也可以退款。"),
        _("去预存"),
    ),
    "prepaid_low": (
        "wallet",
        "warn",
        _("不够进货时，买家就不能下单了。"),
        _("去预存"),
    ),
    "withdrawal_unknown": (
        "alert-triangle",
        "bad",
        _("支付通道两天都没有说清楚，请到支付平台查。"),
        _("去查看"),
    ),
    "split_refused": (
        "transfer",
        "bad",
        _("支付通道拒绝了分账，利润留作应付。"),
        _("去处理"),
    ),
    "withdrawal_review": ("coin", "warn", _("分站在等审核。"), _("去审核")),
    "withdrawal_pay": ("coin", "warn", _("审核过了，还没有打款。"), _("去打款")),
    "licence_waiting": (
        "id",
        "warn",
        _("核实后才会在店里公示。"),
        _("去核实"),
    ),
    "to_deliver": ("send", "warn", _("人工服务和直充，先来先办。"), _("去发货")),
    "low_stock": ("package", "warn", _("最近 7 天有人买，快卖完了。"), _("补货")),
    "own_goods_taken": (
        "ban",
        "bad",
        _("买家看不到它们。原因写在商品页上，改好后请联系平台。"),
        _("看原因"),
    ),
    "own_goods_scanned": (
        "shield-lock",
        "warn",
        _("扫描到不允许销售的词，已先下架，等您看过再定。"),
        _("去复查"),
    ),
    "domains": ("world", "warn", _("解析或证书有问题，买家可能打不开。"), _("去看看")),
    "mail_no_server": ("mail", "info", _("还没有设置邮件服务器，邮件在排队。"), _("看原因")),
    "mail_given_up": ("mail", "warn", _("多次发送失败，已停止重试。"), _("看原因")),
}
PERMISSIONS: Final[Mapping[str, str]] = {
    "awaits_prepaid": "money.view",
    "prepaid_low": "money.view",
    "gateway_frozen": "gateways.edit",
    "gateway_resting": "gateways.edit",
    "unbooked": "audit.view",
    "withdrawal_review": "settlement.review",
    "withdrawal_pay": "settlement.review",
    "withdrawal_unknown": "settlement.review",
    "split_refused": "settlement.review",
    "licence_waiting": "sites.manage",
    "low_stock": "goods.view",
    "own_goods_taken": "goods.view",
    "own_goods_scanned": "goods.oversee",
    "domains": "settings.edit",
    "mail_no_server": "settings.edit",
    "mail_given_up": "settings.edit",
}

DELIVERIES: Final = frozenset({"stuck", "to_deliver"})


def _todos(request: ConsoleRequest, site: SiteView, *, now: dt.datetime) -> list[Todo]:
    todos = [_proxy_todo(site)] if _sees_stranger(request, site) else []
    for matter in list_matters(site, now=now):
        permission = PERMISSIONS.get(matter.code, "orders.view")
        if not request.person.can(permission, site.site_id):
            continue
        icon, tone, note, button = MATTERS[matter.code]
        url = find_page(matter, slug=site.slug) or _matter_url(matter, site)
        if matter.code in DELIVERIES and not request.person.can("orders.repair", site.site_id):
            url, button = reverse("console:orders", args=[site.slug]) + "?view=waiting", _("看订单")
        todos.append(
            Todo(
                icon=icon,
                tone=tone,
                title=say_matter(matter) or _title(matter),
                note=note,
                url=url,
                button=button,
                since=matter.since,
            )
        )
    return todos


def _sees_stranger(request: ConsoleRequest, site: SiteView) -> bool:
    """Tell whether to warn of a proxy that is not named: to who can change the settings."""
    may = request.person.can("sites.manage", site.site_id)
    return site.is_main and may and is_behind_stranger(request)


def _proxy_todo(site: SiteView) -> Todo:
    return Todo(
        icon="alert-triangle",
        tone="bad",
        title=_now("反向代理没有登记"),
        note=_("所有买家看起来是同一个地址，一个人用完次数，别人也下不了单。"),
        url=reverse("console:health", args=[site.slug]),
        button=_("看怎么设置"),
        since=None,
    )


def _title(matter: Matter) -> str:
    match matter.code:
        case "prepaid_low":
            return _now("预存款只剩 ¥%(amount)s") % {"amount": matter.subject}
        case "gateway_frozen":
            return _now("支付通道“%(name)s”已冻结") % {"name": matter.title}
        case "gateway_resting":
            return _now("支付通道“%(name)s”暂停使用") % {"name": matter.title}
        case "low_stock":
            names = {"title": matter.title, "count": matter.subject}
            return _now("“%(title)s”只剩 %(count)s 张") % names
        case _:
            return _counted(matter) or matter.title


def _counted(matter: Matter) -> str:
    """Return the title of a matter that is a number of things; empty for any other."""
    count = {"count": matter.count}
    match matter.code:
        case "refund_refused":
            text = ngettext("%(count)s 笔退款被拒绝", "%(count)s 笔退款被拒绝", matter.count)
        case "stuck":
            text = ngettext("%(count)s 单付了款没有货", "%(count)s 单付了款没有货", matter.count)
        case "mismatched":
            text = ngettext("%(count)s 笔支付金额不符", "%(count)s 笔支付金额不符", matter.count)
        case "paid_twice":
            text = ngettext("%(count)s 笔重复付款", "%(count)s 笔重复付款", matter.count)
        case "unbooked":
            text = ngettext("%(count)s 笔付款没有入账", "%(count)s 笔付款没有入账", matter.count)
        case "to_deliver":
            text = ngettext("%(count)s 单等您发货", "%(count)s 单等您发货", matter.count)
        case "awaits_prepaid":
            text = ngettext("%(count)s 单在等预存款", "%(count)s 单在等预存款", matter.count)
        case "own_goods_taken":
            text = ngettext(
                "%(count)s 个商品被平台下架", "%(count)s 个商品被平台下架", matter.count
            )
        case "own_goods_scanned":
            text = ngettext(
                "%(count)s 个自营商品待复查", "%(count)s 个自营商品待复查", matter.count
            )
        case "domains":
            text = ngettext("%(count)s 个域名有问题", "%(count)s 个域名有问题", matter.count)
        case "mail_no_server" | "mail_given_up":
            text = ngettext("%(count)s 封邮件没发出", "%(count)s 封邮件没发出", matter.count)
        case _:
            return _settlement_title(matter)
    return text % count


def _settlement_title(matter: Matter) -> str:
    count = {"count": matter.count}
    match matter.code:
        case "withdrawal_review":
            text = ngettext("%(count)s 笔提现待审核", "%(count)s 笔提现待审核", matter.count)
        case "withdrawal_pay":
            text = ngettext("%(count)s 笔提现待打款", "%(count)s 笔提现待打款", matter.count)
        case "withdrawal_unknown":
            text = ngettext("%(count)s 笔打款没有结果", "%(count)s 笔打款没有结果", matter.count)
        case "licence_waiting":
            text = ngettext(
                "%(count)s 份主体信息待核实", "%(count)s 份主体信息待核实", matter.count
            )
        case "split_refused":
            text = ngettext("%(count)s 笔分账失败", "%(count)s 笔分账失败", matter.count)
        case _:
            return ""
    return text % count


SETTLEMENT_VIEWS: Final[Mapping[str, tuple[str, str]]] = {
    "withdrawal_review": ("withdrawals", "review"),
    "withdrawal_pay": ("withdrawals", "pay"),
    "withdrawal_unknown": ("withdrawals", "sending"),
    "split_refused": ("splits", "refused"),
    "licence_waiting": ("licences", "waiting"),
}


def _matter_url(matter: Matter, site: SiteView) -> str:
    slug = [site.slug]
    if matter.code == "domains":
        route = "all_domains" if site.is_main else "domains"
        return reverse(f"console:{route}", args=slug) + ("?only=trouble" if site.is_main else "")
    if matter.code in SETTLEMENT_VIEWS:
        route, view = SETTLEMENT_VIEWS[matter.code]
        return reverse(f"console:{route}", args=slug) + f"?view={view}"
    match matter.code:
        case "refund_refused":
            return reverse("console:refunds", args=slug)
        case "stuck" | "to_deliver":
            return reverse("console:delivery_queue", args=slug)
        case "awaits_prepaid" | "prepaid_low":
            return reverse("console:prepaid", args=slug)
        case "mismatched" | "paid_twice" if matter.subject:
            return reverse("console:payment", args=[site.slug, matter.subject])
        case "mismatched" | "paid_twice":
            return reverse("console:odd_payments", args=slug)
        case "unbooked":
            return reverse("console:rejected_callbacks", args=slug)
        case "gateway_frozen" | "gateway_resting":
            return reverse("console:gateways", args=slug)
        case "low_stock" | "own_goods_taken" | "own_goods_scanned":
            return _goods_url(matter, site)
        case "mail_no_server" | "mail_given_up":
            return reverse("console:mails", args=slug)
        case _:
            return reverse("console:order", args=[site.slug, matter.subject])


def _goods_url(matter: Matter, site: SiteView) -> str:
    if matter.code == "own_goods_scanned":
        return reverse("console:own_goods", args=[site.slug]) + "?state=scanned"
    if matter.code == "low_stock":
        return reverse("console:card_keys", args=[site.slug])
    if matter.subject:
        return reverse("console:product", args=[site.slug, matter.subject])
    return reverse("console:goods", args=[site.slug]) + "?owner=own&state=unlisted"


# code → sentence, help, route, permission
STEPS: Final[Mapping[str, tuple[Text, Text, str, str]]] = {
    "goods": (_("添加商品"), _("也可以用表格一次导入全部商品。"), "goods", "goods.edit"),
    "keys": (_("导入卡密"), _("粘贴或上传文件，先检查再入库。"), "key_imports", "keys.import"),
    "gateway": (_("接好支付"), _("买家付的钱进您自己的商户号。"), "gateways", "gateways.edit"),
    "looks": (
        _("换上自己的口号和配色"),
        _("首页横幅和标语让买家记住您。"),
        "settings",
        "settings.edit",
    ),
    "contact": (
        _("写上联系方式"),
        _("买家有问题时找得到您，投诉会少很多。"),
        "settings",
        "settings.edit",
    ),
    "prices": (_("设置加价规则"), _("决定每件商品赚多少。"), "prices", "prices.edit"),
    "logo": (_("放上店铺标志"), _("买家第一眼看到的就是它。"), "design", "design.edit"),
    "design": (
        _("选一套设计"),
        _("一键换上，不满意一键撤销。"),
        "templates",
        "design.edit",
    ),
    "payee": (
        _("填收款账户"),
        _("赚到的钱提到这里。"),
        "payout_accounts",
        "settlement.accounts",
    ),
    "share": (
        _("把网址发出去"),
        _("第一位客户来了就算完成。"),
        "overview",
        "overview.view",
    ),
    "domain": (
        _("绑定自己的域名"),
        _("买家用您自己的网址打开店铺，证书自动签发。"),
        "domains",
        "settings.edit",
    ),
    "legal": (
        _("填写经营主体信息"),
        _("主站核实后店铺才对买家开放。"),
        "legal",
        "settings.edit",
    ),
    "own_goods": (
        _("上架一件自己的商品"),
        _("套餐里包含自营名额，定价和库存由您决定。"),
        "new_product",
        "goods.edit",
    ),
    "branch": (_("开通第一个分站"), _("让别人帮您卖货。"), "sites", "sites.manage"),
    "first_sale": (_("卖出第一单"), _("把店铺网址发给客户。"), "overview", "overview.view"),
}


def _steps(request: ConsoleRequest, site: SiteView) -> list[NextStep]:
    found = []
    hidden = site.settings.hidden_steps.split(",")
    for step in list_steps(site):
        title, note, route, permission = STEPS[step.code]
        may = request.person.can(permission, site.site_id) and route != "overview"
        url = _step_url(step.code, route, site) if may else ""
        found.append(
            NextStep(
                title=title,
                note=note,
                url=url,
                is_done=step.is_done,
                code=step.code,
                is_hidden=step.code in hidden,
            )
        )
    return found


def _step_url(code: str, route: str, site: SiteView) -> str:
    """Lead to the very thing: the editor of the look for a logo, the field for a contact."""
    if code == "logo":
        return reverse("console:open_page", args=[site.slug, int(PageKind.LOOK)]) + "#logo"
    url = reverse(f"console:{route}", args=[site.slug])
    return f"{url}#id_contact_text" if code == "contact" else url
