"""Addresses of reconciliation, closing, statements and the ledger's accounts."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import accounts, cases, reconciliation

urlpatterns: list[URLPattern | URLResolver] = [
    path("ledger/accounts/", accounts.accounts, name="accounts"),
    path("ledger/accounts/<int:kind>/<int:owner_id>/", accounts.account, name="account_ledger"),
    path(
        "ledger/accounts/<int:kind>/<int:owner_id>/file/",
        accounts.account_file,
        name="account_file",
    ),
    path(
        "customers/<int:customer_id>/statement/",
        accounts.wallet_statement,
        name="wallet_statement",
    ),
    path(
        "customers/<int:customer_id>/statement/file/",
        accounts.wallet_statement_file,
        name="wallet_statement_file",
    ),
    path("reconciliation/", reconciliation.reconciliation, name="reconciliation"),
    path("reconciliation/cases/", cases.cases, name="cases"),
    path("reconciliation/cases/<int:case_id>/", cases.case, name="case"),
    path("reconciliation/cases/<int:case_id>/book/", cases.book, name="book_case"),
    path("reconciliation/cases/<int:case_id>/<slug:act>/", cases.case_act, name="case_act"),
    path("reconciliation/closing/", reconciliation.closing, name="closing"),
    path("reconciliation/closing/<str:month>/seal/", reconciliation.month_seal, name="month_seal"),
    path("reconciliation/<int:gateway_id>/<str:day>/", reconciliation.bill_day, name="bill_day"),
    path(
        "reconciliation/<int:gateway_id>/<str:day>/fetch/",
        reconciliation.fetch_day,
        name="fetch_day",
    ),
    path(
        "reconciliation/<int:gateway_id>/<str:day>/match/",
        reconciliation.match_day,
        name="match_day",
    ),
    path(
        "reconciliation/<int:gateway_id>/<str:day>/files/<int:file_id>/",
        reconciliation.bill_file,
        name="bill_file",
    ),
]
