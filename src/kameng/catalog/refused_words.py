"""What may not be sold on any site: the words that give such goods away.

Owns the table of words by the group that a person is told. Promises that spaces, dots, full-width
signs and case between the letters of a word do not hide it. Pure. Words that stand in honest goods
too (流量, 账号, 会员) are left out on purpose: who is refused must see why.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kameng.core.problems import gettext_noop

REFUSED_WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        gettext_noop("电话卡和短信验证码"): (
            *("手机黑卡", "实名手机卡", "实名电话卡", "流量物联卡", "物联网卡", "物联卡"),
            *("接码", "验证码代收", "代收验证码", "虚拟手机号", "gsm卡", "猫池", "goip", "卡商"),
        ),
        gettext_noop("实名和社交账号"): (
            *(
                "出售微信号",
                "微信号出售",
                "微信小号",
                "微信老号",
                "qq老号",
                "抖音老号",
                "实名账号",
                "实名认证号",
            ),
            *("带实名", "支付宝小号", "支付宝账号", "游戏实名", "防沉迷号", "成年认证号"),
        ),
        gettext_noop("银行卡和支付账户"): (
            *("银行卡四件套", "银行卡八件套", "对公账户", "银行卡出售", "收款码出租", "跑分"),
            *("信用卡套现", "花呗套现", "白条套现", "代还信用卡"),
        ),
        gettext_noop("身份和个人信息"): (
            *("身份证照片", "手持身份证", "身份证正反面", "社工库", "开房记录", "查手机号"),
            *("户籍信息", "人肉搜索"),
        ),
        gettext_noop("外挂和作弊工具"): (
            *("外挂", "透视自瞄", "自瞄", "破解辅助", "辅助脚本", "群控", "刷量", "刷粉"),
            *("改机软件", "秒抢软件", "抢票软件"),
        ),
        gettext_noop("翻墙工具"): (
            *("翻墙", "科学上网", "机场节点", "机场订阅", "v2ray", "clash订阅", "ssr节点"),
            *("vpn",),
        ),
        gettext_noop("赌博和彩票"): (
            *("赌博", "博彩", "菠菜平台", "棋牌上分", "百家乐", "六合彩", "时时彩"),
            *("代购彩票", "彩票预测"),
        ),
        gettext_noop("虚拟货币"): (*("usdt", "泰达币", "比特币", "以太坊", "虚拟货币", "矿机"),),
        gettext_noop("发票、考试和证件"): (
            *("代开发票", "发票代开", "考试答案", "代考", "替考", "枪手代考", "办假证", "代办假证"),
            *("学历证书代办",),
        ),
        gettext_noop("盗版和破解软件"): (
            *(
                "注册机",
                "破解版",
                "盗版",
                "激活工具",
                "kms激活",
                "共享账号",
                "合租账号",
                "拼车账号",
            ),
        ),
        gettext_noop("药品和成人内容"): (
            *("处方药", "迷药", "催情", "减肥药", "成人视频", "色情", "裸聊", "约炮", "av资源"),
        ),
        gettext_noop("黄牛票和套现"): (
            *("黄牛票", "代抢门票", "礼品卡回收套现", "话费慢充", "慢充"),
        ),
    }
)
_LATIN: Final = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedWord:
    """A word that may not be sold, as the table writes it, and its group."""

    word: str
    group: str


def find_refused_word(texts: Iterable[str]) -> RefusedWord | None:
    """Return the first word of the table that stands in one of the texts, or None."""
    for text in texts:
        if not text:
            continue
        spoken = unicodedata.normalize("NFKC", text).casefold()
        plain = "".join(sign for sign in spoken if sign.isalnum())
        latin = frozenset(_LATIN.findall(spoken))
        for group, words in REFUSED_WORDS.items():
            for word in words:
                # A Latin word must stand alone: "clashvpn" is one, "v pn" inside a sentence is not.
                if word in latin if word.isascii() else word in plain:
                    return RefusedWord(word=word, group=group)
    return None
