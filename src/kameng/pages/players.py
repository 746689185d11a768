"""Players of films that a page may frame: an address of a film page in, that of its player out.

Pure. Bilibili: https://player.bilibili.com (外链播放器); Tencent Video: https://v.qq.com/txp/iframe.
"""

import re
from typing import Final

HOSTS: Final = ("https://player.bilibili.com", "https://v.qq.com")
_BILIBILI: Final = re.compile(
    r"https://(?:www\.|m\.)?bilibili\.com/video/(BV[0-9A-Za-z]{10})(?:[/?#].*)?"
)
_TENCENT: Final = re.compile(
    r"https://(?:m\.)?v\.qq\.com/x/(?:page|cover/[0-9a-z]{1,20})/([0-9a-z]{11})\.html(?:[?#].*)?"
)


def find_player(address: str) -> str:
    """Return the player's address of a film page, or an empty text."""
    text = address.strip()
    if found := _BILIBILI.fullmatch(text):
        return f"{HOSTS[0]}/player.html?bvid={found[1]}&autoplay=1"
    if found := _TENCENT.fullmatch(text):
        return f"{HOSTS[1]}/txp/iframe/player.html?vid={found[1]}&autoplay=true"
    return ""
