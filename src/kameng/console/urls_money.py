"""Addresses of settlement: an operator's claims and accounts, the main site's queue and files."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import settlement, splits, withdrawals

operator_urls: list[URLPattern | URLResolver] = [
    path("settlement/", settlement.settlement, name="settlement"),
    path("settlement/ask/", settlement.ask_withdrawal, name="ask_withdrawal"),
    path("settlement/accounts/", settlement.payout_accounts, name="payout_accounts"),
    path("settlement/accounts/new/", settlement.new_payout_account, name="new_payout_account"),
    path("settlement/accounts/remove/", settlement.remove_account, name="remove_account"),
    path("settlement/receivers/new/", settlement.new_receiver, name="new_receiver"),
    path("settlement/receivers/prove/", settlement.reprove_receiver, name="reprove_receiver"),
    path("settlement/receivers/remove/", settlement.close_receiver, name="close_receiver"),
    path("settlement/splits/", settlement.own_splits, name="own_splits"),
    path("settlement/<str:withdrawal_no>/", settlement.withdrawal, name="withdrawal"),
    path(
        "settlement/<str:withdrawal_no>/receipt/", settlement.receipt_status, name="receipt_status"
    ),
    path("settlement/<str:withdrawal_no>/take-back/", settlement.take_back, name="take_back"),
]
main_urls: list[URLPattern | URLResolver] = [
    path("withdrawals/", withdrawals.withdrawals, name="withdrawals"),
    path("withdrawals/export/", withdrawals.withdrawals_file, name="export_withdrawals"),
    path("withdrawals/batches/", withdrawals.payout_batches, name="payout_batches"),
    path("withdrawals/batches/new/", withdrawals.new_batch, name="new_batch"),
    path("withdrawals/batches/<str:batch_no>/", withdrawals.payout_batch, name="payout_batch"),
    path("withdrawals/batches/<str:batch_no>/file/", withdrawals.batch_file, name="batch_file"),
    path(
        "withdrawals/batches/<str:batch_no>/result/", withdrawals.batch_result, name="batch_result"
    ),
    path("withdrawals/<str:withdrawal_no>/", withdrawals.reviewed, name="reviewed"),
    path("withdrawals/<str:withdrawal_no>/approve/", withdrawals.approve, name="approve"),
    path("withdrawals/<str:withdrawal_no>/refuse/", withdrawals.refuse, name="refuse"),
    path("withdrawals/<str:withdrawal_no>/pay/", withdrawals.pay, name="pay_withdrawal"),
    path("withdrawals/<str:withdrawal_no>/decide/", withdrawals.decide, name="decide_payout"),
    path("withdrawals/<str:withdrawal_no>/returned/", withdrawals.returned, name="returned_payout"),
    path("splits/", splits.splits, name="splits"),
    path("splits/act/", splits.act_on_split, name="act_on_split"),
    path("splits/export/", splits.splits_file, name="export_splits"),
    path("settlement-terms/", splits.settlement_terms, name="settlement_terms"),
    path("settlement-terms/<int:site_id>/", splits.edit_terms, name="edit_terms"),
]
urlpatterns: list[URLPattern | URLResolver] = [*operator_urls, *main_urls]
