"""Sample content of the style guide: categories and products as a real shop has them."""

from typing import Any

CATEGORIES = [
    {"name": "游戏点卡", "icon": "device-gamepad-2"},
    {"name": "话费充值", "icon": "phone"},
    {"name": "流量充值", "icon": "wifi"},
    {"name": "视频会员", "icon": "player-play"},
    {"name": "音乐会员", "icon": "music"},
    {"name": "软件激活", "icon": "key"},
    {"name": "礼品卡", "icon": "gift"},
    {"name": "学习教育", "icon": "school"},
    {"name": "社交直播", "icon": "message-circle"},
    {"name": "Steam与主机", "icon": "device-desktop"},
    {"name": "网盘工具", "icon": "cloud"},
    {"name": "生活服务", "icon": "coffee"},
]

_ROWS: list[tuple[str, str, str, str, int, int, int]] = [
    ("Q币 100个 自动充值", "游戏点卡", "官方直充", "", 984100, 1000000, 12804),
    ("王者荣耀点券 648元档", "游戏点卡", "官方直充", "", 6285600, 6480000, 3911),
    ("原神创世结晶 328元档 官服", "游戏点卡", "官方直充", "", 3179000, 3280000, 2076),
    ("中国移动话费 100元 全国快充", "话费充值", "官方直充", "", 992000, 1000000, 20418),
    ("腾讯视频超级影视SVIP 1个月", "视频会员", "自动发货", "", 298000, 400000, 8873),
    ("爱奇艺白金会员TV版 3个月", "视频会员", "自动发货", "", 988000, 1280000, 1560),
    ("网易云音乐黑胶VIP 1个月", "音乐会员", "自动发货", "", 129000, 150000, 4420),
    ("Steam钱包充值卡 50元 国区", "Steam与主机", "自动发货", "库存紧张", 489000, 500000, 980),
    ("京东E卡 500元 电子卡", "礼品卡", "自动发货", "", 4925000, 5000000, 5127),
    ("百度网盘超级会员SVIP 1个月", "网盘工具", "自动发货", "", 239000, 300000, 6022),
    ("微软 Office 家庭和学生版 永久激活密钥", "软件激活", "自动发货", "", 3280000, 7480000, 311),
    ("星巴克中杯拿铁兑换券", "生活服务", "自动发货", "", 258000, 320000, 1744),
    ("知乎盐选会员 12个月", "学习教育", "自动发货", "", 1480000, 1980000, 402),
    ("抖音抖币 60个", "社交直播", "官方直充", "", 59000, 60000, 9931),
    ("移动流量 月包 10GB", "流量充值", "官方直充", "", 288000, 300000, 873),
    ("夸克网盘SVIP 12个月", "网盘工具", "自动发货", "", 1380000, 1680000, 256),
    ("App Store 充值卡 100元 国区", "礼品卡", "自动发货", "", 988000, 1000000, 3309),
    ("任天堂eShop点卡 3000日元 日服", "Steam与主机", "人工发货", "", 1520000, 0, 95),
    ("联通话费 50元 快充", "话费充值", "官方直充", "", 497000, 500000, 7120),
    ("喜马拉雅VIP 年卡", "音乐会员", "自动发货", "售罄", 1480000, 2180000, 613),
]


def make_products() -> list[dict[str, Any]]:
    """Return the sample products with the addresses of their covers."""
    keys = ("name", "category", "delivery", "stock_note", "price_amount", "list_amount", "sold")
    return [
        dict(zip(keys, row, strict=True))
        | {
            "id": 40 + number,
            "cover_url": f"covers/{number}.svg",
            "profit_amount": row[4] // 1700 * 100,
        }
        for number, row in enumerate(_ROWS)
    ]
