"""Stripe, for sites abroad: API version 2024-06-20, hosted Checkout.

Checkout Sessions, PaymentIntents, Charges, Refunds, BalanceTransactions, Account and webhooks;
documents at https://docs.stripe.com/api. Cards, and Alipay and WeChat Pay as Stripe's methods.
"""
