"""Addresses of this face."""

from django.urls import URLPattern, URLResolver, path

from kameng.storefront.descriptions import describe_addresses
from kameng.storefront.views import (
    account,
    buying,
    information,
    lookup,
    order,
    pages,
    paying,
    receiving,
    resting,
    shop,
    signing,
    statement,
)

app_name = "storefront"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", shop.home, name="home"),
    path("c/<int:category_id>/", shop.category, name="category"),
    path("search/", shop.search, name="search"),
    path("suggest/", shop.suggest, name="suggest"),
    path("p/<int:product_id>/", shop.product, name="product"),
    path("p/<int:product_id>/stock/", shop.stock, name="stock"),
    path("covers/<int:product_id>.<slug:version>.svg", shop.cover, name="cover"),
    path("pages/<slug:slug>/", pages.page, name="page"),
    path("about/", pages.about, name="about"),
    path("preview/<str:token>/", pages.preview, name="preview"),
    path("leaving/", pages.leaving, name="leaving"),
    path("look/<slug:name>.css", pages.look, name="look"),
    path("pictures/<int:picture_id>-<slug:digest>-<int:width>.webp", pages.picture, name="picture"),
    path("checkout/", buying.checkout, name="checkout"),
    path("pay/payer/", paying.payer, name="payer"),
    path("pay/device/", paying.device, name="device"),
    path("pay/<str:order_no>/", paying.pay, name="pay"),
    path("pay/<str:order_no>/rest/", resting.rest, name="pay_rest"),
    path("pay/<str:order_no>/rest/go/", resting.rest_go, name="pay_rest_go"),
    path("pay/<str:order_no>/go/", paying.pay_go, name="pay_go"),
    path("pay/<str:order_no>/status/", paying.pay_status, name="pay_status"),
    path("pay/<str:order_no>/cancel/", paying.pay_cancel, name="pay_cancel"),
    path("receive/<str:withdrawal_no>/", receiving.receive, name="receive"),
    path("receive/<str:withdrawal_no>/status/", receiving.receive_status, name="receive_status"),
    path("o/<str:order_no>/", order.order, name="order"),
    path("o/<str:order_no>/keys.txt", order.order_keys, name="order_keys"),
    path("o/<str:order_no>/used/", order.order_used, name="order_used"),
    path("lookup/", lookup.lookup, name="lookup"),
    path("register/", signing.register, name="register"),
    path("sign-in/", signing.sign_in, name="sign_in"),
    path("sign-out/", signing.sign_out, name="sign_out"),
    path("forgot/", signing.forgot, name="forgot"),
    path("account/", account.account, name="account"),
    path("account/orders/", account.orders, name="orders"),
    path("account/wallet/", account.wallet, name="wallet"),
    path("account/wallet/statement/", statement.wallet_statement, name="wallet_statement"),
    path(
        "account/wallet/statement/file/",
        statement.wallet_statement_file,
        name="wallet_statement_file",
    ),
    path("account/wallet/<str:top_up_no>/", account.top_up, name="top_up"),
    path("account/wallet/<str:top_up_no>/return/", account.return_money, name="return_top_up"),
    path("account/wallet/<str:top_up_no>/status/", account.top_up_status, name="top_up_status"),
    path("account/messages/", account.messages, name="messages"),
    path("account/security/", account.security, name="security"),
    path("help/", information.help_page, name="help"),
    path("terms/", information.terms, name="terms"),
    path("privacy/", information.privacy, name="privacy"),
    path("language/", information.language, name="language"),
    path("robots.txt", information.robots, name="robots"),
    path("favicon.svg", information.favicon, name="favicon"),
    path("favicon.ico", information.favicon),  # asked for by pages without a link to the other
    path("manifest.webmanifest", information.manifest, name="manifest"),
]

describe_addresses()
