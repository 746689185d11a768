"""Writes of payments, by business: gateways, paying, confirming, querying, refunding."""
