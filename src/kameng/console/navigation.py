"""The map of the back office: what stands in the navigation, who sees it, what the palette finds.

One entry is one page of the operator's jobs. A page that is not in `NAV` is a detail of the entry
whose address begins its own. Promises that an entry is shown only to who may open it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kameng.catalog.own_goods import makes_goods
from kameng.payments.selectors import takes_own_money
from kameng.tenancy.children import may_have_children
from kameng.tenancy.selectors import SiteView

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One page: its route in this face, its permission, and where on the map it stands."""

    route: str
    label: Text
    permission: str
    icon: str = "arrow-right"
    is_main_only: bool = False
    is_branch_only: bool = False
    is_maker_only: bool = False  # where goods are made
    is_upline_only: bool = False  # where the site may have child sites
    is_own_money_only: bool = False  # where the site's own merchant accounts take the money
    is_others_money_only: bool = False
    is_foot: bool = False
    children: tuple["Entry", ...] = ()


NAV: tuple[Entry, ...] = (
    Entry(route="overview", label=_("今日"), permission="overview.view", icon="layout-dashboard"),
    Entry(
        route="orders",
        label=pgettext_lazy("navigation", "订单"),
        permission="orders.view",
        icon="clipboard-list",
        children=(
            Entry(route="orders", label=_("全部订单"), permission="orders.view"),
            Entry(route="delivery_queue", label=_("人工发货"), permission="orders.repair"),
            Entry(
                route="refunds", label=pgettext_lazy("navigation", "退款"), permission="orders.view"
            ),
        ),
    ),
    Entry(
        route="goods",
        label=pgettext_lazy("navigation", "商品"),
        permission="goods.view",
        icon="package",
        children=(
            Entry(route="goods", label=_("全部商品"), permission="goods.view"),
            Entry(
                route="categories",
                label=pgettext_lazy("navigation", "分类"),
                permission="goods.view",
            ),
            Entry(
                route="prices",
                label=pgettext_lazy("navigation", "加价规则"),
                permission="prices.edit",
            ),
            Entry(
                route="product_imports",
                label=_("导入商品"),
                permission="goods.edit",
                is_maker_only=True,
            ),
            Entry(
                route="own_goods",
                label=_("分站自营"),
                permission="goods.oversee",
                is_main_only=True,
            ),
        ),
    ),
    Entry(
        route="card_keys",
        label=pgettext_lazy("navigation", "卡密"),
        permission="goods.view",
        icon="key",
        is_maker_only=True,
        children=(
            Entry(route="card_keys", label=_("卡密库存"), permission="goods.view"),
            Entry(route="key_imports", label=_("导入卡密"), permission="keys.import"),
            Entry(route="find_key", label=_("查找卡密"), permission="keys.reveal"),
        ),
    ),
    Entry(
        route="customers",
        label=pgettext_lazy("navigation", "客户"),
        permission="customers.view",
        icon="users",
    ),
    Entry(
        route="design",
        label=pgettext_lazy("navigation", "装修"),
        permission="design.edit",
        icon="palette",
        children=(
            Entry(route="design", label=_("页面"), permission="design.edit"),
            Entry(route="templates", label=_("一键装修"), permission="design.edit"),
            Entry(route="pictures", label=_("图片库"), permission="design.edit"),
            Entry(route="skins", label=_("节日皮肤"), permission="design.edit"),
            Entry(route="mail_looks", label=_("邮件样式"), permission="design.edit"),
        ),
    ),
    Entry(
        route="ledger",
        label=_("资金"),
        permission="money.view",
        icon="wallet",
        children=(
            Entry(route="ledger", label=_("资金概况"), permission="money.view"),
            Entry(route="accounts", label=_("账户与对账单"), permission="money.view"),
            Entry(
                route="prepaid",
                label=_("预存货款"),
                permission="money.view",
                is_branch_only=True,
            ),
            Entry(
                route="reconciliation",
                label=_("对账"),
                permission="money.reconcile",
                is_own_money_only=True,
            ),
            Entry(
                route="cases",
                label=_("对账差异"),
                permission="money.reconcile",
                is_own_money_only=True,
            ),
            Entry(
                route="closing",
                label=_("月度关账"),
                permission="money.close",
                is_main_only=True,
            ),
        ),
    ),
    Entry(
        route="settlement",
        label=pgettext_lazy("navigation", "结算"),
        permission="money.view",
        icon="coin",
        is_branch_only=True,
        children=(
            Entry(route="settlement", label=_("可提现和记录"), permission="money.view"),
            Entry(route="payout_accounts", label=_("收款账户"), permission="money.view"),
            Entry(route="own_splits", label=_("分账记录"), permission="money.view"),
        ),
    ),
    Entry(
        route="withdrawals",
        label=pgettext_lazy("navigation", "结算"),
        permission="settlement.review",
        icon="coin",
        is_main_only=True,
        children=(
            Entry(route="withdrawals", label=_("提现审核"), permission="settlement.review"),
            Entry(route="payout_batches", label=_("银行打款批次"), permission="settlement.review"),
            Entry(route="splits", label=_("分账记录"), permission="settlement.review"),
            Entry(route="settlement_terms", label=_("结算规则"), permission="sites.manage"),
        ),
    ),
    Entry(
        route="payments",
        label=pgettext_lazy("navigation", "支付"),
        permission="orders.view",
        icon="credit-card",
        children=(
            Entry(route="payments", label=_("支付记录"), permission="orders.view"),
            Entry(route="odd_payments", label=_("金额不符"), permission="orders.view"),
            Entry(route="approvals", label=_("待复核"), permission="orders.view"),
            Entry(route="sent_refunds", label=_("通道退款"), permission="orders.view"),
            Entry(
                route="top_ups", label=pgettext_lazy("navigation", "充值"), permission="orders.view"
            ),
            Entry(
                route="disputes",
                label=pgettext_lazy("navigation", "争议"),
                permission="orders.view",
            ),
            Entry(
                route="gateways",
                label=pgettext_lazy("navigation", "支付通道"),
                permission="gateways.edit",
                is_own_money_only=True,
            ),
            Entry(
                route="gateways",
                label=pgettext_lazy("navigation", "支付通道"),
                permission="settings.edit",
                is_others_money_only=True,
            ),
            Entry(
                route="rejected_callbacks",
                label=_("被拒的通知"),
                permission="audit.view",
                is_main_only=True,
            ),
        ),
    ),
    Entry(
        route="sites",
        label=pgettext_lazy("navigation", "站点"),
        permission="sites.manage",
        icon="building-store",
        is_main_only=True,
        children=(
            Entry(route="sites", label=_("全部站点"), permission="sites.manage"),
            Entry(
                route="plans", label=pgettext_lazy("navigation", "套餐"), permission="sites.manage"
            ),
            Entry(route="all_domains", label=_("自有域名"), permission="sites.manage"),
            Entry(route="licences", label=_("主体信息审核"), permission="sites.manage"),
            Entry(route="health", label=_("系统状态"), permission="sites.manage"),
        ),
    ),
    Entry(
        route="children",
        label=_("下级站点"),
        permission="children.manage",
        icon="building-store",
        is_upline_only=True,
        children=(
            Entry(route="children", label=_("全部下级"), permission="children.manage"),
            Entry(route="child_invitations", label=_("邀请开店"), permission="children.manage"),
            Entry(route="child_terms", label=_("供货条件"), permission="children.manage"),
        ),
    ),
    Entry(
        route="my_plan",
        label=_("我的套餐"),
        permission="plan.view",
        icon="award",
        is_branch_only=True,
        is_foot=True,
    ),
    Entry(
        route="settings",
        label=_("设置"),
        permission="settings.edit",
        icon="settings",
        is_foot=True,
        children=(
            Entry(route="settings", label=_("店铺设置"), permission="settings.edit"),
            Entry(
                route="domains", label=_("域名"), permission="settings.edit", is_branch_only=True
            ),
            Entry(route="staff", label=_("员工与权限"), permission="staff.manage"),
            Entry(route="mails", label=_("没发出的邮件"), permission="settings.edit"),
            Entry(route="legal", label=_("主体信息"), permission="settings.edit"),
            Entry(route="archives", label=_("打包带走"), permission="site.leave"),
            Entry(
                route="hand_over",
                label=_("转让店铺"),
                permission="site.leave",
                is_branch_only=True,
            ),
            Entry(
                route="shop_closing",
                label=pgettext_lazy("navigation", "关店"),
                permission="site.leave",
                is_branch_only=True,
            ),
        ),
    ),
    Entry(
        route="audit_log",
        label=pgettext_lazy("navigation", "日志"),
        permission="audit.view",
        icon="history",
        is_foot=True,
    ),
)


@dataclass(slots=True, kw_only=True)
class Link:
    """An entry as one person sees it on one site."""

    url: str
    label: Text
    icon: str
    route: str
    is_foot: bool = False
    is_current: bool = False
    is_open: bool = False
    children: list["Link"] = field(default_factory=list)


def build_links(
    *, site: SiteView, path: str, can: Callable[[str], bool], entries: tuple[Entry, ...] = NAV
) -> list[Link]:
    """Return the entries that a person may open on a site, the current one marked by `path`."""
    links = []
    for entry in entries:
        if not _stands(entry, site):
            continue
        children = build_links(site=site, path="", can=can, entries=entry.children)
        if not can(entry.permission) and not children:
            continue
        url = _address(entry, site) if can(entry.permission) else children[0].url
        links.append(
            Link(
                url=url,
                label=entry.label,
                icon=entry.icon,
                route=entry.route,
                is_foot=entry.is_foot,
                children=children,
            )
        )
    if path:
        _mark_current(links, path, home=reverse("console:overview", args=[site.slug]))
    return links


def _address(entry: Entry, site: SiteView) -> str:
    return reverse(f"console:{entry.route}", args=[site.slug])


def _stands(entry: Entry, site: SiteView) -> bool:
    if (entry.is_main_only and not site.is_main) or (entry.is_branch_only and site.is_main):
        return False
    if entry.is_maker_only and not makes_goods(site):
        return False
    if entry.is_upline_only and not may_have_children(site):
        return False
    if not entry.is_own_money_only and not entry.is_others_money_only:
        return True
    return entry.is_own_money_only == takes_own_money(site)


def _mark_current(links: list[Link], path: str, *, home: str) -> None:
    """Mark the entry whose address begins `path` with the longest match, and its child."""
    best, owner = None, None
    for link in links:
        for candidate in (link, *link.children):
            fits = path == home if candidate.url == home else path.startswith(candidate.url)
            if fits and (best is None or len(candidate.url) >= len(best.url)):
                best, owner = candidate, link
    if best is None or owner is None:
        return
    best.is_current = True
    owner.is_open = True
    owner.is_current = True


def list_pages(links: list[Link]) -> list[Link]:
    """Return every page once, for the palette."""
    pages: dict[str, Link] = {}
    for link in links:
        for page in link.children or [link]:
            page.icon = link.icon
            pages.setdefault(page.url, page)
    return list(pages.values())
