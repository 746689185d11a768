"""What a buyer's phone has to fetch and how soon it shows: weight and largest contentful paint.

Chromium opens pages of a running shop as a phone would: a processor 4 times slower, nothing cached,
once over 9 Mbit/s with 60 ms a round trip and once over Lighthouse's "slow 4G" of 1.6 Mbit/s with
150 ms. Aims: at most 150 KB, largest contentful paint within 1.2 s.
"""

import json
import shutil
import statistics
import sys
from typing import Any

LINES = {  # name: (bytes a second, milliseconds a round trip)
    "4g": (9_000_000 // 8, 60),
    "slow_4g": (1_600_000 // 8, 150),
}
SLOWER = 4
TURNS = 3
WATCH = """
window.__paint = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.__paint = entry.startTime;
}).observe({type: 'largest-contentful-paint', buffered: true});
"""


def main() -> None:
    """Measure the pages that standard input names and print."""
    wanted = json.load(sys.stdin)
    json.dump(measure(wanted["pages"]), sys.stdout)


def measure(pages: dict[str, str]) -> dict[str, Any]:
    """Return KB and milliseconds of each page by name; empty where there is no Chromium."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return {}
    report: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * 127.0.0.1"],
        )
        for name, url in pages.items():
            sizes: list[int] = []
            for line in LINES:
                turns = [_open(browser, url, line) for _ in range(TURNS)]
                sizes += [size for size, _painted in turns]
                painted = statistics.median(moment for _size, moment in turns)
                report[f"{name}_lcp_{line}_ms"] = round(painted)
            report[f"{name}_kb"] = round(max(sizes) / 1000, 1)
        browser.close()
    return report


def _open(browser: Any, url: str, line: str) -> tuple[int, float]:
    """Return the bytes that came over the line and when the largest thing was painted."""
    speed, trip = LINES[line]
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, locale="zh-CN"
    )
    page = context.new_page()
    session = context.new_cdp_session(page)
    received: list[int] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": trip,
            "downloadThroughput": speed,
            "uploadThroughput": speed,
        },
    )
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.add_init_script(WATCH)
    page.goto(url, wait_until="networkidle")
    page.wait_for_timeout(300)
    painted = float(page.evaluate("window.__paint"))
    context.close()
    return sum(received), painted


if __name__ == "__main__":
    main()
