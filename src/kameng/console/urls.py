"""Addresses of this face: signing in, and everything else under the slug of a site."""

from django.urls import URLPattern, URLResolver, include, path

from kameng.console import (
    urls_books,
    urls_children,
    urls_design,
    urls_domains,
    urls_goods,
    urls_leaving,
    urls_money,
    urls_orders,
    urls_staff,
)
from kameng.console.views import (
    dashboard,
    frame,
    handing_over,
    joining,
    overview,
    palette,
    second_step,
    sign_in,
)

app_name = "console"

site_urls: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("dashboard/live/", dashboard.dashboard_live, name="dashboard_live"),
    path("dashboard/file/", dashboard.dashboard_file, name="dashboard_file"),
    path("dashboard/sites/", dashboard.dashboard_sites, name="dashboard_sites"),
    path("palette/", palette.palette, name="palette"),
    path("", include(urls_staff.urlpatterns)),
    path("", include(urls_orders.urlpatterns)),
    path("", include(urls_money.urlpatterns)),
    path("", include(urls_goods.urlpatterns)),
    path("", include(urls_books.urlpatterns)),
    path("", include(urls_domains.urlpatterns)),
    path("", include(urls_children.urlpatterns)),
    path("", include(urls_leaving.urlpatterns)),
    path("design/", include(urls_design.urlpatterns)),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", frame.enter, name="enter"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/second/", second_step.second_step, name="second_step"),
    path("sign-in/passkey/", second_step.passkey_sign_in, name="passkey_sign_in"),
    path("passkeys/begin/", second_step.begin, name="begin_passkey"),
    path("join/<str:token>/", joining.join, name="join"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("language/", sign_in.choose_language, name="language"),
    path("take-over/<str:token>/", handing_over.take_over, name="take_over"),
    path("<slug:site_slug>/", include(site_urls)),
]
