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
)
from kameng.console.views import account, dashboard, frame, handing_over, overview, palette, sign_in

app_name = "console"

site_urls: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("dashboard/live/", dashboard.dashboard_live, name="dashboard_live"),
    path("dashboard/file/", dashboard.dashboard_file, name="dashboard_file"),
    path("dashboard/sites/", dashboard.dashboard_sites, name="dashboard_sites"),
    path("palette/", palette.palette, name="palette"),
    path("account/", account.account, name="account"),
    path("account/password/", account.change_password, name="change_password"),
    path("account/end-session/", account.end_session, name="end_session"),
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
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("language/", sign_in.choose_language, name="language"),
    path("take-over/<str:token>/", handing_over.take_over, name="take_over"),
    path("<slug:site_slug>/", include(site_urls)),
]
