"""Addresses of orders, deliveries, refunds, payments, customers and the ledger."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
