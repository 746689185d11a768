"""Addresses of orders, deliveries, refunds, payments, customers, the ledger and mails."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import customers, exports, ledger, mails, orders, payments, repairs

urlpatterns: list[URLPattern | URLResolver] = [
    path("orders/", orders.orders, name="orders"),
    path("orders/queue/", orders.delivery_queue, name="delivery_queue"),
    path("orders/queue/next/", orders.take_next, name="take_next"),
    path("orders/refunds/", orders.refunds, name="refunds"),
    path("orders/export/", exports.orders_file, name="export_orders"),
    path("orders/<str:order_no>/", orders.order, name="order"),
    path("orders/<str:order_no>/reveal/", repairs.reveal, name="reveal_goods"),
    path("orders/<str:order_no>/contact/", repairs.reveal_buyer, name="reveal_contact"),
    path("orders/<str:order_no>/<slug:act>/", repairs.repair, name="repair"),
    path("payments/", payments.payments, name="payments"),
    path("payments/rejected/", payments.rejected_callbacks, name="rejected_callbacks"),
    path("payments/export/", exports.payments_file, name="export_payments"),
    path("payments/<str:payment_no>/", payments.payment, name="payment"),
    path("payments/<str:payment_no>/query/", payments.query_payment, name="query_payment"),
    path("payments/<str:payment_no>/return/", payments.return_payment, name="return_payment"),
    path("customers/", customers.customers, name="customers"),
    path("customers/export/", exports.customers_file, name="export_customers"),
    path("customers/<int:customer_id>/", customers.customer, name="customer"),
    path("customers/<int:customer_id>/export/", exports.wallet_file, name="export_wallet"),
    path("customers/<int:customer_id>/adjust/", customers.adjust, name="adjust_wallet"),
    path("customers/<int:customer_id>/lock/", customers.lock, name="lock_customer"),
    path("customers/<int:customer_id>/unlock/", customers.unlock, name="unlock_customer"),
    path(
        "customers/<int:customer_id>/sign-out/",
        customers.sign_out_customer,
        name="sign_out_customer",
    ),
    path("customers/<int:customer_id>/note/", customers.note, name="note_customer"),
    path("customers/<int:customer_id>/login/", customers.reveal_login, name="reveal_login"),
    path("ledger/", ledger.ledger, name="ledger"),
    path("ledger/export/", exports.ledger_file, name="export_ledger"),
    path("mails/", mails.mails, name="mails"),
    path("mails/<int:email_id>/retry/", mails.retry_mail, name="retry_mail"),
]
