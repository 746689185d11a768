"""Addresses of goods, prices, card keys, imports, gateways, sites, staff, settings and the log."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
