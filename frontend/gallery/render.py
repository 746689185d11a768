"""Render the style guide: every screen of both faces, as files that a browser opens directly.

    .venv/bin/python frontend/gallery/render.py [--palette teal] [--theme dark]

The pages under pages/ are Django templates with the same tags and class names as the product, so
their markup can be copied as it stands. The output goes to gallery/dist/, which is not kept in git.
"""

import argparse
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUTPUT = HERE / "dist"
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(HERE))

import django  # noqa: E402
from django.conf import settings  # noqa: E402
from django.template.loader import get_template  # noqa: E402
from sample import CATEGORIES, make_products  # noqa: E402

from kameng.web.assets import get_asset_path  # noqa: E402
from kameng.web.covers import draw_cover, split_label  # noqa: E402

PLACES = {
    "shop-home": {"nav": "home", "tab": "home"},
    "shop-list": {"tab": "list"},
    "shop-orders": {"tab": "orders"},
    "shop-account": {"tab": "me"},
    "console-overview": {"nav": "today"},
    "console-orders": {"nav": "orders"},
    "console-order": {"nav": "orders"},
    "console-form": {"nav": "goods"},
    "console-import": {"nav": "goods"},
}
STATIC = ROOT / "src" / "kameng" / "web" / "static"


def configure() -> None:
    """Set up the few parts of Django that templates need."""
    settings.configure(
        DEBUG=False,
        STATIC_URL="kameng-static/",
        USE_TZ=True,
        TIME_ZONE="Asia/Shanghai",
        LANGUAGE_CODE="zh-hans",
        USE_I18N=True,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [HERE / "pages", ROOT / "src/kameng/web/templates"],
                "OPTIONS": {"libraries": {"kameng": "kameng.web.templatetags.kameng"}},
            }
        ],
    )
    django.setup()


def inline_sprite(html: str) -> str:
    """Put the sprite into the page: a browser does not follow <use> into another local file."""
    path = get_asset_path("icons.svg")
    sprite = (STATIC / path).read_text(encoding="utf-8").replace("<svg ", "<svg hidden ", 1)
    html = html.replace("/kameng-static/", "").replace(f'href="{path}#', 'href="#')
    html = html.replace(f'data-sprite="{path}"', 'data-sprite=""')
    return re.sub(r"(<body[^>]*>)", lambda found: found.group(1) + sprite, html, count=1)


def main() -> None:
    """Write every page and every cover."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--palette", default="indigo")
    parser.add_argument("--theme", default="auto")
    chosen = parser.parse_args()
    configure()
    shutil.copytree(STATIC / "kameng", OUTPUT / "kameng", dirs_exist_ok=True)
    (OUTPUT / "covers").mkdir(exist_ok=True)
    products = make_products()
    for product in products:
        label, sublabel = split_label(product["name"], fallback=product["category"])
        svg = draw_cover(
            seed=product["id"],
            category_key=product["category"],
            icon="",
            label=label,
            sublabel=sublabel,
        )
        (OUTPUT / product["cover_url"]).write_text(svg, encoding="utf-8")
    now = datetime(2025, 11, 22, 6, 30, tzinfo=UTC)
    context = {
        "palette": chosen.palette,
        "theme": chosen.theme,
        "site_name": "点点商城",
        "categories": CATEGORIES,
        "products": products,
        "now": now,
        "soon": datetime.now(UTC) + timedelta(minutes=14, seconds=32),
        "pages": sorted(path.stem for path in (HERE / "pages").glob("[a-z]*.html")),
    }
    for page in context["pages"]:
        html = get_template(f"{page}.html").render(context | PLACES.get(page, {}))
        (OUTPUT / f"{page}.html").write_text(inline_sprite(html), encoding="utf-8")
    sys.stdout.write(f"{len(context['pages'])} pages in {OUTPUT}\n")


main()
