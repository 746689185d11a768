"""Sample."""

from kameng.pages.ready_made import Design, part

DESIGN = Design(
    key="sample",
    name="s",
    hint="s",
    tags=(),
    look={},
    footer=part("footer"),
    home=[
        part(t)
        for t in ["carousel", "tiles", "search_box", "product_list", "product_carousel", "columns", "compare", "steps", "faq", "trust_badges", "customer_service", "divider", "rich_text"]
    ]
    + [
        part("countdown", until="2026-12-31T00:00:00+08:00"),
        part("steps", ground="brand"),
        part("trust_badges", ground="dark"),
        part("trust_badges", layout="cards"),
        part("tiles", layout="lead", ground="card"),
        part("category_nav", layout="tiles"),
        part("category_nav", layout="rows"),
    ],
)
