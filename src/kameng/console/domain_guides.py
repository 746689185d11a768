"""Where the records of a domain are entered, at the places where operators buy them.

Which place it is shows in the name servers of the domain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """How to add the records at one place, step by step. `servers`: ends of its name servers."""

    key: str
    name: Text
    servers: tuple[str, ...]
    steps: tuple[Text, ...]
    caution: Text = ""


_VALUE = _(
    "把上表的“主机记录”“记录类型”“记录值”逐行复制过去，其他选项不用改，点“确定”保存。每行添加一条。"
)
_OLD = _("列表里如果已有同一主机记录的 A、AAAA 或 CNAME，先删除或改成上表的值。")

GUIDES: Final = (
    Guide(
        key="aliyun",
        name=_("阿里云（万网）"),
        servers=("hichina.com", "alidns.com", "taobao.com"),
        steps=(
            _("登录阿里云控制台，搜索并打开“云解析 DNS”，在“公网权威解析”里点您的域名。"),
            _OLD,
            _("点“添加记录”。"),
            _VALUE,
        ),
    ),
    Guide(
        key="dnspod",
        name=_("腾讯云（DNSPod）"),
        servers=(
            "dnspod.net",
            "dnspod.com",
            "dnsv1.com",
            "dnsv2.com",
            "dnsv3.com",
            "dnsv4.com",
            "dnsv5.com",
        ),
        steps=(
            _("登录腾讯云控制台，打开“云解析 DNS”，点您的域名，进入“记录管理”。"),
            _OLD,
            _("点“添加记录”，“线路类型”保持“默认”。"),
            _VALUE,
        ),
    ),
    Guide(
        key="huawei",
        name=_("华为云"),
        servers=(
            "huaweicloud-dns.com",
            "huaweicloud-dns.cn",
            "huaweicloud-dns.net",
            "huaweicloud-dns.org",
            "hwclouds-dns.com",
            "hwclouds-dns.net",
        ),
        steps=(
            _("登录华为云控制台，打开“云解析服务 DNS”里的“公网域名”，点您的域名，再点“管理解析”。"),
            _OLD,
            _("点“添加记录集”。主机记录是 @ 时，“主机记录”一栏留空。"),
            _VALUE,
        ),
        caution=_('华为云的 TXT 记录值要带英文双引号，例如 "kameng-site=…"。'),
    ),
    Guide(
        key="west",
        name=_("西部数码"),
        servers=("myhostadmin.net", "west-dns.com", "west.cn", "west263.com"),
        steps=(
            _("登录西部数码，打开“业务管理”里的“域名管理”，点您的域名后面的“解析”。"),
            _OLD,
            _("点“添加”。主机记录是 @ 时，“主机名”一栏留空。"),
            _VALUE,
        ),
    ),
    Guide(
        key="cloudflare",
        name="Cloudflare",
        servers=("ns.cloudflare.com",),
        steps=(
            _("登录 Cloudflare，点您的域名，左边选“DNS”里的“记录”（Records）。"),
            _OLD,
            _("点“添加记录”（Add record）。Name 填主机记录，Content 或 Target 填记录值。"),
            _("“代理状态”（Proxy status）点成灰色的“仅 DNS”，再点“保存”。每行添加一条。"),
        ),
        caution=_("云朵要是灰色。橙色时访问先到 Cloudflare，我们看不到您的记录，也签不了证书。"),
    ),
    Guide(
        key="godaddy",
        name="GoDaddy",
        servers=("domaincontrol.com",),
        steps=(
            _("登录 GoDaddy，打开“我的产品”，点域名旁的“DNS”。"),
            _("列表里的 “Parked” A 记录和同名的 CNAME 记录先删除或改成上表的值。"),
            _(
                "点“添加新记录”（Add New Record），选类型，Name 填主机记录，Value 填记录值，"
                "点“保存”。每行添加一条。"
            ),
        ),
        caution=_("关掉“域名转发”（Forwarding），否则它会改回 A 记录。"),
    ),
    Guide(
        key="namecheap",
        name="Namecheap",
        servers=("registrar-servers.com",),
        steps=(
            _("登录 Namecheap，打开 Domain List，点域名旁的 Manage，再选 Advanced DNS。"),
            _("删除列表里的 “URL Redirect Record” 和 “parkingpage” 的 CNAME 记录。"),
            _(
                "点 Add New Record，选类型，Host 填主机记录，Value 填记录值，"
                "点绿色的对勾保存。每行添加一条。"
            ),
        ),
    ),
    Guide(
        key="other",
        name=_("其他服务商"),
        servers=(),
        steps=(
            _("登录您买域名的网站，找到这个域名的“域名解析”“DNS 管理”或“DNS 记录”。"),
            _OLD,
            _(
                "添加上表里的每一行：主机记录（也叫主机名、Host、Name）、类型、记录值（Value、Content、Target）。"
            ),
            _("保存。TTL 用默认值，MX 等邮件记录不要动。"),
        ),
        caution=_("主机记录一栏只填 @、www 这样的前缀，不用再写一遍域名。"),
    ),
)


def find_guide(key: str, *, servers: Sequence[str]) -> tuple[Guide, bool]:
    """Return the guide that was asked for, or the one of these name servers; and if it was told.

    The second value says that the name servers told which one it is.
    """
    told = next(
        (
            guide
            for guide in GUIDES
            if any(server.endswith(end) for server in servers for end in guide.servers)
        ),
        None,
    )
    asked = next((guide for guide in GUIDES if guide.key == key), None)
    guide = asked or told or GUIDES[-1]
    return guide, told is guide
