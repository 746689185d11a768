"""Browsers by names that people know."""

import pytest

from kameng.web.agents import describe_agent

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1"


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (CHROME, "Chrome · Windows"),
        (f"{CHROME} Edg/120.0", "Edge · Windows"),
        (PHONE, "Safari · iPhone"),
        (f"{PHONE} MicroMessenger/8.0", "WeChat · iPhone"),
        ("curl/8.0", "未知设备"),
        ("", "未知设备"),
        ("<script>", "未知设备"),
    ],
)
def test_a_browser_is_named(agent: str, said: str) -> None:
    assert describe_agent(agent) == said
